"""JSON for columns of type jsonb."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Notice

if TYPE_CHECKING:
    from dnsrenew.store.texts import DamageTexts

_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def json_text(data: bytes) -> str:
    """Return a JSON document for a column of type jsonb, which cannot hold the character NUL: U+FFFD replaces it."""
    text = data.decode("utf-8")
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def damaged_value(place: str, kind: DamageTexts, reason: str) -> Notice:
    """Return the warning about a value that dnsrenew cannot have written.

    :param place: where it is.
    """
    return Notice(*kind.in_database.fill(path=place, reason=reason))
