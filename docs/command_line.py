"""The page and the man page of the command line, from the table that ``--help`` shows too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew import __version__
from dnsrenew.base.translation import Translator
from dnsrenew.cli.commands import COMMANDS, GLOBAL, GROUPS, INSIST, SENTENCE, SUMMARY, VERSION, members
from dnsrenew.cli.help import Say, usage

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import Command, Option

EXIT_STATUSES: Final[Mapping[str, str]] = {
    "0": "Success. A certificate that is not due is success too.",
    "1": "A certificate failed, is deferred (unless the CA asked to wait and the current certificate is valid) or is "
    "not deployed; or the command failed.",
    "2": "The command line or the configuration is wrong. Nothing was sent anywhere.",
    "3": "Nothing failed, but another run holds a lock.",
    "130": "Interrupted with Ctrl-C; the run has cleaned up.",
    "143": "Stopped by SIGTERM; the run has cleaned up.",
}
ENVIRONMENT: Final[Mapping[str, str]] = {
    "DNSRENEW_CONFIG": "The configuration file, if --config is not given.",
    "HTTPS_PROXY, NO_PROXY": "The proxy for all HTTPS requests, and hosts that are reached without it.",
    "SSL_CERT_FILE": "The trusted roots for HTTPS, in place of those of the system.",
    "NO_COLOR": "If it is set, the output has no colours.",
}
_TIME: Final = 'TIME is a number of seconds (30) or a number with a unit: 5m, 12h, 14d, also in words ("14 days").'


_IN_CHINESE: Final[Mapping[str, str]] = {
    "# Command line": "# 命令行",
    "[简体中文](command-line.zh.md)": "[English](command-line.md)",
    "command": "命令",
    "argument": "参数",
    "option": "选项",
    "options": "选项",
    "status": "退出状态",
    "variable": "变量",
    "meaning": "含义",
    "Global options": "全局选项",
    "Exit statuses": "退出状态",
    "Environment": "环境变量",
    _TIME: "TIME 是秒数（30），或带单位的数字：5m、12h、14d，也可以用单词（`14 days`）。",
    EXIT_STATUSES["0"]: "成功。证书不需要续期也是成功。",
    EXIT_STATUSES["1"]: "有证书续期失败、已推迟（除非 CA 要求等待，而且当前证书有效）或未部署；或者命令失败。",
    EXIT_STATUSES["2"]: "命令行或配置有错误。没有发送任何内容。",
    EXIT_STATUSES["3"]: "没有失败，但另一个 dnsrenew 进程持有锁。",
    EXIT_STATUSES["130"]: "由 Ctrl-C 中断；已完成清理。",
    EXIT_STATUSES["143"]: "由 SIGTERM 停止；已完成清理。",
    ENVIRONMENT["DNSRENEW_CONFIG"]: "没有使用 --config 时的配置文件。",
    ENVIRONMENT["HTTPS_PROXY, NO_PROXY"]: "所有 HTTPS 请求使用的代理，以及不经过代理的主机。",
    ENVIRONMENT["SSL_CERT_FILE"]: "HTTPS 所信任的根证书，代替系统的根证书。",
    ENVIRONMENT["NO_COLOR"]: "设置后，输出没有颜色。",
}
"""What the page says itself; the rest is that of ``--help``."""


def page(language: str = "en") -> str:
    """Return the reference page, in Markdown."""
    translated = Translator(language).template

    def say(text: str) -> str:
        return _IN_CHINESE.get(text) or translated(text) if language == "zh" else text

    lines = [say("# Command line"), "", say("[简体中文](command-line.zh.md)"), ""]
    lines += ["<!-- Made by `make docs` from dnsrenew/cli/commands.py; change that file. -->", ""]
    lines += [say(SUMMARY), "", *_head(say("command"))]
    lines += [f"| [`{name}`](#{_anchor(name)}) | {_cell(say(command.summary))} |" for name, command in COMMANDS.items()]
    lines += ["", _cell(say(_TIME)), "", f"## {say('Global options')}", "", *_table((*GLOBAL, VERSION), say), ""]
    for name, command in COMMANDS.items():
        lines += [f"## {name}", "", *_section(name, command, say), ""]
    lines += [f"## {say('Exit statuses')}", "", *_head(say("status"), say("meaning"))]
    lines += [f"| {status} | {say(meaning)} |" for status, meaning in EXIT_STATUSES.items()]
    lines += ["", f"## {say('Environment')}", "", *_head(say("variable"), say("meaning"))]
    lines += [f"| `{name}` | {say(meaning)} |" for name, meaning in ENVIRONMENT.items()]
    return "\n".join([*lines, ""])


def _section(name: str, command: Command, say: Say) -> Iterator[str]:
    summary = say(command.summary)
    yield say(SENTENCE).format(summary=f"{summary[:1].upper()}{summary[1:]}")
    yield from ("", "```", f"{usage(name, say)} [{say('options')}]", "```", "")
    if name in GROUPS:
        yield from (f"- [`{name} {member}`](#{_anchor(f'{name} {member}')})" for member in members(name))
        yield ""
    if command.arguments:
        yield from _head(say("argument"))
        yield from (f"| `{argument.shown}` | {_cell(say(argument.help))} |" for argument in command.arguments)
        yield ""
    options = (*command.options, *((INSIST,) if command.reads_config else ()))
    if options:
        yield from (*_table(options, say), "")
    for paragraph in filter(None, command.notes.split("\n")):
        yield from (say(paragraph), "")
    yield "```console"
    for line, comment in command.examples:
        yield f"$ {line}{f'  # {say(comment)}' if comment else ''}"
    yield "```"


def _table(options: Iterable[Option], say: Say) -> list[str]:
    return [*_head(say("option")), *(f"| `{_cell(option.usage)}` | {_cell(option.text(say))} |" for option in options)]


def _head(first: str, second: str = "") -> tuple[str, str]:
    return f"| {first} | {second}{' ' if second else ''}|", "|---|---|"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


# ── the man page ────────────────────────────────────────────────────────────────────────


def man_page() -> str:
    """Return the man page, in the macros of man(7)."""
    lines = [f'.TH DNSRENEW 1 "" "dnsrenew {__version__}" "User Commands"', ".SH NAME"]
    lines += [f"dnsrenew \\- {_plain('obtain and renew TLS certificates by ACME')}"]
    lines += [".SH SYNOPSIS", ".B dnsrenew", r"\fICOMMAND\fR [\fIoptions\fR]"]
    lines += [".SH DESCRIPTION", _plain(SUMMARY), ".PP", _plain(_TIME), ".SH COMMANDS"]
    for name, command in COMMANDS.items():
        lines += [f".SS {_plain(usage(name))} [options]", *_man_command(command)]
    lines += [".SH GLOBAL OPTIONS", *_man_options((*GLOBAL, VERSION))]
    lines += [".SH EXIT STATUS", *_man_rows(EXIT_STATUSES.items())]
    lines += [".SH ENVIRONMENT", *_man_rows(ENVIRONMENT.items())]
    lines += [".SH FILES", *_man_rows(_FILES.items())]
    return "\n".join([*lines, ""])


_FILES: Final[Mapping[str, str]] = {
    "./dnsrenew.toml": "The configuration in the current folder.",
    "~/.config/dnsrenew/dnsrenew.toml": "The configuration of a user.",
    "/etc/dnsrenew/dnsrenew.toml": "The configuration of the system.",
    "/var/lib/dnsrenew": "The store of the system: certificates, accounts and their history.",
}


def _man_command(command: Command) -> Iterator[str]:
    yield f"{_plain(command.summary[:1].upper() + command.summary[1:])}."
    yield from _man_rows((argument.shown, argument.help) for argument in command.arguments)
    yield from _man_options((*command.options, *((INSIST,) if command.reads_config else ())))
    for paragraph in command.notes.split("\n") if command.notes else ():
        yield from (".PP", _plain(paragraph))
    for line, comment in command.examples:
        yield from (".PP", f"{_plain(comment[:1].upper() + comment[1:])}:" if comment else "Example:")
        yield from (".RS", ".nf", _plain(line), ".fi", ".RE")


def _man_options(options: Iterable[Option]) -> Iterator[str]:
    return _man_rows((option.usage, option.text()) for option in options)


def _man_rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for label, text in rows:
        yield from (".TP", rf"\fB{_plain(label)}\fR", _plain(text))


def _plain(text: str) -> str:
    """Return a text that roff shows as it is."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti").replace("^", "\\(ha")
    )
    return f"\\&{text}" if text.startswith(".") else text
