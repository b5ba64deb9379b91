"""Messages in other languages: complete, with the same fields, and never assembled."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import tomllib
from copy import copy, deepcopy
from datetime import datetime
from pathlib import Path
from typing import Final

import dns.rdatatype
import pytest

from dnsrenew import locale
from dnsrenew.base import translation
from dnsrenew.base.texts import BAD_LABEL
from dnsrenew.base.translation import Translator
from dnsrenew.base.validation import Mistake, config_error, one_of, shown_place
from dnsrenew.base.validation.texts import EMPTY_TEXT, MISSING
from dnsrenew.cli.commands import COMMANDS
from dnsrenew.config.texts import AGREE, NOT_EMPTY, PROFILE, UNKNOWN_ACCOUNT
from dnsrenew.dns import propagation, query_engine, wire
from dnsrenew.dns.query_engine import NoRouteError
from dnsrenew.dns.server_poll import AddressAnswer, ServerPoll
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.dns.zones import NameServer
from dnsrenew.errors import ConfigError, Message, Phrase, Text, as_clause, series
from dnsrenew.locale import language_of
from tests.kit import translations

CHINESE: Final = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
"""Characters, and punctuation of their width."""
TEXT: Final = Text("x-code", "{name} expired on {time}: {cause}", "Run {commands}.")


LANGUAGES: Final = locale.LANGUAGES[1:]
CATALOGUES: Final = {language: locale.read_catalogue(language) for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete(language: str) -> None:
    """Every template has a translation, even if it has only punctuation. Nothing else has one."""
    templates = {key for module in translations.english().values() for key in module}
    catalogue = set(CATALOGUES[language])
    assert sorted(set(filter(translations.needs_translation, templates)) - catalogue) == []
    assert sorted(catalogue - templates) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_translated(language: str) -> None:
    """Every constant of a ``texts.py`` has a translation."""
    plain = [found for found in translations.plain() if found.partition(": ")[2] not in CATALOGUES[language]]
    assert plain == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_same_fields(language: str) -> None:
    """A translation has exactly the fields of the English text, in the same formats."""
    catalogue = CATALOGUES[language].items()
    assert [key for key, text in catalogue if translations.fields(key) != translations.fields(text)] == []


def test_a_translation_is_chinese() -> None:
    """No translation is a copy of its English text. The address of a page may have another one instead."""
    worded = {
        key: text
        for key, text in CATALOGUES["zh"].items()
        if key != "CA" and translations.has_words(key) and "://" not in key.partition(" ")[0]
    }
    assert [key for key, text in worded.items() if not CHINESE.search(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_can_be_put_in_order(language: str) -> None:
    """Putting a file in order loses nothing, and does it once and for all. No template is in it twice."""
    file = Path(locale.path_of(language)).read_text("utf-8")
    keys = [key for _, key, _ in locale.entries(file)]
    assert sorted(keys) == sorted(set(keys))
    ordered = translations.in_order(language, file)
    assert {key: text for _, key, text in locale.entries(ordered)} == {
        key: text for _, key, text in locale.entries(file)
    }
    assert translations.in_order(language, ordered) == ordered


def test_a_new_language_has_every_template_once() -> None:
    """The file of a new language has each template, without a translation."""
    made = [(key, text) for _, key, text in locale.entries(translations.in_order("xx", ""))]
    assert {key for key, text in made if not text} == set(CATALOGUES["zh"])
    assert len(made) == len(CATALOGUES["zh"]) + 1


def test_what_translators_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file as Poedit, Weblate and gettext write it is read: wrapped lines, escapes, contexts, notes.

    Translations that are missing, doubted (fuzzy) or obsolete do not count.
    """
    (tmp_path / "xx.po").write_text(WRITTEN, "utf-8", newline="\r\n")
    monkeypatch.setattr(locale, "_FOLDER", str(tmp_path))
    assert locale.read_catalogue("xx") == {
        "a": "ä",
        'two lines,\nwith a "quote", a \\ and a\ttab': 'zwei Zeilen,\n"\\t',
        "place\x04a": "Ä",
        "last": "letzt",
    }


WRITTEN: Final = r"""# A note
msgid ""
msgstr ""
"Language: xx\n"

# of the translator
#. of the source
#: a/texts.py
#, python-brace-format
msgid "a"
msgstr "ä"

msgid ""
"two lines,\n"
"with a \"quote\", a \\ and "
"a\ttab"
msgstr ""
"zwei Zeilen,\n"
"\"\\t"

#, fuzzy, python-brace-format
#| msgid "b?"
msgid "b"
msgstr "doubted"

msgctxt "place"
msgid "a"
msgstr "Ä"

msgid "missing"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"

#, no-wrap
msgid "last"
msgstr "letzt"
"""


