"""The history that a run keeps for the next one: when to try again, and which route first. Pure functions of State."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from dnsrenew.base.model import RouteTaken
from dnsrenew.base.values import replace
from dnsrenew.errors import about
from dnsrenew.store.state import LONGEST, SHARE, is_waiting

if TYPE_CHECKING:
    import random

    from dnsrenew.base.model import Attempt, Route
    from dnsrenew.errors import DnsRenewError
    from dnsrenew.store.state import RouteFailure, State

DAY: Final = timedelta(days=1)
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), DAY)
"""Pauses after the first, second … consecutive failure; the last one is repeated."""
WITHOUT_ORDER: Final = timedelta(minutes=45)
"""The longest pause after a run that made no order, so that with its spread it is within an hour: no CA counts it."""
SPREAD: Final = 0.2
"""Random share by which a pause is longer or shorter, so that many hosts do not try at the same time."""

MOST_ATTEMPTS: Final = 8
"""Number of attempts of a run that are kept: the last ones."""
MOST_NAMES: Final = 10
"""The routes of more names than these are kept without the names."""


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

    :param error: the error that ``status`` shows, also while the next attempt is deferred.
    :param ordered: whether an order of the run reached a CA.
    :param retry_after: seconds until the first CA may accept an order, if every CA asked to wait. The longer of this
        and the pause counts, up to a week, and up to three quarters of what is left of a valid certificate.
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
    if unpause:
        failure["url"] = unpause
    if asked > pause:
        failure["asked_to_wait"] = True
    # The file has whole seconds; a request one second too early is refused again.
    until = (now + max(pause, asked) + timedelta(seconds=1)).replace(microsecond=0)
    return replace(failed, last_failure=failure, next_attempt=until, attempt_set_at=now)


def _pause(failed: State, *, ordered: bool) -> timedelta:
    """Return the pause after the last failure, without its spread."""
    failures = failed.failures - failed.without_order if ordered else failed.failures
    pause = PAUSES[min(max(failures, 1), len(PAUSES)) - 1]
    return pause if ordered else min(pause, WITHOUT_ORDER)


def _tried(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the attempts as they are kept: short, because every run reads them."""
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


# ── which route first ───────────────────────────────────────────────────────────────────


def route_key(route: Route, ca: str) -> str:
    """Return the unique key of a route in the state, such as ``letsencrypt/dns-01/dns=cloudflare``.

    :param ca: the CA of the certificate, for a route that names none.
    """
    parts = [_plain(route.ca or ca), _plain(route.challenge)]
    if route.dns:
        parts.append("dns=" + "+".join(map(_plain, route.dns)))
    if route.alias:
        parts.append("alias=" + _plain(route.alias))
    if not route.follow_cname:
        parts.append("no-cname")
    if route.listen:
        parts.append("listen=" + _plain(route.listen))
    if route.app:
        parts.append("app")
    if route.webroot:
        parts.append(
            "webroot=" + _plain(str(route.webroot), safe="/")
        )  # last, because a path may contain the separator
    return "/".join(parts)


def route_from_keys(keys: Iterable[str]) -> RouteTaken | None:
    """Return the routes that some keys describe, or None if they are unreadable.

    The keys do not say which name took which route, so the result has no ``names``.
    """
    return _route_from_keys(tuple(keys))


@lru_cache(256)  # `status` reads ten thousand certificates, most of which took one of a few routes
def _route_from_keys(keys: tuple[str, ...]) -> RouteTaken | None:
    routes = [key.split("/") for key in keys if "/" in key]
    if not routes:
        return None
    challenges = {_read(challenge) for _, challenge, *_ in routes}
    writers = [part.removeprefix("dns=") for _, _, *rest in routes for part in rest[:1] if part.startswith("dns=")]
    accounts = dict.fromkeys(_read(account) for several in writers for account in several.split("+"))
    challenge = challenges.pop() if len(challenges) == 1 else "mixed"
    return RouteTaken(ca=_read(routes[0][0]), challenge=challenge, dns=tuple(accounts))


def _plain(text: str, safe: str = "") -> str:
    return quote(text, safe=":[]" + safe, errors="surrogatepass")


def _read(text: str) -> str:
    if "%" not in text:
        return text
    return unquote(text)  # never fails, even on an edited file


def remember_failures(state: State, failures: Mapping[str, str], now: datetime) -> State:
    """Return the state after routes have failed. Skipped routes are not recorded, because they cost no time.

    :param failures: the code of the error, by route key.
    """
    routes = {key: entry for key, entry in state.routes.items() if _is_fresh(entry, now)}
    for key, code in failures.items():
        routes[key] = {"failed": now, "code": code}
    return replace(state, routes=routes)


def remember_success(state: State, keys: Collection[str], now: datetime) -> State:
    """Return the state after routes have led to a certificate.

    :param keys: the keys of these routes.
    """
    left = {key: entry for key, entry in state.routes.items() if key not in keys and _is_fresh(entry, now)}
    return replace(state, routes=left, worked=tuple(dict.fromkeys(keys)))


def order_routes(routes: Iterable[Route], ca: str, state: State, now: datetime) -> list[Route]:
    """Return the routes of one name in the order of their attempts.

    This is the order of the configuration. If one of them led to the last certificate and has not failed since, routes
    that failed within a day come last.

    :param ca: the CA of the certificate, for routes that name none.
    """
    listed = list(routes)
    known = state.routes

    def has_failed(key: str) -> bool:
        return key in known and _is_fresh(known[key], now)

    keys = [route_key(route, ca) for route in listed]
    if not any(key in state.worked and not has_failed(key) for key in keys):
        return listed
    return [listed[index] for index in sorted(range(len(listed)), key=lambda index: has_failed(keys[index]))]


def _is_fresh(entry: RouteFailure, now: datetime) -> bool:
    return abs(now - entry["failed"]) < DAY  # abs: a clock may have jumped back
