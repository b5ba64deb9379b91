"""Decides the next attempt for one certificate, and the effect of a failure. Pure: it contacts no CA or DNS."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from dnsrenew.base.model import Attempt, CertificateSpec, Route, RouteTaken
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, grouped, replace
from dnsrenew.challenges import CHALLENGES, unfit
from dnsrenew.challenges import texts as challenge_texts
from dnsrenew.challenges.solver import Blocker, Placements
from dnsrenew.errors import AttemptError, CAError, DnsRenewError, Text, about
from dnsrenew.renewal import texts
from dnsrenew.renewal.history import DAY
from dnsrenew.renewal.policy import MIXED, NextAction, action_for_code, is_before_ca, next_action
from dnsrenew.store import State
from dnsrenew.store.pending_orders import PendingOrder
from dnsrenew.store.state import RouteFailure

SETTLE_AGAIN: Final = 15.0
"""Additional seconds to wait if the CA did not see values that every name server showed us (anycast, vantage points).
"""
_NAMED: Final = 3
"""The maximum number of names that one error lists."""


class FallbackPlanner:
    """The attempts so far, and the remaining routes.

    :param of_ca: returns the CA to use, by name: the CA itself, or its staging CA in a dry run.
    :ivar has_ordered: whether a CA refused an order, or an order failed at a later point than the network, a DNS host
        or our port.
    """

    def __init__(self, spec: CertificateSpec, state: State, context: Context, of_ca: Callable[[str], str]) -> None:
        self._spec = spec
        self._context = context
        self.attempts: list[Attempt] = []
        self.failures: dict[Route, str] = {}
        self.has_ordered = False
        self._skips: list[Attempt] = []
        self._again: set[Route] = set()
        self._validated: dict[str, frozenset[str]] = {}
        self._without_reuse: set[str] = set()
        self._stopped = False
        self._state = state
        self._opened: dict[tuple[Route, tuple[Route, ...]], None] = {}
        # In a dry run, two routes can become the same, because their CAs may share a staging CA.
        effective = dict.fromkeys(replace(route, ca=of_ca(route.ca or spec.ca)) for route in spec.routes)
        routes = self._in_order(list(effective))
        fitting = {identifier: _fitting(identifier, routes) for identifier in spec.identifiers}
        self._candidates = Candidates(fitting, routes)
        for route in routes:
            if not any(_fitting(identifier, [route]) for identifier in spec.identifiers):
                self._skipped(route, unfit(route.challenge, spec.identifiers))

    def next_attempts(self, pending: PendingOrder | None) -> Iterator[ActiveAttempt]:
        """Yield one attempt after the other until no route is left. The caller stops after a success.

        In between, the caller reports the result: :meth:`apply_preflight`, :meth:`failed`.

        :param pending: the order of an interrupted run, which comes first.
        """
        if pending is not None:
            routes = {identifier: pending.routes[identifier] for identifier in self._spec.identifiers}
            yield ActiveAttempt(self._spec, Selection(pending.ca, routes), self._now(), pending_order=pending)
        while (attempt := self.next()) is not None:
            yield attempt

    def next(self) -> ActiveAttempt | None:
        """Return the next attempt, or None if no route is left."""
        selection = None if self._stopped else self._candidates.choose()
        if selection is None:
            return None
        settle = SETTLE_AGAIN if any(route in self._again for route in selection.distinct()) else 0.0
        validated = self._validated.get(selection.ca, frozenset())
        return ActiveAttempt(self._spec, selection, self._now(), settle, validated)

    # ── before an order ─────────────────────────────────────────────────────────────────

    def apply_preflight(self, attempt: ActiveAttempt, placements: Placements) -> bool:
        """Drop impossible routes; return whether the caller must choose another selection.

        If it must not, the attempt continues with the routes of the preflight.
        """
        for identifier, (route, several) in placements.opened.items():
            self._opened[route, tuple(several)] = None
            self._candidates.expand(identifier, route, self._in_order(several))
        blockers = _merge_equal(placements.blockers)
        for blocker in blockers:
            self._skipped(blocker.route, blocker.error)
            self._candidates.drop(blocker.route, blocker.identifiers)
        skipped = [blocker.route for blocker in blockers]
        for blocker in blockers:
            if next_action(blocker.error) is NextAction.LEAVE_CA:
                self._drop_ca(blocker.route.ca or self._spec.ca, blocker.error, skipped)
        attempt.selection = replace(attempt.selection, routes=placements.routes)
        return bool(blockers) or self._candidates.choose() != attempt.selection

    def _in_order(self, routes: Sequence[Route]) -> list[Route]:
        return order_routes(routes, self._spec.ca, self._state, self._context.clock.now())

    def _skipped(self, route: Route, error: AttemptError) -> None:
        taken = RouteTaken(ca=route.ca or self._spec.ca, challenge=route.challenge, dns=route.dns)
        if any(attempt.error is error and attempt.route == taken for attempt in self.attempts):
            return  # routes that differ only in their listener look the same here
        attempt = Attempt(route=taken, orders=0, seconds=0.0, error=error)
        self.attempts.append(attempt)
        self._skips.append(attempt)
        self._emit_failed(taken, error)

    # ── what a failure changes ──────────────────────────────────────────────────────────

    def failed(self, attempt: ActiveAttempt, error: AttemptError) -> None:
        """Drop the routes that a failed attempt rules out, by the table in :mod:`dnsrenew.renewal.policy`."""
        culprits = attempt.culprits(error)
        error = describe_error(error, attempt.selection, culprits)
        self.attempts.append(attempt.ended(error, self._now()))
        self.has_ordered |= attempt.orders_at_ca(error) > 0 and not is_before_ca(error)
        self._emit_failed(attempt.taken, error)
        self._note_validated(attempt, error)
        codes = codes_by_identifier(error)
        for route in culprits:
            self.failures[route] = next(filter(None, map(codes.get, attempt.selection.users(route))), error.code)
        action = next_action(error)
        if action is NextAction.STOP:
            self._stopped = True
        elif action is NextAction.LEAVE_CA:
            self._drop_ca(attempt.selection.ca, error, skipped=attempt.selection.distinct())
        else:
            self._drop_routes(attempt, error, culprits)

    def _note_validated(self, attempt: ActiveAttempt, error: AttemptError) -> None:
        """Record which names have a valid authorization at this CA."""
        ca = attempt.selection.ca
        if not attempt.validated.isdisjoint(attempt.pending):  # the CA does not reuse authorizations
            self._without_reuse.add(ca)
        self._validated[ca] = frozenset() if ca in self._without_reuse else attempt.valid_names(error)

    def _drop_routes(self, attempt: ActiveAttempt, error: AttemptError, culprits: Sequence[Route]) -> None:
        """Drop failed routes for every name that used them, unless it is validated or gets a second try."""
        validated, codes = self._validated[attempt.selection.ca], codes_by_identifier(error)
        failed: dict[Route, set[str]] = {}
        missed = attempt.visible and "stage" not in error.evidence  # else the CA refused a request, and looked for none
        for route in culprits:
            users = attempt.selection.users(route)
            concerned = [name for name in users if name in codes] or users
            actions = {name: action_for_code(codes.get(name) or error.code) for name in concerned}
            again = {name for name, action in actions.items() if action is NextAction.AGAIN}
            if not missed or not CHALLENGES[route.challenge].propagates or route in self._again:
                again = set()
            if again:
                self._again.add(route)
            if again != set(concerned):
                failed[route] = again | validated.intersection(users)
        dropped = [self._candidates.failed(route, keep) for route, keep in failed.items()]
        if failed and not any(dropped):  # otherwise the same selection would fail again
            for route in failed:
                self._candidates.failed(route, ())

    def _drop_ca(self, ca: str, error: AttemptError, skipped: Collection[Route]) -> None:
        unexpanded = [replace(route, dns=()) for route in skipped]
        for route in self._candidates.drop_ca(ca):
            if route not in skipped and route not in unexpanded:
                self._skipped(route, error)

    # ── the end ─────────────────────────────────────────────────────────────────────────

    @property
    def error(self) -> DnsRenewError:
        """The error of the last attempt. Skips do not count if only the ledger stopped the run."""
        attempts = self._made() if self.only_held() else self.attempts
        errors = [attempt.error for attempt in attempts if attempt.error is not None]
        if errors:
            return errors[-1]
        identifiers = self._candidates.stuck() or list(self._spec.domains)
        return AttemptError.of(texts.NO_ROUTE_LEFT, identifiers=identifiers)

    def asked_to_wait(self) -> float | None:
        """Return the seconds until the first CA may accept an order, or None unless every CA asked to wait.

        A CA with only skipped routes counts, unless only the ledger stopped the run.
        """
        by_ca: dict[str, float | None] = {}
        for attempt in self._made() if self.only_held() else self.attempts:
            after = attempt.error.retry_after if isinstance(attempt.error, CAError) else None
            by_ca[attempt.route.ca] = after
        waits = [after for after in by_ca.values() if after is not None]
        return min(waits) if waits and len(waits) == len(by_ca) else None

    def only_held(self) -> bool:
        """Return whether no order was made because the ledger deferred all attempts that were not skipped."""
        made = self._made()
        return bool(made) and all(each.error is not None and each.error.code == "ca-ledger" for each in made)

    def _made(self) -> list[Attempt]:
        """Return the attempts that were not skipped."""
        return [attempt for attempt in self.attempts if not any(attempt is skip for skip in self._skips)]

    def with_route_history(self, state: State, now: datetime, worked: Sequence[Route] = ()) -> State:
        """Return the state with the routes that failed and the routes that led to a certificate.

        An expanded route has failed if all its routes have failed for some name, and has worked if one of them has.
        """
        failed = dict(self.failures)
        for route, several in self._opened:
            if all(one in failed for one in several):
                failed[route] = failed[several[-1]]
        works = [*worked, *(route for route, several in self._opened if not set(worked).isdisjoint(several))]
        keys = {self._key(route): code for route, code in failed.items() if route not in works}
        state = remember_failures(state, keys, now)
        return remember_success(state, [self._key(route) for route in works], now) if works else state

    def _key(self, route: Route) -> str:
        return route_key(route, self._spec.ca)

    def _emit_failed(self, taken: RouteTaken, error: AttemptError) -> None:
        self._context.emit("route-failed", **taken.to_dict(), error=error.to_dict())

    def _now(self) -> float:
        return self._context.clock.monotonic()


def _fitting(identifier: str, routes: Sequence[Route]) -> list[Route]:
    """Return the routes that can validate a name: no challenge type can validate both wildcards and IP addresses."""
    return [route for route in routes if not CHALLENGES[route.challenge].is_unfit(identifier)]


def _merge_equal(blockers: Iterable[Blocker]) -> list[Blocker]:
    """Merge equal blockers of a route for several names, so that a skipped route is one attempt."""
    groups = grouped(blockers, lambda each: (each.route, each.error.code, about(each.error).scope))
    return [_merged(group) for group in groups.values()]


def _merged(group: Sequence[Blocker]) -> Blocker:
    first, *others = group
    more = [identifier for blocker in others for identifier in blocker.identifiers]
    if not more:
        return first
    error, identifiers = first.error, (*first.identifiers, *more)
    text = texts.SAME_FOR_MORE if len(more) > _NAMED else texts.SAME_FOR
    shown = {"first": error.message, "first_fix": error.fix, "others": more[:_NAMED], "more": len(more) - _NAMED}
    _, message, fix = text.fill(**shown)
    evidence = {**error.evidence, "identifiers": list(identifiers)}
    return replace(first, identifiers=identifiers, error=type(error)(error.code, message, fix=fix, evidence=evidence))


# ── attempt ────────────────────────────────────────────────────────────────────────────

# The attempt in progress: its route selection, its progress, and the routes that an error belongs to.

_UNREACHABLE: Final = frozenset({"ca-connection", "ca-dns"})
"""Codes of a CA that could not connect to this machine."""


class Reselect(Exception):  # control flow, not an error
    """The preflight ruled routes out, or a pending order can no longer succeed: choose again."""


@dataclass(eq=False)
class ActiveAttempt:
    """A route selection in progress.

    :param started: the start in monotonic seconds.
    :param settle: seconds to wait after propagation, in addition to the configured ones.
    :param validated: identifiers with a validation that this CA probably still accepts.
    :param pending_order: the order of an interrupted run that this attempt resumes, or None.
    :ivar orders: the number of orders.
    :ivar pending: identifiers whose authorizations are pending.
    :ivar visible: whether every value was seen in the place that the CA queries.
    :ivar answered: whether the CA was asked to validate.
    """

    spec: CertificateSpec
    selection: Selection
    started: float
    settle: float = 0.0
    validated: frozenset[str] = frozenset()
    pending_order: PendingOrder | None = None
    orders: int = 0
    pending: list[str] = field(default_factory=list)
    visible: bool = False
    answered: bool = False

    @property
    def taken(self) -> RouteTaken:
        """The routes as in an outcome."""
        routes = self.selection.distinct()
        accounts = tuple(dict.fromkeys(account for route in routes for account in route.dns))
        kinds = {route.challenge for route in routes}
        challenge = kinds.pop() if len(kinds) == 1 else "mixed"
        taken = RouteTaken(ca=self.selection.ca, challenge=challenge, dns=accounts)
        if len({(route.challenge, route.dns) for route in routes}) == 1:
            return taken
        names = {
            domain: {"challenge": route.challenge, "dns": list(route.dns)}
            for domain, identifier in zip(self.spec.domains, self.spec.identifiers, strict=True)
            for route in [self.selection.routes[identifier]]
        }
        return replace(taken, names=names)

    def ended(self, error: DnsRenewError | None, now: float) -> Attempt:
        """Return the finished attempt.

        :param error: the error that ended it; None after a success.
        :param now: the current time in monotonic seconds.
        """
        return Attempt(route=self.taken, orders=self.orders, seconds=now - self.started, error=error)

    def orders_at_ca(self, error: AttemptError) -> int:
        """Return the number of orders that reached the CA, including one that it refused."""
        return self.orders + (isinstance(error, CAError) and about(error).stage == "newOrder")

    def failed_names(self, error: AttemptError) -> list[str]:
        """Return the identifiers whose validation failed; empty if the CA does not name them."""
        named = codes_by_identifier(error)
        return [name for name in self.selection.routes if name in named]

    def valid_names(self, error: AttemptError) -> frozenset[str]:
        """Return the identifiers with a known valid authorization."""
        failed = self.failed_names(error)
        if not self.pending:  # nothing was validated
            return self.validated.difference(failed)
        # A CA that names the failed identifiers has validated all others, except the undecided ones.
        unresolved = [*failed, *about(error).undecided] if failed else self.pending
        return frozenset(self.selection.routes).difference(unresolved)

    def culprits(self, error: AttemptError) -> list[Route]:
        """Return the routes that an error belongs to. If unknown, these are all routes with a pending authorization."""
        unvalidated = [name for name in self.selection.routes if name not in self.validated]
        its = about(error)
        told = [name for name in self.selection.routes if name in its.identifiers]
        failed = self.failed_names(error) if isinstance(error, CAError) else told
        concerned = failed or self.pending or unvalidated or list(self.selection.routes)
        routes = list(dict.fromkeys(self.selection.routes[name] for name in concerned))
        named = [route for route in routes if route == self.selection.routes.get(its.identifier)]
        of_account = [route for route in routes if its.account in route.dns]
        of_challenge = [route for route in routes if route.challenge == its.challenge]
        return named or of_account or of_challenge or routes


def codes_by_identifier(error: AttemptError) -> dict[str, str | None]:
    """Return the code of each identifier in an error of a CA."""
    problems = error.subproblems if isinstance(error, CAError) else ()
    return {problem["identifier"]: problem.get("code") for problem in problems if problem.get("identifier")}


def describe_error(error: AttemptError, selection: Selection, culprits: Sequence[Route]) -> AttemptError:
    """Return the error for the user.

    If the challenge type needs a connection, it says that the CA cannot reach this machine. It adds a likely cause.
    """
    if not isinstance(error, CAError):
        return error
    problems = [_describe_problem(problem, selection) for problem in error.subproblems]
    concerned = [name for route in culprits for name in selection.users(route)]
    codes = {problem.get("code") for problem in problems}
    text = _text(error, codes, culprits, only_ips=bool(concerned) and all(map(is_ip, concerned)))
    evidence = {**error.evidence, **({"subproblems": problems} if "subproblems" in error.evidence else {})}
    more: dict[str, Any] = {"type": error.type, "detail": error.detail, "retry_after": error.retry_after}
    code, message, fix = error.code, error.message, error.fix
    if text is not None:
        code, message, fix = text.fill(**evidence, ca_message=error.message)
    return CAError(code or error.code, message, fix=fix, evidence=evidence, subproblems=problems, **more)


def _text(error: CAError, codes: Collection[Any], culprits: Sequence[Route], *, only_ips: bool) -> Text | None:
    """Return the text that replaces the message of the CA, or None to keep it."""
    types = [CHALLENGES[challenge] for challenge in dict.fromkeys(route.challenge for route in culprits)]
    unreachable = types[0].unreachable if len(types) == 1 else None
    likely = "likely" in error.evidence
    if unreachable and (error.code in _UNREACHABLE or (error.code == MIXED and unreachable.code in codes)):
        if likely:
            return types[0].unreachable_because
        return types[0].unreachable_ip if only_ips else unreachable
    return challenge_texts.LIKELY_CAUSE if likely else None


def _describe_problem(problem: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    route = selection.routes.get(problem.get("identifier") or "")
    unreachable = None if route is None else CHALLENGES[route.challenge].unreachable
    if unreachable is not None and problem.get("code") in _UNREACHABLE:
        return {**problem, "code": unreachable.code}
    return dict(problem)


# ── candidates ─────────────────────────────────────────────────────────────────────────

# The remaining routes for each name, and the selection for the next attempt.
#
# A route that failed is dropped for every name, except for names that it has validated. The next attempt takes the
# first remaining route of each name, in the order of the configuration. A certificate comes from one CA, so all
# routes of a selection are of one CA and share one order. Every attempt drops a route, so a run ends: it makes at
# most one order for each route, and one more for each route with a second try.


class Selection(Frozen):
    """One CA, and one of its routes for each identifier."""

    ca: str
    routes: Mapping[str, Route]

    def users(self, route: Route) -> list[str]:
        """Return the identifiers that use a route."""
        return [identifier for identifier, its in self.routes.items() if its == route]

    def distinct(self) -> list[Route]:
        """Return the routes, without duplicates, in the order of the names."""
        return list(dict.fromkeys(self.routes.values()))


class Candidates:
    """The remaining routes for each name.

    :param options: the routes of each identifier in the order of their attempts; each names its CA.
    :param order: all routes in the order of their attempts.
    """

    def __init__(self, options: Mapping[str, Sequence[Route]], order: Sequence[Route]) -> None:
        self._left = {identifier: list(routes) for identifier, routes in options.items()}
        self._dropped: set[tuple[str, Route]] = set()
        self._order = list(order)

    def choose(self) -> Selection | None:
        """Return the next selection, or None if no CA has a route left for every name.

        Of the CAs with a route for every name, choose the one whose route comes first.
        """
        for ca in dict.fromkeys(route.ca for route in self._order if self._is_left(route)):
            if ca is None:
                continue
            first = {
                identifier: next((route for route in routes if route.ca == ca), None)
                for identifier, routes in self._left.items()
            }
            chosen = {identifier: route for identifier, route in first.items() if route is not None}
            if len(chosen) == len(self._left):
                return Selection(ca, chosen)
        return None

    def _is_left(self, route: Route) -> bool:
        return any(route in left for left in self._left.values())

    def stuck(self) -> list[str]:
        """Return the identifiers without any route."""
        return [identifier for identifier, routes in self._left.items() if not routes]

    def expand(self, identifier: str, route: Route, several: Sequence[Route]) -> None:
        """Replace a route without accounts by several routes, without duplicates and dropped routes."""
        left = self._left[identifier]
        index = left.index(route)
        before, after = left[:index], left[index + 1 :]
        fresh = [one for one in several if one not in before and (identifier, one) not in self._dropped]
        left[:] = [*before, *fresh, *(one for one in after if one not in fresh)]
        index = self._order.index(route)
        self._order[index:index] = [one for one in several if one not in self._order]

    def drop(self, route: Route, identifiers: Collection[str]) -> None:
        """Drop a route for some names."""
        for identifier in identifiers:
            self._dropped.add((identifier, route))
            if route in self._left[identifier]:
                self._left[identifier].remove(route)

    def failed(self, route: Route, keep: Collection[str]) -> bool:
        """Drop a failed route for every name except ``keep``; return whether any name had it.

        A name whose route is not expanded yet does not get this route later.

        :param keep: names that the route has validated, or that get a second try.
        """
        losers = [name for name in self._left if name not in keep]
        had = any(route in self._left[name] for name in losers)
        self.drop(route, losers)
        return had

    def drop_ca(self, ca: str) -> list[Route]:
        """Drop all routes of a CA for all names; return the routes that were left."""
        dropped = [route for route in self._order if route.ca == ca and self._is_left(route)]
        for routes in self._left.values():
            routes[:] = [route for route in routes if route.ca != ca]
        return dropped


# ── which route first ───────────────────────────────────────────────────────────────────


def route_key(route: Route, ca: str) -> str:
    """Return the unique key of a route in the state, such as ``letsencrypt/dns-01/dns=cloudflare``.

    :param ca: the CA of the certificate, for a route without a CA.
    """
    options = (
        (route.dns, "dns=" + "+".join(map(_plain, route.dns))),
        (route.alias, f"alias={_plain(route.alias or '')}"),
        (not route.follow_cname, "no-cname"),
        (route.listen, f"listen={_plain(route.listen or '')}"),
        (route.app, "app"),
        (route.webroot, f"webroot={_plain(str(route.webroot), safe='/')}"),  # last: a path may contain the separator
    )
    return "/".join([_plain(route.ca or ca), _plain(route.challenge), *(part for given, part in options if given)])


def _plain(text: str, safe: str = "") -> str:
    return quote(text, safe=":[]" + safe, errors="surrogatepass")


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

    This is the order of the configuration. But if one route led to the last certificate and has not failed since,
    routes that failed within a day come last.

    :param ca: the CA of the certificate, for routes without a CA.
    """
    failed = {key for key, entry in state.routes.items() if _is_fresh(entry, now)}
    keys = {route: route_key(route, ca) for route in routes}
    has_worked = any(key in state.worked and key not in failed for key in keys.values())
    return sorted(keys, key=lambda route: has_worked and keys[route] in failed)


def _is_fresh(entry: RouteFailure, now: datetime) -> bool:
    return abs(now - entry["failed"]) < DAY  # abs, because a clock may have jumped back
