"""The course of one renewal: which way is gone next, and what a failure changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from dnsrenew import memory
from dnsrenew.decisions import Step, decide
from dnsrenew.errors import AttemptError, CAError, ChallengeError, DnsRenewError, PropagationError, ProviderError
from dnsrenew.model import Attempt, Route, RouteTaken
from dnsrenew.names import is_wildcard
from dnsrenew.routes import Choice, Plan

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.challenges.mix import Obstacle, Places
    from dnsrenew.context import Context
    from dnsrenew.model import CertificateSpec
    from dnsrenew.store import State

SETTLE_AGAIN: Final = 15.0
"""Seconds more to wait where the CA saw nothing of what we saw everywhere: anycast, several vantage points."""

_KINDS: Final = {ChallengeError: "http-01", PropagationError: "dns-01", ProviderError: "dns-01"}
"""Errors that are about one kind of challenge, whatever the others of a mix do."""


@dataclass(slots=True)
class Way:
    """The mix of routes that is tried now, as far as it got.

    :ivar pending: identifiers that the CA wants proved.
    :ivar settle: seconds more than is configured.
    :ivar seen: whether we saw every value everywhere.
    """

    spec: CertificateSpec
    choice: Choice
    started: float
    settle: float = 0.0
    orders: int = 0
    pending: list[str] = field(default_factory=list)
    seen: bool = False

    def taken(self) -> RouteTaken:
        """Return the way as the outcome tells it."""
        routes = self.choice.distinct()
        accounts = tuple(dict.fromkeys(account for route in routes for account in route.dns))
        kinds = {route.challenge for route in routes}
        if len(kinds) == 1:
            return RouteTaken(ca=self.choice.ca, challenge=kinds.pop(), dns=accounts)
        names = {
            domain: {"challenge": route.challenge, "dns": list(route.dns)}
            for domain, identifier in zip(self.spec.domains, self.spec.identifiers, strict=True)
            for route in [self.choice.routes[identifier]]
        }
        return RouteTaken(ca=self.choice.ca, challenge="mixed", dns=accounts, names=names)

    def attempt(self, error: DnsRenewError | None, now: float) -> Attempt:
        """Return it as an attempt."""
        return Attempt(route=self.taken(), orders=self.orders, seconds=now - self.started, error=error)

    def failed_names(self, error: AttemptError) -> list[str]:
        """Return the identifiers that the CA says it did not find proved; empty where it says no names."""
        if not isinstance(error, CAError):
            return []
        named = {problem.get("identifier") for problem in error.subproblems}
        return [name for name in self.choice.routes if name in named]

    def valid_names(self, error: AttemptError) -> set[str]:
        """Return the identifiers that need no new proof; none where it did not get as far as a proof."""
        if not self.pending:
            return set()
        failed = self.failed_names(error)
        # Where the CA names those that failed, it has found the others proved.
        return set(self.choice.routes) - set(failed or self.pending)

    def culprits(self, error: AttemptError) -> list[Route]:
        """Return the routes that an error is about; where that is not known, all that still had to prove something."""
        concerned = self.failed_names(error) or self.pending or list(self.choice.routes)
        routes = list(dict.fromkeys(self.choice.routes[name] for name in concerned))
        named = self.choice.routes.get(error.evidence.get("identifier", ""))
        account = error.evidence.get("account")
        kind = next((kind for of, kind in _KINDS.items() if isinstance(error, of)), None)
        narrowed = [[route for route in routes if fits(route)] for fits in (
            lambda route: route == named,
            lambda route: account in route.dns,
            lambda route: route.challenge == kind,
        )]  # fmt: skip
        return next((some for some in narrowed if some), routes)


class Course:
    """What has been tried for one certificate, and what is left.

    :param authority: gives, for the name of a CA, the one that is really asked: itself, or its staging twin.
    """

    def __init__(
        self, spec: CertificateSpec, state: State | None, context: Context, authority: Mapping[str, str]
    ) -> None:
        self._spec = spec
        self._context = context
        self.attempts: list[Attempt] = []
        self.failures: dict[Route, str] = {}
        self._again: set[Route] = set()
        self._stopped = False
        self._state = state
        self._opened: dict[tuple[Route, tuple[Route, ...]], None] = {}
        # In a rehearsal two may be one: their CAs can have one twin.
        asked = dict.fromkeys(replace(route, ca=authority[route.ca or spec.ca]) for route in spec.routes)
        routes = self._in_order(list(asked))
        self._plan = Plan({identifier: _fitting(identifier, routes) for identifier in spec.identifiers})

    def next(self) -> Way | None:
        """Return the way to go now; None when there is none left."""
        choice = None if self._stopped else self._plan.choose()
        if choice is None:
            return None
        settle = SETTLE_AGAIN if any(route in self._again for route in choice.distinct()) else 0.0
        return Way(self._spec, choice, self._now(), settle=settle)

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

    def _skipped(self, route: Route, error: AttemptError) -> None:
        taken = RouteTaken(ca=route.ca or self._spec.ca, challenge=route.challenge, dns=route.dns)
        if any(attempt.error is error and attempt.route == taken for attempt in self.attempts):
            return  # two http-01 routes are told alike
        self.attempts.append(Attempt(route=taken, orders=0, seconds=0.0, error=error))
        self._tell(taken, error)

    # ── what a failure changes ──────────────────────────────────────────────────────────

    def failed(self, way: Way, error: AttemptError) -> None:
        """Take in a failed attempt: the table in :mod:`dnsrenew.decisions` says what happens next."""
        culprits = way.culprits(error)
        error = _in_our_words(error, culprits)
        self.attempts.append(way.attempt(error, self._now()))
        self._tell(way.taken(), error)
        self.failures.update(dict.fromkeys(culprits, error.code))
        step = decide(error)
        if step is Step.AGAIN and way.seen and self._is_worth_another(culprits):
            self._again.update(culprits)
            return
        if step is Step.STOP:
            self._stopped = True
        elif step is Step.LEAVE_CA:
            self._leave_ca(way.choice.ca, error, told=way.choice.distinct())
        else:
            valid = way.valid_names(error)
            for route in culprits:
                self._plan.failed(route, valid)

    def _is_worth_another(self, culprits: Sequence[Route]) -> bool:
        return all(route.challenge == "dns-01" and route not in self._again for route in culprits)

    def _leave_ca(self, ca: str, error: AttemptError, told: Collection[Route]) -> None:
        for route in self._plan.leave_ca(ca):
            if route not in told:
                self._skipped(route, error)

    # ── the end ─────────────────────────────────────────────────────────────────────────

    @property
    def error(self) -> DnsRenewError:
        """What stopped it: the error of the last attempt."""
        errors = [attempt.error for attempt in self.attempts if attempt.error is not None]
        if errors:
            return errors[-1]
        return AttemptError(
            "no-route-left",
            f"No route is left for {', '.join(self._plan.stuck()) or ', '.join(self._spec.domains)}.",
            fix="Add a route, or a DNS account that may write there.",
        )

    def asked_to_wait(self) -> float | None:
        """Return the seconds after which some CA may take an order; None unless every CA asked to wait."""
        by_ca: dict[str, float | None] = {}
        for attempt in self.attempts:
            after = attempt.error.retry_after if isinstance(attempt.error, CAError) else None
            by_ca[attempt.route.ca] = after
        waits = [after for after in by_ca.values() if after is not None]
        return min(waits) if waits and len(waits) == len(by_ca) else None

    def only_held(self) -> bool:
        """Tell whether nothing was tried: the ledger held every order back."""
        held = [attempt.error is not None and attempt.error.code == "ca-ledger" for attempt in self.attempts]
        return bool(held) and all(held)

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


def _in_our_words(error: AttemptError, culprits: Sequence[Route]) -> AttemptError:
    """Say of a CA that could not reach port 80 what that means for the user."""
    http = bool(culprits) and all(route.challenge == "http-01" for route in culprits)
    if not http or not isinstance(error, CAError) or error.code not in {"ca-connection", "ca-dns"}:
        return error
    more: dict[str, Any] = {"type": error.type, "detail": error.detail, "subproblems": error.subproblems}
    return CAError(
        "http-unreachable",
        f"The CA cannot reach this host by HTTP on port 80. {error.message}",
        fix="Forward port 80 to this host, or use a dns-01 route: it needs no open port.",
        evidence=error.evidence,
        retry_after=error.retry_after,
        **more,
    )
