"""Certificates take turns, for the same names at a CA and for a zone at a host: who came first goes first."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from dnsrenew.base import threads
from dnsrenew.base.values import field
from dnsrenew.errors import Cancelled
from dnsrenew.runtime.context import Context
from dnsrenew.runtime.fair_lock import FairLock

NAMES = ["home.test", "*.home.test"]


class Noting(Context):
    """Tells that somebody stands in line: who waits looks up from time to time."""

    came: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Note it."""
        self.came.set()


def goes(turns: FairLock, ca: str, names: list[str]) -> threading.Event:
    """Start a thread that takes its turn; the event tells that it had it."""
    had = threading.Event()

    def go() -> None:
        with turns.turn(Context(), ca, names):
            had.set()

    threads.start(go)
    return had


def test_the_same_names_at_the_same_ca_go_one_after_the_other() -> None:
    """In whatever order they are listed; another CA, or another set of names, waits for nobody."""
    turns = FairLock()
    with turns.turn(Context(), "lab", NAMES):
        assert goes(turns, "other", NAMES).wait(5)
        assert goes(turns, "lab", NAMES[:1]).wait(5)
        same = goes(turns, "lab", NAMES[::-1])
        assert not same.wait(0.05)
    assert same.wait(5)


def test_a_failure_ends_the_turn() -> None:
    """The next one is let in."""
    turns = FairLock()
    with pytest.raises(ZeroDivisionError), turns.turn(Context(), "lab", NAMES):
        raise ZeroDivisionError
    assert goes(turns, "lab", NAMES).wait(5)


def test_who_waits_can_be_called_away() -> None:
    """Ctrl-C ends the waiting too."""
    turns, context = FairLock(), Context()
    context.cancel.set()
    with (
        turns.turn(Context(), "lab", NAMES),
        pytest.raises(Cancelled),
        turns.turn(context, "lab", NAMES),
    ):
        pass


def test_who_came_first_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, and although those who come last ask most eagerly."""
    monkeypatch.setattr(threads, "SLICE", 0.001)
    turns, order = FairLock(), list[int]()

    def go(number: int, context: Context) -> None:
        with turns.alone(context, "zone"):
            order.append(number)

    tasks = []
    with turns.alone(Context(), "zone"):
        for number in range(10):
            context = Noting()
            tasks.append(threads.start(partial(go, number, context)))
            assert context.came.wait(5)
    assert all(task.done.wait(5) for task in tasks)
    assert order == list(range(10))


def test_who_is_called_away_leaves_the_line() -> None:
    """Those behind it do not wait for it."""
    turns, context = FairLock(), Context()
    context.cancel.set()
    with turns.alone(Context(), "zone"), pytest.raises(Cancelled), turns.alone(context, "zone"):
        pass
    with turns.alone(Context(), "zone"):
        pass  # it would never be had
