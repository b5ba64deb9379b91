"""The texts of ``--help``: of the program, and of each command."""

from __future__ import annotations

from dnsrenew.cli import commands
from dnsrenew.cli.command_types import Option
from dnsrenew.cli.formatting import template, width, wrap

_WIDEST = 100
_LABELS = 24
"""The width of the column of the labels, at most; a longer label has a line of its own."""


def top_help(columns: int = 80) -> str:
    """Return the help of the program itself, wrapped to so many columns."""
    columns = min(columns, _WIDEST)
    left = {name: template(command.summary) for name, command in commands.COMMANDS.items() if " " not in name}
    usage = template(commands.USAGE).format(command="dnsrenew COMMAND [options]")
    lines = [usage, "", *wrap(template(commands.SUMMARY), columns)]
    labels = max(map(len, left)) + 4
    *topics, last = commands.TOPICS
    for topic in topics:
        rows = [(name, left.pop(name)) for name in commands.TOPICS[topic] if name in left]
        lines += _section(template(topic), rows, columns, labels)
    lines += _section(template(last), [*left.items()], columns, labels)
    lines += _section(template(commands.HEADINGS["global"]), _options((*commands.GLOBAL, commands.VERSION)), columns)
    return "\n".join([*lines, *_examples(commands.EXAMPLES, columns), ""])


def command_help(name: str, columns: int = 80) -> str:
    """Return the help of a command, wrapped to so many columns."""
    columns, command = min(columns, _WIDEST), commands.COMMANDS[name]
    lines = [*wrap(template(commands.USAGE).format(command=usage(name)), columns, "", "    "), ""]
    summary = template(command.summary)
    lines += wrap(template(commands.SENTENCE).format(summary=f"{summary[:1].upper()}{summary[1:]}"), columns)
    lines += _examples(command.examples, columns)
    always = (*((commands.INSIST,) if command.reads_config else ()), *commands.GLOBAL)
    sections = {
        "commands": [_member(name, member) for member in commands.members(name)],
        "arguments": [(argument.shown, template(argument.help)) for argument in command.arguments],
        "options": _options(command.options),
        "global": _options(always),
    }
    for heading, rows in sections.items():
        lines += _section(template(commands.HEADINGS[heading]), rows, columns)
    notes = [line for paragraph in command.notes.splitlines() for line in wrap(template(paragraph), columns)]
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def usage(name: str) -> str:
    """Return the line that shows how a command is used."""
    command = commands.COMMANDS[name]
    words = ["COMMAND"] if name in commands.GROUPS else [argument.usage for argument in command.arguments]
    return " ".join(["dnsrenew", name, *words, "[options]"])


def _member(group: str, member: str) -> tuple[str, str]:
    command = commands.COMMANDS[f"{group} {member}"]
    return " ".join([member, *(argument.usage for argument in command.arguments)]), template(command.summary)


def _options(options: tuple[Option, ...]) -> list[tuple[str, str]]:
    return [(option.usage, option.text(template)) for option in options]


def _section(title: str, rows: list[tuple[str, str]], columns: int, labels: int = 0) -> list[str]:
    """Return a heading with rows of label and text.

    :param labels: the width of their column; 0: that of the longest one.
    """
    if not rows:
        return []
    labels = labels or min(max(len(label) for label, _ in rows) + 4, _LABELS)
    lines = ["", template(commands.HEADING).format(title=title)]
    for label, text in rows:
        head = f"  {label}".ljust(labels)
        if len(label) + 4 > labels:
            lines.append(f"  {label}")
            head = " " * labels
        lines += wrap(text, columns, head, " " * labels)
    return lines


def _examples(examples: tuple[tuple[str, str], ...], columns: int) -> list[str]:
    """Return the examples; their comments stand above them where the terminal is narrow."""
    if not examples:
        return []
    examples = tuple((line, template(comment)) for line, comment in examples)
    longest = max(len(line) for line, _ in examples)
    wide = all(2 + longest + 4 + width(comment) <= columns for _, comment in examples if comment)
    lines = ["", template(commands.HEADING).format(title=template(commands.HEADINGS["examples"]))]
    for line, comment in examples:
        if wide:
            lines.append(f"  {line.ljust(longest)}  # {comment}" if comment else f"  {line}")
        else:
            lines += [*(wrap(comment, columns, "  # ", "  # ") if comment else []), f"  {line}"]
    return lines
