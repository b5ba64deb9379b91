"""The resources of the CA of a box (RFC 8555 section 7.1), and what it has issued."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from datetime import datetime

Json = dict[str, Any]


class IssuedCertificate(Frozen):
    """A certificate that the CA of a box has issued."""

    __module__ = "dnsrenew.testing"

    names: tuple[str, ...]
    """Its DNS names and IP addresses, as ordered."""
    not_before: datetime
    """The begin of its validity (UTC)."""
    not_after: datetime
    """The end of its validity (UTC)."""
    pem: str
    """The certificate with its chain."""
    replaces: str | None = None
    """The ARI identifier (RFC 9773 section 4.1) of the certificate that it replaces, if the client named one."""


@dataclass
class BoxAccount:
    """An account. Its keys are those that it has had; the last one is in force."""

    url: str
    jwk: Mapping[str, Any]
    contact: Sequence[str] = ()
    status: str = "valid"

    def to_dict(self) -> Json:
        """Return the account object."""
        return {"status": self.status, "contact": list(self.contact), "orders": f"{self.url}/orders"}


@dataclass
class BoxAuthorization:
    """An authorization with a challenge of each type.

    :ivar error: why it is invalid.
    """

    url: str
    identifier: str
    types: Sequence[str]
    status: str = "pending"
    answered: str | None = None
    error: Json | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def to_dict(self) -> Json:
        """Return the authorization object."""
        shown = self.types if self.answered is None else [self.answered]
        body: Json = {
            "status": self.status,
            "identifier": identifier_of(base_domain(self.identifier)),
            "challenges": [self.challenge(kind) for kind in shown],
        }
        return body | ({"wildcard": True} if is_wildcard(self.identifier) else {})

    def challenge(self, kind: str) -> Json:
        """Return the challenge object of a type."""
        status = "pending" if self.status == "deactivated" else self.status
        url = f"{self.url.replace('/authorization/', '/challenge/')}/{kind}"
        body: Json = {"type": kind, "url": url, "token": self.token, "status": status}
        return body | ({} if self.error is None else {"error": self.error})


@dataclass
class BoxOrder:
    """An order.

    :ivar account: the URL of its account.
    :ivar chain: the certificate, once it is issued.
    """

    url: str
    account: str
    names: tuple[str, ...]
    authorizations: list[BoxAuthorization]
    expires: str
    replaces: str | None = None
    chain: str | None = None

    @property
    def status(self) -> str:
        """The status (RFC 8555 section 7.1.6)."""
        seen = {each.status for each in self.authorizations}
        if self.chain is not None:
            return "valid"
        if not seen <= {"pending", "valid"}:
            return "invalid"
        return "pending" if "pending" in seen else "ready"

    def to_dict(self) -> Json:
        """Return the order object."""
        body: Json = {
            "status": self.status,
            "expires": self.expires,
            "identifiers": [identifier_of(name) for name in self.names],
            "authorizations": [each.url for each in self.authorizations],
            "finalize": self.url.replace("/order/", "/finalize/"),
        }
        body |= {} if self.replaces is None else {"replaces": self.replaces}
        return body | ({"certificate": self.url.replace("/order/", "/certificate/")} if self.chain else {})


def identifier_of(name: str) -> Json:
    """Return the identifier object of a name."""
    return {"type": "ip" if is_ip(name) else "dns", "value": name}
