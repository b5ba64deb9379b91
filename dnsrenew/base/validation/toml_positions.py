"""The line of each key in a TOML text, and where its value stands: ``tomllib`` does not report it.

It is needed only after a mistake, and where a file is edited.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final

from dnsrenew.base.validation.mistakes import KeyPath

_SPACE: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r"""
    "{3} (?: \\. | [^\\] )*? "{3} "{0,2}
    | '{3} .*? '{3} '{0,2}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    """,
    re.DOTALL | re.VERBOSE,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every table, key and list item of a valid TOML text."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    try:
        scanner.document()
    except (AttributeError, IndexError, RecursionError):
        pass  # the lines found so far are right, and a mistake without a line is still useful
    return scanner.lines


def value_spans(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Return where the value of every key and list item of a valid TOML text begins and ends.

    :param text: without carriage returns.
    :returns: empty for a text that cannot be scanned to its end.
    """
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (AttributeError, IndexError, RecursionError):
        return {}
    return scanner.spans


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """Return the line of a key, or of the table that should have it; None for an empty file."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1 if lines else None


class _Scanner:
    """Scans a text that ``tomllib`` has accepted, so it checks nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self.spans: dict[KeyPath, tuple[int, int]] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lists: dict[KeyPath, int] = {}  # number of tables so far in each array of tables

    def document(self) -> None:
        table: KeyPath = ()
        self._skip()
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _skip(self) -> None:
        self.position = self._match(_SPACE).end()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise IndexError(self.position)
        return match

    def _record(self, path: KeyPath, position: int) -> None:
        self.lines.setdefault(path, bisect.bisect_right(self._starts, position))

    def _header(self) -> KeyPath:
        start = self.position
        is_list = self.text.startswith("[[", start)
        self.position += 2 if is_list else 1
        path: KeyPath = ()
        parts = self._key()
        for part in parts:
            path = (*path, part)
            last = len(path) - sum(isinstance(step, int) for step in path) == len(parts)
            if last and is_list:
                self._record(path, start)
                self._lists[path] = self._lists.get(path, 0) + 1
            if path in self._lists:
                path = (*path, self._lists[path] - 1)
            self._record(path, start)
        self.position += 2 if is_list else 1
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip()
            quote = self.text[self.position] in "\"'"
            match = self._match(_STRING if quote else _BARE)
            self.position = match.end()
            parts.append(tomllib.loads(f"k={match[0]}")["k"] if quote else match[0])
            self._skip()
            if self.text[self.position] != ".":
                return parts
            self.position += 1

    def _pair(self, table: KeyPath) -> None:
        start = self.position
        path = table
        for part in self._key():
            path = (*path, part)
            self._record(path, start)
        self.position += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start, first = self.position, self.text[self.position]
        if first == "[":
            self._items(path)
        elif first == "{":
            self._inline(path)
        else:
            self.position = self._match(_STRING if first in "\"'" else _SCALAR).end()
        self.spans[path] = start, self.position

    def _items(self, path: KeyPath) -> None:
        self.position += 1
        index = 0
        self._skip()
        while self.text[self.position] != "]":
            self._record((*path, index), self.position)
            self._value((*path, index))
            index += 1
            self._comma()
        self.position += 1

    def _inline(self, path: KeyPath) -> None:
        self.position += 1
        self._skip()
        while self.text[self.position] != "}":
            self._pair(path)
            self._comma()
        self.position += 1

    def _comma(self) -> None:
        self._skip()
        if self.text[self.position] == ",":
            self.position += 1
            self._skip()
