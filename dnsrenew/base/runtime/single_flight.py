"""Single flight: concurrent callers share one call and its result or error."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.runtime.context import Context
from dnsrenew.errors import CAError, Cancelled, DnsRenewError

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
