"""Blocking calls in daemon threads, so that the one who waits can always be called away.

A ``ThreadPoolExecutor`` holds up the end of the process until its last call returns; a call
into a silent CA or a hanging provider would keep Ctrl-C waiting for half a minute.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

_NAME = "dnsrenew"
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
    tasks = [Task(function) for function in functions]
    waiting = deque(tasks)

    def work() -> None:
        while True:
            try:
                task = waiting.popleft()
            except IndexError:
                return
            task.run()

    for _ in range(min(max(limit, 1), len(tasks))):
        threading.Thread(target=work, name=_NAME, daemon=True).start()
    return tasks
