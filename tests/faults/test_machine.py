"""Anything that may go wrong, in any order, against a model: see machine.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from dnsrenew.challenges.dns01 import leftovers
from dnsrenew.renewal import check_due, resume
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.journal import Journal
from dnsrenew.store.journal_entry import JournalEntry
from dnsrenew.store.ledger import Ledger
from tests.kit.machine import FIRST, MOST_ACTS, Machine

QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@pytest.mark.timeout(600)  # a failure is made small, which takes its time
def test_whatever_goes_wrong_nothing_is_lost() -> None:
    """TXT of ours is in the journal, `current` is whole, no order is beyond a limit; mended, one run puts all right."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=QUIET,
        ),
    )


# ── the machine itself ──────────────────────────────────────────────────────────────────


def forgetful(journal: Journal, *_: Any) -> Any:
    """Write nothing down."""
    return mock.Mock(spec=JournalEntry)


def in_two_steps(disk: AtomicFiles, aside: str, path: str) -> None:
    """Take the old one away first."""
    disk.remove(path)
    disk.rename(aside, path)


def nothing(*_: Any, **__: Any) -> None:
    """Do, or know, nothing."""


def values_stay(machine: Machine) -> None:
    """A DNS host lets nothing be removed."""
    machine.break_dns("many", "keeps")
    machine.renew(force=False, times=1)


def killed_anywhere(machine: Machine) -> None:
    """A certificate stands, and each run that replaces it dies."""
    machine.renew(force=False, times=1)
    for act in range(1, MOST_ACTS):
        machine.clock_on(900.0)  # else each run would remove once more what the ones before it had asked for
        machine.kill(force=True, at=act)
        machine.holds()


def seen_nowhere(machine: Machine) -> None:
    """The CA accepts no proof, and somebody is impatient."""
    machine.break_the_ca(FIRST, "blind")
    machine.renew(force=True, times=6)


def seen_nowhere_yet(machine: Machine) -> None:
    """The same, and a timer that comes too often."""
    machine.break_the_ca(FIRST, "blind")
    machine.renew(force=False, times=2)


def not_heard_of(machine: Machine) -> None:
    """The CA issues, and its answer is lost."""
    machine.break_the_ca(FIRST, "lost")
    machine.renew(force=False, times=1)
    machine.repair()
    machine.clock_on(900.0)
    machine.renew(force=False, times=1)


Broken = tuple[Callable[[Machine], None], object, str, Callable[..., Any], str]
"""Some steps, what is replaced there, by what, and what is then found."""
BROKEN: Final[list[Broken]] = [
    (values_stay, Journal, "enter", forgetful, "in DNS and not in the journal"),
    (values_stay, leftovers, "cleanup_before_run", nothing, "left behind"),
    (killed_anywhere, AtomicFiles, "put", in_two_steps, "was in force and is gone"),
    (seen_nowhere_yet, check_due, "deferred", nothing, "rests until"),
    (seen_nowhere, Ledger, "may_order", nothing, "beyond what letsencrypt allows"),
    (not_heard_of, resume, "load_pending", nothing, "a second certificate"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[each[2] for each in BROKEN])
def test_what_is_broken_is_found(monkeypatch: pytest.MonkeyPatch, broken: Broken) -> None:
    """Each part that keeps something from being lost is missed when it is not there; with it, all is well."""
    steps, owner, name, instead, words = broken
    go_through(steps)
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError, match=words):
        go_through(steps)


def go_through(steps: Callable[[Machine], None]) -> None:
    """Let the machine take some steps, to the end."""
    machine = Machine()
    with machine.stack:
        machine.begin(already=False)
        steps(machine)
        machine.holds()
        machine.teardown()
