"""How many sockets the questions of all threads have open: a process has so many handles, and the store wants some."""

from __future__ import annotations

import threading
from typing import Final

_SIZE: Final = 128  # a macOS process may have 256 handles
_OWN: Final = 8  # are left to each, so that nobody waits for the sockets of others


class SocketLimit:
    """Counts the sockets that are open. Thread-safe."""

    def __init__(self) -> None:
        self._open = 0
        self._lock = threading.Lock()

    def is_for(self, own: int) -> bool:
        """Tell whether there is room for one more, for somebody who has so many open."""
        return own < _OWN or self._open < _SIZE

    def opened(self) -> None:
        """Count a socket."""
        with self._lock:
            self._open += 1

    def closed(self) -> None:
        """Count one less."""
        with self._lock:
            self._open -= 1


SHARED: Final = SocketLimit()
"""Handles belong to the process, not to a run."""
