"""The texts in the language of the reader, and times in the reader's zone.

Messages are made in English, once, and keep their template (:class:`dnsrenew.errors.Message`). A catalogue has the
translation of each template; what it lacks stays English. Exceptions, logs and the store are always English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from dnsrenew.errors import Message, short_time

LANGUAGES: Final = ("en", "zh")
"""The languages that texts exist in; English is the language of the sources."""

_SENTENCES: Final = frozenset({"message", "fix", "summary", "next_action"})
"""The keys of JSON documents whose texts are for people."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SEPARATORS: Final = {"en": ", ", "zh": "、"}
_CLAUSE_SEPARATORS: Final = {"en": ", ", "zh": "；"}


def language_of(environ: Mapping[str, str]) -> str:
    """Return the language of the environment: of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` the first that is set."""
    chosen = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


class Translator:
    """Shows messages in one language.

    :ivar language: one of :data:`LANGUAGES`.
    :param moment: shows a time for people; None: in UTC.
    """

    def __init__(self, language: str, moment: Callable[[datetime], str] | None = None) -> None:
        self.language = language
        self._moment = moment
        self._catalogue: Mapping[str, str] = {}
        if language != "en":
            self._catalogue = import_module(f"dnsrenew.translation.{language}").CATALOGUE

    def template(self, english: str) -> str:
        """Return the translation of a template, or the template itself."""
        return self._catalogue.get(english, english)

    def message(self, text: str) -> str:
        """Return a message in the language; any other text is returned unchanged."""
        if not isinstance(text, Message):
            return text
        return self.template(text.template).format_map({name: self._value(each) for name, each in text.values.items()})

    def document(self, value: Any) -> Any:  # JSON values
        """Return a JSON document with its sentences in the language; evidence stays as it is."""
        if isinstance(value, Mapping):
            return {
                key: self.message(each) if key in _SENTENCES and isinstance(each, str) else self.document(each)
                for key, each in value.items()
            }
        return [self.document(each) for each in value] if isinstance(value, (list, tuple)) else value

    def _value(self, value: Any) -> Any:
        """Return the value of a field as it is shown."""
        if isinstance(value, Message):
            return self.message(value)
        if isinstance(value, str):
            is_time = self._moment is not None and _TIME.fullmatch(value)
            return self._moment(datetime.fromisoformat(value)) if self._moment and is_time else short_time(value)
        if isinstance(value, (list, tuple)):
            separators = _CLAUSE_SEPARATORS if any(isinstance(each, Message) for each in value) else _SEPARATORS
            return separators[self.language].join(str(self._value(each)) for each in value)
        return value
