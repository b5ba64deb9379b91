"""The clock, passed in as a value (tests pass their own)."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Final, Protocol

MAX_SLEEP = 60.0
"""Seconds of the longest single sleep, because a laptop that was suspended wakes late."""
_DATES = ("is not yet valid", "has expired")
"""OpenSSL's reasons for a certificate whose dates do not match the local time."""


def rejects_dates(text: str) -> bool:
    """Return whether OpenSSL rejected a certificate for its dates, which usually means that the local clock is wrong.

    :param text: an error message that contains OpenSSL's reason.
    """
    return any(reason in text for reason in _DATES)


class Clock(Protocol):
    """The only source of time in dnsrenew; a test can pass its own."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC, for schedules and files."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, for deadlines."""

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait until ``event`` is set or ``seconds`` have passed; return whether it is set."""


Clock.__module__ = "dnsrenew"  # not in the class, where it would be a member of the protocol


class SystemClock:
    """The clock of the operating system. No other code reads it."""

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait for the event in real time."""
        return event.wait(min(max(seconds, 0.0), MAX_SLEEP))


# ── durations ──────────────────────────────────────────────────────────────────────────

# Durations as people write them: ``30`` (seconds), ``5m``, ``12h``, ``14d``, ``14 days``.

_UNITS: Final = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LETTERS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 1e9


def seconds_of(text: str) -> float | None:
    """Return the seconds of a duration; None if it is not a duration, or longer than 30 years."""
    text = text.strip().lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    size = unit_seconds(text[len(number) :])
    number = number.rstrip()
    if size is None or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        return None
    seconds = float(number) * size
    return seconds if seconds < _LONGEST else None


def unit_seconds(word: str) -> int | None:
    """Return the seconds of a unit, given as letters or a word: ``d``, ``day``, ``days``. The unit "" is a second."""
    return _LETTERS.get(word) or _UNITS.get(word.removesuffix("s"))
