"""Durations as people write them: ``30`` (seconds), ``5m``, ``12h``, ``14d``, ``14 days``."""

from __future__ import annotations

from typing import Final

_UNITS: Final = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LETTERS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 1e9


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration; None if it is none, or longer than 30 years."""
    text = text.strip().lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    size = unit_seconds(text[len(number) :])
    number = number.rstrip()
    if size is None or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        return None
    seconds = float(number) * size
    return seconds if seconds < _LONGEST else None


def unit_seconds(word: str) -> int | None:
    """Return the seconds of a unit, in letters or as a word: ``d``, ``day``, ``days``; "" is a second."""
    return _LETTERS.get(word) or _UNITS.get(word.removesuffix("s"))
