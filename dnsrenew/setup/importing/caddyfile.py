"""A small reader of Caddyfiles: lines and blocks with their numbers, imports and snippets.

The syntax is that of caddyserver.com/docs/caddyfile/concepts. What is not about certificates is left to Caddy.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen, replace

if TYPE_CHECKING:
    from dnsrenew.setup.importing.reading import Notes

_DEEPEST: Final = 10
"""Imports within imports."""
_QUOTES: Final = '"`'


class Line(Frozen):
    """A line, and the block that it opens.

    :ivar file: the file.
    :ivar number: from 1.
    :ivar words: its words, without quotes.
    :ivar block: the lines of its block; None: it opens none.
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
        """The first word; "" if there is none."""
        return self.words[0] if self.words else ""


class Site(Frozen):
    """A site block.

    :ivar addresses: as written.
    :ivar lines: its directives.
    """

    addresses: tuple[str, ...]
    lines: tuple[Line, ...]
    file: Path
    number: int


class Caddyfile(Frozen):
    """A Caddyfile with its imports.

    :ivar options: the global options.
    """

    file: Path
    options: tuple[Line, ...]
    sites: tuple[Site, ...]


def read(file: Path, notes: Notes) -> Caddyfile | None:
    """Return the content of a Caddyfile; None, with a note, if it cannot be read."""
    text = notes.text(file)
    if text is None:
        return None
    found = _lines(file, text)
    snippets = {line.name[1:-1]: line.lines for line in found if _is_snippet(line)}
    lines = list(_imported([line for line in found if not _is_snippet(line)], snippets, notes, _DEEPEST))
    options = lines[0].lines if lines and not lines[0].words else ()
    return Caddyfile(file, options, tuple(_sites([line for line in lines if line.words])))


def _is_snippet(line: Line) -> bool:
    return len(line.words) == 1 and line.name.startswith("(") and line.name.endswith(")")


def _sites(lines: Sequence[Line]) -> Iterator[Site]:
    """Give the site blocks; a file with one site may have no braces: its first line has the addresses."""
    addresses: list[str] = []
    for index, line in enumerate(lines):
        addresses += [name for word in line.words for name in word.split(",") if name]
        if line.block is not None:
            yield Site(tuple(addresses), line.block, line.file, line.number)
            addresses = []
        elif not line.words[-1].endswith(","):
            rest = tuple(lines[index + 1 :])
            if index == 0:
                yield Site(tuple(addresses), rest, line.file, line.number)
                return
            addresses = []


def _imported(
    lines: Sequence[Line], snippets: Mapping[str, tuple[Line, ...]], notes: Notes, depth: int
) -> Iterator[Line]:
    """Give the lines with what they import in place of ``import``."""
    for line in lines:
        if line.name != "import" or len(line.words) < 2 or depth == 0:
            block = None if line.block is None else tuple(_imported(line.block, snippets, notes, depth))
            yield replace(line, block=block)
            continue
        name, arguments = line.words[1], line.words[2:]
        if name in snippets:
            inside = [_with_arguments(each, arguments) for each in snippets[name]]
            yield from _imported(inside, snippets, notes, depth - 1)
            continue
        for path in sorted(glob.glob(str(line.file.parent / name))):
            text = notes.text(path) if os.path.isfile(path) else None
            if text is not None:
                yield from _imported(_lines(Path(path), text), snippets, notes, depth - 1)


def _with_arguments(line: Line, arguments: Sequence[str]) -> Line:
    """Return a line of a snippet with ``{args[0]}`` and its like filled in."""
    words = line.words
    for number, value in enumerate(arguments):
        forms = (f"{{args[{number}]}}", f"{{args.{number}}}")
        words = tuple(word.replace(forms[0], value).replace(forms[1], value) for word in words)
    block = None if line.block is None else tuple(_with_arguments(each, arguments) for each in line.block)
    return replace(line, words=words, block=block)


# ── lines and words ─────────────────────────────────────────────────────────────────────


def _lines(file: Path, text: str) -> list[Line]:
    """Return the lines of a file, as a tree. A brace that closes nothing is left out."""
    outer: list[tuple[int, tuple[str, ...], list[Line]]] = []
    inside: list[Line] = []
    for number, words in _words(text):
        if words[0] == "}":
            if outer:
                begin, opening, above = outer.pop()
                above.append(Line(file, begin, opening, tuple(inside)))
                inside = above
        elif words[-1] == "{":
            outer.append((number, words[:-1], inside))
            inside = []
        else:
            inside.append(Line(file, number, words))
    while outer:  # a brace is missing at the end
        begin, opening, above = outer.pop()
        above.append(Line(file, begin, opening, tuple(inside)))
        inside = above
    return inside


def _words(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Give the words of each line that has some, with the number of the line."""
    words: list[str] = []
    word: str | None = None
    quote, number, begin = "", 1, 1
    position = 0
    while position <= len(text):
        character = text[position] if position < len(text) else "\n"
        position += 1
        if quote and position <= len(text):
            if character == "\\" and quote == '"' and text[position : position + 1] == '"':
                character = '"'
                position += 1
            elif character == quote:
                quote = ""
                continue
            word = (word or "") + character
        elif word is None and character in _QUOTES:
            quote, word = character, ""
        elif word is None and character == "#":
            position = end if (end := text.find("\n", position)) >= 0 else len(text)
        elif character.isspace():
            if word is not None:
                words.append(word)
                word = None
            if character == "\n" and words:
                yield begin, tuple(words)
                words = []
            begin = number + 1 if character == "\n" else begin
        else:
            word = (word or "") + character
        number += character == "\n"
