"""The store's JSON files are read strictly: a damaged file is set aside with a warning, and never partly used."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Any, Final, NoReturn, TypeVar

from dnsrenew.base.model import Notice
from dnsrenew.base.values import Frozen, field_types
from dnsrenew.errors import Clause, Message, StoreError
from dnsrenew.store import texts
from dnsrenew.store.atomic_io import LIMIT, AtomicFiles
from dnsrenew.store.texts import DamageTexts

T = TypeVar("T")

_EARLIEST: Final = 1970
_DEEPEST: Final = 32
"""Levels of nesting. A deeper document could be read, but writing it could exceed the recursion limit."""
_HIGHEST: Final = 1 << 53
"""Larger numbers are not exact in every JSON parser, and dnsrenew does not write them."""
_DAMAGED: Final = re.compile(r"\.damaged(?:-([0-9]+))?")
_KEPT: Final = 3
"""The number of damaged files of one name that are kept. The oldest are removed."""


class DamagedFile(Exception):
    """A file that dnsrenew cannot have written. ``str()`` is the reason."""


class NewerSchema(Exception):
    """A file of a newer dnsrenew. ``str()`` is the reason why it cannot be used.

    :ivar schema: the schema number of the file.
    """

    def __init__(self, schema: int) -> None:
        super().__init__(f"it was written by a newer dnsrenew (schema {schema})")
        self.schema = schema


def _refuse(constant: str) -> NoReturn:
    raise DamagedFile(f"it contains {constant}")


def _float(number: str) -> float:
    value = float(number)
    if math.isinf(value):  # it would be written as Infinity, which is not JSON
        raise DamagedFile("it contains a number that is too large")
    return value


# One for all calls, because json.loads would create one for each.
_decoder: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_float)


def read(disk: AtomicFiles, path: str) -> bytes | None:
    """Return the content of a file, or None if it does not exist.

    :raises DamagedFile: the path is not a regular file.
    :raises StoreError: the file cannot be read.
    """
    try:
        return disk.read(path)
    except StoreError as error:
        if error.code == "store-not-a-file":
            raise DamagedFile("it is not a file") from None
        raise


def value(data: bytes | str) -> Any:
    """Return a JSON value from any program, or None if it is not JSON or is nested too deeply."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        found = _decoder.decode(text)
        return None if text.count("[") + text.count("{") > _DEEPEST and _is_deep(found) else found
    except (DamagedFile, ValueError, RecursionError):
        return None


def load(data: bytes, schema: int) -> dict[str, Any]:
    """Return the object in the file, without its schema number.

    :raises DamagedFile: the file is not a JSON object with a schema number.
    :raises NewerSchema: its schema number is above ``schema``.
    """
    if len(data) > LIMIT:
        raise DamagedFile(f"it is larger than {LIMIT} bytes")
    if not data:
        raise DamagedFile("it is empty")
    try:
        text = data.decode("utf-8").strip(" \t\n\r")
        document, end = _decoder.raw_decode(text)  # decode() would search for spaces with regular expressions
        if end < len(text):
            raise ValueError(end)
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair can be read but not printed
            dump(document)
        if text.count("[") + text.count("{") > _DEEPEST and _is_deep(document):
            raise DamagedFile(f"it is nested more than {_DEEPEST} levels deep")
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"it is not JSON ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise DamagedFile("it is not a JSON object")
    number = document.pop("schema", None)
    if type(number) is not int or number < 1:
        raise DamagedFile("it has no schema number")
    if number > schema:
        raise NewerSchema(number)
    return document


def _is_deep(document: object) -> bool:
    level = [document]
    for _ in range(_DEEPEST):
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [item for part in parts for item in part]
        if not level:
            return False
    return True


