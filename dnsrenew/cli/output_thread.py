"""Writing in a thread of its own: a reader that does not read (Ctrl-S, a stuck pipe) keeps no run from ending.

Real time, whatever the clock: it is a real reader that is waited for.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

_MOST: Final = 10_000
"""So many texts may wait for the reader; who has more to say then waits too."""
_LAST: Final = 1.0
"""Seconds that what is left gets to be written after a signal."""
_SLICE: Final = 0.05


class WriterThread:
    """What is put into it is written one after the other.

    A signal handler may use it as well: nothing in it locks what the handler could have interrupted.

    :param left: returns the seconds until the process has to have ended; None: it has all the time.
    """

    def __init__(self, left: Callable[[], float | None]) -> None:
        self._left = left
        self._end = math.inf  # from the first wait after a signal on
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="dnsrenew-output", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be written."""
        return not self._queue.empty()

    def put(self, write: Callable[[], object]) -> None:
        """Write in turn. It holds up only who is far ahead of the reader, and nobody after a signal."""
        while self._queue.qsize() >= _MOST and self._left() is None:
            time.sleep(_SLICE)
        self._queue.put(write)

    def drain(self, most: float = math.inf) -> bool:
        """Wait until all is written, and return whether it is; after a signal not for long.

        :param most: seconds to wait at most.
        """
        written = threading.Event()
        self._queue.put(written.set)
        end = time.monotonic() + most
        while not written.wait(_SLICE):
            now, left = time.monotonic(), self._left()
            if left is not None:
                self._end = min(self._end, now + min(_LAST, left / 2))  # the other half is for the other stream
            if now >= min(end, self._end):
                return False
        return True

    def close(self) -> None:
        """Let the thread end after all that was put before; what comes later is not written."""
        self._queue.put(None)

    def _work(self) -> None:
        while (write := self._queue.get()) is not None:
            with contextlib.suppress(Exception):  # what one text does to a stream must not stop those behind it
                write()
