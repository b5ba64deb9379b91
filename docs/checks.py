"""The pages of the doctor's checks, one for each code and language, and their list.

Symptom, cause and how it is found out are in checks.toml; the sentences and the remedies are those of the program.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dnsrenew.extensions.doctor.table import TABLE, CheckEntry
from docs import codes

_DATA: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = tomllib.loads(
    (Path(__file__).parent / "checks.toml").read_text("utf-8")
)
CAUSES: Final = (
    "Port 80 or 443 cannot be opened: another program uses it, or the user is not allowed to",
    "The web server listens on the loopback address only, or only on IPv4 or IPv6",
    "The firewall of this machine drops or rejects the connections",
    "The router does not forward the port",
    "The router forwards it to an old address of this machine",
    "The Internet provider blocks the port",
    "The Internet provider shares one address (CGNAT, DS-Lite), or there are two routers",
    "Connections leave through a VPN",
    "The AAAA record of the name points nowhere",
    "The public address has changed",
    "The record points elsewhere: a parking page, a CDN",
    "The name no longer exists, for example at a dynamic DNS host",
    "The domain is not registered, expired, or a public suffix",
    "A name server of the zone does not serve it (lame delegation)",
    "DNSSEC is broken",
    "CAA records forbid it",
    "The TXT value does not appear, old values are in the way, or the challenge name points elsewhere",
    "The DNS account, its secret or its permissions are wrong",
    "The store cannot be written, or others can change it",
    "The certificate is deployed, but another one is served",
    "The clock is wrong",
    "The CA is down",
    "A limit of the CA is reached",
    "There is no schedule, or the machine was off",
    "There is no Internet, the network requires a sign-in, or TLS is intercepted",
    "The network has its own view of DNS",
)
"""Why a renewal fails: ``rows`` in the table of checks are places in this list, from 1."""
_ENTRIES: Final = tuple({entry.code: entry for entry in reversed(TABLE)}.values())[::-1]
"""Each code once; a check may be made about several things."""


class _Words(NamedTuple):
    """The headings of a page."""

    symptom: str
    cause: str
    how: str
    sentences: str
    stops: str
    stops_nothing: str
    probe: str
    back: str
    other: str


_WORDS: Final = {
    "en": _Words(
        "What you see",
        "The cause",
        "How dnsrenew finds out",
        "The messages, and what to do",
        "It can stop: {challenges}.",
        "It stops no renewal, but follow the advice below.",
        "This check is made only with `--probe`, because it writes to DNS.",
        "[All checks](README.md)",
        "[中文](zh/{code}.md)",
    ),
    "zh": _Words(
        "现象",
        "原因",
        "dnsrenew 如何判断",
        "消息与处理办法",
        "可能影响：{challenges}。",
        "不影响续期本身，但请按下面的建议处理。",
        "此检查会写入 DNS，因此只在使用 `--probe` 时进行。",
        "[全部检查](README.md)",
        "[English](../{code}.md)",
    ),
}
_ELSEWHERE: Final = {"address": "dnsrenew.base.checks.texts", "cname": "dnsrenew.dns.texts"}
"""Modules with texts of a check besides those of the doctor."""
_SHARED: Final = {
    "cname": ("alias-not-delegated", "cname-dangling", "cname-loop"),
    "port-443-free": ("port-80-free",),
    "port-443-outside": ("port-80-outside",),
}
"""Codes with texts that a check shows as its own."""
_HTTP_ONLY: Final = {"port-443-free": ("PORT_IN_USE", "PORT_IN_USE_UNKNOWN", "PORT_TAKEN")}
"""Texts among them that are about http-01."""
_ALL: Final = {"en": "every renewal", "zh": "所有续期"}
_AND: Final = {"en": ", ", "zh": "、"}


def pages() -> dict[str, str]:
    """Return every page by its path below docs/."""
    made = {"reference/checks/README.md": _list("en"), "reference/checks/zh/README.md": _list("zh")}
    for entry in _ENTRIES:
        made[f"reference/checks/{entry.code}.md"] = _page(entry, "en")
        made[f"reference/checks/zh/{entry.code}.md"] = _page(entry, "zh")
    return made


def causes() -> str:
    """Return the page of the causes, with the checks that find each."""
    lines = [_CAUSES_HEAD]
    for number, cause in enumerate(CAUSES, 1):
        finding = dict.fromkeys(entry.code for entry in TABLE if number in entry.rows)
        links = ", ".join(f"[`{code}`](../reference/checks/{code}.md)" for code in finding)
        lines.append(f"| {number} | {cause} | {links} |")
    return "\n".join([*lines, ""])


def _page(entry: CheckEntry, language: str) -> str:
    data, words = _DATA[entry.code][language], _WORDS[language]
    lines = [f"# {data['title']}", "", f"`{entry.code}` · {words.back} · {words.other.format(code=entry.code)}", ""]
    for heading, key in ((words.symptom, "symptom"), (words.cause, "cause"), (words.how, "how")):
        lines += [f"## {heading}", "", data[key], ""]
    lines += [words.probe, ""] if entry.scope == "certificate-account" else []
    lines += [_stops(entry, language), ""]
    lines += [f"## {words.sentences}", ""]
    own = {
        **codes.EXAMPLES,
        **_DATA[entry.code].get("examples", {}),
        **_DATA[entry.code].get(f"examples-{language}", {}),
    }
    texts = [(text, {**own, **own.get(name, {})}) for name, text in _texts(entry.code)]
    pairs = [
        (codes.shown_in(language, text.message, examples), codes.shown_in(language, text.fix, examples))
        for text, examples in texts
    ]
    for messages, remedy in codes.paired(pairs):
        lines += [*(f"> {message}<br>" for message in messages), *([f"> → **{remedy}**"] if remedy else []), ""]
    return "\n".join(lines)


def _stops(entry: CheckEntry, language: str) -> str:
    if not entry.blocks:
        return str(_DATA[entry.code][language].get("stops", _WORDS[language].stops_nothing))
    challenges = [_ALL[language] if each == "all" else f"`{each}`" for each in entry.blocks]
    return _WORDS[language].stops.format(challenges=_AND[language].join(challenges))


def _texts(code: str) -> Iterator[tuple[str, Any]]:
    """Yield the texts of a check by their constants, in the order of the catalogue: also those that it shares."""
    wanted = {code, *_SHARED.get(code, ())}
    for (module, name), texts in codes.catalogue().items():
        if module.startswith(("dnsrenew.extensions.doctor.", _ELSEWHERE.get(code, "dnsrenew.extensions.doctor."))):
            yield from ((name, text) for text in texts if text.code in wanted and name not in _HTTP_ONLY.get(code, ()))


def _list(language: str) -> str:
    lines = _HEADS[language].splitlines()
    for entry in _ENTRIES:
        data = _DATA[entry.code][language]
        lines.append(f"| [`{entry.code}`]({entry.code}.md) | {data['title']} | {data['cause']} |")
    return "\n".join([*lines, ""])


_HEADS: Final = {
    "en": """# The checks of dnsrenew doctor

