"""Which route each name takes: a pure game of what is left to whom.

A route that failed is left by every name but those that are proved by it; what is left, in the user's
order, is what is tried next. One certificate comes from one CA, so all names take routes of one CA at a
time, and one order holds their mix. Every attempt takes something away, so a run ends: it makes at most
one order for each route, and one more for each that is worth a second try.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.model import Route


class Selection(Frozen):
    """What is tried now: one CA, and a route of it for each identifier."""

    ca: str
    routes: Mapping[str, Route]

    def users(self, route: Route) -> list[str]:
        """Return the identifiers that take a route."""
        return [identifier for identifier, its in self.routes.items() if its == route]

    def distinct(self) -> list[Route]:
        """Return the routes of the mix, each once, in the order of the names."""
        return list(dict.fromkeys(self.routes.values()))


class Candidates:
    """What is left to each name.

    :param options: for each identifier its routes in the order in which they are to be tried; each names its CA.
    :param order: all routes in the order in which they are to be tried.
    """

    def __init__(self, options: Mapping[str, Sequence[Route]], order: Sequence[Route]) -> None:
        self._left = {identifier: list(routes) for identifier, routes in options.items()}
        self._gone: set[tuple[str, Route]] = set()
        self._order = list(order)

    def choose(self) -> Selection | None:
        """Return what to try next; None when some name has no route left at any CA that the others have.

        The CA is that of the earliest route that is left to any name, of the CAs that every name has a route to.
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
        """Return the identifiers that have no route left at all."""
        return [identifier for identifier, routes in self._left.items() if not routes]

    def expand(self, identifier: str, route: Route, several: Sequence[Route]) -> None:
        """Put several routes in the place of one that stands for them; none is doubled, and none comes back."""
        left = self._left[identifier]
        place = left.index(route)
        before, after = left[:place], left[place + 1 :]
        fresh = [one for one in several if one not in before and (identifier, one) not in self._gone]
        left[:] = [*before, *fresh, *(one for one in after if one not in fresh)]
        place = self._order.index(route)
        self._order[place:place] = [one for one in several if one not in self._order]

    def leave(self, route: Route, identifiers: Collection[str]) -> None:
        """Take a route from some names: it is ruled out for them."""
        for identifier in identifiers:
            self._gone.add((identifier, route))
            if route in self._left[identifier]:
                self._left[identifier].remove(route)

    def failed(self, route: Route, keep: Collection[str]) -> bool:
        """Take a route that failed from every name but some; tell whether any name had it.

        From those too that have a route which is yet to be found to stand for it.

        :param keep: names that go by it and need no new proof, or are worth a second try.
        """
        losers = [name for name in self._left if name not in keep]
        had = any(route in self._left[name] for name in losers)
        self.leave(route, losers)
        return had

    def leave_ca(self, ca: str) -> list[Route]:
        """Take all routes of a CA from all names, and return those that were left until now."""
        gone = [route for route in self._order if route.ca == ca and self._is_left(route)]
        for routes in self._left.values():
            routes[:] = [route for route in routes if route.ca != ca]
        return gone
