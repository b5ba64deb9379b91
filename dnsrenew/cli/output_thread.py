"""A writer thread, so that a blocked reader (Ctrl-S, a full pipe) cannot keep a run from stopping.

It uses real time and not the clock of the run, because the reader is real.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

_CAPACITY: Final = 10_000
"""The number of queued texts at which ``put`` blocks."""
_FINAL: Final = 1.0
"""Seconds for writing the queue after a signal."""
_SLICE: Final = 0.05


class WriterThread:
    """Runs queued writes in order.

    A signal handler may use it: it takes no lock that the interrupted code could hold.

    :param seconds_left: returns the seconds until the process must have ended, or None before a signal.
    """

    def __init__(self, seconds_left: Callable[[], float | None]) -> None:
        self._seconds_left = seconds_left
        self._deadline = math.inf  # set by the first drain after a signal
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="dnsrenew-output", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether the queue holds a write."""
        return not self._queue.empty()

    def put(self, write: Callable[[], object]) -> None:
        """Queue a write. Block only while the queue is full and no signal has arrived."""
        while self._queue.qsize() >= _CAPACITY and self._seconds_left() is None:
            time.sleep(_SLICE)
        self._queue.put(write)

    def drain(self, timeout: float = math.inf) -> bool:
        """Wait until the queue is written and return whether it is. After a signal the wait is short.

        :param timeout: seconds to wait at most.
        """
        written = threading.Event()
        self._queue.put(written.set)
        end = time.monotonic() + timeout
        while not written.wait(_SLICE):
            now, left = time.monotonic(), self._seconds_left()
            if left is not None:
                self._deadline = min(self._deadline, now + min(_FINAL, left / 2))  # the rest is for the other stream
            if now >= min(end, self._deadline):
                return False
        return True

    def close(self) -> None:
        """End the thread after the queued writes. Later writes are dropped."""
        self._queue.put(None)

    def _work(self) -> None:
        while (write := self._queue.get()) is not None:
            with contextlib.suppress(Exception):  # a failed write must not stop the next ones
                write()
