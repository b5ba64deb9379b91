"""Orders, authorizations and challenges (RFC 8555 section 7.1) as values.

Parsing is tolerant: an unknown status, challenge type or field is kept or ignored. Only a field that the order loop
needs is required; without it, parsing raises :class:`MalformedResource`. Texts are cleaned and cut here, except the
texts of problem documents: only errors show these, and :mod:`dnsrenew.acme.problems` cleans them.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from dnsrenew.acme import texts
from dnsrenew.base.names import InvalidName, canonical_ip
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Text, printable

# ── clean ──────────────────────────────────────────────────────────────────────────────

# Texts from a CA as one short line, and the URLs of a ``Link`` header.
#
# Every text of a CA that may reach a message, a log, an event or the disk passes :func:`one_line` once, where it
# comes in. A CA could send line breaks that look like our own lines, escape sequences, or a name of a megabyte.

MAX_TEXT: Final = 1000
"""Number of characters that are kept of a sentence or an address from the CA."""
MAX_NAME: Final = 255
"""Number of characters that are kept of an identifier; no domain name is longer (RFC 1035 section 2.3.4)."""
MAX_WORD: Final = 100
"""Number of characters that are kept of a status, a challenge type or the name of a profile."""
MAX_ENTRIES: Final = 100
"""Number of entries that are kept of a list that only a message needs."""
MAX_LINK: Final = 16 * 1024
"""Number of characters that are read of a ``Link`` header."""

# Linear: no part can begin where another one goes on. Not compiled, because few answers need them.
_LINK: Final = r"<([^<>]*)>([^<>]*)"
_RELATION: Final = r"(?i);\s*rel\s*=\s*\"?([^\";,]*)"


def cut(text: str, most: int) -> str:
    """Return a text of at most this many characters; an ellipsis shows that it was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as one printable line of at most this many characters."""
    return cut(printable(text), most)


def links(header: str, relation: str) -> list[str]:
    """Return the targets of a ``Link`` header (RFC 8288) with a relation, such as ``alternate``."""
    found = re.findall(_LINK, header[:MAX_LINK])
    return [target for target, parameters in found if relation in _relations(parameters)]


def _relations(parameters: str) -> list[str]:
    found = re.search(_RELATION, parameters)
    return found[1].lower().split() if found else []


# ── resources ──────────────────────────────────────────────────────────────────────────

Problem = Mapping[str, Any]

_MAX_AUTHORIZATIONS = 1000
"""The limit of authorizations in an order. Each needs one request, and no CA accepts so many identifiers."""
_MAX_CHALLENGES = 50
"""The number of challenges that are read of an authorization; CAs offer three or four."""
_ISSUER_FIELDS: Final = {"issuerDomainNames": True, "issuer-domain-names": False}
"""The fields of a dns-persist-01 challenge, and whether its record has a hash of the account: draft 02, then 00 and 01.
"""
_MAX_ISSUERS = 10
_MAX_DOMAIN = 253
_DOMAIN = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*")
"""An issuer domain name: A-labels in lower case, without a final dot."""
_MAX_URL = 4000
"""The maximum length of a URL, because it is stored and appears in events."""


class MalformedResource(ValueError):
    """An answer lacks a required field.

    :ivar text: the text of the error.
    :ivar fields: the evidence of the error.
    """

    def __init__(self, text: Text, **fields: Any) -> None:
        super().__init__(text.code, fields)
        self.text = text
        self.fields = fields


class Order(Frozen):
    """An order (RFC 8555 section 7.1.3).

    :ivar status: ``pending``, ``ready``, ``processing``, ``valid``, ``invalid``.
    :ivar identifiers: its identifiers, in the order of the CA.
    :ivar authorizations: the URLs of its authorizations, in no particular order.
    :ivar finalize: the URL for the CSR.
    :ivar certificate: the URL of the certificate after issuance, or None.
    :ivar error: the problem document of an invalid order.
    :ivar replaces: the ARI identifier of the previous certificate (RFC 9773 section 5), if the CA accepted it.
    :ivar profile: the profile of the order, if the CA accepted it.
    :ivar not_after: the requested end of validity, or None.
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
    not_after: datetime | None = None


