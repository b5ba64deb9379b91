"""Routes and attempts in words, for messages and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.base.model import Attempt


def describe_route(route: Mapping[str, Any]) -> str:
    """Return a route in words, such as ``dns-01 with home at lab``; for ``mixed``, all its challenges.

    :param route: the JSON form of a :class:`dnsrenew.base.model.RouteTaken`.
    """
    names = route.get("names")
    kinds = dict.fromkeys(each["challenge"] for each in names.values()) if names else [route.get("challenge")]
    accounts = " and ".join(route.get("dns") or ())
    where = f" at {route['ca']}" if route.get("ca") else ""
    return f"{' and '.join(map(str, kinds))}{f' with {accounts}' if accounts else ''}{where}"


def first_sentence(text: str) -> str:
    """Return the first sentence of a message of dnsrenew, in any of its languages."""
    ends = [end for mark in (". ", "。") if (end := text.find(mark)) >= 0]
    return text[: min(ends) + 1] if ends else text


def is_skip(attempt: Attempt) -> bool:
    """Return whether the route was skipped: it was ruled out before an order."""
    return attempt.orders == 0 and attempt.seconds == 0 and attempt.error is not None