# ── Chinese ─────────────────────────────────────────────────────────────────────────────

TERMS: Final = {
    "验证方式, 验证": "质询|挑战",
    "凭据": "机密(?!钥)|秘密",
    "服务商": "托管商|提供商|供应商",
    "存储目录": "存储(?!目录|位置)",
    "令牌": "[\u4e00-\u9fff] ?token|(?<![_/])token ?[\u4e00-\u9fff]",
    "更正": "改正|修正",
    "条途径": "个途径",
    "途径 (of a certificate)": "在路由中|路由的列表",
    "先前的运行": "之前(?:的|某次)?运行",
    "写入 (a setting)": "写上 ?[a-z_]+ =",
    "哪个程序 (active, not passive)": "被什么|是什么(?:更改|删除)了|无法被",
    "目录": "文件夹",
    "另一个 dnsrenew 进程": "一个运行",
    "指定, 输入, 显示, 返回": "给出",
    "生成, 写入": "写出",
    "不会": "从不",
    "不支持, 没有": "不认识",
    "Web 服务器": "(?:网站|网页)服务器",
    "申请证书": "下单|下订单",
    "CA": "CA 机构",
    "您是不是想输入": "是否想|是不是想(?!输入)|您是想",
    "密钥环": "钥匙串",
    "外部辅助服务": "助手",
    "本机": "本系统|当前主机|这台主机",
    "邮件地址": "电子邮箱|邮箱地址|电子邮件地址",
    "双重验证": "双因素|两步验证|二次验证",
    "需要续期, 续期时间": r"是否到期|应续期|待续期|应于 ?\{|下次续期 ?\{",
    "地域 (of a cloud)": "区域（Region",
    "退出状态": r"以状态 ?\{[a-z]+\} ?结束",
    "设置自动续期任务": "安装自动续期",
    "口令 (of a private key)": "没有密码的私钥",
    "输出": "打印",
    "个证书": "[张份]证书",
    "配置块": "配置段",
    "逾期未续期": "续期逾期",
    "[resolver] 下的 doh": r"resolver\.(?:doh|nameservers)",
    "NAME": "delegate 域名",
    "生效 (of a record)": "域名服务器(?:都)?能看到",
    "委派": "委托",
    "端口 after its number": r"端口 \{port\}",
    "限额 (of a CA)": "速率限制",
    "或 (after 可以使用), 之一 (without 或)": r"可用的[有键值]?：?\{|\{keys\} 之一",
    "用户组, 权限 (of a file)": "(?<!用户)组(?:也能|必须能)读取|（模式 0",
    "记录 (not a server) 生效": "域名服务器(?:均|都)?已生效",
    "跟随, 应答 (plain verbs)": "不予|作出应答",
    "响应 (a server), 状态码 (HTTP)": r"(?:没有|及时|停止|恢复)应答|HTTP 状态(?!码)",
    "A 的 CNAME 记录, HFS（{url}）": r"处的 (?:CNAME|TXT|CAA)|\{url\} 处的",
    "路径中有链接, 查到": r"通往.*的路径上|没有说明 ?\{",
    "超时时间, 该主机上": r"可用的秒数|(?<!\])那里的(?:证书|私钥|用户)",
    "您": "你",
    "请把, 请给": "请将",
}
"""For one thing one term, and the words that are not used for it."""
LAYOUT: Final = {
    "a word that stands twice": "使用用|请请|的的|了了|是是|在在",
    "a mark of half width": r"[\u4e00-\u9fff] ?[:;,!](?:[\s\u4e00-\u9fff]|$)|\([^()]*[\u4e00-\u9fff]|[\u4e00-\u9fff]\(",
    "a space beside a mark of full width": "\\S [（），：；。、？！]|[（），：；。、？！] ",
    "Chinese and Latin without a space": "[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]",
    "a number without a space": r"[\u4e00-\u9fff]\{(?:ago|distance|count|number|seconds|elapsed|duration|timeout)\}",
    "a quotation mark of another style": r"[\u4e00-\u9fff]\"|\"[\u4e00-\u9fff]|[‘’『』]|「(?!\{character\}」)"
    r"|没有名为 \{(?:name|answer|key)\}",
    "an English unit": r"\} ?(?:ms|s|min|h|d|days?|hours?|minutes?|seconds?)\b",
    "a command without backquotes": rf"(?<![\w/.-])dnsrenew (?:{'|'.join(name.split()[0] for name in COMMANDS)})\b"
    r"|\b(?:sudo|w32tm|ulimit|a2enmod|openssl) [a-z/-]|运行：\{command\}",
}
_PARENT: Final = Path(__file__).parents[2]
CHINESE_PAGES: Final = [
    *(
        path
        for folder in (".", "docs", "docs/guides", "docs/how-it-works")
        for path in sorted((_PARENT / folder).glob("*.zh.md"))
    ),
    *(_PARENT / "docs" / "reference" / f"{name}.zh.md" for name in ("configuration", "deployments")),
]


