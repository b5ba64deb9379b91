"""When a certificate is renewed, and why. Pure functions of the configuration, the stored state and the time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsrenew.base.model import Notice, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.fallback import history
from dnsrenew.renewal import texts
from dnsrenew.store.state import lacks_key

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, RenewalReason, RenewBefore
    from dnsrenew.config import Config
    from dnsrenew.store import Store
    from dnsrenew.store.state import State

SHORT_LIFETIME = timedelta(days=10)
"""Certificates with a shorter lifetime are renewed when half of it is left, others when a third is left."""
_NEAR = timedelta(hours=1)
"""So near an end that the CA has kept to ``lifetime``."""
PAST_WINDOW_PAUSE = timedelta(days=1)
"""A certificate that replaced another one for a window in the past is not renewed for such a window before."""


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
    if (back := state.rolled_back) is not None and own <= back["time"]:
        own = renewal_time(back["time"], state.not_after, spec.renew_before)  # by what was left of it
    suggested = _suggested_time(state)
    return own if suggested is None or own <= suggested else suggested


def next_reason(state: State, at: datetime | None) -> RenewalReason:
    """Return the reason for the renewal at the time of :func:`next_renewal`."""
    return "ari" if at is not None and at == _suggested_time(state) else "renew-before"


def _suggested_time(state: State) -> datetime | None:
    """Return the time that was chosen in the CA's window; None without one, or if it was over before a rollback."""
    if state.ari and state.ari["end"] and state.rolled_back and state.ari["end"] <= state.rolled_back["time"]:
        return None
    return _waits_until(state) or (state.ari["chosen"] if state.ari else None)


def _waits_until(state: State) -> datetime | None:
    """Return until when a window in the past has to wait; None if the window is none or need not."""
    if state.past_window_until is None or state.ari is None or state.ari["chosen"] is None:
        return None
    was_past = state.ari["chosen"] == state.ari["end"]
    return state.past_window_until if was_past else None


def end_of_pause(replaced: State, reason: RenewalReason, now: datetime) -> datetime | None:
    """Return before when a new certificate is not renewed for a window in the past; None if it is at once.

    A CA may suggest such windows for all its certificates, new ones too. Each is then renewed once a day, not by every
    run.

    :param replaced: the state of the certificate that it replaces.
    :param reason: why it is replaced.
    """
    end = replaced.ari["end"] if replaced.ari else None
    is_past = reason == "ari" and end is not None and end <= now
    return (now + PAST_WINDOW_PAUSE).replace(microsecond=0) if is_past else None


def ari_warnings(state: State, explained: State | None = None) -> tuple[Notice, ...]:
    """Return the CA's explanation of its window, if it gives one, and that a window in the past has to wait.

    :param explained: the state with the window that the CA explains, if it is not ``state``.
    """
    ari, until = (explained or state).ari, _waits_until(state)
    found: tuple[Notice, ...] = ()
    if ari is not None and ari["explanation"] is not None:
        found = (Notice(*texts.ARI_EXPLANATION.fill(url=ari["explanation"])),)
    if until is not None:
        found = (*found, Notice(*texts.ARI_PAST_WINDOW.fill(until=rfc3339(until))))
    return found


def renew_before_warnings(spec: CertificateSpec, state: State) -> tuple[Notice, ...]:
    """Return that ``renew_before`` is not used, because it is as long as the life of the certificate."""
    wanted = None if spec.renew_before is None else spec.renew_before.seconds
    if wanted is None or state.not_before is None or state.not_after is None:
        return ()
    if timedelta(seconds=wanted) < state.not_after - state.not_before:
        return ()
    begin, end = rfc3339(state.not_before), rfc3339(state.not_after)
    return (Notice(*texts.RENEW_BEFORE_LONG.fill(begin=begin, end=end)),)


def state_warnings(spec: CertificateSpec, state: State) -> tuple[Notice, ...]:
    """Return what is to be said of a stored certificate: damage, ``renew_before``, ``lifetime``."""
    wanted_end = state.lifetime["until"] if state.lifetime else None
    return (
        *state.notices,
        *renew_before_warnings(spec, state),
        *lifetime_warnings(spec, state.not_after, wanted_end),
    )


def lifetime_warnings(
    spec: CertificateSpec, not_after: datetime | None, wanted_end: datetime | None
) -> tuple[Notice, ...]:
    """Return that the CA has not kept to ``lifetime``.

    :param wanted_end: the end of the validity that the order asked for; None: it asked for none.
    """
    if spec.lifetime is None or not_after is None or wanted_end is None or abs(not_after - wanted_end) <= _NEAR:
        return ()
    return (Notice(*texts.LIFETIME_DIFFERS.fill(not_after=rfc3339(not_after), wanted=rfc3339(wanted_end))),)


