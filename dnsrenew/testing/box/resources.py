"""The resources of the CA of a box (RFC 8555 section 7.1), and what it has issued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import rfc3339
from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.base.values import Frozen
from dnsrenew.testing.box.signed_request import thumbprint

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.testing.box.answers import AcmeProblem

Json = dict[str, Any]
_ORDER_LIFETIME: Final = timedelta(days=7)


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
    """An account.

    :ivar former: the thumbprints of the keys that it had before.
    """

    url: str
    jwk: Mapping[str, Any]
    contact: Sequence[str] = ()
    status: str = "valid"
    former: list[str] = field(default_factory=list)

    @property
    def thumbprint(self) -> str:
        """The thumbprint of its key."""
        return thumbprint(self.jwk)

    def to_dict(self) -> Json:
        """Return the account object."""
        return {"status": self.status, "contact": list(self.contact), "orders": f"{self.url}/orders"}


@dataclass
class BoxAuthorization:
    """An authorization with a challenge of each type.

    :ivar account: the URL of its account.
    :ivar challenges: the fields of each challenge that are special to its type.
    :ivar answered: the type of the challenge that the client has responded to.
    :ivar error: why it is invalid.
    """

    url: str
    account: str
    identifier: str
    challenges: Mapping[str, Json]
    status: str = "pending"
    answered: str | None = None
    error: AcmeProblem | None = None

    def to_dict(self) -> Json:
        """Return the authorization object."""
        shown = self.challenges if self.answered is None else [self.answered]
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
        body: Json = {"type": kind, "url": url, "status": status, **self.challenges[kind]}
        return body | ({} if self.error is None else {"error": self.error.document()})


@dataclass
class BoxOrder:
    """An order.

    :ivar account: the URL of its account.
    :ivar chain: the certificate, once it is issued.
    :ivar processing: whether the CA says that it is still at it.
    :ivar error: why the CA gave it up after the CSR came.
    """

    url: str
    account: str
    names: tuple[str, ...]
    authorizations: list[BoxAuthorization]
    created: datetime
    replaces: str | None = None
    profile: str | None = None
    chain: str | None = field(default=None, repr=False)
    processing: bool = False
    error: AcmeProblem | None = None

    @property
    def status(self) -> str:
        """The status (RFC 8555 section 7.1.6)."""
        seen = {each.status for each in self.authorizations}
        if self.error is not None:
            return "invalid"
        if self.processing:
            return "processing"
        if self.chain is not None:
            return "valid"
        if not seen <= {"pending", "valid"}:
            return "invalid"
        return "pending" if "pending" in seen else "ready"

    def to_dict(self) -> Json:
        """Return the order object."""
        body: Json = {
            "status": self.status,
            "expires": rfc3339(self.created + _ORDER_LIFETIME),
            "identifiers": [identifier_of(name) for name in self.names],
            "authorizations": [each.url for each in self.authorizations],
            "finalize": self.url.replace("/order/", "/finalize/"),
        }
        body |= {} if self.replaces is None else {"replaces": self.replaces}
        body |= {} if self.profile is None else {"profile": self.profile}
        body |= {} if self.error is None else {"error": self.error.document()}
        return body | ({"certificate": self.url.replace("/order/", "/certificate/")} if self.status == "valid" else {})


def identifier_of(name: str) -> Json:
    """Return the identifier object of a name."""
    return {"type": "ip" if is_ip(name) else "dns", "value": name}