def written_in_chinese() -> list[str]:
    """Return the translations, and the lines of the sources of the Chinese pages."""
    checks = tomllib.loads((_PARENT / "docs" / "checks.toml").read_text("utf-8"))
    pages = [page.read_text("utf-8") for page in CHINESE_PAGES]
    lines = [line for page in pages for line in re.sub(r"(?ms)^```.*?^```$", "", page).splitlines()]
    lines += [text for check in checks.values() for text in check.get("zh", {}).values()]
    codes = tomllib.loads((_PARENT / "docs" / "error_codes.toml").read_text("utf-8"))
    lines += [text for kind in ("errors", "warnings") for text in codes[f"{kind}-in-chinese"].values()]
    return [*CATALOGUES["zh"].values(), *lines]


@pytest.mark.parametrize("term", TERMS)
def test_one_chinese_term_for_one_thing(term: str) -> None:
    """No message, help or page in Chinese has a word for which another one was chosen."""
    words = (re.sub(r"`[^`]*`|\]\([^)]*\)|https?://[\w./#-]+", "", each) for each in written_in_chinese())
    assert [text for text in words if re.search(TERMS[term], text)] == [], term


@pytest.mark.parametrize("fault", LAYOUT)
def test_chinese_is_set_as_chinese(fault: str) -> None:
    """Marks have full width and no space beside them; Latin words and numbers have one; units are Chinese."""
    parts = [re.sub("`[^`]*`", "x", text) for text in CATALOGUES["zh"].values()]
    for line in written_in_chinese()[len(parts) :]:
        words = re.sub(r"`[^`]*`|<https?://[^>]*>", "x", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line))
        parts += re.sub(r"(?<=[。？：])\*\* |\*\*", "", words).strip("|# ").split(" | ")
    assert [text for text in parts if re.search(LAYOUT[fault], text)] == []


@pytest.mark.parametrize("language", locale.LANGUAGES)
def test_the_page_about_problems_quotes_the_screen(language: str) -> None:
    """What the page about problems says that you see is what the program says, in each language."""
    name = f"when-something-goes-wrong{'' if language == 'en' else f'.{language}'}.md"
    page = (_PARENT / "docs" / "guides" / name).read_text("utf-8")
    said = [text for keys in translations.english().values() for text in map(translations.english_of, keys)]
    said = said if language == "en" else list(CATALOGUES[language].values())
    first = [*re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE), *re.findall(r"^`[^`]*`[（:： (]", page, re.MULTILINE)]
    quoted = [each for cell in first for each in re.findall("`([^`]*)`", re.sub(r"[（(]`[^`]*`[）)]", "", cell))]
    quoted = [each for each in quoted if not each.startswith("dnsrenew ")]
    assert len(quoted) > 15
    assert [each for each in quoted if not any(each in text for text in said)] == []


# ── how it works ────────────────────────────────────────────────────────────────────────


def use(monkeypatch: pytest.MonkeyPatch, catalogue: dict[str, str]) -> None:
    """Use this catalogue instead of the file."""
    monkeypatch.setattr(translation, "read_catalogue", lambda _: catalogue)


