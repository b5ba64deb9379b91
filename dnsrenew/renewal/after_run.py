"""What follows from the outcomes of a run: the exit status of the command, and the next run of one that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.base.model import Outcome
from dnsrenew.base.values import Frozen
from dnsrenew.errors import about

INTERVAL: Final = 43_200.0
"""Seconds between two runs if nothing is due earlier: twice a day."""

_SHORTEST: Final = timedelta(minutes=1)
"""Before the next run after a failure, or for a certificate that is due again as soon as it was renewed."""
_SOONEST: Final = timedelta(seconds=1)
"""Before the next run for a renewal time that is still to come: some certificates are valid for seconds."""
_PART_OF_LIFETIME: Final = 10
_AFTER_A_FAILURE: Final = timedelta(hours=1)
_AFTER_A_LOCK: Final = timedelta(minutes=10)


class NextRun(Frozen):
    """The next run.

    :ivar name: the certificate that is due then; None at the end of the interval.
    """

    time: datetime
    name: str | None = None


def next_run(outcomes: Sequence[Outcome] | None, now: datetime, interval: float = INTERVAL) -> NextRun:
    """Return the next run: when a certificate is due or can be tried again, at most one interval from now.

    :param outcomes: of the last run; None if it failed as a whole.
    :param interval: seconds.
    """
    last = now + timedelta(seconds=interval)
    if outcomes is None:
        return NextRun(min(last, now + _AFTER_A_FAILURE))
    times = [(time, outcome.name) for outcome in outcomes if (time := _time(outcome, now)) is not None]
    first, name = min(times, default=(last, None))
    if first >= last:
        return NextRun(last)
    return NextRun(first, name)


def _time(outcome: Outcome, now: datetime) -> datetime | None:
    """Return when this certificate is due or can be tried again; None if unknown."""
    if outcome.status == "locked":
        return now + _AFTER_A_LOCK
    if outcome.status in ("failed", "deferred", "interrupted"):
        return max(outcome.next_attempt or now + _AFTER_A_FAILURE, now + _SHORTEST)
    if any(not result.ok for result in outcome.deployed):
        return now + _AFTER_A_FAILURE
    if outcome.next_renewal is None:
        return None
    return max(outcome.next_renewal, now + (_SOONEST if outcome.next_renewal > now else _pause(outcome)))


def _pause(outcome: Outcome) -> timedelta:
    """Return the pause before a certificate that is due already: a minute, for one valid for minutes a part of them.

    A certificate that is due whenever it was renewed is not renewed without a pause.
    """
    if outcome.not_before is None or outcome.not_after is None:
        return _SHORTEST
    part = (outcome.not_after - outcome.not_before) / _PART_OF_LIFETIME
    return min(max(part, _SOONEST), _SHORTEST)


# ── exit status ────────────────────────────────────────────────────────────────────────


def needs_attention(outcome: Outcome, now: datetime) -> bool:
    """Return whether a certificate failed, is not deployed, or is deferred.

    It is not where the CA itself asked to wait, and a valid certificate stands.
    """
    if outcome.status == "failed" or any(not result.ok for result in outcome.deployed):
        return True
    if outcome.status != "deferred":
        return False
    return not (asked_by_ca(outcome) and outcome.not_after is not None and outcome.not_after > now)


def asked_by_ca(outcome: Outcome) -> bool:
    """Return whether the CA asked to wait. The ledger also defers orders that the CA would refuse."""
    errors = [error for error in (outcome.error, *(attempt.error for attempt in outcome.attempts)) if error is not None]
    by_ledger = any(error.code == "ca-ledger" and about(error).limit != "retry-after" for error in errors)
    return not by_ledger and getattr(outcome.error, "retry_after", None) is not None


def exit_status(outcomes: Sequence[Outcome], now: datetime, interrupted: int | None = None) -> int:
    """Return the exit status for the outcomes.

    :param interrupted: the exit status for the signal that interrupted the run.
    """
    statuses = {outcome.status for outcome in outcomes}
    if "interrupted" in statuses:
        return interrupted or 130
    if any(needs_attention(outcome, now) for outcome in outcomes):
        return 1
    return 3 if "locked" in statuses else 0
