"""Single flight: concurrent callers share one call and its result or error."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dnsrenew.base import threads
from dnsrenew.errors import CAError, Cancelled, DnsRenewError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime.context import Context

T = TypeVar("T")

FAILURE_SECONDS: Final = 30.0
"""Seconds for which all callers of a run share a failure of the CA."""


class SingleFlight(Generic[T]):
    """Computes a value on first use. Concurrent callers share the one call and its result or error.

    So a CA that is down gets one request for all waiting certificates, not one for each. A ``CAError`` is also shared
    with every caller within :data:`FAILURE_SECONDS`; the next caller tries again.
    """

    def __init__(self, function: Callable[[Context], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._task: threads.Task[T] | None = None
        self._failed_at: float | None = None

    @property
    def value(self) -> T | None:
        """The value, or None before the first success."""
        task = self._task
        return task.result() if task is not None and task.done.is_set() and task.error is None else None

    def get(self, context: Context) -> T:
        """Return the value; compute it, wait for another caller, or reuse the result.

        :raises Exception: the error of the call.
        :raises Cancelled: the caller cancelled while waiting.
        """
        return self._share(context, self._function, None)

    def replace(self, context: Context, old: T, function: Callable[[Context], T]) -> T:
        """Return a new value instead of the stale ``old``; only the first caller with this ``old`` computes it."""
        return self._share(context, function, old)

    def _share(self, context: Context, function: Callable[[Context], T], old: T | None) -> T:
        while True:
            with self._lock:
                task = self._task
                if self._failed_at is not None and context.clock.monotonic() >= self._failed_at + FAILURE_SECONDS:
                    task = self._failed_at = None
                is_own = task is None or (old is not None and self.value is old)
                if task is None or is_own:
                    task = self._task = threads.start(partial(function, context))
            try:
                return context.join(task)
            except Exception as error:
                self._forget(task, context, share_failure=old is None)
                if isinstance(error, Cancelled) and not is_own:  # perhaps only the other caller was cancelled
                    context.check()
                    continue
                if not isinstance(error, DnsRenewError):
                    raise
                raise copy.copy(error) from None  # each caller adds to its own traceback and evidence

    def _forget(self, task: threads.Task[T], context: Context, *, share_failure: bool) -> None:
        """Drop a failed call, so that the next caller tries again; a shared ``CAError`` is kept for a while."""
        with self._lock:
            if self._task is not task or not task.done.is_set():
                return
            if not share_failure or not isinstance(task.error, CAError):
                self._task = None
            elif self._failed_at is None:
                self._failed_at = context.clock.monotonic()


# ── fair lock ──────────────────────────────────────────────────────────────────────────

# A first-come-first-served lock per key, shared by the threads of a run.
#
# Certificates for the same names wait for each other at a CA: it may return the same order for two newOrder requests
# of one account (RFC 8555 section 7.4 allows it), and each certificate would then finalize it with another key.
# Certificates in one zone wait for each other at a host that allows one value or one writer at a time. Other
# processes are kept apart by the locks of the store and by the CA's refusal.


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
