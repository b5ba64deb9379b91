"""The clock of the database, by which a fleet decides: machines may differ by minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.errors import StoreError

if TYPE_CHECKING:
    import threading


class DatabaseClock(Clock):
    """The wall-clock time of the database: the monotonic clock of this host and the difference last measured.

    :param measure: asks the database once, if nothing has been measured when the time is first needed.
    """

    def __init__(self, measure: Callable[[], object]) -> None:
        self._measure = measure
        self._local = SystemClock()
        self._origin: datetime | None = None
        """The time of the database at second 0 of the monotonic clock."""

    def note(self, before: float, time: datetime, after: float) -> None:
        """Take over a time that the database time.

        :param before: the monotonic second before the question, and in ``after`` after the answer.
        """
        self._origin = time.astimezone(UTC) - timedelta(seconds=(before + after) / 2)

    def now(self) -> datetime:
        """Return the time of the database in UTC; of this host as long as the database cannot be asked."""
        if self._origin is None:
            try:
                self._measure()
            except StoreError:
                return self._local.now()
        return self._local.now() if self._origin is None else self._origin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait for the event in real time."""
        return self._local.wait(seconds, event)
