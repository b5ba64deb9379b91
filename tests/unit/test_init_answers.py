"""`dnsrenew init --answers`: wrong answers are listed as mistakes of a configuration are, with file and line."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.cli import error_text, main
from dnsrenew.dns.texts import NO_TOP_ZONE, NO_ZONE
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.errors import DnsError, DnsRenewError
from dnsrenew.extensions.setup.init import draft, questions
from dnsrenew.extensions.setup.init.draft import read_flag, refused
from dnsrenew.extensions.setup.init.host_question import _ask_option

RIGHT = 'domains = "www.example.org"\nagree_terms = true\nprovider = "desec"\nauth_token = "env:T"\n'


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private file for answers, in the current folder, without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("T", "a-token")
    path = tmp_path / "answers.toml"
    path.touch(mode=0o600)
    return path


def init(answers: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """The error of an `init` that is refused, and what is written to standard error."""
    assert main(["init", "--answers", str(answers), "--json", *arguments]) == 2
    shown = capsys.readouterr()
    assert [path.name for path in answers.parent.iterdir()] == ["answers.toml"]
    error: dict[str, Any] = json.loads(shown.out)["error"]
    return error, shown.err


def mistakes(error: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The line, key and nearest word of each mistake."""
    return [(each["line"], each["key"], each["nearest"]) for each in error["evidence"]["mistakes"]]


