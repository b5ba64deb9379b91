"""The history that a run keeps for the next one: when to try again, and the first route. Pure functions of State."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import replace
from dnsrenew.errors import DnsRenewError, about
from dnsrenew.store.state import LONGEST, SHARE, State, is_waiting

if TYPE_CHECKING:
    import random

    from dnsrenew.base.model import Attempt

DAY: Final = timedelta(days=1)
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), DAY)
"""Pauses after the first, second … consecutive failure; the last one is repeated."""
WITHOUT_ORDER: Final = timedelta(minutes=45)
"""The longest pause after a run without an order.

With its spread, it stays within an hour, because no CA counts such a run.
"""
SPREAD: Final = 0.2
"""The random share by which a pause is longer or shorter, so that many machines do not try at the same time."""

MOST_ATTEMPTS: Final = 8
"""The number of attempts of a run that are kept: the last ones."""
MOST_NAMES: Final = 10
"""Routes of more names than this are kept without the names."""


# ── when to try again ───────────────────────────────────────────────────────────────────


def after_failure(
    state: State,
    error: DnsRenewError,
    now: datetime,
    chance: random.Random,
    *,
    ordered: bool = True,
    retry_after: float | None = None,
    attempts: Sequence[Attempt] = (),
) -> State:
    """Return the state after a run without a certificate.

    :param error: the error that ``status`` shows, even while the next attempt is deferred.
    :param ordered: whether an order of the run reached a CA.
    :param retry_after: seconds until the first CA may accept an order, if every CA asked to wait. The longer of this
        and the pause applies, up to a week, and up to three quarters of the remaining time of a valid certificate.
    :param attempts: the attempts of the run; ``status`` shows the last one.
    """
    failed = state.failed(error.code, error.message, now, ordered=ordered)
    # The CA has paused a name: a person must unpause it, and then run with --now.
    unpause = about(error).url if error.code == "ca-rate-limited" else ""
    pause = DAY if unpause else _pause(failed, ordered=ordered)
    asked = timedelta(seconds=min(max(retry_after or 0.0, 0.0), LONGEST.total_seconds()))
    if failed.not_after is not None and now < failed.not_after and not unpause:
        left = failed.not_after - now
        pause = min(pause, max(left / 4, PAUSES[2]))
        asked = min(asked, left * SHARE)
    pause *= chance.uniform(1 - SPREAD, 1 + SPREAD)
    failure: dict[str, Any] = {**(failed.last_failure or {}), "fix": error.fix, **_tried(attempts)}
    failure["class"] = type(error).__name__
    if held := about(error).held_until:
        failure["held_until"] = held
    if unpause:
        failure["url"] = unpause
    if asked > pause:
        failure["asked_to_wait"] = True
    # The file has whole seconds, and a request that is one second too early is refused again.
    until = (now + max(pause, asked) + timedelta(seconds=1)).replace(microsecond=0)
    return replace(failed, last_failure=failure, next_attempt=until, attempt_set_at=now)


def _pause(failed: State, *, ordered: bool) -> timedelta:
    """Return the pause after the last failure, without its spread."""
    failures = failed.failures - failed.without_order if ordered else failed.failures
    pause = PAUSES[min(max(failures, 1), len(PAUSES)) - 1]
    return pause if ordered else min(pause, WITHOUT_ORDER)


def _tried(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the attempts in the form that is kept: short, because every run reads them."""
    if not attempts:
        return {}
    last = attempts[-1].route
    short = last.names is None or len(last.names) <= MOST_NAMES
    route = (last if short else replace(last, names=None)).to_dict()
    kept = [_kept(attempt, replace(attempt.route, names=None).to_dict()) for attempt in attempts[-MOST_ATTEMPTS:-1]]
    return {"route": route, "attempts": [*kept, _kept(attempts[-1], route)]}


def _kept(attempt: Attempt, route: dict[str, Any]) -> dict[str, Any]:
    return {"route": route, "code": None if attempt.error is None else attempt.error.code}


def deferred_until(state: State, now: datetime) -> datetime | None:
    """Return the time before which no attempt is made; None if it is past, or implausible after a clock jump."""
    until = state.next_attempt
    if until is None:
        return None
    if state.attempt_set_at is None:  # not written by dnsrenew
        return until if now < until <= now + 2 * DAY else None
    return until if is_waiting(state.attempt_set_at, until, now) else None


def was_asked_to_wait(state: State) -> bool:
    """Return whether the next attempt is deferred because a CA asked to wait."""
    return bool(state.last_failure and state.last_failure.get("asked_to_wait"))


def accounts_tried(state: State) -> set[str]:
    """Return the names of the DNS accounts that the last failed run tried."""
    attempts = (state.last_failure or {}).get("attempts") or ()
    routes = [attempt.get("route") or {} for attempt in attempts]
    return {name for route in routes for name in route.get("dns") or ()}