class Challenge(Frozen):
    """A challenge (RFC 8555 section 7.1.5 and section 8).

    :ivar token: None for challenge types without a token.
    :ivar error: the problem of the last validation; the CA may still retry.
    :ivar issuer_names: the issuer domain names that a dns-persist-01 record may have; empty if the CA names none or
        breaks the rules (draft-ietf-acme-dns-persist section 3.1).
    :ivar hashes_account: whether such a record has a hash of the account (since draft 02), or the account URL; None:
        the challenge follows no known draft.
    :ivar account_uri: the URI of the account in such a record (draft 01).
    """

    type: str
    url: str
    token: str | None
    status: str
    error: Problem | None
    authorization_url: str
    issuer_names: tuple[str, ...] = ()
    hashes_account: bool | None = None
    account_uri: str | None = None


class Authorization(Frozen):
    """An authorization for one identifier (RFC 8555 section 7.1.4).

    :ivar domain: A-labels, without ``*.``; or an IP address.
    :ivar wildcard: whether it is for ``*.domain``.
    :ivar status: ``pending``, ``valid``, or a final status that means failure.
    """

    url: str
    domain: str
    wildcard: bool
    status: str
    challenges: tuple[Challenge, ...]

    @property
    def identifier(self) -> str:
        """The ordered identifier, with ``*.`` for a wildcard."""
        return f"*.{self.domain}" if self.wildcard else self.domain

    def challenge(self, kind: str) -> Challenge | None:
        """Return the challenge of a type, or None if the CA does not offer it."""
        return next((challenge for challenge in self.challenges if challenge.type == kind), None)

    @property
    def problem(self) -> Problem | None:
        """The problem of the first challenge that has one; the authorization may still be pending."""
        return next((challenge.error for challenge in self.challenges if challenge.error is not None), None)


def parse_order(url: str | None, body: Any) -> Order:  # JSON
    """Parse an order; its URL is the ``Location`` of newOrder.

    :raises MalformedResource: a required field is missing.
    """
    fields = _object(body, "order")
    if not url:
        raise MalformedResource(texts.NO_URL, resource="order")
    return Order(
        url=url,
        status=_text(fields, "status", "order"),
        identifiers=tuple(_identifiers(fields.get("identifiers")))[:_MAX_AUTHORIZATIONS],
        authorizations=_addresses(url, fields, "authorizations", "order"),
        finalize=_address(url, fields, "finalize", "order"),
        certificate=address(url, fields.get("certificate")),
        error=parse_problem(fields.get("error")),
    )


def parse_authorization(url: str, body: Any) -> Authorization:  # JSON
    """Parse an authorization.

    :raises MalformedResource: a required field is missing.
    """
    fields = _object(body, "authorization")
    identifier = _object(fields.get("identifier"), "identifier of the authorization")
    value = _text(identifier, "value", "identifier of the authorization", MAX_NAME)
    name = _identifier(identifier.get("type"), value)
    challenges = fields.get("challenges")
    parsed = (_challenge(url, each) for each in (challenges if isinstance(challenges, list) else [])[:_MAX_CHALLENGES])
    return Authorization(
        url=url,
        domain=name.removeprefix("*."),
        wildcard=fields.get("wildcard") is True or name.startswith("*."),
        status=_text(fields, "status", "authorization"),
        challenges=tuple(challenge for challenge in parsed if challenge is not None),
    )


def parse_problem(body: Any) -> Problem | None:  # JSON
    """Return a problem document (RFC 7807), or None if it is empty or not an object."""
    return body if isinstance(body, dict) and body else None


def identifier_of(problem: Problem) -> str | None:
    """Return the identifier of a subproblem (RFC 8555 section 6.7.1)."""
    return next(_identifiers([problem.get("identifier")]), None)


