"""Whether a certificate is to be renewed now: the one place that decides it, before the lock and again after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen
from dnsrenew.fallback import history
from dnsrenew.renewal import due
from dnsrenew.renewal.outcomes import deferred, outcome

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Outcome, Reason
    from dnsrenew.renewal.options import RunOptions
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store


class Due(Frozen):
    """A certificate to be renewed now.

    :ivar state: what is stored.
    :ivar reason: why it is due.
    """

    state: State
    reason: Reason


def check_due(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> Due | Outcome:
    """Return why to renew now, or the final outcome if there is nothing to do now.

    :raises StoreError: the certificate cannot be looked at.
    """
    reason = why(spec, state, store, context, options)
    if reason is None:
        return outcome(spec, store, state, "not-due", context)
    at_once = options.force or options.now or options.dry_run or _was_edited(spec, state, options)
    held = None if at_once else deferred(spec, store, state, reason, context)
    return held or Due(state, reason)


def why(spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions) -> Reason | None:
    """Return why the certificate is due, or None.

    :raises StoreError: the certificate cannot be looked at.
    """
    reason = due.why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if options.force or options.dry_run else None)


def _was_edited(spec: CertificateSpec, state: State, options: RunOptions) -> bool:
    """Return whether the cause of the last failure may be fixed; a wait that a CA asked for holds all the same."""
    if state.tried_with is None or history.was_asked_to_wait(state):
        return False
    return options.fingerprint(spec) not in {None, state.tried_with}
