"""Certificates for the same names take turns at a CA."""

from __future__ import annotations

import threading

import pytest

from dnsrenew import workers
from dnsrenew.context import Context
from dnsrenew.errors import Cancelled
from dnsrenew.turns import Turns

NAMES = ["home.test", "*.home.test"]


def goes(turns: Turns, ca: str, names: list[str]) -> threading.Event:
    """Start a thread that takes its turn; the event tells that it had it."""
    had = threading.Event()

    def go() -> None:
        with turns.turn(Context(), ca, names):
            had.set()

    workers.start(go)
    return had


def test_the_same_names_at_the_same_ca_go_one_after_the_other() -> None:
    """In whatever order they are listed; another CA, or another set of names, waits for nobody."""
    turns = Turns()
    with turns.turn(Context(), "lab", NAMES):
        assert goes(turns, "other", NAMES).wait(5)
        assert goes(turns, "lab", NAMES[:1]).wait(5)
        same = goes(turns, "lab", NAMES[::-1])
        assert not same.wait(0.05)
    assert same.wait(5)


def test_a_failure_ends_the_turn() -> None:
    """The next one is let in."""
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn(Context(), "lab", NAMES):
        raise ZeroDivisionError
    assert goes(turns, "lab", NAMES).wait(5)


def test_who_waits_can_be_called_away() -> None:
    """Ctrl-C ends the waiting too."""
    turns, context = Turns(), Context()
    context.cancel.set()
    with (
        turns.turn(Context(), "lab", NAMES),
        pytest.raises(Cancelled),
        turns.turn(context, "lab", NAMES),
    ):
        pass
