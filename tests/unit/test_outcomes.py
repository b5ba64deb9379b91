"""Outcomes: the current certificate, deferrals and unexpected errors."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.model import Notice
from dnsrenew.base.runtime import Context
from dnsrenew.errors import CAError, DnsError
from dnsrenew.renewal import history
from dnsrenew.renewal.due import deferred, outcome, unexpected
from dnsrenew.store import FolderStore, State, Store
from tests.kit.clock import START, FakeClock
from tests.kit.stores import SPEC, keep

FAULT = DnsError("dns-no-zone", "There is no zone.", fix="Register it.", evidence={"zone": "x"})
LIMIT = CAError("ca-rate-limited", "Too many.", fix="Wait.", retry_after=7200.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return FolderStore(tmp_path / "state")


def context_at(days: float = 0) -> Context:
    """A number of days after the start."""
    return Context(clock=FakeClock(START + timedelta(days=days)))


def test_what_is_in_force_is_reported_whatever_happened(store: Store) -> None:
    """The outcome of a failed renewal has the facts and the path of the current certificate."""
    state = keep(store, 1)
    told = outcome(SPEC, store, state, "failed", context_at(2), error=FAULT)
    assert (told.status, told.error, told.reason) == ("failed", FAULT, "renew-before")
    assert (told.issuer, told.serial) == ("Lab CA 1", "1")
    assert told.not_after == START + timedelta(days=91)
    assert told.next_renewal == START + timedelta(days=61)
    assert told.path == store.current("home")


@pytest.mark.parametrize(("state", "reason"), [(None, None), (State(), "missing")])
def test_without_a_certificate_there_are_no_facts(store: Store, state: State | None, reason: str | None) -> None:
    """An empty state means missing. For an unread state the reason is None."""
    told = outcome(SPEC, store, state, "failed", context_at(), error=FAULT)
    assert (told.reason, told.domains) == (reason, SPEC.domains)
    assert {told.issuer, told.serial, told.not_before, told.not_after, told.next_renewal, told.path} == {None}


def test_warnings_of_the_run_and_of_the_certificate_come_together(store: Store) -> None:
    """An outcome has the warnings of its certificate and those of the run."""
    run = context_at()
    run.warn("ledger", "The ledger is not kept.", "Look.")
    mine, other = run.for_certificate("home"), run.for_certificate("other")
    mine.warn("txt-kept", "A value stays.", "Remove it.")
    assert [each.code for each in outcome(SPEC, store, None, "failed", mine).warnings] == ["ledger", "txt-kept"]
    assert [each.code for each in outcome(SPEC, store, None, "failed", other).warnings] == ["ledger"]
    damaged = State(notices=(Notice("store-damaged", "It was.", "Look."),))
    assert [each.code for each in outcome(SPEC, store, damaged, "failed", other).warnings] == [
        "store-damaged",
        "ledger",
    ]


# ── deferred ────────────────────────────────────────────────────────────────────────────


def test_nothing_holds_back_what_never_failed(store: Store) -> None:
    """A certificate is not deferred without a failure, nor after an old one."""
    assert deferred(SPEC, store, State(), "missing", context_at()) is None
    failed = history.after_failure(State(), FAULT, START, random.Random(1))
    assert deferred(SPEC, store, failed, "missing", context_at(1)) is None


def test_what_is_held_back_tells_why_and_until_when(store: Store) -> None:
    """A deferred outcome has the last error, the time of the next attempt and the override."""
    failed = history.after_failure(State(), FAULT, START, random.Random(1))
    told = deferred(SPEC, store, State.from_json(failed.to_json()), "missing", context_at())
    assert told is not None
    assert told.error is not None
    assert (told.status, told.next_attempt) == ("deferred", failed.next_attempt)
    assert (told.error.code, told.error.fix) == (FAULT.code, FAULT.fix)
    assert told.error.message.startswith(f"{FAULT.message} ")
    assert "now=True" in told.error.message
    assert "now=True" in told.error.message
    assert told.error.evidence == {"time": "2026-11-25T10:00:00Z", "failure": FAULT.message}
    assert not isinstance(told.error, CAError)


def test_a_ca_that_asked_to_wait_is_told_apart(store: Store) -> None:
    """A deferral that a CA asked for is a CAError with retry_after, which decides the exit status."""
    failed = history.after_failure(State(), LIMIT, START, random.Random(1), retry_after=LIMIT.retry_after)
    told = deferred(SPEC, store, failed, "missing", context_at(1 / 24))
    assert told is not None
    assert isinstance(told.error, CAError)
    assert told.error.retry_after is not None
    assert 3600 <= told.error.retry_after <= 3601


def test_a_state_of_an_older_version_is_held_back_too(store: Store) -> None:
    """A state of an older version, without failure and fix, is deferred too."""
    state = State(next_attempt=START + timedelta(hours=1))
    told = deferred(SPEC, store, state, "missing", context_at())
    assert told is not None
    assert told.error is not None
    assert told.error.code == "failed-before"
    assert "now=True" in told.error.fix


# ── what should not have happened ───────────────────────────────────────────────────────


def test_a_mistake_of_ours_is_an_error_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Secrets are redacted in the message, the evidence and the traceback of the debug log."""
    context = context_at()
    context.redactor.add("hunter2-is-secret")
    with caplog.at_level(logging.DEBUG, logger="dnsrenew.renewal.renew"):
        try:
            raise ValueError("hunter2-is-secret is no number")
        except ValueError as error:
            told = unexpected(error, context)
    assert told.code == "internal-error"
    assert "ValueError" in told.message
    assert told.evidence["cause"].startswith("ValueError: ")
    assert "Traceback" in caplog.text
    assert "hunter2" not in caplog.text + str(told) + str(told.evidence)
