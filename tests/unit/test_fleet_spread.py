"""When a worker checks a certificate next: spread over the hours, but never too late."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.model import CertificateSpec, DeploymentResult, Outcome, OutcomeStatus, RenewBefore
from dnsrenew.errors import CAError
from dnsrenew.extensions.fleet.certificate_job import DEPLOYMENTS, SHARE, SOONEST, UNKNOWN, next_check, spread
from dnsrenew.renewal import due
from dnsrenew.store import State
from dnsrenew.store.state import Ari
from tests.kit.clock import START

DAY = timedelta(days=1)
LIFE = 90 * DAY
SPEC = CertificateSpec(name="home", domains=("example.test",), identifiers=("example.test",), ca="lab")
GOLDEN = 0.6180339887498949


def state(*, ca: str = "", **more: Any) -> State:
    """The state of a certificate that was issued now, for 90 days; without a CA it is never polled."""
    ca = ca or ("lab" if "ari" in more else "")
    return State(version=1, not_before=START, not_after=START + LIFE, ca=ca, identifiers=("example.test",), **more)


def outcome(status: OutcomeStatus = "not-due", **more: Any) -> Outcome:
    """The outcome of a job."""
    return Outcome(name="home", status=status, reason="renew-before", domains=("example.test",), **more)


def ari(*, poll: timedelta, chosen: timedelta | None = None) -> Ari:
    """Renewal information with a poll and a chosen time so far from now."""
    at = None if chosen is None else START + chosen
    return {"start": at, "end": at, "chosen": at, "next_poll": START + poll, "explanation": None}


def test_no_hour_has_more_than_its_share() -> None:
    """Certificates that were all issued in the same second are renewed evenly over a tenth of their lifetime."""
    count = 21_600  # a hundred in each of the 216 hours
    hours: Counter[int] = Counter()
    for number in range(count):
        at = next_check(SPEC, number * GOLDEN % 1, state(), outcome("renewed"), START)
        hours[int((at - START) / timedelta(hours=1))] += 1
    assert len(hours) <= 218
    assert max(hours.values()) <= 103


@given(st.floats(0, 1, exclude_max=True), st.sampled_from([None, RenewBefore(fraction=0.9), RenewBefore(seconds=60)]))
def test_a_renewal_is_only_moved_earlier(slot: float, wanted: RenewBefore | None) -> None:
    """A slot never makes a renewal later, and by no more than the share of the lifetime earlier."""
    spec = CertificateSpec(
        name="home", domains=("example.test",), identifiers=("example.test",), ca="lab", renew_before=wanted
    )
    own = due.next_renewal(spec, state())
    moved = due.next_renewal(spread(spec, slot, state()), state())
    assert own is not None
    assert moved is not None
    assert own - SHARE * LIFE <= moved <= own
    assert moved > START


def test_what_the_worker_plans_is_due_then() -> None:
    """The certificate is due at the planned time and not before, by the same rule."""
    at = next_check(SPEC, 0.5, state(), outcome("renewed"), START)
    moved = spread(SPEC, 0.5, state())
    assert due.why_due(moved, state(), at - timedelta(seconds=1), whole=True) is None
    assert due.why_due(moved, state(), at, whole=True) == "renew-before"


def test_a_time_of_the_ca_is_not_moved() -> None:
    """A time chosen in the CA's suggested window is not moved."""
    suggested = state(ari=ari(poll=80 * DAY, chosen=10 * DAY))
    assert next_check(SPEC, 0.9, suggested, outcome(), START) == START + 10 * DAY


def test_what_is_missing_is_not_moved() -> None:
    """Without a stored certificate the rule is not changed."""
    assert spread(SPEC, 0.7, State()) == SPEC


@pytest.mark.parametrize("slot", [0.0, 0.5, 0.99])
def test_a_poll_is_never_earlier_than_the_ca_asked_for(slot: float) -> None:
    """A poll follows the CA's time by up to a quarter of the wait."""
    at = next_check(SPEC, slot, state(ari=ari(poll=timedelta(hours=6))), outcome(), START)
    assert timedelta(hours=6) <= at - START <= timedelta(hours=7.5)


def test_polls_are_a_day_apart_at_most() -> None:
    """Polls are at most a day apart, as RFC 9773 asks."""
    assert next_check(SPEC, 0.9, state(ari=ari(poll=DAY)), outcome(), START) == START + DAY


def test_a_poll_that_failed_is_tried_again_later() -> None:
    """A failed poll is not repeated at once."""
    at = next_check(SPEC, 0.0, state(ari=ari(poll=-DAY)), outcome(), START)
    assert at == START + UNKNOWN


def test_a_first_poll_that_was_lost_is_tried_again_soon() -> None:
    """A certificate whose first poll left nothing, because its lock was held, may be revoked: it is looked at again."""
    assert next_check(SPEC, 0.0, state(ca="lab"), outcome(), START) == START + SOONEST


def test_after_a_failure_its_own_pause_counts() -> None:
    """After a failure the next attempt is that of the outcome."""
    failed = outcome("failed", next_attempt=START + 3 * DAY, error=CAError("ca-refused", "no", fix="-"))
    assert next_check(SPEC, 0.9, State(), failed, START) == START + 3 * DAY


def test_a_failure_without_a_time_is_tried_again_soon() -> None:
    """A failure without a next attempt is retried within minutes."""
    failed = outcome("failed", error=CAError("ca-refused", "no", fix="-"))
    assert UNKNOWN <= next_check(SPEC, 0.5, state(), failed, START) - START <= 2 * UNKNOWN


def test_what_another_program_holds_is_looked_at_again() -> None:
    """A certificate that another run has locked is checked again after a minute."""
    assert next_check(SPEC, 0.5, state(), outcome("locked"), START) == START + SOONEST


def test_a_failed_deployment_is_tried_again() -> None:
    """A target that lacks its certificate is tried again within two hours, though nothing is due."""
    failed = DeploymentResult(
        to="files", target="x", ok=False, changed=False, served=None, rolled_back=False, seconds=0
    )
    at = next_check(SPEC, 0.5, state(), outcome(deployed=(failed,)), START)
    assert DEPLOYMENTS <= at - START <= 2 * DEPLOYMENTS


def test_nothing_is_looked_at_without_a_pause() -> None:
    """A certificate that is due again at once waits a minute, so that it does not occupy a worker."""
    late = START + LIFE - timedelta(seconds=1)
    assert next_check(SPEC, 0.5, state(), outcome(), late) == late + SOONEST


@pytest.mark.parametrize("status", ["failed", "deferred"])
@pytest.mark.parametrize("age", [70 * DAY, 95 * DAY])
def test_a_poll_does_not_hasten_the_next_attempt(status: OutcomeStatus, age: timedelta) -> None:
    """A due certificate is not polled, so an overdue poll does not bring forward the next attempt."""
    now = START + age
    known = state(ari=ari(poll=age - DAY), next_attempt=now + DAY)
    assert next_check(SPEC, 0.3, known, outcome(status, next_attempt=now + DAY), now) == now + DAY
