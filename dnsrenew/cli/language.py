"""The language of the program: its own texts, and the messages that it shows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dnsrenew.base.translation import Translator
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli import formatting, texts
from dnsrenew.errors import Phrase, Text
from dnsrenew.locale import language_of

if TYPE_CHECKING:
    from types import ModuleType

_translator: list[Translator] = []
"""The translator of this process; empty before the command line is read."""
_documents: list[Translator] = []
"""The translator of its JSON document."""


def choose(wanted: str | None = None, *, json: bool = False, only_json: bool = False) -> None:
    """Choose the language of this process: that of ``--lang``, or of the environment, which JSON ignores.

    :param json: whether it writes a JSON document.
    :param only_json: whether it writes nothing else: standard error has JSON lines, or the document all texts.
    """
    language = wanted or ("en" if only_json else language_of(os.environ))
    in_json = wanted or ("en" if json else language)
    _translator[:] = [Translator(language, formatting.moment)]
    _documents[:] = [Translator(in_json)]
    if language != "en":
        translate(texts)


def current() -> str:
    """Return the language of this process."""
    return _translator[0].language if _translator else "en"


def say(text: str) -> str:
    """Return a message of dnsrenew as the program shows it: in its language, with local times."""
    return _translator[0].message(text) if _translator else text


def sentences(*messages: str) -> str:
    """Return messages as one text, in the language of the program; Chinese has no space after a full stop."""
    between = _translator[0].between(" ") if _translator else " "
    return between.join(shown for each in messages if (shown := say(each).strip()))


def template(english: str) -> str:
    """Return a template of the program in its language."""
    return _translator[0].template(english) if _translator else english


def document(value: Any) -> Any:  # JSON values
    """Return a JSON document with its messages in the language; times stay UTC."""
    return _documents[0].document(value) if _documents else value


def translate(catalogue: ModuleType) -> None:
    """Replace the constants of a catalogue of the program. Dicts are changed in place: others have imported them."""
    if current() == "en":
        return
    for name, value in vars(catalogue).items():
        if name.isupper() and name[0] != "_":
            setattr(catalogue, name, _translated(value, _translator[0]))


def _translated(value: Any, translator: Translator) -> Any:
    if isinstance(value, (Phrase, Text)):  # shown with the message that has it, or is made of it, also in JSON
        return value
    if isinstance(value, str):
        return translator.template(value)
    if isinstance(value, dict):
        value.update({key: _translated(each, translator) for key, each in value.items()})
        return value
    if isinstance(value, Frozen):
        return replace(value, **{name: _translated(each, translator) for name, each in vars(value).items()})
    if isinstance(value, (tuple, list)):
        return type(value)(_translated(each, translator) for each in value)
    return value
