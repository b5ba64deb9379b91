"""What the outcomes of a run come to: the exit status of the command, and the heartbeat of a service that watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import Outcome


def needs_attention(outcome: Outcome, now: datetime) -> bool:
    """Tell whether a certificate failed, is not deployed, or is deferred.

    It is not where the CA itself asked to wait, and a valid certificate stands.
    """
    if outcome.status == "failed" or any(not result.ok for result in outcome.deployed):
        return True
    if outcome.status != "deferred":
        return False
    return not (asked_by_ca(outcome) and outcome.not_after is not None and outcome.not_after > now)


def asked_by_ca(outcome: Outcome) -> bool:
    """Tell whether the CA asked to wait. The ledger also defers orders that the CA would refuse."""
    errors = [error for error in (outcome.error, *(attempt.error for attempt in outcome.attempts)) if error is not None]
    by_ledger = any(error.code == "ca-ledger" and error.evidence.get("limit") != "retry-after" for error in errors)
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
