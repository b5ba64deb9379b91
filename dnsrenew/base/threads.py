"""Blocking calls in daemon threads, so that the one who waits can always be called away.

A ``ThreadPoolExecutor`` holds up the end of the process until its last call returns; a call
into a silent CA or a hanging provider would keep Ctrl-C waiting for half a minute.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_NAME = "dnsrenew"
MOST = 4
"""How many times as many threads as are wanted there may be, while some of them are stuck."""
SLICE = 0.5
"""The longest anyone waits without looking up (seconds): signals reach a sleeping main thread everywhere."""


class Task(Generic[T]):
    """One call in a thread of its own."""

    __slots__ = ("_function", "_value", "done", "error")

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.done = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Make the call and keep what came of it."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  # handed to the one who waits, in result()
            self.error = error
        finally:
            self.done.set()

    def result(self) -> T:
        """Return the value, or raise what the call raised."""
        if self.error is not None:
            raise self.error
        return self._value


def start(function: Callable[[], T]) -> Task[T]:
    """Start the call in a daemon thread."""
    task = Task(function)
    threading.Thread(target=task.run, name=_NAME, daemon=True).start()
    return task


def start_all(functions: Sequence[Callable[[], T]], limit: int) -> list[Task[T]]:
    """Start the calls, at most ``limit`` at once (one at the least), begun in their order."""
    return ThreadPool(limit).start(functions)


class ThreadPool:
    """Threads that make calls, begun in their order.

    :param limit: how many at once, one at the least; those inside :meth:`release_slot` are not counted.
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, 1)
        self._guard = threading.Lock()
        self._tasks: deque[Task[Any]] = deque()
        self._threads: set[threading.Thread] = set()
        self._stuck = 0

    def start(self, functions: Sequence[Callable[[], T]]) -> list[Task[T]]:
        """Start the calls."""
        tasks = [Task(function) for function in functions]
        with self._guard:
            self._tasks.extend(tasks)
            self._fill()
        return tasks

    @contextlib.contextmanager
    def release_slot(self) -> Iterator[None]:
        """Let somebody else work meanwhile: one of our calls waits for an answer that may not come.

        What goes on afterwards does so at once, so that for a while there may be more than ``limit``; and never are
        there more than :data:`MOST` times as many threads. In another thread it does nothing.
        """
        if threading.current_thread() not in self._threads:
            yield
            return
        with self._guard:
            self._stuck += 1
        try:
            with self._guard:
                self._fill()
            yield
        finally:
            with self._guard:
                self._stuck -= 1

    def _fill(self) -> None:
        """Have as many threads as there should be."""
        for _ in range(min(len(self._tasks), MOST * self._limit - len(self._threads))):
            if len(self._threads) - self._stuck >= self._limit:
                return
            thread = threading.Thread(target=self._work, name=_NAME, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more: those that there are do it all, later
                self._threads.discard(thread)
                if not self._threads:
                    raise
                return

    def _work(self) -> None:
        while (task := self._next()) is not None:
            task.run()

    def _next(self) -> Task[Any] | None:
        """Return the next call for this thread; None: it is not needed any more."""
        with self._guard:
            if self._tasks and len(self._threads) - self._stuck <= self._limit:
                return self._tasks.popleft()
            self._threads.discard(threading.current_thread())
            return None
