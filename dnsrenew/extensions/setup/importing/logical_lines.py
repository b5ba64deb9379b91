"""Lines of shell scripts, crontabs and units, as those who read them see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

LONGEST: Final = 8192
"""Characters of a line; a longer one is none that a person wrote, and what looks for words in it would take long."""


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that are no comments, each with its number; a backslash joins the next one."""
    joined: list[str] = []
    length = first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not joined and line.lstrip().startswith(("#", ";")):
            continue
        first = first if joined else number
        length += len(line)
        joined.append(line.removesuffix("\\") if length <= LONGEST else "")
        if line.endswith("\\"):
            continue
        whole = " ".join(joined).strip()
        if whole and length <= LONGEST:
            yield first, whole
        joined, length = [], 0
