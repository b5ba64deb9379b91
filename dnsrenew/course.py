"""The course of one renewal: which way is gone next, and what a failure changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew import memory
from dnsrenew.decisions import Step, decide, step_after
from dnsrenew.errors import AttemptError, CAError, DnsRenewError
from dnsrenew.frozen import replace
from dnsrenew.model import Attempt, Route, RouteTaken
from dnsrenew.names import is_wildcard
from dnsrenew.routes import Plan
from dnsrenew.way import Way, codes_by_name, in_our_words

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.challenges.mix import Obstacle, Places
    from dnsrenew.context import Context
    from dnsrenew.model import CertificateSpec
    from dnsrenew.store import State

SETTLE_AGAIN: Final = 15.0
"""Seconds more to wait where the CA saw nothing of what we saw everywhere: anycast, several vantage points."""


class Course:
    """What has been tried for one certificate, and what is left.

    :param authority: gives, for the name of a CA, the one that is really asked: itself, or its staging twin.
    """

    def __init__(self, spec: CertificateSpec, state: State, context: Context, authority: Mapping[str, str]) -> None:
        self._spec = spec
        self._context = context
        self.attempts: list[Attempt] = []
        self.failures: dict[Route, str] = {}
        self._skips: list[Attempt] = []
        self._again: set[Route] = set()
        self._proved: dict[str, frozenset[str]] = {}
        self._forgetful: set[str] = set()
        self._stopped = False
        self._state = state
        self._opened: dict[tuple[Route, tuple[Route, ...]], None] = {}
        # In a rehearsal two may be one: their CAs can have one twin.
        asked = dict.fromkeys(replace(route, ca=authority[route.ca or spec.ca]) for route in spec.routes)
        routes = self._in_order(list(asked))
        self._plan = Plan({identifier: _fitting(identifier, routes) for identifier in spec.identifiers}, routes)
        self._skip_useless(routes)

    def next(self) -> Way | None:
        """Return the way to go now; None when there is none left."""
        choice = None if self._stopped else self._plan.choose()
        if choice is None:
            return None
        settle = SETTLE_AGAIN if any(route in self._again for route in choice.distinct()) else 0.0
        return Way(self._spec, choice, self._now(), settle=settle, proved=self._proved.get(choice.ca, frozenset()))

    # ── what is learnt before an order ──────────────────────────────────────────────────

    def learn(self, way: Way, places: Places) -> bool:
        """Take in which routes stand for several, and what stands in the way; tell whether another way is to be gone.

        Otherwise the way is the one that was looked at, with the routes that were found.
        """
        for identifier, (route, several) in places.opened.items():
            self._opened[route, tuple(several)] = None
            self._plan.expand(identifier, route, self._in_order(several))
        obstacles = _together(places.obstacles)
        for obstacle in obstacles:
            self._skipped(obstacle.route, obstacle.error)
            self._plan.leave(obstacle.route, obstacle.identifiers)
        told = [obstacle.route for obstacle in obstacles]
        for obstacle in obstacles:
            if decide(obstacle.error) is Step.LEAVE_CA:
                self._leave_ca(obstacle.route.ca or self._spec.ca, obstacle.error, told)
        way.choice = replace(way.choice, routes=places.routes)
        return bool(obstacles) or self._plan.choose() != way.choice

    def _in_order(self, routes: Sequence[Route]) -> list[Route]:
        return memory.order_routes(routes, self._spec.ca, self._state, self._context.clock.now())

    def _skip_useless(self, routes: Sequence[Route]) -> None:
        """Tell which routes no name can take."""
        from dnsrenew.challenges.http01 import no_wildcard  # rarely needed

        for route in routes:
            if not any(_fitting(identifier, [route]) for identifier in self._spec.identifiers):
                self._skipped(route, no_wildcard(self._spec.identifiers))

    def _skipped(self, route: Route, error: AttemptError) -> None:
        taken = RouteTaken(ca=route.ca or self._spec.ca, challenge=route.challenge, dns=route.dns)
        if any(attempt.error is error and attempt.route == taken for attempt in self.attempts):
            return  # two http-01 routes are told alike
        attempt = Attempt(route=taken, orders=0, seconds=0.0, error=error)
        self.attempts.append(attempt)
        self._skips.append(attempt)
        self._tell(taken, error)

    # ── what a failure changes ──────────────────────────────────────────────────────────

    def failed(self, way: Way, error: AttemptError) -> None:
        """Take in a failed attempt: the table in :mod:`dnsrenew.decisions` says what happens next."""
        culprits = way.culprits(error)
        error = in_our_words(error, way.choice, culprits)
        self.attempts.append(way.attempt(error, self._now()))
        self._tell(way.taken(), error)
        self._note_proved(way, error)
        codes = codes_by_name(error)
        for route in culprits:
            self.failures[route] = next(filter(None, map(codes.get, way.choice.users(route))), error.code)
        step = decide(error)
        if step is Step.STOP:
            self._stopped = True
        elif step is Step.LEAVE_CA:
            self._leave_ca(way.choice.ca, error, told=way.choice.distinct())
        else:
            self._leave_routes(way, error, culprits)

    def _note_proved(self, way: Way, error: AttemptError) -> None:
        """Note which names need no new proof at this CA."""
        ca = way.choice.ca
        if not way.proved.isdisjoint(way.pending):  # it keeps nothing
            self._forgetful.add(ca)
        self._proved[ca] = frozenset() if ca in self._forgetful else way.valid_names(error)

    def _leave_routes(self, way: Way, error: AttemptError, culprits: Sequence[Route]) -> None:
        """Take the routes that failed from those who went by them and are not proved, nor worth a second try."""
        proved, codes = self._proved[way.choice.ca], codes_by_name(error)
        failed: dict[Route, set[str]] = {}
        for route in culprits:
            users = way.choice.users(route)
            about = [name for name in users if name in codes] or users
            again: set[str] = set()
            if way.seen and route.challenge == "dns-01" and route not in self._again:
                again = {name for name in about if step_after(codes.get(name) or error.code) is Step.AGAIN}
            if again:
                self._again.add(route)
            if again != set(about):
                failed[route] = again | proved.intersection(users)
        taken = [self._plan.failed(route, keep) for route, keep in failed.items()]
        if failed and not any(taken):  # a way that led nowhere is not gone again
            for route in failed:
                self._plan.failed(route, ())

    def _leave_ca(self, ca: str, error: AttemptError, told: Collection[Route]) -> None:
        several = [replace(route, dns=()) for route in told]  # the route that stood for it, if it was not asked yet
        for route in self._plan.leave_ca(ca):
            if route not in told and route not in several:
                self._skipped(route, error)

    # ── the end ─────────────────────────────────────────────────────────────────────────

    @property
    def error(self) -> DnsRenewError:
        """What stopped it: the error of the last attempt; where nothing but the ledger did, what it says."""
        attempts = self._made() if self.only_held() else self.attempts
        errors = [attempt.error for attempt in attempts if attempt.error is not None]
        if errors:
            return errors[-1]
        return AttemptError(
            "no-route-left",
            f"No route is left for {', '.join(self._plan.stuck()) or ', '.join(self._spec.domains)}.",
            fix="Add a route, or a DNS account that may write there.",
        )

    def asked_to_wait(self) -> float | None:
        """Return the seconds after which some CA may take an order; None unless every CA asked to wait.

        A CA to which only skipped routes lead counts, except where nothing but the ledger stopped the run.
        """
        by_ca: dict[str, float | None] = {}
        for attempt in self._made() if self.only_held() else self.attempts:
            after = attempt.error.retry_after if isinstance(attempt.error, CAError) else None
            by_ca[attempt.route.ca] = after
        waits = [after for after in by_ca.values() if after is not None]
        return min(waits) if waits and len(waits) == len(by_ca) else None

    def only_held(self) -> bool:
        """Tell whether nothing was tried: the ledger held every order back, and other routes were skipped."""
        made = self._made()
        return bool(made) and all(each.error is not None and each.error.code == "ca-ledger" for each in made)

    def _made(self) -> list[Attempt]:
        """Return the attempts that are not skips."""
        return [attempt for attempt in self.attempts if not any(attempt is skip for skip in self._skips)]

    def remembered(self, state: State, now: datetime, worked: Sequence[Route] = ()) -> State:
        """Return the state with the routes that failed, and those that led to a certificate.

        A route that stands for several has failed when for some name all of them have, and worked when one of them has.
        """
        failed = dict(self.failures)
        for route, several in self._opened:
            if all(one in failed for one in several):
                failed[route] = failed[several[-1]]
        works = [*worked, *(route for route, several in self._opened if not set(worked).isdisjoint(several))]
        keys = {self._key(route): code for route, code in failed.items() if route not in works}
        state = memory.remember_failures(state, keys, now)
        return memory.remember_success(state, [self._key(route) for route in works], now) if works else state

    def _key(self, route: Route) -> str:
        return memory.route_key(route, self._spec.ca)

    def _tell(self, taken: RouteTaken, error: AttemptError) -> None:
        self._context.emit("route-failed", **taken.to_dict(), error=error.to_dict())

    def _now(self) -> float:
        return self._context.clock.monotonic()


def _fitting(identifier: str, routes: Sequence[Route]) -> list[Route]:
    """Return the routes that are not ruled out for a name from the start: a wildcard has no http-01 (RFC 8555 8.3)."""
    return [route for route in routes if route.challenge == "dns-01" or not is_wildcard(identifier)]


def _together(obstacles: Iterable[Obstacle]) -> list[Obstacle]:
    """Make one of the obstacles that are alike for several names of a route: a skipped route is one attempt."""
    alike: dict[tuple[Route, str, Any], list[Obstacle]] = {}
    for obstacle in obstacles:
        kind = (obstacle.route, obstacle.error.code, obstacle.error.evidence.get("scope"))
        alike.setdefault(kind, []).append(obstacle)
    return [_one_of(group) for group in alike.values()]


def _one_of(group: Sequence[Obstacle]) -> Obstacle:
    first, *others = group
    more = [identifier for obstacle in others for identifier in obstacle.identifiers]
    if not more:
        return first
    shown = f"{', '.join(more[:3])} and {len(more) - 3} more" if len(more) > 3 else " and ".join(more)
    first.error.message += f" So it is with {shown}."
    identifiers = (*first.identifiers, *more)
    first.error.evidence["identifiers"] = list(identifiers)
    return replace(first, identifiers=identifiers)
