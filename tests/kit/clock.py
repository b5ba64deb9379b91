"""The clocks of all tests: one that runs only during waits, and the real one, shifted or accelerated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dnsrenew.base.clock import SystemClock

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


class FakeClock:
    """A clock that runs only during waits, or when the test adds to ``elapsed``.

    :param tick: seconds that pass at each reading of the monotonic clock.
    :param pause: the longest real time (seconds) of each wait, in which a real server can work.
    :ivar elapsed: seconds passed since ``start``.
    :ivar suspended: further seconds of the wall clock only, as while a laptop sleeps.
    :ivar waits: the length of each wait.
    :ivar on_wait: called in each wait, after the time has passed.
    """

    def __init__(self, start: datetime = START, *, tick: float = 0.0, pause: float = 0.0) -> None:
        self.start = start
        self.elapsed = 0.0
        self.suspended = 0.0
        self.waits: list[float] = []
        self.on_wait: Callable[[], object] = lambda: None
        self._tick = tick
        self._pause = pause
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the wall-clock time."""
        return self.start + timedelta(seconds=self.elapsed + self.suspended)

    def monotonic(self) -> float:
        """Return the seconds passed so far."""
        self.elapsed += self._tick
        return self.elapsed

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Let the time pass at once, unless the event is set."""
        if event.wait(min(seconds, self._pause)) if self._pause else event.is_set():
            return True
        with self._lock:
            self.waits.append(seconds)
            self.elapsed += seconds
        self.on_wait()
        return event.is_set()


class RealClock(SystemClock):
    """The real clock, shifted or accelerated.

    :param later: added to the date.
    :param ahead: added to the monotonic clock (seconds).
    :param hurry: whether a long wait takes only a part of its time.
    """

    def __init__(self, later: timedelta = timedelta(), *, ahead: float = 0.0, hurry: bool = False) -> None:
        self._later = later
        self._ahead = ahead
        self._hurry = hurry
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return super().now() + self._later + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        """Return the real seconds plus those that were skipped."""
        return time.monotonic() + self._ahead

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait, or only a part of the time."""
        if not self._hurry:
            return super().wait(seconds, event)
        part = min(max(seconds, 0.0), 0.05 + seconds / 50, 1.0)
        if event.wait(part):
            return True
        with self._lock:
            self._ahead += seconds - part
        return event.is_set()
