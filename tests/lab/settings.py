"""A dnsrenew.toml as a dictionary, changed by dotted keys, and written as TOML (which Python reads only)."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Settings = dict[str, Any]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return a copy with changes: `"dns.home.server": "…"`, `"certificate.0.domains": […]`; None removes the key."""
    result = copy.deepcopy(settings)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = result
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        if isinstance(place, list):
            place[int(last) : int(last) + 1] = [] if value is None else [value]
        elif value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return result


def to_toml(settings: Settings) -> str:
    """Return TOML as a person would write it: a header for each account, CA and certificate."""
    plain = [f"{_key(key)} = {_value(value)}" for key, value in settings.items() if not _is_table(value)]
    blocks = ["\n".join(plain)] if plain else []
    for key, value in settings.items():
        if not _is_table(value):
            continue
        if isinstance(value, list):
            blocks += [_block(f"[[{_key(key)}]]", table) for table in value]
        elif value and all(isinstance(inner, dict) for inner in value.values()):
            blocks += [_block(f"[{_key(key)}.{_key(name)}]", table) for name, table in value.items()]
        else:
            blocks.append(_block(f"[{_key(key)}]", value))
    return "\n\n".join(blocks) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    )


def _block(header: str, table: Mapping[str, Any]) -> str:
    return "\n".join([header, *(f"{_key(key)} = {_value(value)}" for key, value in table.items())])


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
