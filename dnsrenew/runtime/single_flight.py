"""A value that many threads want and one makes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar

from dnsrenew.base import threads
from dnsrenew.errors import CAError, Cancelled, DnsRenewError
from dnsrenew.runtime.context import Context

T = TypeVar("T")

KEPT: Final = 30.0
"""Seconds for which what a CA has said, or not said, holds for all of a run."""


class SingleFlight(Generic[T]):
    """Makes a value when it is first wanted. Who comes meanwhile shares what came of it, a failure too.

    So a CA that is down is asked once for all certificates that wait for it, and not once for each. Its failure is
    shared with whoever comes within :data:`KEPT` seconds too; the next to come tries anew.
    """

    def __init__(self, make: Callable[[Context], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._task: threads.Task[T] | None = None
        self._failed_at: float | None = None

    @property
    def made(self) -> T | None:
        """The value, if it is there."""
        task = self._task
        return task.result() if task is not None and task.done.is_set() and task.error is None else None

    def get(self, context: Context) -> T:
        """Return the value, made or shared.

        :raises Exception: what making it raised.
        :raises Cancelled: when called away while waiting.
        """
        return self._shared(context, self._make, None)

    def replace(self, context: Context, old: T, make: Callable[[Context], T]) -> T:
        """Return a new value in place of one that is of no use any more; the first to say so has it made."""
        return self._shared(context, make, old)

    def _shared(self, context: Context, make: Callable[[Context], T], old: T | None) -> T:
        while True:
            with self._lock:
                task = self._task
                if self._failed_at is not None and context.clock.monotonic() >= self._failed_at + KEPT:
                    task = self._failed_at = None
                mine = task is None or (old is not None and self.made is old)
                if task is None or mine:
                    task = self._task = threads.start(partial(make, context))
            try:
                return context.join(task)
            except Exception as error:
                self._leave(task, context, kept=old is None)
                if isinstance(error, Cancelled) and not mine:  # it may be the other one who was called away
                    context.check()
                    continue
                if not isinstance(error, DnsRenewError):
                    raise
                raise copy.copy(error) from None  # a traceback grows where it is raised, and evidence is added to it

    def _leave(self, task: threads.Task[T], context: Context, *, kept: bool) -> None:
        """Forget what has failed, unless a CA has, and others are to hear of it."""
        with self._lock:
            if self._task is not task or not task.done.is_set():
                return
            if not kept or not isinstance(task.error, CAError):
                self._task = None
            elif self._failed_at is None:
                self._failed_at = context.clock.monotonic()
