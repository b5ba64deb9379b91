"""A clock that tests move by hand: waiting takes no time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody waits, or when the test says so."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.elapsed = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Return the wall-clock time."""
        return self.start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        """Return the seconds passed so far."""
        return self.elapsed

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Let the time pass at once, unless the event is set."""
        if event.is_set():
            return True
        self.waits.append(seconds)
        self.elapsed += seconds
        return event.is_set()
