"""Whether a certificate is to be renewed now: the one place that decides it, before the lock and again after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen
from dnsrenew.fallback import history
from dnsrenew.renewal import due
from dnsrenew.renewal.outcomes import deferred, outcome

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Outcome, RenewalReason
    from dnsrenew.renewal.options import RunOptions
    from dnsrenew.runtime.context import Context
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
    at_once = options.force or options.now or options.dry_run or _was_edited(spec, state, context, options)
    held = None if at_once else deferred(spec, store, state, reason, context)
    return held or Due(state, reason)


def why(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> RenewalReason | None:
    """Return why the certificate is due, or None.

    :raises StoreError: the certificate cannot be looked at.
    """
    reason = due.why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if options.force or options.dry_run else None)


def _was_edited(spec: CertificateSpec, state: State, context: Context, options: RunOptions) -> bool:
    """Return whether the cause of the last failure may be fixed; a wait that a CA asked for holds all the same."""
    if state.tried_with is None or options.fingerprint(spec) in {None, state.tried_with}:
        return False
    return not history.was_asked_to_wait(state) or _has_other_ca(spec, state, context)


def _has_other_ca(spec: CertificateSpec, state: State, context: Context) -> bool:
    """Return whether another CA than those that asked to wait can be tried, and no certificate can be used meanwhile.

    The ledger still holds back an order at the CAs that asked to wait.
    """
    if state.not_after is not None and context.clock.now() < state.not_after:
        return False
    attempts = (state.last_failure or {}).get("attempts") or ()
    asked = {(attempt.get("route") or {}).get("ca") for attempt in attempts}
    return any((route.ca or spec.ca) not in asked for route in spec.routes)
