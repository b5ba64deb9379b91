"""A small reader of Caddyfiles: lines and blocks with their numbers, imports and snippets.

The syntax is described at caddyserver.com/docs/caddyfile/concepts. Everything except certificates is ignored.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.reading import LONGEST_VALUE, Notes

_DEEPEST: Final = 10
"""The maximum nesting of imports."""
_DEEPEST_BLOCK: Final = 50
_LARGEST: Final = 1 << 19
"""The maximum number of characters of a file."""
_MOST: Final = 1 << 21
"""The maximum number of characters of a Caddyfile with all its imports, each time they occur.

A line counts as some more.
"""
_LINE_COST: Final = 20
_FILE_COST: Final = 500
_MOST_ARGUMENTS: Final = 20
_PART: Final = re.compile(
    r"""(?P<end>\n)|[^\S\n]+|\#[^\n]*|"(?P<quoted>(?:\\"|[^"])*+)"(?P<tail>\S*)|`(?P<raw>[^`]*+)`(?P<rest>\S*)"""
    r"""|["`](?P<open>.*)|(?P<bare>\S+)""",
    re.DOTALL,
)
"""A word in quotes continues after them. Without an end quote, it continues to the end of the file."""


class _TooMuch(Exception):
    """Endless nesting of blocks or imports, or an endless file."""


class Line(Frozen):
    """A line, and the block that it opens.

    :ivar file: the file.
    :ivar number: from 1.
    :ivar words: its words, without quotes.
    :ivar block: the lines of its block; None without a block.
    """

    file: Path
    number: int
    words: tuple[str, ...]
    block: tuple[Line, ...] | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of its block; empty without one."""
        return self.block or ()

    @property
    def name(self) -> str:
        """The first word, or ""."""
        return self.words[0] if self.words else ""


class Caddyfile(Frozen):
    """A Caddyfile with its imports.

    :ivar options: the global options.
    :ivar sites: the site blocks. The words of each are its addresses as written.
    """

    file: Path
    options: tuple[Line, ...]
    sites: tuple[Line, ...]


def read(file: Path, notes: Notes) -> Caddyfile | None:
    """Return the content of a Caddyfile; None, with a note, if it cannot be read."""
    text = notes.text(file)
    if text is None:
        return None
    try:
        found = _lines(file, text)
        snippets = {line.name[1:-1]: line.lines for line in found if _is_snippet(line)}
        imports = _Imports(snippets, notes)
        lines = list(imports.filled([line for line in found if not _is_snippet(line)], _DEEPEST, _DEEPEST_BLOCK))
    except _TooMuch:
        notes.add(texts.UNREADABLE, file, reason=texts.TOO_MUCH)
        return None
    options = lines[0].lines if lines and not lines[0].words else ()
    return Caddyfile(file, options, tuple(_sites([line for line in lines if line.words])))


def _is_snippet(line: Line) -> bool:
    return len(line.words) == 1 and line.name.startswith("(") and line.name.endswith(")")


def _sites(lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the site blocks. A file with one site may have no braces, and then its first line has the addresses."""
    addresses: list[str] = []
    for index, line in enumerate(lines):
        addresses += [name for word in line.words for name in word.split(",") if name]
        if line.block is not None:
            yield replace(line, words=tuple(addresses))
            addresses = []
        elif not line.words[-1].endswith(","):
            if index == 0:
                yield replace(line, words=tuple(addresses), block=tuple(lines[1:]))
                return
            addresses = []


class _Imports:
    """Replaces ``import`` with the imported lines, up to a total."""

    def __init__(self, snippets: Mapping[str, tuple[Line, ...]], notes: Notes) -> None:
        self._snippets = snippets
        self._notes = notes
        self._left = _MOST

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise _TooMuch

    def filled(self, lines: Sequence[Line], depth: int, blocks: int) -> Iterator[Line]:
        """Yield the lines, including their imports.

        :param depth: how many more nested imports are allowed.
        :param blocks: the same for nested blocks.
        """
        if not blocks:
            raise _TooMuch
        for line in lines:
            self._spend(_LINE_COST + sum(map(len, line.words)))
            if any(len(word) > LONGEST_VALUE for word in line.words):
                raise _TooMuch
            if line.name != "import" or len(line.words) < 2 or depth == 0:
                block = None if line.block is None else tuple(self.filled(line.block, depth, blocks - 1))
                yield replace(line, block=block)
            elif line.words[1] in self._snippets:
                arguments = line.words[2:][:_MOST_ARGUMENTS]
                inside = [_with_arguments(each, arguments) for each in self._snippets[line.words[1]]]
                yield from self.filled(inside, depth - 1, blocks)
            else:
                for file, text in self._files(line):
                    yield from self.filled(_lines(file, text), depth - 1, blocks)

    def _files(self, line: Line) -> Iterator[tuple[Path, str]]:
        """Yield the files that a line imports. Caddy allows one wildcard."""
        name = line.words[1]
        if "\0" in name or name.count("*") > 1 or name.count("?") > 1 or name.count("[") > 1:
            return
        for found in sorted(glob.iglob(name, root_dir=line.file.parent)):
            file = line.file.parent / found
            self._spend(_FILE_COST)
            if not os.path.isdir(file) and (text := self._notes.text(file)) is not None:
                yield file, text


def _with_arguments(line: Line, arguments: Sequence[str]) -> Line:
    """Return a line of a snippet with its arguments, such as ``{args[0]}``, filled in."""
    words = line.words
    for number, value in enumerate(arguments):
        forms = (f"{{args[{number}]}}", f"{{args.{number}}}")
        if sum(word.count("{args") for word in words) * len(value) > _MOST:
            raise _TooMuch
        words = tuple(word.replace(forms[0], value).replace(forms[1], value) for word in words)
    block = None if line.block is None else tuple(_with_arguments(each, arguments) for each in line.block)
    return replace(line, words=words, block=block)


# ── lines and words ─────────────────────────────────────────────────────────────────────


def _lines(file: Path, text: str) -> list[Line]:
    """Return the lines of a file as a tree, without unmatched closing braces.

    :raises _TooMuch: the file is too large, or its blocks are nested too deeply.
    """
    if len(text) > _LARGEST:
        raise _TooMuch
    outer: list[tuple[int, tuple[str, ...], list[Line]]] = []
    inside: list[Line] = []

    def closed() -> list[Line]:
        begin, opening, above = outer.pop()
        above.append(Line(file, begin, opening, tuple(inside)))
        return above

    for number, words in _words(text):
        if words[0] == "}":
            inside = closed() if outer else inside
        elif words[-1] == "{":
            outer.append((number, words[:-1], inside))
            inside = []
            if len(outer) > _DEEPEST_BLOCK:
                raise _TooMuch
        else:
            inside.append(Line(file, number, words))
    while outer:  # a brace is missing at the end
        inside = closed()
    return inside


def _words(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the words of each non-empty line, with its number."""
    words: list[str] = []
    number = begin = 1
    for part in _PART.finditer(text):
        if part["end"]:
            if words:
                yield begin, tuple(words)
            words, begin = [], number + 1
        elif part["quoted"] is not None:
            words.append(part["quoted"].replace('\\"', '"') + part["tail"])
        elif part["raw"] is not None:
            words.append(part["raw"] + part["rest"])
        elif part["open"] is not None:
            words.append(part["open"].replace('\\"', '"') if part[0][0] == '"' else part["open"])
        elif part["bare"]:
            words.append(part["bare"])
        number += part[0].count("\n")
    if words:
        yield begin, tuple(words)