def test_unknown_keys_come_before_missing_ones(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt key is named with the nearest known one, before what is missing because of it."""
    answers.write_text('domain = ["www.example.org"]\nagree_term = true\nprovider = "desek"\n')
    error, shown = init(answers, capsys)
    assert error["code"] == "init-answer-wrong"
    assert mistakes(error) == [
        (1, "domain", "domains"),
        (2, "agree_term", "agree_terms"),
        (3, "provider", "desec"),
        (1, "domains", None),
        (1, "agree_terms", None),
    ]
    lines = shown.splitlines()
    assert lines[0].startswith(f"{answers}:1: domain: This key is unknown. Did you mean domains?")
    assert lines[3] == f"{answers}:1: domains: This key is missing. Set it to a domain, such as www.example.org."


def test_an_unknown_key_beside_an_unknown_host(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that no DNS host has is named with the host; an option of any host may be one of the host that is meant."""
    answers.write_text(RIGHT.replace('"desec"', '"nowhere"') + 'tokne = "a"\nqqqq = "b"\n')
    error, _ = init(answers, capsys)
    assert mistakes(error) == [(5, "tokne", "token"), (6, "qqqq", None), (3, "provider", None)]


def test_all_mistakes_have_their_lines(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong values, options of the host and tables are listed together, each with its line."""
    text = RIGHT.replace("auth_token", "auth_tokn").replace('"www', '"bad..name www')
    answers.write_text(f'{text}contact = "nomail"\nrehearse = "maybe"\n[resolver]\nnameservers = 5\n')
    error, shown = init(answers, capsys)
    assert mistakes(error) == [
        (4, "auth_tokn", "auth_token"),
        (1, "domains", None),
        (5, "contact", None),
        (6, "rehearse", None),
        (8, "resolver.nameservers", None),
        (3, "auth_token", None),
    ]
    assert f"{answers}:5: contact: nomail is not an email address. Enter one such as" in shown
    assert f'{answers}:6: rehearse: "maybe" is not valid here. Use true or false.' in shown


def test_what_was_found_later_is_found_with_the_rest(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that is not there, every domain, all tables and those of no answer are in the first list too."""
    text = RIGHT.replace('"www.example.org"', '[\n  "www.example.org",\n  "https://a.example.org/",\n  "-b.org",\n]')
    text = text.replace("env:T", "file:gone.txt")
    answers.write_text(f'{text}[notify]\ntoo = "x"\n[metrics]\nlisten = 3\n[[certificate]]\nname = "home"\n')
    error, shown = init(answers, capsys)
    assert mistakes(error) == [
        (10, "notify.too", "to"),
        (13, "certificate", None),
        (3, "domains[1]", None),
        (4, "domains[2]", None),
        (8, "auth_token", None),
        (12, "metrics.listen", None),
    ]
    assert f"{answers}:13: certificate: This key is unknown." in shown


def test_only_missing_answers(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If answers are missing and the others are right, the missing ones are named."""
    answers.write_text('contact = "me@example.org"\n')
    error, _ = init(answers, capsys)
    assert (error["code"], error["evidence"]["keys"]) == ("init-no-answers", ["domains", "agree_terms", "provider"])
    assert [key for _, key, _ in mistakes(error)] == ["domains", "agree_terms", "provider"]


def test_a_syntax_error_shows_its_line(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A syntax error is shown with its line and the likely cause, and without what can be a secret."""
    answers.write_text('provider = "desec"\nauth_token = geheim\n')
    error, shown = init(answers, capsys)
    assert (error["code"], mistakes(error)[0][0]) == ("init-answers-unreadable", 2)
    assert shown.startswith(f"{answers}:2:")
    assert "geheim" not in f"{shown}{error}"


def test_an_option_of_the_command_line_has_no_line(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer of the command line replaces that of the file, so the file is not named."""
    answers.write_text(RIGHT)
    error, shown = init(answers, capsys, "--contact", "nomail")
    assert mistakes(error) == [(None, "contact", None)]
    assert shown.startswith("contact: nomail is not an email address")


def test_a_domain_without_a_zone(
    answers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain that does not exist in DNS is a wrong answer, like those that are found without looking."""

    def nothing(*_: object) -> None:
        raise DnsError.of(NO_ZONE, name="www.example.org")

    monkeypatch.setattr(questions, "check_domains", nothing)
    answers.write_text(RIGHT)
    error, shown = init(answers, capsys)
    assert (error["code"], mistakes(error)) == ("init-answer-wrong", [(1, "domains", None)])
    assert f"{answers}:1: domains: No DNS zone was found for www.example.org" in shown


def test_what_a_chinese_keyboard_types() -> None:
    """Full-width commas and blanks part the names of a line, and the word that the prompt shows is no address."""
    assert draft.read_list("a.test，*.a.test、b.test\u3000c.test") == ["a.test", "*.a.test", "b.test", "c.test"]
    assert questions.contacts("无") == []
    assert draft.read_list("ａ.test，＊。ａ。test") == ["a.test", "*.a.test"]
    assert [read_flag(each) for each in ("Ｙ", "是", "是的", "ｎｏ", "否")] == [True, True, True, False, False]


@pytest.mark.parametrize("word", ["none", "无", "-"])
def test_an_option_that_is_left_out(word: str) -> None:
    """The word that the prompt of an optional option shows leaves it out."""
    provider = find_provider("rfc2136")
    assert provider is not None
    person: Any = SimpleNamespace(ask=lambda prompt: word if prompt.shown == "none" else None)
    assert _ask_option(person, provider, "tsig_name", provider.options["tsig_name"], "") == ""


def test_a_reference_with_a_colon_of_full_width() -> None:
    """A reference to a secret is understood with the colon of a Chinese keyboard."""
    provider = find_provider("desec")
    assert provider is not None
    person: Any = SimpleNamespace(ask=lambda _prompt: "file：token.txt")
    assert _ask_option(person, provider, "auth_token", provider.options["auth_token"], "") == "file:token.txt"


def test_answers_in_full_width(
    answers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of answers may have the words and the letters of a Chinese keyboard: only the domain is refused here."""

    def nothing(*_: object) -> None:
        raise DnsError.of(NO_ZONE, name="www.example.org")

    monkeypatch.setattr(questions, "check_domains", nothing)
    words = 'contact = "ｍｅ＠example.org"\nagree_terms = "是"\nprovider = "ｄｅＳＥＣ"\nauth_token = "env:T"\n'
    answers.write_text(
        f'domains = "www。example。org"\n{words}deploy = "无"\nschedule = "否"\nrehearse = "Ｎ"\n', "utf-8"
    )
    assert mistakes(init(answers, capsys)[0]) == [(1, "domains", None)]
    answers.write_text(f'{words}schedule = "也许"\n', "utf-8")
    assert mistakes(init(answers, capsys)[0]) == [(5, "schedule", None), (1, "domains", None)]


def test_advice_for_a_file(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fixes say what to write into the file, a misspelt server has the nearest name, and items count from 1."""
    text = RIGHT.replace('"www.example.org"', '["www.example.org", "http://a.example.org/"]').replace("true", "false")
    answers.write_text(f'{text}deploy = "ngnix"\n')
    error, shown = init(answers, capsys)
    assert f"{answers}:1: domain 2: " in shown
    assert "Enter only a.example.org, without http:// before it." in shown
    assert "Write agree_terms = true if you agree." in shown
    assert "No server is named ngnix; did you mean nginx?" in shown
    assert "Ctrl-C" not in shown
    assert error["code"] == "init-answer-wrong"


@pytest.mark.parametrize(("tables", "advice"), [({}, "pass it with --answers"), ({"resolver": {}}, "under [resolver]")])
def test_where_dns_does_not_resolve(tables: dict[str, Any], advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file yet that has a [resolver]; the advice names it only where the answers have one."""
    error = DnsError.of(NO_TOP_ZONE, name="www.example.org", top="org")
    monkeypatch.setattr(questions, "_look_up", lambda *_: (_ for _ in ()).throw(error))
    draft = SimpleNamespace(tables=tables, existing=None, is_public_ca=False)
    with pytest.raises(DnsError) as caught:
        questions.check_domains(draft, "www.example.org", refused)  # type: ignore[arg-type]  # what it looks at
    assert advice in caught.value.fix


@pytest.mark.parametrize("wrong", ['token = "canary-typed-5f2e91"\n', 'token = "canary-typed 5f2e91"\n'])
@pytest.mark.parametrize("terms", ["maybe", "yes"])
def test_an_error_has_no_variable_with_a_secret(
    answers: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, terms: str
) -> None:
    """A crash reporter that shows the variables of the frames shows nothing that was typed."""
    answers.write_text(
        f'provider = "duckdns"\ndomains = "x.duckdns.org"\nagree_terms = "{terms}"\nrehearse = "so"\n{wrong}'
    )
    seen: list[DnsRenewError] = []
    monkeypatch.setattr(error_text, "write_error", lambda _, error: seen.append(error))
    main(["init", "--answers", str(answers)])
    (error,) = seen
    assert error.code == "init-answer-wrong"
    assert (error.__cause__, error.__context__) == (None, None)
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "canary-typed" not in "".join(whole.format())


def test_an_unknown_server_is_one_sentence(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A question about the nearest name stands alone: it is within no other sentence."""
    answers.write_text(f'{RIGHT}deploy = "ngnix"\n')
    error, _ = init(answers, capsys)
    assert "deploy: No server is named ngnix; did you mean nginx? Correct the name" in error["message"]


def test_options_of_an_unknown_host_are_not_judged(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While the host is unknown, a word that some host has as an option is no misspelt answer."""
    answers.write_text(
        'domains = "www.example.org"\nagree_terms = true\nprovider = "nosuch"\ntoken = "x"\nserver = "y"\n'
    )
    error, _ = init(answers, capsys)
    assert [key for _, key, _ in mistakes(error)] == ["provider"]


def test_yes_and_no_in_chinese() -> None:
    """What a Chinese reader answers is understood."""
    assert all(map(read_flag, ("同意", "好", "可以", "行")))
    assert not any(map(read_flag, ("不同意", "不要", "不用", "不行")))
