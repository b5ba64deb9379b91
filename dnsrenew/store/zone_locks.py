"""Locks of DNS zones, for hosts that keep a single TXT value and hosts that accept one writer at a time."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from dnsrenew.base.runtime.fair_lock import FairLock
from dnsrenew.base.values import replace
from dnsrenew.errors import LockedError, StoreError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.protocol import Store

WRITING: Final = 60.0
"""Seconds to wait for other writers of a zone even without ``wait``; each sends only a few requests to its host."""
_PAUSE: Final = 0.02


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
                # A run that writes repeatedly lets the next writer in between.
                with self._store.lock_zone(zone, context=context, wait=wait, purpose="next"):
                    writing = self._store.lock_zone(zone, context=context, wait=wait, purpose="writing")
                    locks.enter_context(writing)
            except LockedError as error:
                self._refused[zone] = context.clock.monotonic(), error
                raise
            yield


class _Shared:
    """A lock that is held for some threads.

    :param locks: frees it at the end.
    :param guards: raise an error once it is lost.
    """

    def __init__(self, locks: contextlib.ExitStack, guards: Sequence[Callable[[], object]]) -> None:
        self.locks = locks
        self.users = 1
        self._guards = guards

    def check(self) -> None:
        """Return unless it is lost.

        :raises StoreError: it is.
        """
        for guard in self._guards:
            guard()

    @property
    def is_lost(self) -> bool:
        """Whether it may belong to another run by now."""
        try:
            self.check()
        except StoreError:
            return True
        return False


class SharedLock:
    """Locks shared by the threads of a run, from the first thread that needs one to the last that releases it.

    So another run cannot take a zone between two certificates of this run. Each thread notices when its lock is lost,
    and none joins a lost one.

    :param lock: returns the lock that excludes other runs; its arguments are the context, the key and the seconds to
        wait.
    """

    def __init__(self, lock: Callable[[Context, str, float], AbstractContextManager[None]]) -> None:
        self._lock = lock
        self._turns = FairLock()
        self._guard = threading.Lock()
        self._locks: dict[str, _Shared] = {}

    @contextlib.contextmanager
    def hold(self, context: Context, what: str, wait: float) -> Iterator[None]:
        """Hold the lock of ``what``, together with the other threads of this run.

        :param wait: seconds to wait for another run.
        :raises LockedError: another run still holds it.
        """
        end = context.clock.monotonic() + wait
        with self._turns.hold(context, what):  # one thread acquires; the wait of the others counts too
            shared = self._join(context, what) or self._begin(context, what, end)
        context.guards.append(shared.check)
        try:
            yield
        finally:
            context.guards.remove(shared.check)
            self._leave(what, shared)

    def _join(self, context: Context, what: str) -> _Shared | None:
        """Return the lock with one user more; None: nobody has it."""
        end = context.clock.monotonic() + WRITING
        while True:
            with self._guard:
                shared = self._locks.get(what)
                if shared is None:
                    return None
                if not shared.is_lost:
                    shared.users += 1
                    return shared
            if context.clock.monotonic() >= end:
                return None  # then the store refuses it
            context.wait(_PAUSE)  # the threads that have lost it end at their next step

    def _begin(self, context: Context, what: str, end: float) -> _Shared:
        own = replace(context, guards=[*context.guards])
        before = len(own.guards)
        locks = contextlib.ExitStack()
        locks.enter_context(self._lock(own, what, max(end - context.clock.monotonic(), 0.0)))
        shared = _Shared(locks, own.guards[before:])
        with self._guard:
            self._locks[what] = shared
        return shared

    def _leave(self, what: str, shared: _Shared) -> None:
        with self._guard:
            shared.users -= 1
            if not shared.users:
                if self._locks.get(what) is shared:
                    del self._locks[what]
                shared.locks.close()
