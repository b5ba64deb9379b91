"""Finds the template of an English message that was stored as a text, such as a failure in ``state.json``.

A template matches if its words stand in the text in their order; what stands between them are the values of its fields.
The template with the most letters is taken, of those the longest. So nothing but the text has to be stored, and what
dnsrenew did not write matches nothing.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dnsrenew.base.values import Frozen

_LEAST_LETTERS: Final = 6
"""Letters that a template needs; others match what is no message."""
_MOST_TEXT: Final = 4000
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
    """Templates, indexed by a word of each.

    :param templates: English templates; those without fields are left out.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Template]] = {}
        for template in templates:
            if "{" in template and (parsed := _parsed(template)) is not None:
                word = max(_whole_words(parsed.texts), key=len, default="")
                self._by_word.setdefault(word, []).append(parsed)

    def find(self, text: str) -> tuple[str, Mapping[str, str]] | None:
        """Return the template of a text and the values of its fields; None if no template gives this text."""
        if len(text) > _MOST_TEXT:
            return None
        words = {"", *_WORD.findall(text)}
        candidates = [each for word in words for each in self._by_word.get(word, ())]
        for candidate in sorted(candidates, key=lambda each: each.size, reverse=True):
            if (values := candidate.values(text)) is not None:
                return candidate.template, values
        return None


def _parsed(template: str) -> _Template | None:
    """Return a template in parts; None if it has too few words, or fields with nothing between them."""
    texts, fields = [""], []
    for text, field, _, _ in string.Formatter().parse(template):
        texts[-1] += text
        if field is not None:
            fields.append(field)
            texts.append("")
    whole = "".join(texts)
    letters = sum(map(str.isalpha, whole))
    if letters < _LEAST_LETTERS or not all(texts[1:-1]):
        return None
    return _Template(template, tuple(texts), tuple(fields), (letters, len(whole)))


def _whole_words(texts: Iterable[str]) -> Iterator[str]:
    """Give the words that no value can lengthen."""
    for text in texts:
        yield from (match[0] for match in _WORD.finditer(text) if match.start() > 0 and match.end() < len(text))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with values that are texts already: formats such as ``:,`` are left out."""
    return "".join(text + (values[field] if field else "") for text, field, _, _ in string.Formatter().parse(template))
