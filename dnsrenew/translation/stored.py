"""Finds the template of an English message that was stored as a text, such as a failure in ``state.json``.

A template matches if its words stand in the text in their order; what stands between them are the values of its fields,
which can be messages too. A text can also be two messages, one after the other. The reading in which templates have the
most letters is taken. So nothing but the text has to be stored, and what dnsrenew did not write matches nothing.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

from dnsrenew.base.values import Frozen

_LEAST_LETTERS: Final = 6
"""Letters that a template needs; others match what is no message."""
_MOST_TEXT: Final = 4000
_MOST_SENTENCES: Final = 12
"""The ends of sentences at which a text is divided: what a CA wrote can have any number."""
DEEPEST: Final = 12
"""The messages within each other that are read: a text that others wrote can have any number."""
_REMEMBERED: Final = 2048
_SENTENCE_END: Final = re.compile(r"(?<=[.?!]) (?=\S)")
_WORD: Final = re.compile(r"[^\W\d_]+")


class _Template(Frozen):
    """A template in parts: a text, a field, a text, a field … and a text.

    :ivar size: the number of letters in its texts, and of all characters.
    """

    template: str
    texts: tuple[str, ...]
    fields: tuple[str, ...]
    size: tuple[int, int]

    def values(self, text: str) -> dict[str, str] | None:
        """Return the values of the fields that give the text; None if none do."""
        first, last = self.texts[0], self.texts[-1]
        end = len(text) - len(last)
        if not text.startswith(first) or not text.endswith(last):
            return None
        start, found = len(first), dict[str, str]()
        for number, (field, following) in enumerate(zip(self.fields, self.texts[1:], strict=True), 1):
            stop = end if number == len(self.fields) else text.find(following, start + 1, end)
            if stop <= start or found.setdefault(field, text[start:stop]) != text[start:stop]:
                return None
            start = stop + len(following)
        return found


class StoredMessages:
    """Templates, indexed by a word of each."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Template]] = {}
        self._without_fields: set[str] = set()
        for template in templates:
            if "{" not in template:
                self._without_fields.add(template)
            elif (parsed := _parsed(template)) is not None:
                word = max(_whole_words(parsed.texts), key=len, default="")
                self._by_word.setdefault(word, []).append(parsed)
        self._found = lru_cache(_REMEMBERED)(self._search)
        self._halves = lru_cache(_REMEMBERED)(self._divide)

    def find(self, text: str) -> tuple[str, Mapping[str, str]] | None:
        """Return the template of a text and the values of its fields; None if no template gives this text."""
        found = self._found(text, 0)
        return None if found is None else found[:2]

    def halves(self, text: str) -> tuple[str, str] | None:
        """Return the messages of which a text consists, the first one and the others; None if it is one message."""
        return self._halves(text, 0)[0]

    def _search(self, text: str, depth: int) -> tuple[str, Mapping[str, str], int] | None:
        """Return the template, the values, and the letters of the template and of those in the values."""
        if len(text) > _MOST_TEXT:
            return None
        for exact in (text, text[:1].upper() + text[1:]):
            if exact in self._without_fields:
                return exact, {}, _letters(exact)
        words = {"", *_WORD.findall(text)}
        matching = [
            (each, values)
            for word in words
            for each in self._by_word.get(word, ())
            if (values := each.values(text)) is not None
        ]
        read = [
            (each, values, each.size[0] + sum(self._read(value, depth + 1) for value in values.values()))
            for each, values in matching
        ]
        if not read:
            return None
        best, values, letters = max(read, key=lambda one: (one[2], len(one[0].texts[0]), one[0].size))
        return best.template, values, letters

    def _divide(self, text: str, depth: int) -> tuple[tuple[str, str] | None, int]:
        """Return the halves, and the letters of all templates in the text."""
        halves, most = None, self._alone(text, depth)
        for end in islice(_SENTENCE_END.finditer(text), _MOST_SENTENCES if len(text) <= _MOST_TEXT else 0):
            first, others = text[: end.start()], text[end.end() :]
            if (
                (before := self._alone(first, depth))
                and (after := self._read(others, depth + 1))
                and before + after >= most
            ):
                halves, most = (first, others), before + after
        return halves, most

    def _read(self, text: str, depth: int) -> int:
        """Return the letters of the templates that give a text; a single word is no message."""
        return self._halves(text, depth)[1] if " " in text and depth < DEEPEST else 0

    def _alone(self, text: str, depth: int) -> int:
        found = self._found(text, depth) or self._found(f"{text}.", depth)
        return 0 if found is None else found[2]


def _parsed(template: str) -> _Template | None:
    """Return a template in parts; None if it has too few words, or fields with nothing between them."""
    texts, fields = [""], []
    for text, field, _, _ in string.Formatter().parse(template):
        texts[-1] += text
        if field is not None:
            fields.append(field)
            texts.append("")
    whole = "".join(texts)
    letters = _letters(whole)
    if letters < _LEAST_LETTERS or not all(texts[1:-1]):
        return None
    return _Template(template, tuple(texts), tuple(fields), (letters, len(whole)))


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _whole_words(texts: Iterable[str]) -> Iterator[str]:
    """Give the words that no value can lengthen."""
    for text in texts:
        yield from (match[0] for match in _WORD.finditer(text) if match.start() > 0 and match.end() < len(text))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with values that are texts already: formats such as ``:,`` are left out."""
    return "".join(text + (values[field] if field else "") for text, field, _, _ in string.Formatter().parse(template))
