"""JSON files of our own: strict when read, so that a damaged one is known as such and never guessed at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from dnsrenew.errors import StoreError
from dnsrenew.store.atomic_io import LIMIT, AtomicFiles

_EARLIEST: Final = 1970
_DEEPEST: Final = 32
"""Levels of nesting; what is deeper could be read, and not be written again from deeper in the program."""
_HIGHEST: Final = 1 << 53
"""No number of ours comes near; JSON promises no more than this."""


class DamagedFile(Exception):
    """A file that is not what we write; ``str()`` says why."""


class NewerSchema(Exception):
    """A file of a later dnsrenew.

    :ivar schema: its number.
    """

    def __init__(self, schema: int) -> None:
        super().__init__(f"schema {schema}")
        self.schema = schema


def _refuse(constant: str) -> NoReturn:
    raise DamagedFile(f"it holds {constant}")


def _float(number: str) -> float:
    value = float(number)
    if math.isinf(value):  # it would be written as Infinity, which is no JSON
        raise DamagedFile("it holds a number that is too large")
    return value


# One, because json.loads would make one a call.
_decoder: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_float)


def read(disk: AtomicFiles, path: str) -> bytes | None:
    """Return what a file of ours holds, or None where there is none.

    :raises Damaged: something else stands in its place.
    :raises StoreError: it cannot be read.
    """
    try:
        return disk.read(path)
    except StoreError as error:
        if error.code == "store-not-a-file":
            raise DamagedFile("it is no file") from None
        raise


def load(data: bytes, schema: int) -> dict[str, Any]:
    """Return the object in the file, without its schema number.

    :raises Damaged: when it is no JSON object with a schema number.
    :raises Newer: when its schema number is above ``schema``.
    """
    if len(data) > LIMIT:
        raise DamagedFile(f"it is larger than {LIMIT} octets")
    if not data:
        raise DamagedFile("it is empty")
    try:
        text = data.decode("utf-8")
        form = _decoder.decode(text)
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair could be read and never be printed
            dump(form)
        if text.count("[") + text.count("{") > _DEEPEST and _is_deep(form):
            raise DamagedFile(f"it is nested more than {_DEEPEST} levels deep")
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"it is not JSON ({type(error).__name__})") from None
    if not isinstance(form, dict):
        raise DamagedFile("it is not a JSON object")
    number = form.pop("schema", None)
    if type(number) is not int or number < 1:
        raise DamagedFile("it has no schema number")
    if number > schema:
        raise NewerSchema(number)
    return form


def _is_deep(form: object) -> bool:
    level = [form]
    for _ in range(_DEEPEST):
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [item for part in parts for item in part]
        if not level:
            return False
    return True


def dump(form: Mapping[str, Any]) -> bytes:
    """Return the file's octets: UTF-8, indented for people, one final newline."""
    return json.dumps(form, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def whole(value: object) -> int | None:
    """Check a whole number of 1 or more, or none."""
    if value is None or (type(value) is int and 0 < value < _HIGHEST):
        return value
    raise DamagedFile("a number is not one")


def count(value: object) -> int:
    """Check a number of 0 or more; none is 0."""
    return 0 if value in (None, 0) else whole(value) or 0


def counts(value: object) -> dict[str, int]:
    """Check numbers of 0 or more, by names; none is no numbers."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise DamagedFile("numbers are none")
    return {name: count(number) for name, number in value.items()}


def flag(value: object) -> bool:
    """Check a yes or no; none is no."""
    if value is None or type(value) is bool:
        return bool(value)
    raise DamagedFile("a yes or no is neither")


def text(value: object) -> str:
    """Check a text; none is the empty one."""
    if value is None:
        return ""
    if type(value) is not str:
        raise DamagedFile("a text is not one")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Check a list of texts; none is the empty one."""
    if value is None:
        return ()
    if type(value) is not list:
        raise DamagedFile("a list is not one")
    for item in value:
        if type(item) is not str:
            raise DamagedFile("a text in a list is not one")
    return tuple(value)


def time(value: object) -> datetime | None:
    """Check a time (RFC 3339, UTC, ``Z``), or none."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # a TypeError is one of the answers
    except (TypeError, ValueError):
        raise DamagedFile("a time is not one") from None
    if moment.tzinfo is not UTC or moment.year < _EARLIEST:
        raise DamagedFile("a time is not in UTC")
    return moment
