"""What a CA says of orders, authorizations and challenges (RFC 8555 section 7.1), as values.

Read with tolerance: an unknown status, challenge or field is kept or passed over and never a failure.
What the order loop cannot do without is demanded, and its absence is a :class:`MalformedResource`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from dnsrenew.base.values import Frozen

Problem = Mapping[str, Any]

_MOST = 1000
"""Authorizations of an order: each is a request, and no CA takes so many names."""


class MalformedResource(ValueError):
    """An answer lacks what it must have; ``str()`` says what, as the end of a sentence."""


class Order(Frozen):
    """An order (RFC 8555 section 7.1.3).

    :ivar status: ``pending``, ``ready``, ``processing``, ``valid``, ``invalid``.
    :ivar identifiers: its names, as the CA lists them.
    :ivar authorizations: their URLs, in no order that means anything.
    :ivar finalize: the URL that takes the CSR.
    :ivar certificate: the URL of the certificate, once it is issued.
    :ivar error: the problem document of an invalid order.
    :ivar replaces: the ARI identifier of the certificate that it replaces (RFC 9773 section 5), where the CA took it.
    :ivar profile: the profile that it was ordered with, where the CA took it.
    """

    url: str
    status: str
    identifiers: tuple[str, ...]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None = None
    error: Problem | None = None
    replaces: str | None = None
    profile: str | None = None


class Challenge(Frozen):
    """One way to prove control (RFC 8555 section 7.1.5, section 8).

    :ivar token: absent in some types of challenge.
    :ivar error: why the last try failed; it may stand while the CA still tries.
    """

    type: str
    url: str
    token: str | None
    status: str
    error: Problem | None
    authorization_url: str


class Authorization(Frozen):
    """The CA's view of one name (RFC 8555 section 7.1.4).

    :ivar domain: A-labels, without ``*.``.
    :ivar wildcard: whether it is for ``*.domain``.
    :ivar status: ``pending``, ``valid``, or one that is the end.
    """

    url: str
    domain: str
    wildcard: bool
    status: str
    challenges: tuple[Challenge, ...]

    @property
    def identifier(self) -> str:
        """The name as it was ordered, with ``*.`` for a wildcard."""
        return f"*.{self.domain}" if self.wildcard else self.domain

    def challenge(self, kind: str) -> Challenge | None:
        """Return the challenge of a type, if it is offered."""
        return next((challenge for challenge in self.challenges if challenge.type == kind), None)

    @property
    def problem(self) -> Problem | None:
        """Why a challenge failed, or what went wrong so far."""
        return next((challenge.error for challenge in self.challenges if challenge.error is not None), None)


def parse_order(url: str | None, body: Any) -> Order:  # JSON
    """Read an order; its URL comes from the ``Location`` of newOrder.

    :raises Malformed: then.
    """
    fields = _object(body, "the order")
    if not url:
        raise MalformedResource("the order has no URL (Location)")
    return Order(
        url=url,
        status=_text(fields, "status", "the order"),
        identifiers=tuple(_identifiers(fields.get("identifiers"))),
        authorizations=_addresses(url, fields, "authorizations", "the order"),
        finalize=_address(url, fields, "finalize", "the order"),
        certificate=address(url, fields.get("certificate")),
        error=parse_problem(fields.get("error")),
    )


def parse_authorization(url: str, body: Any) -> Authorization:  # JSON
    """Read an authorization.

    :raises Malformed: then.
    """
    fields = _object(body, "the authorization")
    identifier = _object(fields.get("identifier"), "the identifier of an authorization")
    name = _text(identifier, "value", "the identifier of an authorization").lower()
    challenges = fields.get("challenges")
    parsed = (_challenge(url, each) for each in (challenges if isinstance(challenges, list) else []))
    return Authorization(
        url=url,
        domain=name.removeprefix("*."),
        wildcard=fields.get("wildcard") is True or name.startswith("*."),
        status=_text(fields, "status", "the authorization"),
        challenges=tuple(challenge for challenge in parsed if challenge is not None),
    )


def parse_problem(body: Any) -> Problem | None:  # JSON
    """Read a problem document (RFC 7807); an empty one says nothing."""
    return body if isinstance(body, dict) and body else None


def identifier_of(problem: Problem) -> str | None:
    """Return the name that a subproblem is about (RFC 8555 section 6.7.1)."""
    return next(_identifiers([problem.get("identifier")]), None)


def _challenge(authorization_url: str, body: Any) -> Challenge | None:
    url = address(authorization_url, body.get("url")) if isinstance(body, dict) else None
    if url is None or not isinstance(body.get("type"), str):
        return None  # of a type that is not ours to know
    return Challenge(
        type=body["type"],
        url=url,
        token=_optional(body.get("token")),
        status=_optional(body.get("status")) or "pending",
        error=parse_problem(body.get("error")),
        authorization_url=authorization_url,
    )


def _identifiers(body: Any) -> Any:  # yields str
    for each in body if isinstance(body, list) else []:
        if isinstance(each, dict) and isinstance(each.get("value"), str):
            yield each["value"].lower()


def _object(body: Any, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise MalformedResource(f"{what} is not a JSON object")
    return body


def _text(fields: dict[str, Any], key: str, what: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedResource(f"{what} has no `{key}`")
    return value


def _address(base: str, fields: dict[str, Any], key: str, what: str) -> str:
    found = address(base, fields.get(key))
    if found is None:
        raise MalformedResource(f"{what} has no `{key}` that is an address")
    return found


def _addresses(base: str, fields: dict[str, Any], key: str, what: str) -> tuple[str, ...]:
    value = fields.get(key)
    found = [address(base, each) for each in value] if isinstance(value, list) else [None]
    if len(found) > _MOST:
        raise MalformedResource(f"the `{key}` of {what} are {len(found)}")
    if None in found:
        raise MalformedResource(f"{what} has no `{key}` that are addresses")
    return tuple(each for each in found if each is not None)


def address(base: str, found: Any) -> str | None:  # JSON
    """Return the URL that a CA gives, made absolute; None where it is none, or leads away from TLS.

    :param base: the URL that it was given at.
    """
    if not isinstance(found, str) or not found or not found.isprintable() or " " in found:
        return None
    try:
        url = urljoin(base, found)
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0  # a port that is none is a ValueError
    except ValueError:
        return None
    safe = parts.scheme == "https" or (parts.scheme == "http" and base.startswith("http:"))
    return url if whole and safe else None


def _optional(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def base64url(data: bytes) -> str:
    """Return the text form that ACME has for octets (RFC 7515 section 2): no padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
