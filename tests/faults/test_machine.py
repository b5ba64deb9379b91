"""Random sequences of faults, checked against a model: see tests/kit/machine.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from dnsrenew.challenges import leftovers
from dnsrenew.renewal import due, resume
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.journal import JournalEntry, JournalFolder
from dnsrenew.store.ledger import Ledger
from tests.kit.machine import FIRST, MOST_ACTS, Machine

QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@pytest.mark.timeout(600)  # Hypothesis shrinks a failure, which takes long
@pytest.mark.parametrize("examples", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_any_order_of_faults_loses_nothing(examples: int) -> None:
    """No TXT value is lost, `current` is complete and no limit is exceeded. After a repair one run succeeds."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=QUIET,
        ),
    )


# ── the machine itself ──────────────────────────────────────────────────────────────────


def write_nothing(journal: JournalFolder, *_: Any) -> Any:
    """Replace `JournalFolder.enter`: write nothing."""
    return mock.Mock(spec=JournalEntry)


def put_in_two_steps(disk: AtomicFiles, aside: str, path: str) -> None:
    """Replace `AtomicFiles.put`: remove the old file first."""
    disk.remove(path)
    disk.rename(aside, path)


def do_nothing(*_: Any, **__: Any) -> None:
    """Replace a function: do nothing, return None."""


def values_stay(machine: Machine) -> None:
    """A DNS host refuses every removal."""
    machine.break_dns("many", "keeps")
    machine.renew(force=False, times=1)


def killed_anywhere(machine: Machine) -> None:
    """A certificate is in force, and each run that replaces it is killed."""
    machine.renew(force=False, times=1)
    for act in range(1, MOST_ACTS):
        machine.clock_on(900.0)  # or each run would remove the values of earlier runs once more
        machine.kill(force=True, at=act)
        machine.holds()


def seen_nowhere(machine: Machine) -> None:
    """The CA rejects every validation, and a person forces runs."""
    machine.break_the_ca(FIRST, "blind")
    machine.renew(force=True, times=6)


def seen_nowhere_yet(machine: Machine) -> None:
    """The CA rejects every validation, and a timer runs too often."""
    machine.break_the_ca(FIRST, "blind")
    machine.renew(force=False, times=2)


def answer_is_lost(machine: Machine) -> None:
    """The CA issues, and its answer is lost."""
    machine.break_the_ca(FIRST, "lost")
    machine.renew(force=False, times=1)
    machine.repair()
    machine.clock_on(900.0)
    machine.renew(force=False, times=1)


Broken = tuple[Callable[[Machine], None], object, str, Callable[..., Any], str]
"""The steps, the class or module, the name that is replaced in it, the replacement, and the error that follows."""
BROKEN: Final[list[Broken]] = [
    (values_stay, JournalFolder, "enter", write_nothing, "in DNS and not in the journal"),
    (values_stay, leftovers, "cleanup_before_run", do_nothing, "left behind"),
    (killed_anywhere, AtomicFiles, "put", put_in_two_steps, "was in force and is gone"),
    (seen_nowhere_yet, due, "deferred", do_nothing, "rests until"),
    (seen_nowhere, Ledger, "may_order", do_nothing, "beyond what le allows"),
    (answer_is_lost, resume, "load_pending", do_nothing, "a second certificate"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[each[2] for each in BROKEN])
def test_the_model_finds_a_missing_guard(monkeypatch: pytest.MonkeyPatch, broken: Broken) -> None:
    """If a guard is removed, the model finds the error. With the guard, the same steps pass."""
    steps, owner, name, instead, words = broken
    go_through(steps)
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError, match=words):
        go_through(steps)


def go_through(steps: Callable[[Machine], None]) -> None:
    """Take the steps with a new machine, to the end."""
    machine = Machine()
    with machine.stack:
        machine.begin(already=False)
        steps(machine)
        machine.holds()
        machine.teardown()
