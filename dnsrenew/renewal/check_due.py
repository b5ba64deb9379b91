"""Decides whether to renew a certificate now; called before and after taking the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen
from dnsrenew.fallback import history
from dnsrenew.renewal import due
from dnsrenew.renewal.outcomes import deferred, outcome

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Outcome, RenewalReason
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.renewal.due import RunOptions
    from dnsrenew.store import State, Store


class Due(Frozen):
    """A certificate to be renewed now.

    :ivar state: what is stored.
    :ivar reason: why it is due.
    """

    state: State
    reason: RenewalReason


def check_due(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> Due | Outcome:
    """Return why to renew now, or the final outcome if there is nothing to do now.

    :raises StoreError: the certificate cannot be looked at.
    """
    reason = why(spec, state, store, context, options)
    if reason is None:
        return outcome(spec, store, state, "not-due", context)
    held = None if _is_tried_at_once(spec, state, context, options) else deferred(spec, store, state, reason, context)
    return held or Due(state, reason)


def why(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> RenewalReason | None:
    """Return why the certificate is due, or None.

    :raises StoreError: the certificate cannot be looked at.
    """
    reason = due.why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if options.force or options.dry_run else None)


def _is_tried_at_once(spec: CertificateSpec, state: State, context: Context, options: RunOptions) -> bool:
    """Return whether no earlier failure defers it.

    A person at a terminal, or an edit, has probably fixed the cause. A wait that a CA asked for still applies.
    """
    if options.force or options.now or options.dry_run or history.deferred_until(state, context.clock.now()) is None:
        return True
    if not (options.attended or _was_edited(spec, state, options)):
        return False
    return not history.was_asked_to_wait(state) or _has_other_ca(spec, state, context)


def _was_edited(spec: CertificateSpec, state: State, options: RunOptions) -> bool:
    """Return whether what the last failure depended on has changed."""
    return state.tried_with is not None and options.fingerprint(spec, state) not in {None, state.tried_with}


def _has_other_ca(spec: CertificateSpec, state: State, context: Context) -> bool:
    """Return whether another CA than those that asked to wait can be tried, and no certificate can be used meanwhile.

    The ledger still holds back an order at the CAs that asked to wait.
    """
    if state.not_after is not None and context.clock.now() < state.not_after:
        return False
    attempts = (state.last_failure or {}).get("attempts") or ()
    asked = {(attempt.get("route") or {}).get("ca") for attempt in attempts}
    return any((route.ca or spec.ca) not in asked for route in spec.routes)
