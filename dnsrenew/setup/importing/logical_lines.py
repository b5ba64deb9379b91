"""Lines of shell scripts, crontabs and units, as those who read them see them."""

from __future__ import annotations

from collections.abc import Iterator


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that are no comments, each with its number; a backslash joins the next one."""
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not joined and line.lstrip().startswith(("#", ";")):
            continue
        first = first if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        whole, joined = (joined + line).strip(), ""
        if whole:
            yield first, whole
