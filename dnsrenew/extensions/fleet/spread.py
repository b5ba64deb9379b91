"""When a worker looks at a certificate next, so that no hour has more than its share of them. Pure functions.

Each certificate has a slot, ``0 ≤ slot < 1``, from a sequence that fills the interval evenly. Its renewal by its own
rule is earlier by that part of :data:`SHARE` of its lifetime. What is missing, expired or called for by its CA (ARI,
RFC 9773) is not moved.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import RenewBefore
from dnsrenew.base.values import replace
from dnsrenew.renewal import due

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Outcome
    from dnsrenew.store import State

SHARE: Final = 0.1
"""The part of a lifetime over which renewals are spread: of 100,000 certificates for 90 days, 463 in each hour."""
_POLLS: Final = 0.25
"""The part of the pause before the next poll of renewal information over which polls are spread; they are never
earlier than the CA asked for."""
_LONGEST_POLL: Final = timedelta(days=1)
"""The longest pause between two polls (RFC 9773 section 4.3.2)."""
SOONEST: Final = timedelta(minutes=1)
"""The shortest time between two looks: also of what is due again at once, or held by another program."""
UNKNOWN: Final = timedelta(minutes=10)
"""The time to the next look after a failure that left no time in the state, such as a store that was full."""
_DUE: Final = frozenset({"failed", "deferred"})
"""The outcomes of what stays due."""
DEPLOYMENTS: Final = timedelta(hours=1)
"""The time to the next try of a deployment that failed."""


def spread(spec: CertificateSpec, slot: float, state: State) -> CertificateSpec:
    """Return the certificate with its renewal moved earlier by its slot; as it is without a stored certificate."""
    if state.not_before is None or state.not_after is None:
        return spec
    own = due.renewal_time(state.not_before, state.not_after, spec.renew_before)
    lifetime, age = state.not_after - state.not_before, own - state.not_before
    earlier = own - min(slot * SHARE * lifetime, max(age / 2, timedelta(0)))
    return replace(spec, renew_before=RenewBefore(seconds=(state.not_after - earlier).total_seconds()))


def next_check(spec: CertificateSpec, slot: float, state: State, outcome: Outcome, now: datetime) -> datetime:
    """Return when a worker looks at a certificate next.

    :param state: what is stored after the job.
    :param outcome: of the job.
    """
    times = [_next_try(spec, slot, state, outcome, now)]
    # What is due is not polled: its next attempt alone decides.
    if outcome.status not in _DUE and (poll := _next_poll(slot, state, now)) is not None:
        times.append(poll)
    if any(not result.ok for result in outcome.deployed):
        times.append(now + DEPLOYMENTS * (1 + slot / 2))
    return max(min(times), now + SOONEST)


def _next_try(spec: CertificateSpec, slot: float, state: State, outcome: Outcome, now: datetime) -> datetime:
    """Return when the certificate is renewed, or tried again."""
    if outcome.status in _DUE:
        known = max((time for time in (outcome.next_attempt, state.next_attempt) if time is not None), default=None)
        return now + UNKNOWN * (1 + slot) if known is None or known <= now else known
    if outcome.status in {"locked", "interrupted"}:
        return now + SOONEST
    at = due.next_renewal(spread(spec, slot, state), state)
    return now + UNKNOWN if at is None else at


def _next_poll(slot: float, state: State, now: datetime) -> datetime | None:
    """Return when the CA is asked for its window again; None if it is not asked."""
    if state.ari is None or state.not_after is None or not state.ca or state.revoked:
        return None
    pause = state.ari["next_poll"] - now
    if pause <= timedelta(0):  # it was to be polled, and was not
        return now + UNKNOWN * (1 + slot)
    return now + min(pause * (1 + slot * _POLLS), max(pause, _LONGEST_POLL))
