"""What one run remembers for the next: when to try again, and which route first. Pure functions over the state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import replace
from dnsrenew.model import RouteTaken
from dnsrenew.store.waits import LONGEST, is_waiting

if TYPE_CHECKING:
    import random

    from dnsrenew.errors import DnsRenewError
    from dnsrenew.model import Attempt, Route
    from dnsrenew.store.state import RouteFailure, State

DAY: Final = timedelta(days=1)
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), DAY)
"""How long after the first, second … failure in a row nothing is tried; the last one from then on."""
SPREAD: Final = 0.2
"""The share by which a pause is made longer or shorter at random, so that a fleet does not come at once."""

MOST_ATTEMPTS: Final = 8
"""Attempts of a run that are kept: the last ones."""
MOST_NAMES: Final = 10
"""A mix for more names is kept without them."""


# ── when to try again ───────────────────────────────────────────────────────────────────


def after_failure(
    state: State,
    error: DnsRenewError,
    now: datetime,
    chance: random.Random,
    *,
    retry_after: float | None = None,
    attempts: Sequence[Attempt] = (),
) -> State:
    """Return the state after an attempt that brought no certificate.

    :param error: what is told of it, by ``status`` and while the next attempt is deferred.
    :param retry_after: seconds after which a CA may take an order, where every CA that could be used asked to wait
        (the soonest of them); it wins where it is longer than the pause. At most a week of it is kept.
    :param attempts: what was tried; the last of them is the one that ``status`` tells of.
    """
    failed = state.failed(error.code, error.message, now)
    # A name that the CA has paused waits for a person, who says --now afterwards.
    unpause = error.evidence.get("url") if error.code == "ca-rate-limited" else None
    pause = DAY if unpause else PAUSES[min(failed.failures, len(PAUSES)) - 1]
    if failed.not_after is not None and now < failed.not_after and not unpause:
        # A day is long for a certificate that has three left: at most a quarter of them is waited.
        pause = min(pause, max((failed.not_after - now) / 4, PAUSES[2]))
    pause *= chance.uniform(1 - SPREAD, 1 + SPREAD)
    asked = timedelta(seconds=min(max(retry_after or 0.0, 0.0), LONGEST.total_seconds()))
    told: dict[str, Any] = {**(failed.last_failure or {}), "fix": error.fix, **_tried(attempts)}
    if unpause:
        told["url"] = unpause
    if asked > pause:
        told["asked_to_wait"] = True
    # The file holds whole seconds, and a second too soon is refused again.
    until = (now + max(pause, asked) + timedelta(seconds=1)).replace(microsecond=0)
    return replace(failed, last_failure=told, next_attempt=until, attempt_set_at=now)


def _tried(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return what was tried as it is kept: short, for it is read at every run."""
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
    """Return the time before which nothing is tried; None: it is past, or a clock that jumped made it up."""
    until = state.next_attempt
    if until is None:
        return None
    if state.attempt_set_at is None:  # written by somebody else
        return until if now < until <= now + 2 * DAY else None
    return until if is_waiting(state.attempt_set_at, until, now) else None


def was_asked_to_wait(state: State) -> bool:
    """Tell whether it is the CA's wish that nothing is tried before the next attempt."""
    return bool(state.last_failure and state.last_failure.get("asked_to_wait"))


# ── which route first ───────────────────────────────────────────────────────────────────


def route_key(route: Route, ca: str) -> str:
    """Return what a route is called in the state: ``letsencrypt/dns-01/dns=cloudflare``; no two share a key.

    :param ca: the certificate's CA, for a route that names none.
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
    if route.webroot:
        parts.append("webroot=" + _plain(str(route.webroot), safe="/"))  # the last: it may hold what parts the others
    return "/".join(parts)


def route_from_keys(keys: Iterable[str]) -> RouteTaken | None:
    """Return the way that keys of routes stand for; None: of these it cannot be told.

    Of a mix it is not kept which name went which way: it has no ``names``.
    """
    ways = [key.split("/") for key in keys if "/" in key]
    if not ways:
        return None
    challenges = {_read(challenge) for _, challenge, *_ in ways}
    writers = [part.removeprefix("dns=") for _, _, *rest in ways for part in rest[:1] if part.startswith("dns=")]
    accounts = dict.fromkeys(_read(account) for several in writers for account in several.split("+"))
    challenge = challenges.pop() if len(challenges) == 1 else "mixed"
    return RouteTaken(ca=_read(ways[0][0]), challenge=challenge, dns=tuple(accounts))


def _plain(text: str, safe: str = "") -> str:
    from urllib.parse import quote  # slow to load, and nothing due needs none of it

    return quote(text, safe=":[]" + safe, errors="surrogatepass")


def _read(text: str) -> str:
    from urllib.parse import unquote  # as above

    return unquote(text)  # never fails: somebody may have written in the file


def remember_failures(state: State, failures: Mapping[str, str], now: datetime) -> State:
    """Return the state after routes have failed; for skipped ones nothing is remembered, they cost nothing.

    :param failures: for the key of each, the code of its error.
    """
    routes = {key: entry for key, entry in state.routes.items() if _is_fresh(entry, now)}
    for key, code in failures.items():
        routes[key] = {"failed": now, "code": code}
    return replace(state, routes=routes)


def remember_success(state: State, keys: Collection[str], now: datetime) -> State:
    """Return the state after routes have led to a certificate.

    :param keys: of that one, or of all routes of the mix.
    """
    left = {key: entry for key, entry in state.routes.items() if key not in keys and _is_fresh(entry, now)}
    return replace(state, routes=left, worked=tuple(dict.fromkeys(keys)))


def order_routes(routes: Iterable[Route], ca: str, state: State, now: datetime) -> list[Route]:
    """Return one name's routes in the order in which they are tried: the user's.

    But where one of them led to the last certificate, and has not failed since, those that failed within a day
    come after all that have not.

    :param ca: the certificate's CA, for routes that name none.
    """
    listed = list(routes)
    known = state.routes

    def has_failed(key: str) -> bool:
        return key in known and _is_fresh(known[key], now)

    keys = [route_key(route, ca) for route in listed]
    if not any(key in state.worked and not has_failed(key) for key in keys):
        return listed
    return [listed[place] for place in sorted(range(len(listed)), key=lambda place: has_failed(keys[place]))]


def _is_fresh(entry: RouteFailure, now: datetime) -> bool:
    return abs(now - entry["failed"]) < DAY  # of a clock that jumped: not for longer than a day either
