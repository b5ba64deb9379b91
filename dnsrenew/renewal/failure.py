"""What a failure leaves: in the ledger of the account, in the state of the certificate, and in the outcome."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from dnsrenew.base.values import replace
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsRenewError, LockedError, StoreError
from dnsrenew.fallback import history
from dnsrenew.renewal import due

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.fallback.attempt import ActiveAttempt
    from dnsrenew.fallback.planner import FallbackPlanner
    from dnsrenew.model import Outcome
    from dnsrenew.renewal.job import Job
    from dnsrenew.store import State


def record(job: Job, attempt: ActiveAttempt, error: AttemptError) -> None:
    """Write down what makes the CA refuse the next order."""
    if job.options.dry_run:
        return
    ledger = job.services.ledger(attempt.selection.ca)
    failed = attempt.failed_names(error)
    if failed and attempt.seen:
        ledger.note_failed_validation(failed)
    if not isinstance(error, CAError) or error.code != "ca-rate-limited":
        return
    # A name that the CA has paused waits for a person, also where another CA fails after it.
    unpause = error.evidence.get("url")
    after = error.retry_after or (history.DAY.total_seconds() if unpause else None)
    if after is not None:
        about_order = error.evidence.get("stage", "newOrder") == "newOrder" and not attempt.pending
        ledger.note_retry_after(after, list(attempt.selection.routes) if about_order else None, url=unpause)


def record_unrelated(job: Job, error: DnsRenewError) -> None:
    """Let ``status`` tell of a failure that no CA or DNS host had a part in; the next run tries again."""
    if job.options.dry_run or isinstance(error, Cancelled | LockedError | StoreError):
        return
    now = job.context.clock.now()
    with contextlib.suppress(StoreError):
        job.services.store.update(job.spec.name, lambda state: state.failed(error.code, error.message, now))


def finish(job: Job, planner: FallbackPlanner) -> Outcome:
    """Remember the failure, and say when the next attempt is made."""
    error, now = planner.error, job.context.clock.now()
    after = planner.asked_to_wait()
    attempts = tuple(planner.attempts)
    if planner.only_held() and after is not None:  # nothing was tried, and so nothing failed
        until = now + timedelta(seconds=after)
        return job.outcome("deferred", error=error, attempts=attempts, next_attempt=until)
    if job.options.dry_run:
        return job.outcome("failed", error=error, attempts=attempts)

    def remember(state: State) -> State:
        failed = history.after_failure(state, error, now, job.context.random, retry_after=after, attempts=attempts)
        return replace(planner.remembered(failed, now), tried_with=job.options.fingerprint(job.spec))

    state = job.state
    with contextlib.suppress(StoreError):  # it must not hide the error itself
        state = job.services.store.update(job.spec.name, remember)
    again = _next_attempt(job, state)
    return job.outcome("failed", state=state, error=error, attempts=attempts, next_attempt=again)


def _next_attempt(job: Job, state: State) -> datetime | None:
    """Return when it is tried again by itself: what was only forced, not before it is due."""
    renewal = due.next_renewal(job.spec, state) if job.reason == "forced" else None
    return max((time for time in (state.next_attempt, renewal) if time is not None), default=None)
