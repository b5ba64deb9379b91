"""The texts in the language of the reader, and times in the reader's zone.

Messages are created once, in English, and keep their template (:class:`dnsrenew.errors.Message`), even in the store. A
catalogue (:mod:`dnsrenew.locale`) has the translation of each template. Without one, the text stays English. Any other
text is foreign, and is shown unchanged. Exceptions and logs are always English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.errors import Clause, Message, short_time
from dnsrenew.locale import read_catalogue, with_context

_SENTENCES: Final = frozenset({"message", "fix", "summary", "next_action"})
"""The keys of JSON documents whose texts are for people."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_STOP: Final = re.compile(r"[。.]$")
_EDGE: Final = "\ue000"
"""Marks both ends of a translated value until the message is filled."""
# Compiled on first use, because such a large class takes ten milliseconds.
_GAP: Final = (
    rf"(?<=[\u3001-\u9fff]) {_EDGE}(?=[\u3001-\u9fff])|(?<=[\u3001-\u9fff]){_EDGE} (?=[\u3001-\u9fff])"
    rf"|(?<=[\u3001-\u303f\uff01-\uff1f]){_EDGE} | {_EDGE}(?=[\u3001-\u303f\uff01-\uff1f])"
)
_SERIES: Final = "{item0}"
_BETWEEN: Final = re.compile(r"(?<=\})[^{}]+(?=\{)")
PUNCTUATION: Final = tuple(
    with_context(context, f"{{a}}{between}{{b}}")
    for context, between in (("list", ", "), ("list", "; "), ("list", " "), ("clauses", ", "))
)
"""The separators of words, messages and clauses, as templates of two."""
_REASON: Final = "system"
"""The context of the operating system's reasons."""
_DEEPEST: Final = 20
"""The maximum nesting of messages that are translated."""


class Translator:
    """Shows messages in one language.

    :ivar language: one of :data:`dnsrenew.locale.LANGUAGES`.
    :param moment: formats a time for people; None for UTC.
    """

    def __init__(self, language: str, moment: Callable[[datetime], str] | None = None) -> None:
        self.language = language
        self._moment = moment
        self._catalogue: Mapping[str, str] = {} if language == "en" else read_catalogue(language)

    def template(self, english: str) -> str:
        """Return the translation of a template in either case of its first letter, or the template itself."""
        if self._catalogue and english.startswith(_SERIES):
            return _BETWEEN.sub(lambda match: self.between(match[0]), english)
        capital = english[:1].upper() + english[1:]
        return self._catalogue.get(english) or self._catalogue.get(capital) or self.between(english)

    def between(self, english: str, context: str = "list") -> str:
        """Return the separator of list parts for a comma and a space; any other text unchanged."""
        pair = self._catalogue.get(with_context(context, f"{{a}}{english}{{b}}"))
        return english if pair is None else pair.removeprefix("{a}").removesuffix("{b}")

    def message(self, text: str) -> str:
        """Return a message in the language; any other text is returned unchanged."""
        return self._shown(text, 0)

    def _shown(self, text: str, depth: int) -> str:
        """Return a message in the language.

        :param depth: the number of messages around it.
        """
        if not isinstance(text, Message) or depth > _DEEPEST:
            return text
        template = self.template(text.template)
        values = {name: self._value(each, depth + 1) for name, each in text.values.items()}
        shown = self._closed(template.format_map(values))
        return _STOP.sub("", shown) if isinstance(text, Clause) else shown

    def document(self, value: Any) -> Any:  # JSON values
        """Return a JSON document with its sentences in the language. Evidence stays unchanged."""
        if isinstance(value, Mapping):
            return {
                key: self.message(each) if key in _SENTENCES and isinstance(each, str) else self.document(each)
                for key, each in value.items()
            }
        return [self.document(each) for each in value] if isinstance(value, (list, tuple)) else value

    def _closed(self, text: str) -> str:
        """Return a text without the spaces that a template has next to a value in Chinese characters."""
        closed = re.sub(_GAP, "", text) if self._catalogue else text
        return closed.replace(_EDGE, "")

    def _value(self, value: Any, depth: int) -> Any:
        """Return the value of a field in the form in which it is shown."""
        if isinstance(value, str):
            if self._moment and not isinstance(value, Message) and _TIME.fullmatch(value):
                return self._moment(datetime.fromisoformat(value))
            shown = self._shown(value, depth) if isinstance(value, Message) else self._reason(value)
            return short_time(value) if shown == value else f"{_EDGE}{shown}{_EDGE}"
        if isinstance(value, (list, tuple)):
            has_clauses = any(isinstance(each, Message) for each in value)
            between = self.between(", ", "clauses" if has_clauses else "list")
            return between.join(str(self._value(each, depth)) for each in value)
        return value

    def _reason(self, text: str) -> str:
        """Return an operating system's reason in the language, or any other text unchanged."""
        for known in (text, text[:1].upper() + text[1:]) if self._catalogue else ():
            if found := self._catalogue.get(with_context(_REASON, known)):
                return found
        return text
