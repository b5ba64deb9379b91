"""Messages in the store: the English text, and beside it template and values, which other languages are made from.

::

    {"message": "It is lost.", "fix": "…", "templates": {"message": {"template": "It is {what}.", "values": {…}}}}

An older dnsrenew ignores the templates. A template that does not give the text, word for word, is ignored here too, and
it is never filled with more than the text has.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.errors import Clause, Message
from dnsrenew.store import json_files

_TEMPLATES: Final = "templates"
_TEXTS: Final = ("message", "fix")
_MOST: Final = 16_384
"""Bytes of the templates beside one error; longer ones are left out."""
_DEEPEST: Final = 5
"""Messages within each other; deeper ones are texts. A file of the store has at most 32 levels, these are 20."""
_HIGHEST: Final = 1 << 53
"""Larger numbers, and what is no number, are texts: they are not exact in every JSON parser."""
_FORMATS: Final = frozenset({("", None), ("", "r"), (",", None), ("g", None), (".0f", None)})
"""How templates format a field. Any other, such as a width, is not of dnsrenew."""

_parse: Final = string.Formatter().parse


def with_templates(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an error, as it is stored, with the templates of its messages beside them."""
    templates = {name: _record(text, 1) for name in _TEXTS if isinstance(text := error.get(name), Message)}
    try:
        fits = bool(templates) and len(json_files.dump(templates)) <= _MOST
    except ValueError:  # half of a surrogate pair
        fits = False
    return {**error, _TEMPLATES: templates} if fits else error


def with_messages(error: dict[str, Any]) -> dict[str, Any]:
    """Return a stored error whose texts are messages again, without the templates."""
    if _TEMPLATES not in error:
        return error
    found = {name: value for name, value in error.items() if name != _TEMPLATES}
    for name in _TEXTS:
        try:
            message = _message(error[_TEMPLATES][name], min(len(error[name]), _MOST), 1)
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            continue
        if message == found[name]:
            found[name] = message
    return found


def _record(message: Message, depth: int) -> dict[str, Any]:
    fields = {name for _, name, *_ in _parse(message.template) if name and name in message.values}
    values = {name: _value(message.values[name], depth) for name in sorted(fields)}
    clause = {"clause": True} if isinstance(message, Clause) else {}
    return {"template": message.template, "values": values, **clause}


def _value(value: Any, depth: int) -> Any:
    """Return the value of a field as JSON: a message as an object, and what is no JSON as its text."""
    if isinstance(value, Message) and depth < _DEEPEST:
        return _record(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return [str(each) if isinstance(each, (list, tuple)) else _value(each, depth) for each in value]
    is_plain = value is None or (isinstance(value, (int, float)) and abs(value) <= _HIGHEST)
    return value if is_plain else str(value)


def _message(record: Mapping[str, Any], most: int, depth: int) -> Message:
    """Return the message of a record.

    :param most: the characters that it can have; the store is no reason to make a longer text.
    :raises ValueError: the record is not one of dnsrenew; so do the errors of a wrong type.
    """
    kind, template, values, size = Clause if record.get("clause") else Message, record["template"], {}, 0
    for literal, name, spec, conversion in _parse(template):
        size += len(literal)
        if name is not None:
            if (spec, conversion) not in _FORMATS or not name.isidentifier():
                raise ValueError(name)
            if name not in values:
                values[name] = _field(record["values"][name], most, depth)
            size += len(Message.filled(f"{{x{'!r' if conversion else ''}:{spec}}}", {"x": values[name]}))
        if size > most + 1:  # a clause has one character less
            raise ValueError(template)
    return kind.filled(template, values)


def _field(value: Any, most: int, depth: int) -> Any:
    if isinstance(value, dict):
        if depth == _DEEPEST:
            raise ValueError(depth)
        return _message(value, most, depth + 1)
    return [_field(each, most, depth) for each in value] if isinstance(value, list) else value
