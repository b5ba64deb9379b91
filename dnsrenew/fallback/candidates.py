"""The routes that are left for each name, and the selection for the next attempt.

A route that failed is dropped for every name, except for names that it has validated. The next attempt takes the first
remaining route of each name, in the order of the configuration. A certificate comes from one CA, so all routes of a
selection are of one CA and share one order. Every attempt drops a route, so a run ends: it makes at most one order for
each route, and one more for each route with a second try.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.model import Route


class Selection(Frozen):
    """One CA, and one of its routes for each identifier."""

    ca: str
    routes: Mapping[str, Route]

    def users(self, route: Route) -> list[str]:
        """Return the identifiers that take a route."""
        return [identifier for identifier, its in self.routes.items() if its == route]

    def distinct(self) -> list[Route]:
        """Return the routes, each once, in the order of the names."""
        return list(dict.fromkeys(self.routes.values()))


class Candidates:
    """The routes that are left for each name.

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
        """Replace a route without accounts by several; add no route twice, and none that was dropped."""
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

        A name whose route is not expanded yet does not get it later.

        :param keep: names that the route has validated, or that get a second try.
        """
        losers = [name for name in self._left if name not in keep]
        had = any(route in self._left[name] for name in losers)
        self.drop(route, losers)
        return had

    def drop_ca(self, ca: str) -> list[Route]:
        """Drop all routes of a CA for all names; return those that were left."""
        dropped = [route for route in self._order if route.ca == ca and self._is_left(route)]
        for routes in self._left.values():
            routes[:] = [route for route in routes if route.ca != ca]
        return dropped
