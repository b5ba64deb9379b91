"""Locks of DNS zones: shared by the threads of a run, and taken in turn by other runs."""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial

import pytest

from dnsrenew.base import threads
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import field
from dnsrenew.errors import LockedError
from dnsrenew.store import Store
from dnsrenew.store.zone_locks import ZoneLocks
from tests.kit.clock import FakeClock
from tests.kit.load import allowed
from tests.kit.store_sites import StoreSite

ZONE = "home.duckdns.org."


class Waiting(Context):
    """Signals that the run waits for a lock."""

    came: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Signal it."""
        self.came.set()


@pytest.fixture
def store(site: StoreSite) -> Store:
    """Return an empty store."""
    return site.open()


def is_free(store: Store) -> bool:
    """Return whether another run could lock the zone."""
    try:
        with ZoneLocks(store).value(Context(), ZONE):
            return True
    except LockedError:
        return False


def test_other_runs_are_kept_away_until_the_last_has_left(store: Store) -> None:
    """The next certificate of the run shares the lock of the first one: no other run comes between."""
    locks, first, second, waiting = ZoneLocks(store), contextlib.ExitStack(), contextlib.ExitStack(), Waiting()
    first.enter_context(locks.value(Context(), ZONE))
    task = threads.start(lambda: second.enter_context(locks.value(waiting, ZONE)))
    assert waiting.came.wait(5)
    assert not task.done.is_set()  # the host keeps one value
    first.close()
    assert task.done.wait(5)
    assert not is_free(store)
    second.close()
    assert is_free(store)


def test_who_is_refused_leaves_nothing_behind(store: Store) -> None:
    """A refused run can try again and gets the zone once it is free."""
    locks = ZoneLocks(store)
    with ZoneLocks(store).value(Context(), ZONE):
        for _ in range(2):
            with pytest.raises(LockedError, match=r"The DNS zone home\.duckdns\.org is locked by process"):
                locks.value(Context(), ZONE).__enter__()
    with locks.value(Context(), ZONE):
        assert not is_free(store)


def test_a_run_that_waits_has_the_zone_afterwards(store: Store) -> None:
    """The threads of a run share one wait for the lock."""
    locks, waiting, behind, both = ZoneLocks(store, wait=60), Waiting(), Waiting(), threading.Barrier(2)
    theirs = contextlib.ExitStack()
    theirs.enter_context(ZoneLocks(store).value(Context(), ZONE))

    def go(context: Context) -> None:
        with locks.value(context, ZONE):
            pass
        both.wait(5)

    tasks = [threads.start(partial(go, context)) for context in (waiting, behind)]
    assert waiting.came.wait(5)
    assert behind.came.wait(5)
    theirs.close()
    assert all(task.done.wait(5) for task in tasks)
    assert [task.result() for task in tasks] == [None, None]


def test_all_of_a_run_wait_together(store: Store) -> None:
    """If another run keeps the lock, five certificates wait no longer than one."""
    locks, barrier = ZoneLocks(store, wait=0.4), threading.Barrier(5)

    def go() -> None:
        barrier.wait(5)
        with locks.value(Context(), ZONE):
            pass

    with ZoneLocks(store).value(Context(), ZONE):
        began = time.monotonic()
        tasks = [threads.start(go) for _ in range(5)]
        assert all(task.done.wait(5) for task in tasks)
        took = time.monotonic() - began
    assert all(isinstance(task.error, LockedError) for task in tasks)
    assert 0.4 <= took < allowed(5 * 0.4)  # one after the other it would be no less


class Noting(Context):
    """Signals that another run holds the lock, and waits."""

    kept_out: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        """Signal it."""
        self.kept_out.set()
        super().wait(seconds)


def test_writing_is_shared_in_turn_by_runs_that_write_again_and_again(store: Store) -> None:
    """Even without `wait`, a run that has written lets a waiting run go first."""
    busy, other, waiting = ZoneLocks(store), ZoneLocks(store), Noting()
    order: list[str] = []

    def write() -> None:
        with other.writing(waiting, ZONE):
            order.append("other")

    with busy.writing(Context(), ZONE):
        task = threads.start(write)
        assert waiting.kept_out.wait(5)
    for _ in range(3):
        with busy.writing(Context(), ZONE):
            order.append("busy")
    assert task.done.wait(5)
    task.result()
    assert order == ["other", "busy", "busy", "busy"]


def test_who_writes_in_turn_waits_for_other_runs_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for threads of the same run do not count. The refusal of one thread applies to those behind it."""
    monkeypatch.setattr("dnsrenew.store.zone_locks.WRITING", 0.2)
    clock, locks = FakeClock(), ZoneLocks(store)
    context, behind = Context(clock=clock), Waiting(clock=clock)
    errors: list[LockedError] = []

    def write() -> None:
        with locks.writing(behind, ZONE):
            pass

    with locks.writing(context, ZONE):
        task = threads.start(write)
        assert behind.came.wait(5)
        clock.elapsed += 100.0
    assert task.done.wait(5)
    task.result()
    with ZoneLocks(store).writing(Context(), ZONE):
        came = clock.monotonic()
        with pytest.raises(LockedError) as caught, locks.writing(context, ZONE):
            pass
        errors.append(caught.value)
        assert clock.monotonic() - came >= 0.2
    locks._refused[ZONE] = (came + 1000.0, errors[0])  # as if we had come before
    with pytest.raises(LockedError) as again, locks.writing(context, ZONE):
        pass
    assert again.value is not errors[0]


def test_writing_and_a_value_are_two_things(store: Store) -> None:
    """A run can hold both locks of a zone."""
    locks = ZoneLocks(store)
    with locks.value(Context(), ZONE), locks.writing(Context(), ZONE):
        assert not is_free(store)


def test_a_long_write_is_reported(store: Store) -> None:
    """If another run holds the write lock too long, the error names its process."""
    with (
        ZoneLocks(store).writing(Context(), ZONE),
        pytest.raises(LockedError, match="process"),
        ZoneLocks(store).writing(Context(), ZONE, 0.05),
    ):
        pass
