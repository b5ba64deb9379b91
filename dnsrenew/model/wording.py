"""What was tried, as people say it: for messages and for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.model import Attempt


def describe_route(route: Mapping[str, Any]) -> str:
    """Return a route as people say it: ``dns-01 with home at lab``; of a mix all it is made of.

    :param route: the JSON form of a :class:`dnsrenew.model.RouteTaken`.
    """
    names = route.get("names")
    kinds = dict.fromkeys(way["challenge"] for way in names.values()) if names else [route.get("challenge")]
    accounts = " and ".join(route.get("dns") or ())
    where = f" at {route['ca']}" if route.get("ca") else ""
    return f"{' and '.join(map(str, kinds))}{f' with {accounts}' if accounts else ''}{where}"


def first_sentence(text: str) -> str:
    """Return what stands before the second sentence of a text of ours."""
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def is_skip(attempt: Attempt) -> bool:
    """Tell whether nothing was even tried: it was known before that it could not lead there."""
    return attempt.orders == 0 and attempt.seconds == 0 and attempt.error is not None
