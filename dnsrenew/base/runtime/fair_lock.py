"""A first-come-first-served lock per key, shared by the threads of a run.

Certificates for the same names wait for each other at a CA: it may return the same order for two newOrder requests of
one account (RFC 8555 section 7.4 allows it), and each certificate would then finalize it with another key. Certificates
in one zone wait for each other at a host that allows one value or one writer at a time. Other processes are kept apart
by the locks of the store and by the CA's refusal.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Collection, Hashable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime.context import Context


class FairLock:
    """One queue of waiting threads per key; shared by all threads of a run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queues: dict[Hashable, deque[threading.Event]] = {}

    def hold_all(self, context: Context, ca: str, identifiers: Collection[str]) -> AbstractContextManager[None]:
        """Wait for the lock of this set of identifiers at the CA, and hold it.

        :raises Cancelled: the caller cancelled while waiting.
        """
        return self.hold(context, (ca, frozenset(identifiers)))

    @contextlib.contextmanager
    def hold(self, context: Context, key: Hashable) -> Iterator[None]:
        """Wait for the lock of ``key`` behind all earlier callers, and hold it.

        :raises Cancelled: the caller cancelled while waiting.
        """
        ready = threading.Event()
        with self._guard:
            queue = self._queues.setdefault(key, deque())
            queue.append(ready)
            queue[0].set()
        try:
            context.wait_for(ready)
            yield
        finally:
            with self._guard:
                queue.remove(ready)
                if queue:
                    queue[0].set()
                else:
                    del self._queues[key]
