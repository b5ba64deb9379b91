"""The texts of errors that the choice of routes makes."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NO_ROUTE_LEFT: Final = Text(
    "no-route-left",
    "No route is left for {identifiers}.",
    "Add a route, or a DNS account that can write there.",
)
SAME_FOR: Final = Text("", "{first} Same for {others}.", "{first_fix}")
"""One error for several names of a route."""
SAME_FOR_MORE: Final = Text("", "{first} Same for {others} and {more} more.", "{first_fix}")
