"""The texts of ``--help``: of the program, and of each command."""

from __future__ import annotations

from dnsrenew.cli import commands
from dnsrenew.cli.command_types import Argument, Option
from dnsrenew.cli.commands import COMMANDS, GLOBAL, GROUPS, INSIST, SUMMARY, VERSION

_WIDEST = 100
_LABELS = 24
"""The width of the column of the labels, at most; a longer label has a line of its own."""


def top_help(columns: int = 80) -> str:
    """Return the help of the program itself, wrapped to so many columns."""
    columns = min(columns, _WIDEST)
    rows = [(name, command.summary) for name, command in COMMANDS.items() if " " not in name]
    lines = ["usage: dnsrenew COMMAND [options]", "", *_wrap(SUMMARY, columns)]
    lines += _section("Commands", rows, columns)
    lines += _section("Global options", _options((*GLOBAL, VERSION)), columns)
    return "\n".join([*lines, *_examples(commands.EXAMPLES, columns), ""])


def command_help(name: str, columns: int = 80) -> str:
    """Return the help of a command, wrapped to so many columns."""
    columns, command = min(columns, _WIDEST), COMMANDS[name]
    lines = [*_wrap(f"usage: {usage(name)}", columns, "", "    "), "", *_wrap(_sentence(command.summary), columns)]
    if name in GROUPS:
        rows = [_member(name, member) for member in commands.members(name)]
        lines += _section("Commands", rows, columns)
    lines += _section("Arguments", _arguments(command.arguments), columns)
    lines += _section("Options", _options(command.options), columns)
    lines += _section("Global options", _options((*((INSIST,) if command.reads_config else ()), *GLOBAL)), columns)
    lines += _examples(command.examples, columns)
    notes = _wrap(command.notes, columns) if command.notes else []
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def usage(name: str) -> str:
    """Return the line that shows how a command is used."""
    command = COMMANDS[name]
    words = ["COMMAND"] if name in GROUPS else [argument.usage for argument in command.arguments]
    return " ".join(["dnsrenew", name, *words, "[options]"])


def _member(group: str, member: str) -> tuple[str, str]:
    command = COMMANDS[f"{group} {member}"]
    return " ".join([member, *(argument.usage for argument in command.arguments)]), command.summary


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


def _arguments(arguments: tuple[Argument, ...]) -> list[tuple[str, str]]:
    return [(argument.shown, argument.help) for argument in arguments]


def _options(options: tuple[Option, ...]) -> list[tuple[str, str]]:
    return [(option.usage, option.help) for option in options]


def _section(title: str, rows: list[tuple[str, str]], columns: int) -> list[str]:
    """Return a heading with rows of label and text."""
    if not rows:
        return []
    width = min(max(len(label) for label, _ in rows) + 4, _LABELS)
    lines = ["", f"{title}:"]
    for label, text in rows:
        head = f"  {label}".ljust(width)
        if len(label) + 4 > width:
            lines.append(f"  {label}")
            head = " " * width
        lines += _wrap(text, columns, head, " " * width)
    return lines


def _examples(examples: tuple[tuple[str, str], ...], columns: int) -> list[str]:
    """Return the examples; their comments stand above them where the terminal is narrow."""
    if not examples:
        return []
    width = max(len(line) for line, _ in examples)
    wide = all(2 + width + 4 + len(comment) <= columns for _, comment in examples if comment)
    lines = ["", "Examples:"]
    for line, comment in examples:
        if wide:
            lines.append(f"  {line.ljust(width)}  # {comment}" if comment else f"  {line}")
        else:
            lines += [*(_wrap(comment, columns, "  # ", "  # ") if comment else []), f"  {line}"]
    return lines


def _wrap(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """Break a text into lines. The cli's own ``wrap`` would have to be imported."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        start = first if not lines else rest
        line = start
        for word in paragraph.split(" "):
            if line != start and len(line) + 1 + len(word) > columns:
                lines.append(line)
                line = start = rest
            line += word if line == start else f" {word}"
        lines.append(line)
    return lines
