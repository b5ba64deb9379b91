"""The result of the preflight: where the response for each identifier goes, and what rules a route out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from dnsrenew.base.checks.caa import denials
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.checks.caa import CaaFacts
    from dnsrenew.base.model import Route
    from dnsrenew.errors import AttemptError, ProviderError


class Placement(Protocol):
    """Where the response to the challenge of one identifier goes."""

    @property
    def challenge(self) -> str:
        """The challenge type, such as ``dns-01``."""

    @property
    def identifier(self) -> str:
        """The identifier."""


class Value(Protocol):
    """One response, ready to be published."""

    @property
    def challenge(self) -> str:
        """The challenge type."""

    @property
    def identifier(self) -> str:
        """The identifier that it validates."""


class Blocker(Frozen):
    """The reason why a route certainly cannot work for some identifiers; known before an order."""

    route: Route
    identifiers: tuple[str, ...]
    error: AttemptError


class Placements:
    """What the preflight of a route selection found.

    :ivar routes: the route of each identifier; the first one if its route was expanded.
    :ivar validated: identifiers with a validation that the CA probably still accepts; their blockers are ignored
        until the CA wants a new validation.
    :ivar opened: identifiers whose route names no account and was expanded: that route, and one for each account.
    """

    def __init__(self, routes: dict[str, Route], validated: Collection[str] = ()) -> None:
        self.routes = routes
        self.validated = validated
        self.placements: dict[str, Placement] = {}
        self.blockers: list[Blocker] = []
        self.opened: dict[str, tuple[Route, list[Route]]] = {}
        self._blocked: dict[str, AttemptError] = {}

    def block(self, route: Route, identifiers: Sequence[str], error: AttemptError) -> None:
        """Note that a route cannot work for some identifiers."""
        self._blocked.update(dict.fromkeys(identifiers, error))
        concerned = tuple(identifier for identifier in identifiers if identifier not in self.validated)
        if concerned:
            self.blockers.append(Blocker(route, concerned, error))

    def placement(self, identifier: str) -> Placement:
        """Return where the response for a pending authorization goes.

        :raises AttemptError: the route is blocked, but the CA wants a new validation.
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
            if error.evidence.get("account") in route.dns:
                users = [identifier for identifier, its in self.routes.items() if its == route]
                self.block(route, users, error)

    def forbid(self, answers: Mapping[str, CaaFacts], ca_identities: Sequence[str], account_url: str) -> None:
        """Block the routes that CAA records forbid (RFC 8659, RFC 8657)."""
        for identifier, error in denials(answers, self.routes, ca_identities, account_url).items():
            self.block(self.routes[identifier], [identifier], error)
