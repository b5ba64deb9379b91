"""Run blocking calls in daemon threads, so that a caller, or an event loop, can stop waiting at any time.

A ``ThreadPoolExecutor`` delays the exit of the process until its last call returns. A call to a CA or a DNS host that
does not answer would delay Ctrl-C by half a minute.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, TypeVar

from dnsrenew.base.events import Post

T = TypeVar("T")

_NAME = "dnsrenew"
MAX_THREADS_PER_SLOT = 4
"""The maximum number of threads of a pool for each slot, if some calls have released their slots."""
SLICE = 0.5
"""Seconds between two checks for a cancel, because on some systems a signal does not wake a sleeping main thread."""


class Task(Generic[T]):
    """One call in another thread."""

    __slots__ = ("_function", "_value", "done", "error")

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.done: threading.Event = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Make the call and keep its result or error."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  # result() raises it in the waiting thread
            self.error = error
        finally:
            self.done.set()

    def result(self) -> T:
        """Return the value, or raise the exception of the call."""
        if self.error is not None:
            raise self.error
        return self._value

    def wait(self) -> T:
        """Return the same at the end. It waits in slices, because on Windows no signal ends a longer wait."""
        while not self.done.wait(SLICE):
            pass
        return self.result()


def start(function: Callable[[], T], then: Callable[[], object] | None = None) -> Task[T]:
    """Start the call in a daemon thread.

    :param then: called in that thread after the task is done.
    """
    task = Task(function)

    def run() -> None:
        task.run()
        if then is not None:
            then()

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    return task


def start_all(functions: Sequence[Callable[[], T]], limit: int) -> list[Task[T]]:
    """Start the calls in order, at most ``limit`` at once (but at least one)."""
    return ThreadPool(limit).start(functions)


class ThreadPool:
    """Threads that make calls, started in order.

    :param limit: the number of slots for concurrent calls, at least one. A call inside :meth:`release_slot` uses no
        slot.
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, 1)
        self._guard = threading.Lock()
        self._tasks: deque[Task[Any]] = deque()
        self._threads: set[threading.Thread] = set()
        self._released = 0

    def start(self, functions: Sequence[Callable[[], T]]) -> list[Task[T]]:
        """Start the calls."""
        tasks = [Task(function) for function in functions]
        with self._guard:
            self._tasks.extend(tasks)
            self._fill()
        return tasks

    @contextlib.contextmanager
    def release_slot(self) -> Iterator[None]:
        """Lend the slot of the current call to another call, while this one waits for an answer that may not come.

        The call continues at once afterwards, so more than ``limit`` calls may run for a while. There are never more
        than :data:`MAX_THREADS_PER_SLOT` threads for each slot. Outside a thread of the pool it does nothing.
        """
        if threading.current_thread() not in self._threads:
            yield
            return
        with self._guard:
            self._released += 1
        try:
            with self._guard:
                self._fill()
            yield
        finally:
            with self._guard:
                self._released -= 1

    def _fill(self) -> None:
        """Start threads for the free slots."""
        for _ in range(min(len(self._tasks), MAX_THREADS_PER_SLOT * self._limit - len(self._threads))):
            if len(self._threads) - self._released >= self._limit:
                return
            thread = threading.Thread(target=self._work, name=_NAME, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: the existing ones make all calls
                self._threads.discard(thread)
                if not self._threads:
                    raise
                return

    def _work(self) -> None:
        while (task := self._next()) is not None:
            task.run()

    def _next(self) -> Task[Any] | None:
        """Return the next call for this thread, or None if the thread must end."""
        with self._guard:
            if self._tasks and len(self._threads) - self._released <= self._limit:
                return self._tasks.popleft()
            self._threads.discard(threading.current_thread())
            return None


class Together:
    """Calls that wait for each other before they run a program, so that it runs once for all that need it.

    :param members: the number of calls; each is made by :meth:`member`.
    :param limit: how many of them work at once; those that wait do not count.
    :ivar turn: the task done before, for all of them; each looks at its error.
    """

    def __init__(self, members: int, limit: int, turn: Task[None]) -> None:
        self.turn = turn
        self._guard = threading.Lock()
        self._busy = members
        self._waiting = 0
        self._asked: dict[Hashable, Task[None]] = {}
        self._users: dict[Task[None], int] = {}
        self._slots = threading.BoundedSemaphore(max(limit, 1))
        self._turn = threading.Lock()
        self._failed_for_several: list[BaseException] = []

    def member(self, function: Callable[[], T]) -> T:
        """Make one of the calls, and return its result."""
        try:
            with self._slots:
                return function()
        finally:
            with self._guard:
                self._busy -= 1
            self._run_if_all_wait()

    def once(self, key: Hashable, call: Callable[[], None], wait_for: Callable[[threading.Event], object]) -> None:
        """Wait until no member works, then make the call once for all members with this key.

        :param wait_for: waits for an event; it raises after a cancel.
        """
        with self._guard:
            task = self._asked.setdefault(key, Task(call))
            self._users[task] = self._users.get(task, 0) + 1
            self._busy -= 1
            self._waiting += 1
        self._slots.release()
        try:
            self._run_if_all_wait()
            wait_for(task.done)
        finally:
            with self._guard:
                if self._asked.get(key) is task:  # cancelled before it was made
                    self._waiting -= 1
                    self._busy += 1
            self._slots.acquire()
        if task.error is not None:
            error = copy.copy(task.error)
            if self._users[task] > 1:
                self._failed_for_several.append(error)
            raise error

    def is_shared(self, error: BaseException) -> bool:
        """Return whether :meth:`once` has raised this for several members, so that another one may be at fault."""
        return any(each is error for each in self._failed_for_several)

    def alone(self) -> AbstractContextManager[bool]:
        """Let a member work in this block while no other one works."""
        return self._turn

    def _run_if_all_wait(self) -> None:
        with self._guard:
            if self._busy or not self._waiting:
                return
            tasks, self._asked = [*self._asked.values()], {}
            self._busy, self._waiting = self._waiting, 0  # from now on, even before they have noticed
        for task in tasks:
            task.run()


# ── awaiting ───────────────────────────────────────────────────────────────────────────

# Await a blocking call: it runs in a daemon thread, and cancelling the task cancels the call. For asyncio and trio.

PATIENCE: Final = 5.0
"""Seconds that a cancelled task waits for its thread to withdraw what it has published."""


def poster() -> Post:
    """Return a function with which any thread can schedule a call in the running event loop.

    :raises RuntimeError: there is no running loop.
    """
    import asyncio  # heavy, and loaded by every program that comes here

    trio = _running_trio()
    call_soon = asyncio.get_running_loop().call_soon_threadsafe if trio is None else _token(trio).run_sync_soon

    def post(call: Callable[[], object]) -> bool:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            call_soon(call)
            return True
        return False

    return post


async def call(function: Callable[[], T], cancel: threading.Event) -> T:
    """Make a blocking call without holding up the event loop.

    If the task is cancelled, ``cancel`` is set, and the call gets :data:`PATIENCE` seconds to end.

    :param cancel: an event that ends the call.
    """
    trio, post = _running_trio(), poster()
    if trio is not None:
        ended = trio.Event()
        task = start(function, then=lambda: post(ended.set))
        try:
            await ended.wait()
        except trio.Cancelled:
            cancel.set()
            with trio.CancelScope(deadline=trio.current_time() + PATIENCE, shield=True):
                await ended.wait()
            raise
        return task.result()
    return await _call_in_asyncio(function, cancel, post)


async def _call_in_asyncio(function: Callable[[], T], cancel: threading.Event, post: Post) -> T:
    import asyncio  # as above

    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    task = start(function, then=lambda: post(end))
    try:
        await asyncio.wait([ended])  # unlike `await ended`, a cancel leaves the future unchanged
    except asyncio.CancelledError:
        cancel.set()
        until = loop.time() + PATIENCE
        while not ended.done() and (left := until - loop.time()) > 0:
            try:
                await asyncio.wait([ended], timeout=left)
            except asyncio.CancelledError:  # a second Ctrl-C; anyio repeats its own
                continue
        raise
    return task.result()


def _running_trio() -> Any:
    """Return the module ``trio`` if its loop runs in this thread, or None for asyncio's loop or no loop."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    with contextlib.suppress(RuntimeError):
        _token(trio)
        return trio
    return None


def _token(trio: Any) -> Any:
    return trio.lowlevel.current_trio_token()
