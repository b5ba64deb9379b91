"""The texts of ``--help``: of the program, and of each command."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from dnsrenew.cli import commands
from dnsrenew.cli.command_types import Option

_WIDEST = 100
_LABELS = 24
"""The maximum width of the column of labels. A longer label has its own line."""


Say = Callable[[str], str]
"""Returns a text of the table of commands in the language of the reader."""


def top_help(columns: int = 80, say: Say = str) -> str:
    """Return the help of the program itself, wrapped to a number of columns."""
    columns = min(columns, _WIDEST)
    left = {name: say(command.summary) for name, command in commands.COMMANDS.items() if " " not in name}
    usage = say(commands.USAGE).format(command=f"dnsrenew {say(commands.COMMAND)}")
    lines = [usage, "", *_wrap(say(commands.SUMMARY), columns)]
    width = max(map(len, left)) + 4
    *topics, last = commands.TOPICS
    for topic in topics:
        rows = [(name, left.pop(name)) for name in commands.TOPICS[topic] if name in left]
        lines += _section(say(topic), rows, columns, say, width)
    lines += _section(say(last), [*left.items()], columns, say, width)
    always = _options((*commands.GLOBAL, commands.VERSION), say)
    lines += _section(say(commands.HEADINGS["global"]), always, columns, say)
    return "\n".join([*lines, *_examples(commands.EXAMPLES, columns, say), ""])


def command_help(name: str, columns: int = 80, say: Say = str) -> str:
    """Return the help of a command, wrapped to a number of columns."""
    columns, command = min(columns, _WIDEST), commands.COMMANDS[name]
    lines = [*_wrap(say(commands.USAGE).format(command=usage(name, say)), columns, "", "    "), ""]
    summary = say(command.summary)
    lines += _wrap(say(commands.SENTENCE).format(summary=f"{summary[:1].upper()}{summary[1:]}"), columns)
    lines += [line for text in filter(None, command.notes.split("\n")) for line in ("", *_wrap(say(text), columns))]
    lines += _examples(command.examples, columns, say)
    if name in commands.GROUPS:
        rows = [_member(name, member, say) for member in commands.members(name)]
        lines += _section(say(commands.HEADINGS["commands"]), rows, columns, say)
    arguments = [(argument.shown, say(argument.help)) for argument in command.arguments]
    lines += _section(say(commands.HEADINGS["arguments"]), arguments, columns, say)
    lines += _section(say(commands.HEADINGS["options"]), _options(command.options, say), columns, say)
    always = (*((commands.INSIST,) if command.reads_config else ()), *commands.GLOBAL)
    lines += _section(say(commands.HEADINGS["global"]), _options(always, say), columns, say)
    return "\n".join([*lines, ""])


def usage(name: str, say: Say = str) -> str:
    """Return the line that shows how a command is used, without its options."""
    command = commands.COMMANDS[name]
    words = [say(commands.COMMAND)] if name in commands.GROUPS else [argument.usage for argument in command.arguments]
    return " ".join(["dnsrenew", name, *words])


def _member(group: str, member: str, say: Say) -> tuple[str, str]:
    command = commands.COMMANDS[f"{group} {member}"]
    return " ".join([member, *(argument.usage for argument in command.arguments)]), say(command.summary)


def _options(options: tuple[Option, ...], say: Say) -> list[tuple[str, str]]:
    return [(option.usage, option.text(say)) for option in options]


def _section(title: str, rows: list[tuple[str, str]], columns: int, say: Say, width: int = 0) -> list[str]:
    """Return a heading with rows of label and text.

    :param width: the width of the label column; 0: the width of the longest label.
    """
    if not rows:
        return []
    width = width or min(max(len(label) for label, _ in rows) + 4, _LABELS)
    lines = ["", say(commands.HEADING).format(title=title)]
    for label, text in rows:
        head = f"  {label}".ljust(width)
        if len(label) + 4 > width:
            lines.append(f"  {label}")
            head = " " * width
        lines += _wrap(text, columns, head, " " * width)
    return lines


def _examples(examples: tuple[tuple[str, str], ...], columns: int, say: Say) -> list[str]:
    """Return the examples. On a narrow terminal, their comments are above them."""
    if not examples:
        return []
    examples = tuple((line, say(comment)) for line, comment in examples)
    width = max(len(line) for line, _ in examples)
    wide = all(2 + width + 4 + _width(comment) <= columns for _, comment in examples if comment)
    lines = ["", say(commands.HEADING).format(title=say(commands.HEADINGS["examples"]))]
    for line, comment in examples:
        if wide:
            lines.append(f"  {line.ljust(width)}  # {comment}" if comment else f"  {line}")
        else:
            lines += [*(_wrap(comment, columns, "  # ", "  # ") if comment else []), f"  {line}"]
    return lines


def _width(text: str) -> int:
    """Return the columns of a text. For English, the cli's own ``width`` is not imported."""
    if text.isascii():
        return len(text)
    from dnsrenew.cli.formatting import width

    return width(text)


def _wrap(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """Break a text into lines. For English, the cli's own ``wrap`` is not imported."""
    if not text.isascii():
        from dnsrenew.cli.formatting import wrap

        return wrap(text, columns, first, rest)
    whole: dict[str, Any] = {"subsequent_indent": rest, "break_long_words": False, "break_on_hyphens": False}
    lines: list[str] = []
    for paragraph in text.split("\n"):
        start = rest if lines else first
        lines += textwrap.wrap(paragraph, columns, initial_indent=start, **whole) or [start]
    return lines
