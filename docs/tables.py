"""The tables of the reference that come from the code: errors and warnings, events, decisions, limits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final

from dnsrenew import errors as tree
from dnsrenew.base import model
from dnsrenew.base.runtime import CA_NONCES, CA_REQUESTS, HOST_REQUESTS
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.drivers.invoke import REQUESTS_A_RECORD
from dnsrenew.extensions.doctor.after_failure import FITTING
from dnsrenew.renewal.policy import TABLE, NextAction
from dnsrenew.store.ledger import LIMITS, Limit
from docs import codes, python_reference
from docs.blocks import table

MEANINGS: Final = Path(__file__).with_name("error_codes.toml")
EVENTS: Final[Mapping[str, str]] = tomllib.loads(Path(__file__).with_name("events.toml").read_text("utf-8"))["events"]
"""Every kind of event, with the content of its ``data``."""

_MANY: Final = 200
"""Certificates in an example."""
_SHARED: Final = 8
"""The number of codes of a class with the same message from which on the message is listed once, above them."""

_CLASSES: Final = (
    ("ConfigError", "The configuration and the command line", "配置与命令行"),
    ("SecretError", "Secrets", "凭据"),
    ("StoreError", "The store", "存储目录"),
    ("LockedError", "Another run", "另一个 dnsrenew 进程"),
    ("Cancelled", "Stopped", "已停止"),
    ("RenewalFailed", "No route led to a certificate", "没有途径得到证书"),
    ("CAError", "The CA", "CA"),
    ("ChallengeError", "http-01 and tls-alpn-01", "http-01 和 tls-alpn-01"),
    ("DnsError", "DNS", "DNS"),
    ("PropagationError", "Waiting for DNS", "等待 DNS 生效"),
    ("ProviderError", "The DNS host", "DNS 服务商"),
    ("AttemptError", "A route", "途径"),
    ("DeployError", "Deployment", "部署"),
    ("DnsRenewError", "Others", "其他"),
)


_SHARED_HEAD: Final = (
    "Many of these have one of the following messages, which ends with the words of the CA or DNS host:",
    "其中许多错误的消息如下，末尾是 CA 或 DNS 服务商的原话：",
)
_WARNINGS_HEAD: Final = {"en": ("code", "meaning", "what to do"), "zh": ("代码", "含义", "处理办法")}
_CHECKS_HEAD: Final = ("Checks of `dnsrenew doctor`: ", "`dnsrenew doctor` 的检查项：")


@cache
def meanings() -> Mapping[str, Mapping[str, str]]:
    """Return the data file: ``errors``, ``warnings``."""
    return tomllib.loads(MEANINGS.read_text("utf-8"))


def error_list(language: str = "en") -> str:
    """Return all error codes, by class."""
    parts: list[str] = []
    for name, english, chinese in _CLASSES:
        if its := _of_class(name, language):
            head = [f"## {english}: `{name}`", "", _summary(name)] if language == "en" else [f"## {chinese}：`{name}`"]
            parts += [*head, "", *_section(its, is_chinese=language == "zh")]
    return "\n".join(parts)


def _of_class(name: str, language: str) -> list[codes.Entry]:
    return [
        entry
        for entry in codes.errors(language).values()
        if name == next(each for each, *_ in _CLASSES if each in entry.classes)
    ]


def _summary(name: str) -> str:
    kind = getattr(tree, name, None) or getattr(model, name)
    return (kind.__doc__ or "").partition("\n")[0]


def _section(entries: list[codes.Entry], *, is_chinese: bool = False) -> list[str]:
    says = {entry.code: list(entry.messages) for entry in entries}
    everything = [message for messages in says.values() for message in messages]
    shared = [text for text in dict.fromkeys(everything) if everything.count(text) >= _SHARED]
    lines: list[str] = []
    if shared:
        lines += [_SHARED_HEAD[is_chinese], "", _quoted(shared), ""]
    folder = "checks/zh" if is_chinese else "checks"
    for entry in entries:
        lines += [
            f"### `{entry.code}`",
            "",
            meanings()["errors-in-chinese" if is_chinese else "errors"].get(entry.code, ""),
            "",
        ]
        checks = [f"[`{code}`]({folder}/{code}.md)" for code in FITTING.get(entry.code, ())]
        lines += [_CHECKS_HEAD[is_chinese] + ("、" if is_chinese else ", ").join(checks), ""] if checks else []
        for messages, fix in codes.paired(entry.pairs):
            texts = [_plain(text) for text in messages if text not in shared]
            lines += ["<br>\n".join(f"> {text}" for text in [*texts, *([f"→ **{_plain(fix)}**"] if fix else [])]), ""]
    return lines


def _quoted(texts: list[str]) -> str:
    return "<br>\n".join(f"> {_plain(text)}" for text in texts)


def warning_list(language: str = "en") -> str:
    """Return all codes of warnings."""
    heads, what = _WARNINGS_HEAD[language], meanings()["warnings" if language == "en" else "warnings-in-chinese"]
    rows = [
        (f"`{code}`", what.get(code, ""), "<br>".join(map(_cell, entry.fixes)))
        for code, entry in codes.warnings(language).items()
    ]
    return table(heads, rows)


def _plain(text: str) -> str:
    """Return a text with the characters of Markdown escaped; those in backquotes are shown as they are."""
    return re.sub(r"(`[^`]*`)|([*<\[])", lambda found: found[1] or f"\\{found[2]}", " ".join(text.split()))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def event_list() -> str:
    """Return all kinds of events."""
    rows = []
    for kind, text in EVENTS.items():
        what, _, data = text.partition("; data: ")
        rows.append((f"`{kind}`", what, data))
    return table(("kind", "what happened", "`data`"), rows)


def decision_list(language: str = "en") -> str:
    """Return the table of decisions."""
    is_english, words = language == "en", {step: step.name.lower().replace("_", " ") for step in NextAction}
    said = {} if is_english else meanings()["decisions-in-chinese"]
    rows = [(f"`{row.code}`", words[row.step], row.why if is_english else said[row.code]) for row in TABLE]
    rows = [(code, f"**{said.get(step, step)}**", why) for code, step, why in rows]
    steps = [(f"**{said.get(words[step], words[step])}**", said.get(step.value, step.value)) for step in NextAction]
    what = table(("step", "what happens next") if is_english else ("步骤", "接下来"), steps)
    return f"{table(('error', 'step', 'reason') if is_english else ('错误', '步骤', '原因'), rows)}\n\n{what}"


def limit_list() -> str:
    """Return the limits of the CAs."""
    names = {ca.directory: name for name, ca in BUILT_IN.items()}
    rows = [
        (f"`{names[directory]}`", _limit(limits.failed), _limit(limits.same_set))
        for directory, limits in LIMITS.items()
    ]
    others = ", ".join(f"`{name}`" for directory, name in names.items() if directory not in LIMITS)
    rows.append((f"{others}, and your own", "not known", "not known"))
    return table(("CA", "failed validations of one name", "certificates for exactly the same names"), rows)


def _limit(limit: Limit | None) -> str:
    if limit is None:
        return "not known"
    hours = limit.window.total_seconds() / 3600
    window = f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} h"
    each = limit.each.total_seconds()
    back = f"{each / 3600:.3g} h" if each >= 3600 else f"{each / 60:.3g} min" if each >= 60 else f"{each:.3g} s"
    return f"{limit.count:,} in {window}; one more every {back}"


def pace_list() -> str:
    """Return how fast dnsrenew sends requests."""
    named = (
        ("requests to a CA", CA_REQUESTS),
        ("new nonces from a CA", CA_NONCES),
        ("requests to a DNS host", HOST_REQUESTS),
    )
    rows = [(what, str(rate.burst), f"{rate.per_second:g} a second") for what, rate in named]
    one = 1 + REQUESTS_A_RECORD
    minutes = (2 * one * _MANY - HOST_REQUESTS.burst) / HOST_REQUESTS.per_second / 60
    said = (
        f"Writing a TXT value counts as {one} requests to the DNS host, and removing it as {one} more. So {_MANY} "
        f"certificates with\none name each at one host take {minutes:.0f} minutes, if all are due at once."
    )
    return f"{table(('what', 'at once', 'after that'), rows)}\n\n{said}"


def _limits_in_chinese(made: Callable[[], str]) -> str:
    text = made()
    for words, other in meanings()["limits-in-chinese"].items():
        text = re.sub(words, other, text)
    return text


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "errors": error_list,
    "warnings": warning_list,
    "errors-in-chinese": partial(error_list, "zh"),
    "warnings-in-chinese": partial(warning_list, "zh"),
    "events": event_list,
    "decisions": decision_list,
    "decisions-in-chinese": partial(decision_list, "zh"),
    "limits": limit_list,
    "pace": pace_list,
    "limits-in-chinese": partial(_limits_in_chinese, limit_list),
    "pace-in-chinese": partial(_limits_in_chinese, pace_list),
    "python-names": python_reference.section,
}
