"""Records failures: in the ledger of the account, in the state of the certificate, and in the outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from dnsrenew.base.checks import CaaAnswer, denials, parse_issuer
from dnsrenew.base.model import Attempt, Outcome, OutcomeStatus, rfc3339
from dnsrenew.base.values import replace
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsError, DnsRenewError, LockedError, StoreError, about
from dnsrenew.renewal import due, history, texts
from dnsrenew.renewal.due import Job
from dnsrenew.renewal.planner import ActiveAttempt, FallbackPlanner, Selection
from dnsrenew.store import State

_NO_APP: Final = "http-no-app"
_STATUSES: Final[Mapping[type[DnsRenewError], OutcomeStatus]] = {Cancelled: "interrupted", LockedError: "locked"}
"""The status after an error that does not belong to a route; after any other it is ``failed``."""


def record(job: Job, attempt: ActiveAttempt, error: AttemptError) -> None:
    """Record in the ledger why the CA would refuse the next order."""
    if job.options.dry_run:
        return
    ledger = job.services.ledger(attempt.selection.ca)
    ledger.note_failed_orders(job.spec.identifiers, attempt.orders_at_ca(error))
    failed = attempt.failed_names(error)
    if failed and attempt.answered:
        ledger.note_failed_validation(failed)
    if not isinstance(error, CAError) or error.code == "ca-ledger":
        return
    is_limit = error.code == "ca-rate-limited"
    # A name that the CA has paused waits for a person, even if another CA fails after it.
    unpause = (about(error).url or None) if is_limit else None
    after = error.retry_after or (history.DAY.total_seconds() if unpause else None)
    if after is not None:
        about_order = about(error).stage in {"", "newOrder"} and not attempt.pending
        # Any other error, such as a 503, need not occur for other certificates.
        names = list(attempt.selection.routes) if about_order or not is_limit else None
        ledger.note_retry_after(after, names, url=unpause)


def abort(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt, error: DnsRenewError) -> tuple[Outcome, State]:
    """Return the outcome after an error that does not belong to a route, and the stored state.

    After a missing secret, the next attempt waits as after any other failure. After a cancel, a lock or an error of the
    store, it does not wait.
    """
    attempts = (*planner.attempts, attempt.ended(error, job.context.clock.monotonic()))
    state, at = job.state, None
    if not isinstance(error, Cancelled | LockedError | StoreError) and not job.options.dry_run:
        now, ordered = job.context.clock.now(), planner.has_ordered or attempt.orders > 0
        remember = partial(_failed, job, error=error, now=now, ordered=ordered, attempts=attempts)
        state, at = _remembered(job, remember)
    status = _STATUSES.get(type(error), "failed")
    return job.outcome(status, state=state, error=error, attempts=attempts, next_attempt=at), state


def finish(job: Job, planner: FallbackPlanner) -> tuple[Outcome, State]:
    """Record that no route led to a certificate, and when the next attempt is made; also return the stored state."""
    error, now = planner.error, job.context.clock.now()
    after = planner.asked_to_wait()
    error, attempts = _with_dns_first(job, error, planner.attempts)
    if planner.only_held() and after is not None:  # no attempt was made, so it is not a failure
        until = now + timedelta(seconds=after)
        return job.outcome("deferred", error=error, attempts=attempts, next_attempt=until), job.state
    # Only the server whose app answers can renew, so our failure must not make it wait.
    is_for_a_server = bool(attempts) and all(each.error is not None and each.error.code == _NO_APP for each in attempts)
    if job.options.dry_run or is_for_a_server:
        return job.outcome("failed", error=error, attempts=attempts), job.state

    known = {"ordered": planner.has_ordered, "attempts": attempts, "retry_after": after}

    def remember(state: State) -> State:
        return planner.with_route_history(_failed(job, state, error=error, now=now, **known), now)

    state, at = _remembered(job, remember)
    return job.outcome("failed", state=state, error=error, attempts=attempts, next_attempt=at), state


def _held_until(job: Job, attempts: Sequence[Attempt]) -> datetime | None:
    """Return the time until which the ledger holds back the next run of a person at every tried CA."""
    names, expires = job.spec.identifiers, job.state.not_after
    is_person_s = job.options.attended and not job.options.dry_run
    cas = {each.route.ca for each in attempts} if is_person_s else ()
    held = [job.services.ledger(ca).may_order(names, expires=expires, attended=True) for ca in cas]
    waits = [each.retry_after or 0.0 for each in held if each is not None]
    return job.context.clock.now() + timedelta(seconds=min(waits)) if held and len(waits) == len(held) else None


def _with_dns_first(
    job: Job, error: DnsRenewError, attempts: Sequence[Attempt]
) -> tuple[DnsRenewError, tuple[Attempt, ...]]:
    """Return the failures, with the advice to use DNS first if only a closed port was tried.

    The evidence of the last one has ``held_until`` if the ledger would hold back the next run of a person.
    """
    failures = (each.error for each in attempts)
    told: dict[int, DnsRenewError] = {
        id(one): job.services.instead.error(job.spec, one) for one in failures if isinstance(one, AttemptError)
    }
    if until := _held_until(job, attempts):
        held = copy(told.get(id(error), error))
        held.evidence = dict(held.evidence)
        told[id(error)] = held.with_evidence(held_until=rfc3339(until))
    shown = tuple(replace(each, error=told.get(id(each.error), each.error)) for each in attempts)
    return told.get(id(error), error), shown


def _failed(job: Job, state: State, *, error: DnsRenewError, now: datetime, **known: Any) -> State:
    """Return the state after a failure, with its pause and the fingerprint that an edit would change."""
    failed = history.after_failure(state, error, now, job.context.random, **known)
    if job.is_only_forced:
        return state.forced(failed)
    return replace(failed, tried_with=job.options.fingerprint(job.spec, failed))


def _remembered(job: Job, change: Callable[[State], State]) -> tuple[State, datetime | None]:
    """Return the stored state after a change, and when the next run tries again.

    A certificate whose renewal was only forced is not tried before it is due.
    """
    state = job.state
    with contextlib.suppress(StoreError):  # it must not hide the error of the run
        state = job.services.store.update(job.spec.name, change, known=job.state)
    renewal = due.next_renewal(job.spec, state) if job.is_only_forced else None
    return state, max((time for time in (state.next_attempt, renewal) if time is not None), default=None)


# ── lost account ───────────────────────────────────────────────────────────────────────

# An account whose key is damaged or missing is replaced by a new one, unless records in DNS allow only the old one.

_NEW: Final = "new"
"""The placeholder for the URL of an account that does not exist yet."""
_ISSUE: Final = frozenset({"issue", "issuewild"})


def check_pinned(job: Job, selection: Selection) -> None:
    """Raise if the account key is lost and DNS records allow only that account.

    Call this before the CA is opened, which creates a new account.

    :raises DnsError: ``account-pinned``: by ``accounturi`` in CAA records (RFC 8657) or in a dns-persist-01 record of a
        name of the certificate.
    """
    lost = job.services.lost_account(selection.ca)
    if lost is None:
        return
    from dnsrenew.challenges.persist_record import LostIdentity, pinned  # rarely needed

    context, dns, ca = job.context, job.services.dns, job.services.ca(selection.ca)
    records = dns.caa(context, list(selection.routes))
    identities = ca.caa_identities(context)
    issuers = [*identities, *_issuers_of(lost.url, records)]
    for_new = denials(records, selection.routes, issuers, _NEW)
    for_lost = denials(records, selection.routes, issuers, lost.url)
    by_caa = {
        identifier: about(error).record
        for identifier, error in for_new.items()
        if about(error).scope == "account" and identifier not in for_lost
    }
    identity = LostIdentity(lost.url, identities, ca.account_hash_prefix(context), lost.thumbprints)
    by_txt = pinned(context, dns, list(selection.routes), identity)
    if by_caa or by_txt:
        pinning = dict.fromkeys([*by_caa.values(), *by_txt.values()])
        evidence = {"ca": selection.ca, "account_url": lost.url, "path": lost.key_path, "records": list(pinning)}
        text = texts.ACCOUNT_PINNED_BY_TXT if by_txt else texts.ACCOUNT_PINNED
        raise DnsError.of(text, **evidence, identifiers=list(dict.fromkeys([*by_caa, *by_txt])))


def _issuers_of(account_url: str, answers: Mapping[str, CaaAnswer]) -> set[str]:
    """Return the issuer domains of the records that name an account.

    They belong to its CA, even if it does not publish them.
    """
    values = {record.value for answer in answers.values() for record in answer.records if record.tag.lower() in _ISSUE}
    issuers = [issuer for value in values if (issuer := parse_issuer(value)) is not None]
    return {issuer.domain for issuer in issuers if issuer.domain and account_url in issuer.all("accounturi")}
