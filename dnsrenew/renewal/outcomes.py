"""Makes the outcome of one certificate."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Outcome, OutcomeStatus, rfc3339
from dnsrenew.errors import (
    AttemptError,
    CAError,
    Cancelled,
    ChallengeError,
    ConfigError,
    DnsError,
    DnsRenewError,
    LockedError,
    PropagationError,
    ProviderError,
    SecretError,
    StoreError,
    about,
    internal,
)
from dnsrenew.fallback import history
from dnsrenew.renewal import due, texts
from dnsrenew.store import State

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import CertificateSpec, Notice, RenewalReason
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store import Store

_logger = logging.getLogger("dnsrenew.renewal.renew")
_KINDS: Final[Mapping[str, type[DnsRenewError]]] = {
    kind.__name__: kind
    for kind in (ProviderError, DnsError, PropagationError, ChallengeError, CAError, SecretError, ConfigError)
}
"""The classes that the error of a failed run may have."""


def outcome(
    spec: CertificateSpec,
    store: Store,
    state: State | None,
    status: OutcomeStatus,
    context: Context,
    *,
    reason: RenewalReason | None = None,
    before: State | None = None,
    **more: Any,
) -> Outcome:
    """Return the outcome of one certificate: its current state, and what happened.

    :param before: the state before the run if it differs; its suggested window is the one that the CA explains.
    """
    warnings = _warnings(spec, state, before, context)
    more |= {"name": spec.name, "status": status, "domains": spec.domains, "warnings": warnings}
    if state is None:
        return _unread(spec, store, context, more)
    # A damaged certificate counts as missing. Where nothing is due, it was checked before.
    if state.version is None or (status != "not-due" and not _exists(spec.name, store, state)):
        return Outcome(reason=reason or "missing", **more)
    return _with_facts(spec, store, state, reason, more)


def _exists(name: str, store: Store, state: State) -> bool:
    """Return whether the files of the current certificate exist; True if that cannot be checked."""
    try:
        return store.is_whole(name, state)
    except StoreError:
        return True


def _unread(spec: CertificateSpec, store: Store, context: Context, more: dict[str, Any]) -> Outcome:
    """Return the outcome of a certificate whose state cannot be read. It may exist, so it is not called missing."""
    found = in_current(spec.name, store)
    if found is None:
        return Outcome(reason=None, **more)
    return _with_facts(spec, store, found, due.why_due(spec, found, context.clock.now(), whole=True), more)


def _with_facts(
    spec: CertificateSpec, store: Store, state: State, reason: RenewalReason | None, more: dict[str, Any]
) -> Outcome:
    at = due.next_renewal(spec, state)
    return Outcome(
        reason=reason or due.next_reason(state, at),
        issuer=state.issuer,
        serial=state.serial,
        not_before=state.not_before,
        not_after=state.not_after,
        next_renewal=at,
        path=store.current(spec.name),
        **more,
    )


def in_current(name: str, store: Store) -> State | None:
    """Return the state according to the certificate in ``current``, for a state file that cannot be read.

    Other programs use this certificate in any case. None: it does not exist, or cannot be read either.
    """
    from dnsrenew.base import x509  # slow to load, and rarely needed

    try:
        facts = x509.read_certificate(store.read_current(name) or b"")
    except (StoreError, ValueError):
        return None
    return State(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=facts.names,
        identifiers=facts.names,
    )


def deferred(
    spec: CertificateSpec, store: Store, state: State, reason: RenewalReason, context: Context
) -> Outcome | None:
    """Return the outcome of a certificate that an earlier failure defers, or None."""
    now = context.clock.now()
    until = history.deferred_until(state, now)
    if until is None:
        return None
    after = (until - now).total_seconds() if history.was_asked_to_wait(state) else None
    error = _last_error(state.last_failure, until, after)
    return outcome(spec, store, state, "deferred", context, reason=reason, error=error, next_attempt=until)


def _last_error(failure: Mapping[str, Any] | None, until: datetime, after: float | None) -> DnsRenewError:
    """Return the error of the last failure, of its class, which says how to try again before the time.

    :param after: the seconds for which the CA has asked to wait, or None.
    """
    if failure is None or not failure.get("message"):
        code, message, fix = texts.FAILED_BEFORE.fill()
        evidence = {}
    else:
        cause, cause_fix = failure["message"], failure.get("fix") or texts.FAILED_BEFORE.fill()[2]
        _, message, fix = texts.DEFERRED.fill(cause=cause, cause_fix=cause_fix, until=rfc3339(until))
        evidence = {key: value for key, value in failure.items() if key in {"time", "url"}}
        evidence["failure"] = cause
        code = failure.get("code") or texts.FAILED_BEFORE.code
    if after is None:
        kind = _KINDS.get((failure or {}).get("class", ""), AttemptError)
        return kind(code, message, fix=fix, evidence=evidence)
    return CAError(code, message, fix=fix, evidence=evidence, retry_after=after)


def _warnings(spec: CertificateSpec, state: State | None, before: State | None, context: Context) -> tuple[Notice, ...]:
    stored: tuple[Notice, ...] = ()
    if state is not None:
        stored = (*due.state_warnings(spec, state), *due.ari_warnings(state, before))
    for notice in stored:  # the others were emitted when they were noted
        context.emit("warning", **notice.to_dict())
    return (*stored, *context.run_notices, *context.notices)


def stopped_by(error: Exception, context: Context) -> tuple[OutcomeStatus, DnsRenewError]:
    """Return the status and the error of a certificate whose work an exception ended."""
    if isinstance(error, LockedError):
        return "locked", error
    if isinstance(error, Cancelled):
        return "interrupted", error
    return "failed", error if isinstance(error, DnsRenewError) else unexpected(error, context)


def unexpected(error: Exception, context: Context) -> DnsRenewError:
    """Translate an unexpected exception. The traceback, without secrets, goes only to the debug log."""
    redact = context.redactor.redact
    _logger.debug("unexpected error\n%s", redact(traceback.format_exc()))
    return internal(error, f"{type(error).__name__}: {redact(str(error))}")


# ── run result ─────────────────────────────────────────────────────────────────────────

# What the outcomes of a run come to: the exit status of the command, and the heartbeat of a service that watches.


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
