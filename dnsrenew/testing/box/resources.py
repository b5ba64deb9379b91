"""The resources of the CA of a box (RFC 8555 section 7.1), and what it has issued."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from dnsrenew.base.model import rfc3339
from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.base.values import Frozen

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
    :ivar not_after: the end of the validity that was asked for.
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
    not_after: datetime | None = None
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
        body |= {} if self.not_after is None else {"notAfter": rfc3339(self.not_after)}
        body |= {} if self.error is None else {"error": self.error.document()}
        return body | ({"certificate": self.url.replace("/order/", "/certificate/")} if self.status == "valid" else {})


def identifier_of(name: str) -> Json:
    """Return the identifier object of a name."""
    return {"type": "ip" if is_ip(name) else "dns", "value": name}


# ── signed request ─────────────────────────────────────────────────────────────────────

# A signed request of an ACME client (RFC 8555 section 6.2), read and verified.

_CURVES: Final[Mapping[str, tuple[str, ec.EllipticCurve, hashes.HashAlgorithm, int]]] = {
    "ES256": ("P-256", ec.SECP256R1(), hashes.SHA256(), 32),
    "ES384": ("P-384", ec.SECP384R1(), hashes.SHA384(), 48),
}
_THUMBPRINT: Final = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class SignedRequest(Frozen):
    """A JWS whose signature is not verified yet.

    :ivar header: the protected header.
    :ivar payload: None for POST-as-GET.
    """

    header: Mapping[str, Any]
    payload: Mapping[str, Any] | None
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, body: bytes) -> SignedRequest:
        """Read the body of a request.

        :raises AcmeProblem: ``malformed``.
        """
        try:
            parts = json.loads(body)
            texts = [parts[name] for name in ("protected", "payload", "signature")]
            header = json.loads(decoded(texts[0]))
            payload = json.loads(decoded(texts[1])) if texts[1] else None
            return cls(header, payload, f"{texts[0]}.{texts[1]}".encode(), decoded(texts[2]))
        except (ValueError, KeyError, TypeError):
            raise AcmeProblem("malformed", "the body is no JWS") from None

    def verify(self, jwk: Mapping[str, Any]) -> None:
        """Check the signature.

        :raises AcmeProblem: ``badSignatureAlgorithm``, ``malformed``.
        """
        algorithm = str(self.header.get("alg"))
        try:
            if algorithm in _CURVES:
                self._verify_ec(jwk, *_CURVES[algorithm])
            elif algorithm == "RS256":
                key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
                key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
            else:
                raise AcmeProblem("badSignatureAlgorithm", f"the algorithm {algorithm} is not supported")
        except (InvalidSignature, ValueError, KeyError, TypeError):
            raise AcmeProblem("malformed", "the signature is wrong") from None

    def _verify_ec(self, jwk: Mapping[str, Any], name: str, curve: ec.EllipticCurve, digest: Any, size: int) -> None:
        if jwk["crv"] != name or len(self.signature) != 2 * size:
            raise InvalidSignature
        key = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
        r, s = (int.from_bytes(part) for part in (self.signature[:size], self.signature[size:]))
        key.verify(encode_dss_signature(r, s), self.signed, ec.ECDSA(digest))


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the thumbprint of a public key (RFC 7638).

    :raises AcmeProblem: ``badPublicKey``.
    """
    try:
        members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    except (KeyError, TypeError):
        raise AcmeProblem("badPublicKey", "the key is not supported") from None
    return encoded(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Read base64url without padding.

    :raises ValueError: it is none.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(decoded(text))


# ── answers ────────────────────────────────────────────────────────────────────────────

# What the CA of a box answers, and what it refuses, as problem documents (RFC 8555 section 6.7).

_STATUSES: Final = {
    "rateLimited": 429,
    "serverInternal": 500,
    "unauthorized": 403,
    "orderNotReady": 403,
    "caa": 403,
    "notFound": 404,
    "conflict": 409,
}


class BoxAnswer(Frozen):
    """An answer to a request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class AcmeProblem(Exception):
    """A refusal of a request, or why an authorization or an order is invalid.

    :param kind: the word after ``urn:ietf:params:acme:error:``; or ``notFound`` or ``conflict``, which are sent as
        ``malformed`` with a status of their own.
    :param retry_after: seconds for the header Retry-After; None: there is none.
    :param subproblems: problem documents about single names.
    """

    def __init__(
        self, kind: str, detail: str, *, retry_after: int | None = None, subproblems: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail, self.retry_after, self.subproblems = kind, detail, retry_after, subproblems

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        kind = "malformed" if self.kind in {"notFound", "conflict"} else self.kind
        status = _STATUSES.get(self.kind, 400)
        body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": self.detail, "status": status}
        return body | ({"subproblems": list(self.subproblems)} if self.subproblems else {})

    def answer(self) -> BoxAnswer:
        """Return the answer that has it."""
        after = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        body, kind = self.document(), ("Content-Type", "application/problem+json")
        return BoxAnswer(body["status"], json.dumps(body).encode(), (kind, *after))


def json_answer(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> BoxAnswer:
    """Return an answer with JSON."""
    return BoxAnswer(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))
