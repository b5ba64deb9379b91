"""When a certificate is renewed, and why: pure functions from what is stored, what is wanted and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

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
    """Return when the stored certificate will be renewed; None where there is none."""
    if state is None or state.not_before is None or state.not_after is None:
        return None
    return renewal_time(state.not_before, state.not_after, spec.renew_before)


def has_changed(spec: CertificateSpec, state: State) -> bool:
    """Tell whether the config now asks for something else than what is stored: other names, key type or CA.

    What is not known any more (the store was damaged and mended) is not taken for a change.
    """
    authorities = {spec.ca, *(route.ca for route in spec.routes if route.ca)}
    return (
        frozenset(state.identifiers) != frozenset(spec.identifiers)
        or state.key not in {"", spec.key}
        or state.ca not in {"", *authorities}
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
    if has_changed(spec, state):
        return "changed"
    return "renew-before" if now >= at else None
