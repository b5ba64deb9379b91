"""Time and chance, as values that are passed in (tests pass their own)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

MAX_SLEEP = 60.0
"""No single sleep is longer (seconds): a laptop sleeps too, and wakes late."""
_DATES = ("is not yet valid", "has expired")
"""How OpenSSL says that a certificate's dates do not fit the time here."""


def doubted(fix: str, seen: str, now: datetime) -> str:
    """Return what to do where a TLS certificate was refused: for its dates, it is mostly the clock that is wrong.

    :param fix: the sentence where that is not so.
    :param seen: what OpenSSL says of the certificate, with whatever stands around it.
    """
    if not any(words in seen for words in _DATES):
        return fix
    first = f"See first whether the clock of this machine is right (it says {now:%Y-%m-%d %H:%M} UTC)"
    return f"{first}; if it is, {fix[:1].lower()}{fix[1:]}"


class Clock(Protocol):
    """What the rest of dnsrenew knows of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, in UTC: for schedules and for files."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start: for deadlines."""

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait until ``event`` is set or ``seconds`` have passed; tell whether it is set."""


class SystemClock:
    """The real clock: the only place that reads it."""

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait for the event in real time."""
        return event.wait(min(max(seconds, 0.0), MAX_SLEEP))
