"""The course of one renewal: which way is gone next, and what a failure changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.names import is_wildcard
from dnsrenew.base.values import replace
from dnsrenew.errors import AttemptError, CAError, DnsRenewError
from dnsrenew.fallback import history
from dnsrenew.fallback.attempt import ActiveAttempt, codes_by_identifier, describe_error
from dnsrenew.fallback.candidates import Candidates
from dnsrenew.fallback.policy import NextAction, action_for_code, next_action
from dnsrenew.model import Attempt, Route, RouteTaken

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.challenges.solver import Blocker, Placements
    from dnsrenew.model import CertificateSpec
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State

SETTLE_AGAIN: Final = 15.0
"""Seconds more to wait where the CA saw nothing of what we saw everywhere: anycast, several vantage points."""


class FallbackPlanner:
    """What has been tried for one certificate, and what is left.

    :param effective_ca: gives, for the name of a CA, the one that is really asked: itself, or its staging twin.
    """

    def __init__(self, spec: CertificateSpec, state: State, context: Context, effective_ca: Mapping[str, str]) -> None:
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
        asked = dict.fromkeys(replace(route, ca=effective_ca[route.ca or spec.ca]) for route in spec.routes)
        routes = self._in_order(list(asked))
        self._plan = Candidates({identifier: _fitting(identifier, routes) for identifier in spec.identifiers}, routes)
        self._skip_useless(routes)

    def next(self) -> ActiveAttempt | None:
        """Return the way to go now; None when there is none left."""
        selection = None if self._stopped else self._plan.choose()
        if selection is None:
            return None
        settle = SETTLE_AGAIN if any(route in self._again for route in selection.distinct()) else 0.0
        return ActiveAttempt(
            self._spec, selection, self._now(), settle=settle, validated=self._proved.get(selection.ca, frozenset())
        )

    # ── what is learnt before an order ──────────────────────────────────────────────────

    def apply_preflight(self, attempt: ActiveAttempt, placements: Placements) -> bool:
        """Take in which routes stand for several, and what stands in the way; tell whether another way is to be gone.

        Otherwise the way is the one that was looked at, with the routes that were found.
        """
        for identifier, (route, several) in placements.opened.items():
            self._opened[route, tuple(several)] = None
            self._plan.expand(identifier, route, self._in_order(several))
        blockers = _together(placements.blockers)
        for blocker in blockers:
            self._skipped(blocker.route, blocker.error)
            self._plan.leave(blocker.route, blocker.identifiers)
        told = [blocker.route for blocker in blockers]
        for blocker in blockers:
            if next_action(blocker.error) is NextAction.LEAVE_CA:
                self._leave_ca(blocker.route.ca or self._spec.ca, blocker.error, told)
        attempt.selection = replace(attempt.selection, routes=placements.routes)
        return bool(blockers) or self._plan.choose() != attempt.selection

    def _in_order(self, routes: Sequence[Route]) -> list[Route]:
        return history.order_routes(routes, self._spec.ca, self._state, self._context.clock.now())

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

    def failed(self, attempt: ActiveAttempt, error: AttemptError) -> None:
        """Take in a failed attempt: the table in :mod:`dnsrenew.fallback.policy` says what happens next."""
        culprits = attempt.culprits(error)
        error = describe_error(error, attempt.selection, culprits)
        self.attempts.append(attempt.attempt(error, self._now()))
        self._tell(attempt.taken(), error)
        self._note_proved(attempt, error)
        codes = codes_by_identifier(error)
        for route in culprits:
            self.failures[route] = next(filter(None, map(codes.get, attempt.selection.users(route))), error.code)
        step = next_action(error)
        if step is NextAction.STOP:
            self._stopped = True
        elif step is NextAction.LEAVE_CA:
            self._leave_ca(attempt.selection.ca, error, told=attempt.selection.distinct())
        else:
            self._leave_routes(attempt, error, culprits)

    def _note_proved(self, attempt: ActiveAttempt, error: AttemptError) -> None:
        """Note which names need no new proof at this CA."""
        ca = attempt.selection.ca
        if not attempt.validated.isdisjoint(attempt.pending):  # it keeps nothing
            self._forgetful.add(ca)
        self._proved[ca] = frozenset() if ca in self._forgetful else attempt.valid_names(error)

    def _leave_routes(self, attempt: ActiveAttempt, error: AttemptError, culprits: Sequence[Route]) -> None:
        """Take the routes that failed from those who went by them and are not proved, nor worth a second try."""
        validated, codes = self._proved[attempt.selection.ca], codes_by_identifier(error)
        failed: dict[Route, set[str]] = {}
        for route in culprits:
            users = attempt.selection.users(route)
            about = [name for name in users if name in codes] or users
            again: set[str] = set()
            if attempt.seen and route.challenge == "dns-01" and route not in self._again:
                again = {name for name in about if action_for_code(codes.get(name) or error.code) is NextAction.AGAIN}
            if again:
                self._again.add(route)
            if again != set(about):
                failed[route] = again | validated.intersection(users)
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
        state = history.remember_failures(state, keys, now)
        return history.remember_success(state, [self._key(route) for route in works], now) if works else state

    def _key(self, route: Route) -> str:
        return history.route_key(route, self._spec.ca)

    def _tell(self, taken: RouteTaken, error: AttemptError) -> None:
        self._context.emit("route-failed", **taken.to_dict(), error=error.to_dict())

    def _now(self) -> float:
        return self._context.clock.monotonic()


def _fitting(identifier: str, routes: Sequence[Route]) -> list[Route]:
    """Return the routes that are not ruled out for a name from the start: a wildcard has no http-01 (RFC 8555 8.3)."""
    return [route for route in routes if route.challenge == "dns-01" or not is_wildcard(identifier)]


def _together(blockers: Iterable[Blocker]) -> list[Blocker]:
    """Make one of the obstacles that are alike for several names of a route: a skipped route is one attempt."""
    alike: dict[tuple[Route, str, Any], list[Blocker]] = {}
    for blocker in blockers:
        kind = (blocker.route, blocker.error.code, blocker.error.evidence.get("scope"))
        alike.setdefault(kind, []).append(blocker)
    return [_one_of(group) for group in alike.values()]


def _one_of(group: Sequence[Blocker]) -> Blocker:
    first, *others = group
    more = [identifier for blocker in others for identifier in blocker.identifiers]
    if not more:
        return first
    shown = f"{', '.join(more[:3])} and {len(more) - 3} more" if len(more) > 3 else " and ".join(more)
    first.error.message += f" So it is with {shown}."
    identifiers = (*first.identifiers, *more)
    first.error.evidence["identifiers"] = list(identifiers)
    return replace(first, identifiers=identifiers)
