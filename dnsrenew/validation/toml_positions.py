"""On which line of a TOML text does a key stand? ``tomllib`` does not tell, and only a mistake wants to know.

Of what is no TOML at all it tells the line, in a sentence.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final

from dnsrenew.validation.mistakes import KeyPath, Mistake

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
_AT_LINE: Final = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")
_TOML: Final = "TOML, see https://toml.io"


def syntax_mistake(error: Exception, text: str, file: str) -> Mistake:
    """Return the mistake for what ``tomllib`` could not read: the first one in the text."""
    if not isinstance(error, tomllib.TOMLDecodeError):  # nested a thousand deep; a number of thousands of digits
        return Mistake(file, 1, "syntax", "something far too deep or too long", _TOML)
    said = str(error)
    if place := _AT_LINE.search(said):
        found, line, where = said[: place.start()], int(place[1]), f"column {place[2]}"
    else:
        found, line, where = said.removesuffix(" (at end of document)"), text.count("\n") + 1, "end of file"
    found = f"{found[:1].lower()}{found[1:]}"
    if found.startswith("expected "):
        return Mistake(file, line, where, "something else", f"{found.removeprefix('expected ')} ({_TOML})")
    return Mistake(file, line, where, found, _TOML)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every table, key and list item of a valid TOML text."""
    scan = _Scan(text.replace("\r\n", "\n"))
    try:
        scan.document()
    except (AttributeError, IndexError, RecursionError):
        # A line number is a courtesy: what was found until here is still right.
        pass
    return scan.lines


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """Return the line of a key, or of the nearest table around it, where the key is missing; None for an empty file."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1 if lines else None


def line_in(file: str, path: KeyPath) -> int | None:
    """Return the line of a key in a file; None where there is no file, or it is gone meanwhile."""
    if not file:
        return None
    try:
        with open(file, encoding="utf-8-sig") as opened:
            return line_of(path, key_lines(opened.read()))
    except (OSError, UnicodeDecodeError):
        return None


class _Scan:
    """Walks a text that ``tomllib`` has accepted; so it need not check anything."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lists: dict[KeyPath, int] = {}  # arrays of tables: how many so far

    def document(self) -> None:
        table: KeyPath = ()
        self._skip()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _skip(self) -> None:
        self.at = self._match(_SPACE).end()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise IndexError(self.at)
        return match

    def _note(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect.bisect_right(self._starts, at))

    def _header(self) -> KeyPath:
        start = self.at
        is_list = self.text.startswith("[[", start)
        self.at += 2 if is_list else 1
        path: KeyPath = ()
        parts = self._key()
        for part in parts:
            path = (*path, part)
            last = len(path) - sum(isinstance(step, int) for step in path) == len(parts)
            if last and is_list:
                self._note(path, start)
                self._lists[path] = self._lists.get(path, 0) + 1
            if path in self._lists:
                path = (*path, self._lists[path] - 1)
            self._note(path, start)
        self.at += 2 if is_list else 1
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip()
            quote = self.text[self.at] in "\"'"
            match = self._match(_STRING if quote else _BARE)
            self.at = match.end()
            parts.append(tomllib.loads(f"k={match[0]}")["k"] if quote else match[0])
            self._skip()
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        start = self.at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self.at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first == "[":
            self._items(path)
        elif first == "{":
            self._inline(path)
        else:
            self.at = self._match(_STRING if first in "\"'" else _SCALAR).end()

    def _items(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        self._skip()
        while self.text[self.at] != "]":
            self._note((*path, index), self.at)
            self._value((*path, index))
            index += 1
            self._comma()
        self.at += 1

    def _inline(self, path: KeyPath) -> None:
        self.at += 1
        self._skip()
        while self.text[self.at] != "}":
            self._pair(path)
            self._comma()
        self.at += 1

    def _comma(self) -> None:
        self._skip()
        if self.text[self.at] == ",":
            self.at += 1
            self._skip()
