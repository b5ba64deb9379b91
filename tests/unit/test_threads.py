"""The worker threads of a run: their order, their limit, and how a blocked one releases its slot."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from dnsrenew.base import runtime as module
from dnsrenew.base import threads
from dnsrenew.base.runtime import Context

LIMIT = 3


class Work:
    """Calls that wait until they may go on, and how many are at it."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.order: list[int] = []

    def wait(self, number: int) -> int:
        """Begin, and wait."""
        self.order.append(number)
        self.begun.release()
        assert self.go_on.wait(5)
        return number

    def have_begun(self, count: int) -> bool:
        """Return whether exactly this many more tasks begin."""
        return all(self.begun.acquire(timeout=5) for _ in range(count)) and not self.begun.acquire(timeout=0.05)


def test_so_many_at_once_begun_in_their_order() -> None:
    """At most LIMIT tasks run at once, started in order."""
    work = Work()
    tasks = threads.start_all([partial(work.wait, number) for number in range(10)], LIMIT)
    assert work.have_begun(LIMIT)
    work.go_on.set()
    assert all(task.done.wait(5) for task in tasks)
    assert [task.result() for task in tasks] == list(range(10))
    assert work.order[:LIMIT] == list(range(LIMIT))


def test_who_is_stuck_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits long releases its slot to another task, and continues afterwards in addition to the limit."""
    monkeypatch.setattr(module, "LONG", 0.05)
    pool, work, answer = threads.ThreadPool(LIMIT), Work(), threading.Event()
    context = Context(pool=pool)

    def stuck() -> int:
        context.wait_for(answer)
        return work.wait(-1)

    tasks = pool.start([stuck] * LIMIT + [partial(work.wait, number) for number in range(10)])
    assert work.have_begun(LIMIT)
    assert work.order == list(range(LIMIT))
    answer.set()
    assert work.have_begun(LIMIT)
    assert sorted(work.order) == [-1] * LIMIT + list(range(LIMIT))
    work.go_on.set()
    assert all(task.done.wait(5) for task in tasks)
    assert [task.result() for task in tasks] == [-1] * LIMIT + list(range(10))


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of threads is limited, however many are blocked."""
    monkeypatch.setattr(module, "LONG", 0.05)
    pool, work, answer = threads.ThreadPool(LIMIT), Work(), threading.Event()
    context = Context(pool=pool)

    def stuck(number: int) -> None:
        work.order.append(number)
        work.begun.release()
        context.wait_for(answer)

    tasks = pool.start([partial(stuck, number) for number in range(threads.MAX_THREADS_PER_SLOT * LIMIT + 5)])
    assert all(work.begun.acquire(timeout=5) for _ in range(threads.MAX_THREADS_PER_SLOT * LIMIT))
    assert not work.begun.acquire(timeout=0.2)
    answer.set()
    assert all(task.done.wait(5) for task in tasks)


def test_where_no_thread_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no further thread can be started, the existing ones do all the work. Without any thread it is an error."""
    start, started = threading.Thread.start, list[threading.Thread]()

    def few(thread: threading.Thread) -> None:
        if len(started) == 1:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    tasks = threads.ThreadPool(LIMIT).start([partial(int, number) for number in range(10)])
    assert all(task.done.wait(5) for task in tasks)
    assert [task.result() for task in tasks] == list(range(10))
    with pytest.raises(RuntimeError):
        threads.ThreadPool(LIMIT).start([list])


def test_another_thread_makes_no_room() -> None:
    """release_slot() in a thread outside the pool lends one slot."""
    pool, work = threads.ThreadPool(1), Work()
    pool.start([partial(work.wait, number) for number in range(2)])
    with pool.release_slot():
        assert work.have_begun(1)
    work.go_on.set()
