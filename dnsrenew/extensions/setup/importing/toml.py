"""Values as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST: Final = 110
_INDENT: Final = "    "


def value(given: object) -> str:
    """Return a text, a number, a truth value, a list or a table on one line."""
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(item)}" for name, item in given.items()) + " }"
    if isinstance(given, Sequence):
        return f"[{', '.join(map(value, given))}]"
    return json.dumps(given)


def key(name: str) -> str:
    """Return a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def assignment(name: str, given: object) -> list[str]:
    """Return ``name = value``; a list that is too long has a line for each item."""
    line = f"{key(name)} = {value(given)}"
    if len(line) <= _WIDEST or not isinstance(given, Sequence) or isinstance(given, str):
        return [line]
    return [f"{key(name)} = [", *(f"{_INDENT}{value(item)}," for item in given), "]"]


def comment(text: str) -> str:
    """Return a comment on one line; control characters cannot stand in one."""
    return "# " + "".join(char if char.isprintable() else " " for char in text)
