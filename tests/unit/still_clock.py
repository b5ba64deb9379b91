"""A clock for tests: time passes only while somebody waits."""

import threading
from datetime import UTC, datetime, timedelta


class StillClock:
    """Starts at second 1000; `waits` holds every wait."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time in UTC; second 0 is midnight of 2026-11-25."""
        return datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Let the time pass at once."""
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds
        return event.is_set()
