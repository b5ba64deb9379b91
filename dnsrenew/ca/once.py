"""A value that many threads want and one makes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from dnsrenew import workers
from dnsrenew.context import Context
from dnsrenew.errors import Cancelled

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a value when it is first wanted. Who comes meanwhile shares what came of it, a failure too.

    So a CA that is down is asked once for all certificates that wait for it, and not once for each.
    A failure is not kept: the next to come tries anew.
    """

    def __init__(self, make: Callable[[Context], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._task: workers.Task[T] | None = None

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
                mine = task is None or (old is not None and self.made is old)
                if task is None or mine:
                    task = self._task = workers.start(partial(make, context))
            try:
                return context.join(task)
            except Exception as error:
                self._forget(task)
                if mine:
                    raise
                if isinstance(error, Cancelled):  # it may be the other one who was called away
                    context.check()
                    continue
                raise copy.copy(error) from None  # a traceback grows where it is raised; each thread has its own

    def _forget(self, task: workers.Task[T]) -> None:
        with self._lock:
            if self._task is task and task.done.is_set():
                self._task = None