def _challenge(authorization_url: str, body: Any) -> Challenge | None:
    url = address(authorization_url, body.get("url")) if isinstance(body, dict) else None
    if url is None or not isinstance(body.get("type"), str):
        return None  # unknown challenge format: ignore
    names = next((body[key] for key in _ISSUER_FIELDS if key in body), None)
    return Challenge(
        type=one_line(body["type"], MAX_WORD),
        url=url,
        token=_word(body.get("token")),
        status=status_of(body) or "pending",
        error=parse_problem(body.get("error")),
        authorization_url=authorization_url,
        issuer_names=issuer_names(names),
        hashes_account=next((new for key, new in _ISSUER_FIELDS.items() if key in body), None),
        account_uri=_word(body.get("accounturi")),
    )


def issuer_names(value: Any) -> tuple[str, ...]:  # JSON
    """Return issuer domain names of a CA; empty if the list breaks a rule (draft-ietf-acme-dns-persist section 3.1)."""
    names = value if isinstance(value, list) and len(value) <= _MAX_ISSUERS else []
    fit = all(isinstance(name, str) and len(name) <= _MAX_DOMAIN and _DOMAIN.fullmatch(name) for name in names)
    return tuple(names) if fit else ()


def _identifiers(body: Any) -> Any:  # yields str
    for each in body if isinstance(body, list) else []:
        if isinstance(each, dict) and isinstance(each.get("value"), str):
            yield _identifier(each.get("type"), one_line(each["value"], MAX_NAME))


def _identifier(kind: Any, value: str) -> str:  # JSON
    """Return an identifier of the CA in our form, because a CA may write an IPv6 address differently (RFC 8738)."""
    if kind == "ip":
        with contextlib.suppress(InvalidName):  # the caller finds out that it was not ordered
            return canonical_ip(value)
    return value.lower()


def _object(body: Any, resource: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise MalformedResource(texts.NOT_AN_OBJECT, resource=resource)
    return body


def _text(fields: dict[str, Any], key: str, resource: str, most: int = MAX_WORD) -> str:
    value = fields.get(key)
    text = one_line(value, most) if isinstance(value, str) else ""
    if not text:
        raise MalformedResource(texts.FIELD_MISSING, resource=resource, field=key)
    return text


def _address(base: str, fields: dict[str, Any], key: str, resource: str) -> str:
    found = address(base, fields.get(key))
    if found is None:
        raise MalformedResource(texts.FIELD_MISSING, resource=resource, field=key)
    return found


def _addresses(base: str, fields: dict[str, Any], key: str, resource: str) -> tuple[str, ...]:
    value, its = fields.get(key), {"resource": resource, "field": key}
    found = [address(base, each) for each in value] if isinstance(value, list) else [None]
    if len(found) > _MAX_AUTHORIZATIONS:
        raise MalformedResource(texts.FIELD_TOO_LONG, **its, count=len(found), limit=_MAX_AUTHORIZATIONS)
    if None in found:
        raise MalformedResource(texts.FIELD_MISSING, **its)
    return tuple(each for each in found if each is not None)


def address(base: str, found: Any) -> str | None:  # JSON
    """Return a URL from the CA as an absolute URL; None if it is invalid or leads from HTTPS to HTTP.

    :param base: the URL of the answer that contains it.
    """
    if not isinstance(found, str) or not found or not found.isprintable() or " " in found or len(found) > _MAX_URL:
        return None
    try:
        url = found if found.startswith("https://") else urljoin(base, found)
        scheme = _scheme("/".join(url.split("/", 3)[:3]))
    except ValueError:
        return None
    return url if scheme == "https" or (scheme == "http" and base.startswith("http:")) else None


@lru_cache(maxsize=64)
def _scheme(origin: str) -> str:
    """Return the scheme of a URL, from the part before its path; empty if the URL has no host."""
    parts = urlsplit(origin)
    return parts.scheme if parts.hostname and parts.port != 0 else ""  # an invalid port raises ValueError


def status_of(body: Any) -> str | None:  # JSON
    """Return the status of a challenge (RFC 8555 section 8), or None if the answer has no status."""
    status = body.get("status") if isinstance(body, dict) else None
    return one_line(status, MAX_WORD) if isinstance(status, str) and status else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def base64url(data: bytes) -> str:
    """Return bytes as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
