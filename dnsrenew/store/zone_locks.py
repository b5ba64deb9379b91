"""Locks of DNS zones, for hosts that keep a single TXT value and hosts that accept one writer at a time."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import LockedError
from dnsrenew.runtime.fair_lock import FairLock

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context
    from dnsrenew.store.protocol import Store

WRITING: Final = 60.0
"""Seconds to wait for other writers of a zone even without ``wait``; each sends only a few requests to its host."""


class ZoneLocks:
    """Exclude other runs from a zone, and let the threads of this run take turns.

    :param wait: seconds to wait for another run that uses the single value; 0: do not wait.
    """

    def __init__(self, store: Store, wait: float = 0) -> None:
        self._store = store
        self._wait = wait
        self._values = SharedLock(lambda context, zone, wait: store.lock_zone(zone, context=context, wait=wait))
        self._turns = FairLock()
        self._refused: dict[str, tuple[float, LockedError]] = {}

    @contextlib.contextmanager
    def value(self, context: Context, zone: str) -> Iterator[None]:
        """Have exclusive use of a zone, or a name, that holds a single value.

        :raises LockedError: another run uses it.
        :raises Cancelled: cancelled while waiting.
        """
        with self._values.hold(context, zone, self._wait), self._turns.hold(context, zone):
            yield

    @contextlib.contextmanager
    def writing(self, context: Context, zone: str) -> Iterator[None]:
        """Be the only writer of a zone, for one change.

        :raises LockedError: another run has not finished its change.
        :raises Cancelled: cancelled while waiting.
        """
        start, wait = context.clock.monotonic(), max(self._wait, WRITING)
        with self._turns.hold(context, ("writing", zone)), contextlib.ExitStack() as locks:
            refused = self._refused.get(zone)
            if refused is not None and refused[0] >= start:  # a thread before this one has waited for all behind it
                raise copy.copy(refused[1])
            try:
                locks.enter_context(self._store.lock_writing(zone, context=context, wait=wait))
            except LockedError as error:
                self._refused[zone] = context.clock.monotonic(), error
                raise
            yield


class SharedLock:
    """Locks shared by the threads of a run, from the first thread that needs one to the last that releases it.

    So another run cannot take a zone between two certificates of this run.

    :param lock: returns the lock that excludes other runs; its arguments are the context, the key and the seconds to
        wait.
    """

    def __init__(self, lock: Callable[[Context, str, float], AbstractContextManager[None]]) -> None:
        self._lock = lock
        self._turns = FairLock()
        self._guard = threading.Lock()
        self._users = Counter[str]()
        self._locks: dict[str, contextlib.ExitStack] = {}

    @contextlib.contextmanager
    def hold(self, context: Context, what: str, wait: float) -> Iterator[None]:
        """Hold the lock of ``what``, together with the other threads of this run.

        :param wait: seconds to wait for another run.
        :raises LockedError: another run still holds it.
        """
        end = context.clock.monotonic() + wait
        with self._turns.hold(context, what):  # one thread acquires; the wait of the others counts too
            if not self._join(what):
                self._begin(context, what, max(end - context.clock.monotonic(), 0.0))
        try:
            yield
        finally:
            self._leave(what)

    def _join(self, what: str) -> bool:
        with self._guard:
            if what not in self._locks:
                return False
            self._users[what] += 1
            return True

    def _begin(self, context: Context, what: str, left: float) -> None:
        locks = contextlib.ExitStack()
        locks.enter_context(self._lock(context, what, left))
        with self._guard:
            self._locks[what] = locks
            self._users[what] = 1

    def _leave(self, what: str) -> None:
        with self._guard:
            self._users[what] -= 1
            if not self._users[what]:
                del self._users[what]
                self._locks.pop(what).close()
