"""The solver of one challenge type (RFC 8555 section 8), and the solvers of all types that one order needs."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base.checks import CaaAnswer, denials
from dnsrenew.base.model import DnsAccount, Propagation, PropagationCheck, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import all_held
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.dns import DnsView
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import AttemptError, ProviderError, about
from dnsrenew.store.journal import Journal
from dnsrenew.store.zone_locks import ZoneLocks

if TYPE_CHECKING:
    from dnsrenew.challenges.http01_server import AppResponses  # not needed by dns-01

# ── placements ─────────────────────────────────────────────────────────────────────────

# The result of the preflight: where the response for each identifier goes, and why a route cannot work.


class Placement(Protocol):
    """Where the response to the challenge of one identifier goes."""

    @property
    def challenge(self) -> str:
        """The challenge type, such as ``dns-01``."""

    @property
    def identifier(self) -> str:
        """The identifier."""


class Value(Placement, Protocol):
    """One response, ready to be published; ``identifier`` is the identifier that it validates."""


P = TypeVar("P", bound=Placement)
V = TypeVar("V", bound=Value)
_T = TypeVar("_T", Placement, Value)


class Blocker(Frozen):
    """The reason why a route certainly cannot work for some identifiers; known before an order."""

    route: Route
    identifiers: tuple[str, ...]
    error: AttemptError


class Placements:
    """The result of the preflight of a route selection.

    :ivar routes: the route of each identifier; the first one if its route was expanded.
    :ivar validated: identifiers with a validation that the CA probably still accepts. Their blockers are ignored until
        the CA requires a new validation.
    :ivar account_url: returns the URL of the account at the CA, which it may have to create.
    :ivar opened: identifiers whose route names no account and was expanded, with that route and one route for each
        account.
    """

    def __init__(
        self, routes: dict[str, Route], validated: Collection[str] = (), account_url: Callable[[], str] = str
    ) -> None:
        self.routes = routes
        self.account_url = account_url
        self.validated = validated
        self.placements: dict[str, Placement] = {}
        self.blockers: list[Blocker] = []
        self.opened: dict[str, tuple[Route, list[Route]]] = {}
        self._blocked: dict[str, AttemptError] = {}

    def block(self, route: Route, identifiers: Sequence[str], error: AttemptError) -> None:
        """Record that a route cannot work for some identifiers."""
        self._blocked.update(dict.fromkeys(identifiers, error))
        if concerned := tuple(identifier for identifier in identifiers if identifier not in self.validated):
            self.blockers.append(Blocker(route, concerned, error))

    def placement(self, identifier: str) -> Placement:
        """Return where the response for a pending authorization goes.

        :raises AttemptError: the route is blocked, but the CA requires a new validation.
        """
        if identifier not in self.placements:
            raise self._blocked[identifier]
        return self.placements[identifier]

    def needed(self) -> list[Placement]:
        """Return the placements of the identifiers that will probably be pending."""
        return [placement for identifier, placement in self.placements.items() if identifier not in self.validated]

    def refuse(self, error: ProviderError) -> None:
        """Block the routes through a DNS account whose driver refuses its configuration."""
        for route in dict.fromkeys(self.routes.values()):
            if about(error).account in route.dns:
                users = [identifier for identifier, its in self.routes.items() if its == route]
                self.block(route, users, error)

    def forbid(self, answers: Mapping[str, CaaAnswer], ca_identities: Sequence[str], account_url: str) -> None:
        """Block the routes that CAA records forbid (RFC 8659, RFC 8657)."""
        for identifier, error in denials(answers, self.routes, ca_identities, account_url).items():
            self.block(self.routes[identifier], [identifier], error)


# ── solver ─────────────────────────────────────────────────────────────────────────────


class SolverResources(Frozen):
    """The resources that a solver may need, shared by all certificates of a run.

    :ivar locks: locks of zones that allow only one value or one writer at a time.
    :ivar journal: the journal of TXT values; a value is recorded before it is written to DNS.
    :ivar attended: whether a person watches the run, who can set a TXT record by hand.
    :ivar responses: the http-01 responses that an app of this program serves; None if the program has no app.
    :ivar dry_run: whether the run is a dry run, which leaves nothing behind.
    """

    dns: DnsView
    accounts: Mapping[str, DnsAccount]
    providers: Mapping[str, Provider]
    locks: ZoneLocks
    journal: Journal
    responses: AppResponses | None = None
    attended: bool = False
    dry_run: bool = False


class Solver(ABC, Generic[P, V]):
    """One challenge type. Thread-safe; one object serves all certificates of a run.

    A type defines the five abstract methods. The others do nothing by default.
    """

    @abstractmethod
    def preflight(
        self, context: Context, identifiers: Sequence[str], route: Route, check: PropagationCheck, found: Placements
    ) -> None:
        """Find out where the responses for some identifiers go, or why the route cannot work. Publish nothing.

        :param found: receives the result.
        """

    @abstractmethod
    def make_values(self, ca: CAClient, placement: P, challenge: Challenge) -> list[V]:
        """Return the values that answer a challenge.

        :raises CAError: the challenge is malformed.
        """

    @abstractmethod
    def publish(self, context: Context, values: Sequence[V]) -> None:
        """Publish the values.

        :raises AttemptError: any part may have been published.
        """

    @abstractmethod
    def wait_visible(self, context: Context, values: Sequence[V], wanted: Propagation, settle: float) -> None:
        """Wait until the values are visible.

        :param settle: seconds to wait afterwards, in addition to the configured ones.
        :raises AttemptError: they were not visible in time.
        """

    @abstractmethod
    def withdraw(self, context: Context, values: Sequence[V]) -> None:
        """Remove the values. Raise no error; warn of values that stay."""

    def prepare(self, context: Context, placements: Collection[P]) -> None:  # optional
        """Read secrets and make drivers before an order.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: a driver refuses its options.
        """

    def batches(self, values: Sequence[V]) -> list[list[V]]:
        """Split the values into batches that can be published at the same time."""
        return [list(values)]

    def exclusive(self, context: Context, placements: Collection[P]) -> AbstractContextManager[None]:
        """Lock the names and zones that hold one value at a time.

        :raises LockedError: another run holds a lock.
        """
        del context, placements
        return contextlib.nullcontext()

    def journaled(self, context: Context, values: Sequence[V]) -> AbstractContextManager[None]:
        """Keep the values in the journal while they are published.

        :raises StoreError: the journal cannot be written. Publish nothing then.
        """
        del context, values
        return contextlib.nullcontext()

    def wait_caches(self, context: Context, values: Sequence[V], ca: str) -> None:  # optional
        """Wait until no resolver of the CA caches an older value."""

    def note_answered(self, context: Context, values: Sequence[V], ca: str) -> None:  # optional
        """Record that the CA queries the values from now on."""

    def explain(self, context: Context, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
        """Return the error with a likely cause if one is found, otherwise the same error."""
        del context, identifiers
        return error


@contextlib.contextmanager
def _named(challenge: str) -> Iterator[None]:
    """Let an error of the block say which challenge type it is about."""
    try:
        yield
    except AttemptError as error:
        raise error.with_evidence(challenge=challenge) from None


class Solvers(dict[str, Solver[Any, Any]]):
    """The solvers of a run by challenge type, each made when it is first used.

    It has the steps of a :class:`Solver`. Each solver gets the placements and values of its type.
    """

    def __init__(self, resources: SolverResources, made: Mapping[str, Solver[Any, Any]] | None = None) -> None:
        super().__init__(made or {})
        self._resources = resources

    def __missing__(self, challenge: str) -> Solver[Any, Any]:
        module, _, name = CHALLENGES[challenge].solver.partition(".")
        make: Callable[[SolverResources], Solver[Any, Any]] = getattr(import_module(f"{__package__}.{module}"), name)
        # Two threads may both make one. The first stored solver is used by both.
        return self.setdefault(challenge, make(self._resources))

    def prepare(self, context: Context, placements: Collection[Placement]) -> None:
        """Read secrets and make drivers before an order."""
        for solver, some in self.each(placements):
            solver.prepare(context, some)

    def publish(self, context: Context, values: Collection[Value]) -> None:
        """Publish the values."""
        for solver, some in self.each(values):
            with _named(some[0].challenge):
                solver.publish(context, some)

    def wait_visible(self, context: Context, values: Collection[Value], wanted: Propagation, settle: float) -> None:
        """Wait until the values are visible."""
        for solver, some in self.each(values):
            with _named(some[0].challenge):
                solver.wait_visible(context, some, wanted, settle)

    def wait_caches(self, context: Context, values: Collection[Value], ca: str) -> None:
        """Wait until no resolver of the CA caches an older value."""
        for solver, some in self.each(values):
            solver.wait_caches(context, some, ca)

    def note_answered(self, context: Context, values: Collection[Value], ca: str) -> None:
        """Record that the CA queries the values from now on."""
        for solver, some in self.each(values):
            solver.note_answered(context, some, ca)

    def withdraw(self, context: Context, values: Collection[Value]) -> None:
        """Remove the values."""
        for solver, some in self.each(values):
            solver.withdraw(context, some)

    def exclusive(self, context: Context, placements: Collection[Placement]) -> AbstractContextManager[None]:
        """Lock the names and zones that hold one value at a time."""
        return all_held(solver.exclusive(context, some) for solver, some in self.each(placements))

    def journaled(self, context: Context, values: Collection[Value]) -> AbstractContextManager[None]:
        """Keep the values in the journal while they are published."""
        return all_held(solver.journaled(context, some) for solver, some in self.each(values))

    def of_type(self, challenge: str) -> Any:  # for methods that only this type has
        """Return the solver of a challenge type."""
        return self[challenge]

    def preflight(
        self,
        context: Context,
        routes: Mapping[str, Route],
        check: PropagationCheck,
        validated: Collection[str] = (),
        account_url: Callable[[], str] = str,
    ) -> Placements:
        """Find out where the response for each identifier goes. Publish nothing.

        :param validated: identifiers with a validation that the CA probably still accepts.
        :param account_url: returns the URL of the account at the CA.
        """
        placements = Placements(dict(routes), validated, account_url)
        for route in dict.fromkeys(routes.values()):
            identifiers = [identifier for identifier, its in routes.items() if its == route]
            self[route.challenge].preflight(context, identifiers, route, check, placements)
        return placements

    def make_values(self, ca: CAClient, placement: Placement, challenge: Challenge) -> list[Value]:
        """Return the values that answer a challenge."""
        return list(self[placement.challenge].make_values(ca, placement, challenge))

    def batches(self, values: Sequence[Value]) -> list[list[Value]]:
        """Split the values into batches that can be published at the same time."""
        by_type = [solver.batches(some) for solver, some in self.each(values)]
        return [[value for batch in batches for value in batch] for batches in zip_longest(*by_type, fillvalue=[])]

    def explain(self, context: Context, routes: Mapping[str, Route], error: AttemptError) -> AttemptError:
        """Return the error with a likely cause if one is found."""
        for challenge in dict.fromkeys(route.challenge for route in routes.values()):
            identifiers = [identifier for identifier, route in routes.items() if route.challenge == challenge]
            error = self[challenge].explain(context, identifiers, error)
        return error

    def each(self, items: Collection[_T]) -> Iterator[tuple[Solver[Any, Any], list[_T]]]:
        """Yield each solver with its items, in the order of :data:`CHALLENGES`."""
        for challenge in CHALLENGES:
            if some := [item for item in items if item.challenge == challenge]:
                yield self[challenge], some