def dump(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of the file: indented UTF-8 with one final newline."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def positive(value: object) -> int | None:
    """Check an integer of 1 or more, or None."""
    if value is None or (type(value) is int and 0 < value < _HIGHEST):
        return value
    raise DamagedFile("a field is not a positive integer")


def count(value: object) -> int:
    """Check an integer of 0 or more; None becomes 0."""
    return 0 if value in (None, 0) else positive(value) or 0


def typed(value: object, kind: type[T], reason: str) -> T:
    """Check the type of a value; None becomes an empty value."""
    if type(value) is kind:
        return value
    if value is not None:
        raise DamagedFile(reason)
    return kind()


def table(value: object) -> dict[str, Any]:
    """Check an object; None becomes an empty value."""
    return typed(value, dict, "a field is not an object")


def counts(value: object) -> dict[str, int]:
    """Check an object of integers of 0 or more; None becomes an empty value."""
    numbers = typed(value, dict, "a field is not an object of integers")
    return {name: count(number) for name, number in numbers.items()}


def flag(value: object) -> bool:
    """Check a boolean; None becomes False."""
    return typed(value, bool, "a field is not a boolean")


def string(value: object) -> str:
    """Check a string; None becomes an empty value."""
    return value if type(value) is str else typed(value, str, "a field is not a string")


def strings(value: object) -> tuple[str, ...]:
    """Check an array of strings; None becomes an empty value."""
    items = typed(value, list, "a field is not an array")
    if items and {*map(type, items)} != {str}:
        raise DamagedFile("an array contains something other than strings")
    return tuple(items)


def time(value: object) -> datetime | None:
    """Check a time (RFC 3339, UTC, ``Z``), or None."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # a TypeError is caught
    except (TypeError, ValueError):
        raise DamagedFile("a time is not in RFC 3339 format") from None
    if moment.tzinfo is not UTC or moment.year < _EARLIEST:
        raise DamagedFile("a time is not in UTC")
    return moment


READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "int": count,
    "int | None": positive,
    "str": string,
    "bool": flag,
    "str | None": lambda value: string(value) or None,
    "datetime | None": time,
    "tuple[str, ...]": strings,
    "Mapping[str, int]": counts,
    "Mapping[str, str]": lambda value: {name: string(item) for name, item in table(value).items()},
}
"""The reader for each type of field."""


def fields_of(kind: type[Frozen], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a value that an object has, without fields of the wrong type."""
    return {name: READERS[its](document.get(name)) for name, its in field_types(kind).items() if its in READERS}


# ── damage ──────────────────────────────────────────────────────────────────────────────


def quarantine(disk: AtomicFiles, path: str, kind: DamageTexts, reason: str) -> Notice:
    """Rename a damaged file to ``NAME.damaged``, if it exists, and return the warning.

    :param reason: what is wrong with it, such as ``it is empty``.
    """
    if not os.path.lexists(path):
        return Notice(*kind.missing.fill(path=path, reason=reason))
    try:
        copy = set_aside(disk, path)
    except StoreError as error:
        # `status` may run without write access and still has to answer. The next run renames the file.
        return Notice(*kind.stuck.fill(path=path, reason=reason, cause=error.message))
    return Notice(*kind.quarantined.fill(path=path, reason=reason, copy=os.path.basename(copy)))


def set_aside(disk: AtomicFiles, path: str) -> str:
    """Rename a damaged file or folder to ``NAME.damaged`` (or ``.damaged-2`` …) and return that path.

    Earlier ones with this name are removed, except the newest.

    :raises StoreError: the file cannot be renamed.
    """
    folder, name = os.path.split(path)
    earlier = _damaged(name, disk.names(folder))
    number = max(earlier, default=0) + 1
    target = f"{path}.damaged-{number}" if number > 1 else f"{path}.damaged"
    disk.do("rename", path, lambda: os.rename(path, target))
    for old in sorted(earlier)[: 1 - _KEPT]:
        disk.discard(os.path.join(folder, earlier[old]))
    return target


def _damaged(name: str, names: list[str]) -> dict[int, str]:
    """Return the damaged files of a name, by number."""
    found = {entry: _DAMAGED.fullmatch(entry, len(name)) for entry in names if entry.startswith(name)}
    return {int(match[1] or 1): entry for entry, match in found.items() if match}


def pending(path: str, kind: DamageTexts, reason: str) -> Notice:
    """Return the warning about a missing file, or about a damaged file that stays in place until it is replaced."""
    if not os.path.lexists(path):
        return Notice(*kind.missing.fill(path=path, reason=reason))
    return Notice(*kind.pending.fill(path=path, reason=reason, copy=f"{os.path.basename(path)}.damaged"))


def newer_schema(path: str, schema: int, known: int) -> StoreError:
    """Return the error for a file of a newer dnsrenew, whose meaning is unknown."""
    return StoreError.of(texts.NEWER_SCHEMA, path=path, schema=schema, known=known)


# ── damage reports ─────────────────────────────────────────────────────────────────────

# The warnings about damage that a store has found, kept until the states of the certificates are read.


class DamageReports:
    """Warnings by certificate."""

    def __init__(self) -> None:
        self._warnings: dict[str, tuple[Notice, ...]] = {}

    def report(self, name: str, warning: Notice) -> None:
        """Keep each warning once, because a run reads a state more than once and reports the warnings at its end."""
        reported = self._warnings.get(name, ())
        if warning not in reported:
            self._warnings[name] = (*reported, warning)

    def warnings(self, name: str) -> tuple[Notice, ...]:
        """Return the damage warnings of a certificate."""
        return self._warnings.get(name, ())


# ── messages ───────────────────────────────────────────────────────────────────────────

# Messages in the store: the English text, and beside it the template and values, from which other languages are made.
#
# ::
#
# {"message": "It is lost.", "fix": "…", "templates": {"message": {"template": "It is {what}.", "values": {…}}}}
#
# An older dnsrenew ignores the templates. A template that does not yield exactly the text is ignored here too,
# and it never gets more values than the text has.

_TEMPLATES: Final = "templates"
_TEXTS: Final = ("message", "fix")
_MOST: Final = 16_384
"""The maximum size in bytes of the templates beside one error. Longer ones are left out."""
_MESSAGES_DEEPEST: Final = 5
"""The maximum nesting of messages; deeper ones become texts.

A file of the store has at most 32 levels, these are 20.
"""
_FORMATS: Final = frozenset({("", None), ("", "r"), (",", None), ("g", None), (".0f", None)})
"""The formats of fields in templates. Any other format, such as a width, is not from dnsrenew."""

_parse: Final = Formatter().parse


def with_templates(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an error in its stored form, with the templates of its messages beside them."""
    templates = {name: _record(text, 1) for name in _TEXTS if isinstance(text := error.get(name), Message)}
    try:
        fits = bool(templates) and len(dump(templates)) <= _MOST
    except ValueError:  # half of a surrogate pair
        fits = False
    return {**error, _TEMPLATES: templates} if fits else error


def with_messages(error: dict[str, Any]) -> dict[str, Any]:
    """Return a stored error with messages instead of texts, and without the templates."""
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
    """Return the value of a field as JSON.

    A message becomes an object, and a value that is not JSON becomes its text.
    """
    if isinstance(value, Message) and depth < _MESSAGES_DEEPEST:
        return _record(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return [str(each) if isinstance(each, (list, tuple)) else _value(each, depth) for each in value]
    is_plain = value is None or (isinstance(value, (int, float)) and abs(value) <= _HIGHEST)
    return value if is_plain else str(value)


def _message(record: Mapping[str, Any], most: int, depth: int) -> Message:
    """Return the message of a record.

    :param most: the maximum number of characters, so that the store cannot cause a longer text.
    :raises ValueError: the record is not from dnsrenew. A wrong type raises its own errors.
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
        if depth == _MESSAGES_DEEPEST:
            raise ValueError(depth)
        return _message(value, most, depth + 1)
    return [_field(each, most, depth) for each in value] if isinstance(value, list) else value
