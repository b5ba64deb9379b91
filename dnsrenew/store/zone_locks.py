"""The locks of DNS zones: at hosts that keep one value, and at those that take one writer at a time."""

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
    from dnsrenew.store.store import Store

WRITING: Final = 60.0
"""Seconds to wait, unasked, for others that write to a zone: each takes no longer than a few requests to its host."""


class ZoneLocks:
    """Keeps other runs away, and has the threads of this one take turns.

    :param wait: seconds to wait for another run that has its value where only one is kept; 0: not at all.
    """

    def __init__(self, store: Store, wait: float = 0) -> None:
        self._store = store
        self._wait = wait
        self._values = SharedLock(lambda context, place, left: store.lock_zone(place, context=context, wait=left))
        self._turns = FairLock()
        self._refused: dict[str, tuple[float, LockedError]] = {}

    @contextlib.contextmanager
    def value(self, context: Context, place: str) -> Iterator[None]:
        """Be alone at a name or a zone that holds one value, for as long as that is wanted.

        :raises LockedError: another run is there.
        :raises Cancelled: called away while waiting.
        """
        with self._values.hold(context, place, self._wait), self._turns.alone(context, place):
            yield

    @contextlib.contextmanager
    def writing(self, context: Context, zone: str) -> Iterator[None]:
        """Be alone in writing to a zone, for one change.

        :raises LockedError: another run has not come to an end with its own.
        :raises Cancelled: called away while waiting.
        """
        came, wait = context.clock.monotonic(), max(self._wait, WRITING)
        with self._turns.alone(context, ("writing", zone)), contextlib.ExitStack() as held:
            refused = self._refused.get(zone)
            if refused is not None and refused[0] >= came:  # one of us has waited for all that stood behind it
                raise copy.copy(refused[1])
            try:
                held.enter_context(self._store.lock_writing(zone, context=context, wait=wait))
            except LockedError as error:
                self._refused[zone] = context.clock.monotonic(), error
                raise
            yield


class SharedLock:
    """Locks that the threads of a run have together: from the first that wants one until nobody wants it any more.

    So a run that has begun with a zone goes on with it, and no other one comes between two of its certificates.

    :param lock: gives a lock that keeps other runs away, after so many seconds at most.
    """

    def __init__(self, lock: Callable[[Context, str, float], AbstractContextManager[None]]) -> None:
        self._lock = lock
        self._turns = FairLock()
        self._guard = threading.Lock()
        self._users = Counter[str]()
        self._held: dict[str, contextlib.ExitStack] = {}

    @contextlib.contextmanager
    def hold(self, context: Context, what: str, wait: float) -> Iterator[None]:
        """Hold the lock of ``what``, together with the other threads of this run.

        :param wait: seconds to wait for another run.
        :raises LockedError: another run still holds it.
        """
        end = context.clock.monotonic() + wait
        with self._turns.alone(context, what):  # one of us asks for it; what the others have waited counts
            if not self._join(what):
                self._begin(context, what, max(end - context.clock.monotonic(), 0.0))
        try:
            yield
        finally:
            self._leave(what)

    def _join(self, what: str) -> bool:
        with self._guard:
            if what not in self._held:
                return False
            self._users[what] += 1
            return True

    def _begin(self, context: Context, what: str, left: float) -> None:
        held = contextlib.ExitStack()
        held.enter_context(self._lock(context, what, left))
        with self._guard:
            self._held[what] = held
            self._users[what] = 1

    def _leave(self, what: str) -> None:
        with self._guard:
            self._users[what] -= 1
            if not self._users[what]:
                del self._users[what]
                self._held.pop(what).close()
