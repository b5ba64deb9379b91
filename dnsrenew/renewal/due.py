"""When a certificate is renewed, and why. Pure functions of the configuration, the stored state and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsrenew.model import Notice
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Reason, RenewBefore
    from dnsrenew.store.state import State

SHORT_LIFETIME = timedelta(days=10)
"""Certificates with a shorter lifetime are renewed when half of it is left, others when a third is left."""


def renewal_time(not_before: datetime, not_after: datetime, wanted: RenewBefore | None) -> datetime:
    """Return when to renew, by the lifetime of the certificate: CAs shorten it, so no number of days is assumed."""
    lifetime = not_after - not_before
    before = lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime / 3
    if wanted is not None and wanted.fraction is not None:
        before = lifetime * wanted.fraction
    # Ignore a margin as long as the lifetime: it would renew at every run.
    if wanted is not None and wanted.seconds is not None and timedelta(seconds=wanted.seconds) < lifetime:
        before = timedelta(seconds=wanted.seconds)
    return not_after - before


def next_renewal(spec: CertificateSpec, state: State | None) -> datetime | None:
    """Return when the stored certificate will be renewed, or None if there is none.

    The window that the CA suggests (ARI, RFC 9773) can only make a renewal earlier.
    """
    if state is None or state.not_before is None or state.not_after is None:
        return None
    own = renewal_time(state.not_before, state.not_after, spec.renew_before)
    suggested = state.ari["chosen"] if state.ari else None
    return own if suggested is None or own <= suggested else suggested


def next_reason(state: State, at: datetime | None) -> Reason:
    """Return the reason for the renewal at the time of :func:`next_renewal`."""
    suggested = state.ari["chosen"] if state.ari else None
    return "ari" if suggested is not None and suggested == at else "renew-before"


def explanation(state: State) -> tuple[Notice, ...]:
    """Return the CA's explanation of its suggested window as a warning, if it gives one."""
    url = state.ari["explanation"] if state.ari else None
    if url is None:
        return ()
    return (Notice(*texts.ARI_EXPLANATION.fill(url=url)),)


def has_changed(spec: CertificateSpec, state: State) -> bool:
    """Return whether the configuration differs from the stored certificate in its names, key type, CA or profile.

    An unknown value (the store was damaged and repaired) does not count as a change.
    """
    profile = spec.profile.name if spec.profile else ""
    return (
        (state.identifiers != spec.identifiers and set(state.identifiers) != set(spec.identifiers))
        or state.key not in {"", spec.key}
        or (state.ca not in {"", spec.ca} and state.ca not in {route.ca for route in spec.routes})
        or state.profile not in {"", profile}
        or bool(profile and state.ca and not state.profile)
        or bool(spec.profile and spec.profile.required and state.without_profile)
    )


def why_due(spec: CertificateSpec, state: State | None, now: datetime, *, whole: bool) -> Reason | None:
    """Return why the certificate is due now, or None.

    :param whole: whether the files of the current version exist.
    """
    at = next_renewal(spec, state)
    if state is None or at is None or state.not_after is None or not whole:
        return "missing"
    if now >= state.not_after:
        return "expired"
    if state.revoked:
        return "revoked"
    if has_changed(spec, state):
        return "changed"
    return next_reason(state, at) if now >= at else None
