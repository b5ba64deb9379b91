"""From what happened to one certificate to its outcome."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from dnsrenew.errors import AttemptError, CAError, DnsRenewError, StoreError, internal
from dnsrenew.fallback import history
from dnsrenew.model import Outcome, Status
from dnsrenew.renewal import due, texts
from dnsrenew.store import AtomicFiles, State

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Notice, Reason
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import Store

_logger = logging.getLogger("dnsrenew.renewal.renew")


def outcome(
    spec: CertificateSpec,
    store: Store,
    state: State | None,
    status: Status,
    context: Context,
    *,
    reason: Reason | None = None,
    before: State | None = None,
    **more: Any,
) -> Outcome:
    """Return the outcome for one certificate: what is in force now, and what happened.

    :param before: what was stored before, where that is another state: its wish is what the CA explains.
    """
    warnings = _warnings(state, before or state, context)
    more |= {"name": spec.name, "status": status, "domains": spec.domains, "warnings": warnings}
    if state is None:
        return _unread(spec, store, context, more)
    # What is damaged, and could not be renewed, is of no use to anybody. Where nothing is due, that was looked at.
    if state.version is None or (status != "not-due" and not _stands(spec.name, store, state)):
        return Outcome(reason=reason or "missing", **more)
    return _with_facts(spec, store, state, reason, more)


def _stands(name: str, store: Store, state: State) -> bool:
    """Tell whether the certificate in force is there; where nobody may look, that it is not would be a guess."""
    try:
        return store.is_whole(name, state)
    except StoreError:
        return True


def _unread(spec: CertificateSpec, store: Store, context: Context, more: dict[str, Any]) -> Outcome:
    """Return the outcome of a certificate whose state cannot be read; that it is missing would be a guess."""
    found = in_current(spec.name, store)
    if found is None:
        return Outcome(reason=None, **more)
    return _with_facts(spec, store, found, due.why_due(spec, found, context.clock.now(), whole=True), more)


def _with_facts(
    spec: CertificateSpec, store: Store, state: State, reason: Reason | None, more: dict[str, Any]
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
    """Return what the certificate in ``current`` says of itself: for where its state cannot be read.

    Other programs are served with it, whatever the state is. None: there is none, or it cannot be read either.
    """
    from dnsrenew import x509  # slow to load, and hardly ever needed

    try:
        facts = x509.read_certificate(AtomicFiles().read(str(store.current(name) / "fullchain.pem")) or b"")
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


def deferred(spec: CertificateSpec, store: Store, state: State, reason: Reason, context: Context) -> Outcome | None:
    """Return the outcome of a certificate that an earlier failure holds back; None when none does."""
    now = context.clock.now()
    until = history.deferred_until(state, now)
    if until is None:
        return None
    _, message, fix = texts.FAILED_BEFORE
    failure = {"code": texts.FAILED_BEFORE.code, "message": message, **(state.last_failure or {})}
    known = {
        "code": failure["code"],
        "message": failure["message"],
        "fix": failure.get("fix") or fix,
        "evidence": {key: value for key, value in failure.items() if key in {"time", "url"}},
    }
    error: AttemptError
    if history.was_asked_to_wait(state):
        error = CAError(**known, retry_after=(until - now).total_seconds())
    else:
        error = AttemptError(**known)
    return outcome(spec, store, state, "deferred", context, reason=reason, error=error, next_attempt=until)


def _warnings(state: State | None, wish: State | None, context: Context) -> tuple[Notice, ...]:
    stored = (*(() if state is None else state.notices), *(() if wish is None else due.explanation(wish)))
    for notice in stored:  # the others were told when they were noted
        context.emit("warning", **notice.to_dict())
    return (*stored, *context.run_notices, *context.notices)


def unexpected(error: Exception, context: Context) -> DnsRenewError:
    """Translate what should not have happened; the traceback goes, without secrets, to the debug log only."""
    redact = context.redactor.redact
    _logger.debug("unexpected error\n%s", redact(traceback.format_exc()))
    return internal(error, f"{type(error).__name__}: {redact(str(error))}")
