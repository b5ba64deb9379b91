"""The threads behind one context."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

PAUSE: Final = 0.25
"""Seconds after which a thread that waits for work sees that it is to end."""
_PATIENCE: Final = 15.0
"""Seconds that :meth:`ServerThreads.join` waits in all: a statement ends after 10 s without an answer."""


class ServerThreads:
    """Daemon threads that end together.

    :ivar stopping: set when they are to end.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, target: Callable[[], object], name: str) -> None:
        """Start a thread; it returns when it finds :attr:`stopping` set."""
        thread = threading.Thread(target=target, name=f"dnsrenew-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until they have ended, or a call of one takes too long."""
        end = time.monotonic() + _PATIENCE
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(end - time.monotonic(), 0))
