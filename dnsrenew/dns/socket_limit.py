"""Limits the sockets that the queries of all threads open: a process has few handles, and the store needs some."""

from __future__ import annotations

import threading
from typing import Final

_FEW: Final = 128  # a macOS process may have 256 handles
_MANY: Final = 256
_MANY_HANDLES: Final = 1024  # the usual number of Linux
_RESERVED: Final = 8  # for each thread, so that none waits for the sockets of others


def _max_sockets() -> int:
    """Return how many sockets all queries together may have open, by the handles that this process may have."""
    try:
        import resource
    except ImportError:  # Windows
        return _FEW
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if handles >= _MANY_HANDLES or handles == resource.RLIM_INFINITY else _FEW


class SocketLimit:
    """Counts the open sockets. Thread-safe."""

    def __init__(self) -> None:
        self._max = _max_sockets()
        self._open = 0
        self._lock = threading.Lock()

    def allows(self, own: int) -> bool:
        """Tell whether a caller with ``own`` open sockets may open another one."""
        return own < _RESERVED or self._open < self._max

    def opened(self) -> None:
        """Count a socket."""
        with self._lock:
            self._open += 1

    def closed(self) -> None:
        """Count a socket less."""
        with self._lock:
            self._open -= 1


SHARED: Final = SocketLimit()
"""Shared by all runs: the handles belong to the process."""