def test_a_message_is_filled_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields, lists, times and nested messages are translated."""
    use(
        monkeypatch,
        {
            TEXT.message: "{name} 已于 {time} 过期:{cause}",
            TEXT.fix: "运行 {commands}。",
            "It is {what}.": "是 {what}。",
            locale.with_context("list", "{a}, {b}"): "{a}、{b}",
        },
    )
    inner = Text("", "It is {what}.", "").fill(what="lost")[1]
    error = ConfigError.of(TEXT, name="home", time="2026-11-26T22:15:20Z", cause=inner, commands=["a", "b"])
    assert error.message == "home expired on 2026-11-26 22:15 UTC: It is lost."
    chinese = Translator("zh", lambda time: f"{time:%H:%M}")
    assert chinese.message(error.message) == "home 已于 22:15 过期:是 lost。"
    assert chinese.message(error.fix) == "运行 a、b。"
    assert Translator("zh").document(error.to_dict())["message"] == "home 已于 2026-11-26 22:15 UTC 过期:是 lost。"


def test_clauses_are_translated() -> None:
    """Clauses within a message are translated too. Only names and codes stay."""
    question = DnsQuestion(wire.from_text("_acme-challenge.home.test."), dns.rdatatype.TXT)
    errors = [
        OSError(errno.EMFILE, ""),
        TimeoutError(),
        ConnectionRefusedError(),
        NoRouteError(),
        OSError(errno.EPERM, ""),
    ]
    answers = [
        *(AddressAnswer(reason=query_engine.reason(error)) for error in errors),
        AddressAnswer(rcode="SERVFAIL"),
        AddressAnswer(rcode="NOERROR"),
    ]
    polls = []
    for number, answer in enumerate(answers, 1):
        server = NameServer(f"ns{number}.home.test", f"192.0.2.{number}")
        polls.append(ServerPoll(wire.from_text("home.test."), server, {question: frozenset({"value"})}))
        polls[-1].answers[question] = answer
    for some in (polls[:4], polls[4:], polls):
        english = propagation.timed_out(some, 60).message
        words = set(re.findall(r"[A-Za-z][\w.-]*", Translator("zh").message(english)))
        assert words <= {"SERVFAIL", *(poll.server.name for poll in polls)}
        assert Translator("en").message(english) == english


def test_no_space_follows_a_mark_of_full_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A translated value that ends with a mark has no space after it; what others have written stays."""
    use(monkeypatch, {"{title} works.": "{title} 可用。", "BIND ({what})": "BIND（{what}）"})
    for title, shown in ((Phrase("BIND ({what})").format(what="a"), "BIND（a）可用。"), ("x）", "x） 可用。")):
        assert Translator("zh").message(Text("", "{title} works.", "").fill(title=title)[1]) == shown


def test_sentences_of_others_are_set_apart() -> None:
    """A space follows the full stop of a CA, none that of dnsrenew."""
    ours = Text("", "Use the key {expected}.", "").fill(expected='"ca"')[1]
    for first, shown in (
        ("It is paused.", 'It is paused. 可以使用的键是 "ca"。'),
        (ours, '可以使用的键是 "ca"。可以使用的键是 "ca"。'),
    ):
        assert Translator("zh").message(series([first, ours], " ")) == shown


def test_a_message_is_a_text_elsewhere() -> None:
    """A message is compared, serialized and copied as its English text."""
    message = TEXT.fill(name="a", time="now", cause="b", commands=[])[1]
    assert isinstance(message, Message)
    assert message == "a expired on now: b"
    assert json.loads(json.dumps([message])) == [str(message)]
    assert {type(each) for each in (pickle.loads(pickle.dumps(message)), copy(message), deepcopy(message))} == {str}


