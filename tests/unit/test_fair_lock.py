"""The first-come-first-served lock: one certificate at a time for the same names at a CA, or for a zone."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from dnsrenew.base import threads
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import FairLock
from dnsrenew.base.values import field
from dnsrenew.errors import Cancelled

NAMES = ["home.test", "*.home.test"]


class Noting(Context):
    """Notes that its thread waits: a waiting thread calls ``check`` from time to time."""

    came: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Note it."""
        self.came.set()


def goes(lock: FairLock, ca: str, names: list[str]) -> threading.Event:
    """Start a thread that takes the lock. Return the event that it sets."""
    had = threading.Event()

    def go() -> None:
        with lock.hold_all(Context(), ca, names):
            had.set()

    threads.start(go)
    return had


def test_the_same_names_at_the_same_ca_go_one_after_the_other() -> None:
    """The same names at one CA are locked in any order. Another CA or another set of names is not locked."""
    lock = FairLock()
    with lock.hold_all(Context(), "lab", NAMES):
        assert goes(lock, "other", NAMES).wait(5)
        assert goes(lock, "lab", NAMES[:1]).wait(5)
        same = goes(lock, "lab", NAMES[::-1])
        assert not same.wait(0.05)
    assert same.wait(5)


def test_a_failure_releases_the_lock() -> None:
    """After a failure the next caller gets the lock."""
    lock = FairLock()
    with pytest.raises(ZeroDivisionError), lock.hold_all(Context(), "lab", NAMES):
        raise ZeroDivisionError
    assert goes(lock, "lab", NAMES).wait(5)


def test_a_waiting_caller_can_be_cancelled() -> None:
    """Cancellation ends the wait for the lock."""
    lock, context = FairLock(), Context()
    context.cancel.set()
    with (
        lock.hold_all(Context(), "lab", NAMES),
        pytest.raises(Cancelled),
        lock.hold_all(context, "lab", NAMES),
    ):
        pass


def test_first_come_first_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callers get the lock in their order of arrival."""
    monkeypatch.setattr(threads, "SLICE", 0.001)
    lock, order = FairLock(), list[int]()

    def go(number: int, context: Context) -> None:
        with lock.hold(context, "zone"):
            order.append(number)

    tasks = []
    with lock.hold(Context(), "zone"):
        for number in range(10):
            context = Noting()
            tasks.append(threads.start(partial(go, number, context)))
            assert context.came.wait(5)
    assert all(task.done.wait(5) for task in tasks)
    assert order == list(range(10))


def test_a_cancelled_caller_leaves_the_queue() -> None:
    """Later callers do not wait for a cancelled one."""
    lock, context = FairLock(), Context()
    context.cancel.set()
    with lock.hold(Context(), "zone"), pytest.raises(Cancelled), lock.hold(context, "zone"):
        pass
    with lock.hold(Context(), "zone"):
        pass  # it would never be free