[中文](zh/README.md)

`dnsrenew doctor` checks this machine, its network, DNS, the CA and the store. For each certificate it shows the route
by which it can be renewed now, or the one thing to do next. Each check ends with `ok`, `bad` or `unknown`; only a
certain problem is `bad`. Problems of http-01 or tls-alpn-01 seldom stop dns-01.

| code | subject | problem, if it is bad |
|---|---|---|""",
    "zh": """# dnsrenew doctor 的各项检查

[English](../README.md)

`dnsrenew doctor` 检查本机、网络、DNS、CA 和存储目录，\
并针对每个证书说明现在可以通过哪条途径续期，或者下一步该做的一件事。\
每项检查的结果是 `ok`、`bad` 或 `unknown`（终端显示 ✓、✗ 或 ?）；只有确定的问题才是 `bad`。\
影响 http-01 或 tls-alpn-01 的问题很少会影响 dns-01。\
各页“现象”中的错误代码见于 `dnsrenew renew -v` 和 JSON 输出。

| 代码 | 内容 | 结果为 bad 时的问题 |
|---|---|---|""",
}
_CAUSES_HEAD: Final = """# Why a renewal fails

`dnsrenew doctor` finds the cause. Each check ends with `ok`, `bad` or `unknown`; only a certain problem is `bad`.
If a helper or a router does not answer, for example, the check is `unknown`. Causes 1 to 11 never stop DNS-01.

| | cause | found by |
|---|---|---|"""