def test_only_sentences_of_a_document_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are translated, even in nested checks. Evidence stays in English."""
    use(monkeypatch, {"It is {what}.": "是 {what}。"})
    made = Text("", "It is {what}.", "").fill(what="lost")[1]
    document = {"message": made, "evidence": {"reason": made, "checks": [{"summary": made, "evidence": [made]}]}}
    assert Translator("zh").document(document) == {
        "message": "是 lost。",
        "evidence": {"reason": "It is lost.", "checks": [{"summary": "是 lost。", "evidence": ["It is lost."]}]},
    }


def test_a_mistake_is_translated() -> None:
    """Every phrase of a mistake is translated. Position, values and text to type stay."""
    place = shown_place(("certificate", 0, "routes", 1, "dns"), {"certificate": [{"name": "home"}]})
    found = UNKNOWN_ACCOUNT.format(account='"hom"')
    expected = one_of(["home", "backup", "third"])
    one = Mistake("dnsrenew.toml", 7, "certificate[0].routes[1].dns", found, expected, "home", None, place)
    other = Mistake("dnsrenew.toml", 9, "agree_terms", MISSING, "true", None, AGREE.format(terms="lab"))
    error = config_error([one, other])
    assert Translator("zh").message(error.message) == (
        'dnsrenew.toml:7: 证书 home，第 2 条途径，dns：没有名为 "hom" 的 DNS 账户。您是不是想输入 home？'
        '可以使用 "home"、"backup" 或 "third"。\n'
        "dnsrenew.toml:9: agree_terms：缺少此键。请阅读 lab 的服务条款；如果同意，请写入 agree_terms = true。"
    )
    assert json.loads(json.dumps(error.evidence))["mistakes"][0]["found"] == 'The DNS account "hom" is unknown.'


@pytest.mark.parametrize("several", [1, 2])
def test_every_mistake_ends_with_a_stop(several: int) -> None:
    """The message ends with a full stop in both languages."""
    error = config_error([Mistake("", None, "store", EMPTY_TEXT, NOT_EMPTY)] * several)
    assert error.message.endswith("This is an empty text. Use a text that is not empty.")
    assert Translator("zh").message(error.message).endswith("此值是空文本。请改为非空文本。")


def test_a_clause_has_no_stop() -> None:
    """A message that is used as a clause has no full stop, in both languages."""
    inner = as_clause(Text("", "No certificate has a name that matches {name}.", "").fill(name="a.b.")[1])
    assert inner == "No certificate has a name that matches a.b."
    assert Translator("zh").message(inner) == "没有名称与 a.b. 匹配的证书"
    assert as_clause("It is lost.") == "It is lost"


def test_a_phrase_shows_braces() -> None:
    """Doubled braces in a template become single ones, even without fields."""
    assert PROFILE == 'the name of a profile, or { prefer = "…" }'
    assert Translator("zh").message(PROFILE) == 'profile 的名称，或 { prefer = "…" }'
    assert BAD_LABEL.format(label="'{x}'") == "the label '{x}' is not made of 1 to 63 letters, digits and hyphens"


@pytest.mark.parametrize(
    ("separator", "english", "chinese"),
    [
        (", ", "an empty text, b", "空文本、b"),
        ("; ", "an empty text; b", "空文本；b"),
        (" ", "an empty text b", "空文本 b"),
        ("\n", "an empty text\nb", "空文本\nb"),
    ],
)
def test_a_series(separator: str, english: str, chinese: str) -> None:
    """Each text of a series and its separators are translated."""
    message = series([EMPTY_TEXT, "b"], separator)
    assert message == english
    assert Translator("zh").message(message) == chinese
    assert Translator("en").message(message) == english


def test_no_space_between_two_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces beside a translated value are removed. Spaces within a value stay."""
    use(monkeypatch, {"It is {what} now.": "现在 {what} 了。", "an empty text": "空 文本"})
    text = Text("", "It is {what} now.", "")
    assert Translator("zh").message(text.fill(what=EMPTY_TEXT)[1]) == "现在空 文本了。"
    assert Translator("zh").message(text.fill(what="文 件")[1]) == "现在 文 件 了。"
    assert Translator("zh").message(text.fill(what="x")[1]) == "现在 x 了。"


# ── what others wrote ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["Run: dnsrenew renew home", "It is lost.", "The CA lab cannot be reached at a: b.", "x" * 9_000, "a\nb c"]
)
def test_what_dnsrenew_did_not_write_stays(text: str) -> None:
    """A text without a template is shown unchanged, also one that a template could have made, and as a value."""
    assert Translator("zh").message(text) == text
    message = Message.filled(
        "The CA {ca} cannot be reached at {address}: {reason}.", {"ca": "a", "address": "b", "reason": text}
    )
    assert Translator("zh").message(message) == f"无法连接 CA a（b）：{text}。"


def test_a_reason_of_the_operating_system_is_translated() -> None:
    """The usual reasons of the operating system are translated as values, whatever their first letter is."""
    for reason in (os.strerror(errno.EACCES), os.strerror(errno.EACCES).lower()):
        message = Message.filled("{path} cannot be read: {reason}.", {"path": "/x", "reason": reason})
        assert Translator("zh").message(message) == "无法读取 /x：没有权限。"


def test_a_message_within_a_message_has_an_end() -> None:
    """Messages within each other cannot exhaust the stack; the innermost stay English."""
    message: str = "x"
    for _ in range(5_000):
        message = Message.filled("{path} was left out: {reason}", {"path": "a", "reason": message})
    shown = Translator("zh").message(message)
    assert CHINESE.search(shown)
    assert shown.count("was left out") > 4_900


def test_times_are_local() -> None:
    """A translator with a time format uses it, even in English."""
    (message,) = TEXT.fill(name="a", time="2026-11-26T22:15:20Z", cause="", commands=[])[1:2]
    seen: list[datetime] = []
    assert Translator("en", lambda time: seen.append(time) or "soon").message(message) == "a expired on soon: "  # type: ignore[func-returns-value]
    assert seen[0].isoformat() == "2026-11-26T22:15:20+00:00"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN", "LC_MESSAGES": ""}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_of_the_environment(environ: dict[str, str], language: str) -> None:
    """LC_ALL takes precedence over LC_MESSAGES and LANG. Empty variables are ignored."""
    assert language_of(environ) == language