def has_changed(spec: CertificateSpec, state: State) -> bool:
    """Return whether the configuration differs from the stored certificate in its names, key type, CA or profile.

    An unknown value (the store was damaged and repaired) does not count as a change. A version that was put back into
    force stays, however it differs, until the configuration wants another certificate than it did then.
    """
    if state.rolled_back is not None:
        return state.rolled_back["wanted"] != wanted(spec)
    profile = spec.profile.name if spec.profile else ""
    return (
        (state.identifiers != spec.identifiers and set(state.identifiers) != set(spec.identifiers))
        or state.key not in {"", spec.key}
        or (state.ca not in {"", spec.ca} and state.ca not in {route.ca for route in spec.routes})
        or state.profile not in {"", profile}
        or bool(profile and state.ca and not state.profile)
        or _is_of_other_lifetime(spec, state)
        or _is_of_other_request(spec, state)
        or bool(spec.profile and spec.profile.required and state.without_profile)
    )


def _is_of_other_lifetime(spec: CertificateSpec, state: State) -> bool:
    """Return whether the certificate was ordered for another ``lifetime``; if that is not known, whether it has one."""
    if state.lifetime is not None or spec.lifetime is None:
        return (state.lifetime["seconds"] if state.lifetime else None) != spec.lifetime
    if not state.ca or state.not_before is None or state.not_after is None:  # installed by hand: until it is due
        return False
    lived = (state.not_after - state.not_before).total_seconds()
    return abs(lived - spec.lifetime) > spec.lifetime / 10


def _is_of_other_request(spec: CertificateSpec, state: State) -> bool:
    """Return whether the certificate was not ordered with the given request, or with one that is given no longer."""
    if spec.csr is None:
        return lacks_key(state.sizes)
    if not state.ca:  # installed by hand: until it is due
        return False
    return state.request != request_mark(spec) if state.request else not lacks_key(state.sizes)


def request_mark(spec: CertificateSpec) -> str | None:
    """Return a text that stands for the given request; None: there is none."""
    return None if spec.csr is None else hashlib.sha256(spec.csr.der).hexdigest()[:16]


def wanted(spec: CertificateSpec) -> str:
    """Return a text that stands for the certificate that the configuration wants; another one, another text."""
    parts = (
        (sorted(spec.identifiers), spec.key, spec.reuse_key, spec.preferred_chain, spec.lifetime),
        spec.profile and (spec.profile.name, spec.profile.required),
        request_mark(spec),
        (spec.ca, sorted(route.ca or "" for route in spec.routes)),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def why_due(spec: CertificateSpec, state: State | None, now: datetime, *, whole: bool) -> RenewalReason | None:
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


# ── fingerprints ───────────────────────────────────────────────────────────────────────

# What a failed certificate depended on, as a number: after an edit, it is tried again at once.


class Fingerprints(Frozen):
    """The fingerprints of the certificates of a configuration, under the key of the store."""

    config: Config
    store: Store

    def of(self, spec: CertificateSpec, failed: State) -> int | None:
        """Return the fingerprint of what a failed certificate depends on; None if the store has no key.

        :param failed: the state, whose last failure names the DNS accounts that were tried.
        """
        try:
            key = self.store.fingerprint_key()
        except StoreError:  # edits then end no wait
            return None
        return self.config.fingerprint_of(spec, key, history.accounts_tried(failed))


# ── options ────────────────────────────────────────────────────────────────────────────

# The options of a run.


def _unknown_fingerprint(_spec: CertificateSpec, _failed: State) -> int | None:
    return None


class RunOptions(Frozen, kw_only=True):
    """The options of a run.

    :ivar force: renew also what is not due, whatever failed before.
    :ivar now: renew what is due, whatever failed before and whatever the ledger says.
    :ivar attended: renew what is due, whatever failed before, because a person waits for the result; not while a CA has
        asked to wait, nor after too many orders within an hour.
    :ivar dry_run: issue at the staging CA and keep nothing.
    :ivar deploy: also try the pending deployments.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar asked_by: what asks for the certificates: the path of the configuration; "" for a program.
    :ivar fingerprint: returns a number for what a failed certificate depends on; after an edit it is another one, and
        the certificate is tried at once.
    """

    force: bool = False
    now: bool = False
    attended: bool = False
    dry_run: bool = False
    deploy: bool = True
    wait: float = 0
    asked_by: str = ""
    fingerprint: Callable[[CertificateSpec, State], int | None] = _unknown_fingerprint
