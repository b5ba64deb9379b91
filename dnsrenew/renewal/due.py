"""When a certificate is renewed, and why: pure functions from what is stored, what is wanted and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsrenew.model import Notice
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Reason, RenewBefore
    from dnsrenew.store.state import State

SHORT_LIFETIME = timedelta(days=10)
"""Certificates that live shorter are renewed at half of their lifetime, others with a third of it left."""


def renewal_time(not_before: datetime, not_after: datetime, wanted: RenewBefore | None) -> datetime:
    """Return when to renew, from the lifetime alone: CAs shorten it, so no number of days is ever assumed."""
    lifetime = not_after - not_before
    before = lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime / 3
    if wanted is not None and wanted.fraction is not None:
        before = lifetime * wanted.fraction
    # A margin as long as the lifetime would renew at every run: then the default holds.
    if wanted is not None and wanted.seconds is not None and timedelta(seconds=wanted.seconds) < lifetime:
        before = timedelta(seconds=wanted.seconds)
    return not_after - before


def next_renewal(spec: CertificateSpec, state: State | None) -> datetime | None:
    """Return when the stored certificate will be renewed; None where there is none.

    The CA's wish (ARI) may come earlier than our own margin; it never makes a renewal later.
    """
    if state is None or state.not_before is None or state.not_after is None:
        return None
    own = renewal_time(state.not_before, state.not_after, spec.renew_before)
    wish = state.ari["chosen"] if state.ari else None
    return own if wish is None or own <= wish else wish


def next_reason(state: State, at: datetime | None) -> Reason:
    """Return why it will be renewed, as things stand, at the time that :func:`next_renewal` tells."""
    wish = state.ari["chosen"] if state.ari else None
    return "ari" if wish is not None and wish == at else "renew-before"


def explanation(state: State) -> tuple[Notice, ...]:
    """Return the CA's explanation of its wish as a warning, if it gives one."""
    url = state.ari["explanation"] if state.ari else None
    if url is None:
        return ()
    return (Notice(*texts.ARI_EXPLANATION.fill(url=url)),)


def has_changed(spec: CertificateSpec, state: State) -> bool:
    """Tell whether the config now asks for something else than what is stored: other names, key type, CA or profile.

    What is not known any more (the store was damaged and mended) is not taken for a change.
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
    """Return why the certificate has to be renewed now; None when it does not.

    :param whole: whether the files of the version in force are there.
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
