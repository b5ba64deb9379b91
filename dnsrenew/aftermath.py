"""What a failure leaves: in the ledger of the account, in the state of the certificate, and in the outcome."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from dnsrenew import due, memory
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsRenewError, LockedError, StoreError
from dnsrenew.frozen import replace

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.course import Course
    from dnsrenew.job import Job
    from dnsrenew.model import Outcome
    from dnsrenew.store import State
    from dnsrenew.way import Way


def note(job: Job, way: Way, error: AttemptError) -> None:
    """Write down what makes the CA refuse the next order."""
    if job.wishes.rehearse:
        return
    ledger = job.services.ledger(way.choice.ca)
    failed = way.failed_names(error)
    if failed and way.seen:
        ledger.note_failed_validation(failed)
    if not isinstance(error, CAError) or error.code != "ca-rate-limited":
        return
    # A name that the CA has paused waits for a person, also where another CA fails after it.
    unpause = error.evidence.get("url")
    after = error.retry_after or (memory.DAY.total_seconds() if unpause else None)
    if after is not None:
        about_order = error.evidence.get("stage", "newOrder") == "newOrder" and not way.pending
        ledger.note_retry_after(after, list(way.choice.routes) if about_order else None, url=unpause)


def tell_of(job: Job, error: DnsRenewError) -> None:
    """Let ``status`` tell of a failure that no CA or DNS host had a part in; the next run tries again."""
    if job.wishes.rehearse or isinstance(error, Cancelled | LockedError | StoreError):
        return
    now = job.context.clock.now()
    with contextlib.suppress(StoreError):
        job.services.store.update(job.spec.name, lambda state: state.failed(error.code, error.message, now))


def give_up(job: Job, course: Course) -> Outcome:
    """Remember the failure, and say when the next attempt is made."""
    error, now = course.error, job.context.clock.now()
    after = course.asked_to_wait()
    attempts = tuple(course.attempts)
    if course.only_held() and after is not None:  # nothing was tried, and so nothing failed
        until = now + timedelta(seconds=after)
        return job.outcome("deferred", error=error, attempts=attempts, next_attempt=until)
    if job.wishes.rehearse:
        return job.outcome("failed", error=error, attempts=attempts)

    def remember(state: State) -> State:
        failed = memory.after_failure(state, error, now, job.context.random, retry_after=after, attempts=attempts)
        return replace(course.remembered(failed, now), tried_with=job.wishes.edition(job.spec))

    state = job.state
    with contextlib.suppress(StoreError):  # it must not hide the error itself
        state = job.services.store.update(job.spec.name, remember)
    again = _next_attempt(job, state)
    return job.outcome("failed", state=state, error=error, attempts=attempts, next_attempt=again)


def _next_attempt(job: Job, state: State) -> datetime | None:
    """Return when it is tried again by itself: what was only forced, not before it is due."""
    renewal = due.next_renewal(job.spec, state) if job.reason == "forced" else None
    return max((time for time in (state.next_attempt, renewal) if time is not None), default=None)
