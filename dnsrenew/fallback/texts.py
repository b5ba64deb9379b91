"""The texts of errors about the choice of routes."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NO_ROUTE_LEFT: Final = Text(
    "no-route-left",
    "No route is left for {identifiers}.",
    "Add a route for it, or a DNS account that can write its TXT record.",
)
SAME_FOR: Final = Text("", "{first} Same for {others}.", "{first_fix}")
"""An error that several names of a route share."""
SAME_FOR_MORE: Final = Text("", "{first} Same for {others} and {more} more.", "{first_fix}")
