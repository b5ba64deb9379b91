"""The resources of the CA of a box (RFC 8555 section 7.1), and its issued certificates."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from josepy.errors import Error as JoseError
from josepy.jwa import ES256, ES384, RS256
from josepy.jwk import JWK

from dnsrenew.acme.resources import base64url
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
    """The beginning of its validity (UTC)."""
    not_after: datetime
    """The end of its validity (UTC)."""
    pem: str
    """The certificate with its chain."""
    replaces: str | None = None
    """The ARI identifier (RFC 9773 section 4.1) of the certificate that it replaces, if the client named one."""


@dataclass
class BoxAccount:
    """An account.

    :ivar former: the thumbprints of its earlier keys.
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
    :ivar challenges: the fields of each challenge that only its type has.
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
    :ivar processing: whether the CA reports it as ``processing``.
    :ivar error: why it failed after the CSR was received.
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

_ALGORITHMS: Final = {each.name: each for each in (ES256, ES384, RS256)}


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
        if (algorithm := _ALGORITHMS.get(str(self.header.get("alg")))) is None:
            raise AcmeProblem("badSignatureAlgorithm", f"the algorithm {self.header.get('alg')} is not supported")
        try:
            key: Any = JWK.from_json(jwk)
            is_right = algorithm.verify(key.key, self.signed, self.signature)
        except (JoseError, ValueError, TypeError, AttributeError):  # the key has another type, or is missing
            is_right = False
        if not is_right:
            raise AcmeProblem("malformed", "the signature is wrong")


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the thumbprint of a public key (RFC 7638).

    :raises AcmeProblem: ``badPublicKey``.
    """
    try:
        key: Any = JWK.from_json(jwk)
        return base64url(key.thumbprint())
    except (JoseError, ValueError, TypeError):
        raise AcmeProblem("badPublicKey", "the key is not supported") from None


def decoded(text: str) -> bytes:
    """Read base64url without padding.

    :raises ValueError: it is not base64url.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ── answers ────────────────────────────────────────────────────────────────────────────

# The answers and refusals of the CA of a box, as problem documents (RFC 8555 section 6.7).

_FORBIDDEN: Final = dict.fromkeys(("unauthorized", "orderNotReady", "caa"), 403)
_STATUSES: Final = {"rateLimited": 429, "serverInternal": 500, "notFound": 404, "conflict": 409, **_FORBIDDEN}


class BoxAnswer(Frozen):
    """An answer to a request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class AcmeProblem(Exception):
    """A refused request, or the reason why an authorization or an order is invalid.

    :param kind: the word after ``urn:ietf:params:acme:error:``; or ``notFound`` or ``conflict``, which are sent as
        ``malformed`` with a status of their own.
    :param retry_after: seconds for the header Retry-After; None if the header is not sent.
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
        """Return the answer that contains the problem document."""
        after = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        body, kind = self.document(), ("Content-Type", "application/problem+json")
        return BoxAnswer(body["status"], json.dumps(body).encode(), (kind, *after))


def json_answer(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> BoxAnswer:
    """Return an answer with JSON."""
    return BoxAnswer(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))


# ── account server ─────────────────────────────────────────────────────────────────────

# Requests to the CA of a box, and its accounts (RFC 8555 sections 6 to 7.3), without HTTP.

_LISTED: Final = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo")

Handler = Callable[[SignedRequest, str], BoxAnswer]
"""Answers a request to a URL."""


class AccountServer:
    """The part of a CA that has accounts. Thread-safe.

    :param base: the address that its URLs begin with.
    :cvar verifies: whether it checks the signatures of requests and CSRs.
    :ivar accounts: by URL; the CA adds new ones.
    :ivar meta: the values of the directory beside the resources.
    """

    verifies = True

    def __init__(self, base: str) -> None:
        self.base = base
        self.accounts: dict[str, BoxAccount] = {}
        self.meta: dict[str, Any] = {}
        self._nonces: set[str] = set()
        self._failures: dict[str, deque[AcmeProblem]] = {}
        self._lock = threading.RLock()
        self._public: dict[str, Callable[[str], BoxAnswer]] = {
            "directory": self._directory,
            "newNonce": lambda _: BoxAnswer(200, headers=(("Cache-Control", "no-store"),)),
        }
        self._resources: dict[str, Handler] = {
            "newAccount": self._new_account,
            "account": self._change_account,
            "keyChange": self._change_key,
        }

    @property
    def resources(self) -> frozenset[str]:
        """The resources to which a request can be sent."""
        return frozenset(self._resources)

    def fail(self, resource: str, problem: AcmeProblem) -> None:
        """Refuse the next request for a resource, after the refusals that are already waiting."""
        with self._lock:
            self._failures.setdefault(resource, deque()).append(problem)

    def nonce(self) -> str:
        """Return a new nonce."""
        with self._lock:
            self._nonces.add(nonce := secrets.token_urlsafe(16))
        return nonce

    def answer(self, method: str, path: str, body: bytes) -> BoxAnswer:
        """Answer a request; a refusal becomes a problem document (RFC 8555 section 6.7)."""
        try:
            return self._post(path, SignedRequest.read(body)) if method == "POST" else self._get(path)
        except AcmeProblem as problem:
            return problem.answer()

    # ── requests ────────────────────────────────────────────────────────────────────────

    def _get(self, path: str) -> BoxAnswer:
        resource, _, rest = path.strip("/").partition("/")
        if resource not in self._public:
            raise AcmeProblem("notFound", f"there is no {path}")
        return self._public[resource](rest)

    def _directory(self, _rest: str) -> BoxAnswer:
        names = (name for name in _LISTED if name in {*self._public, *self._resources})
        body: dict[str, Any] = {name: f"{self.base}/{name}" for name in names}
        return json_answer({**body, "meta": self.meta})

    def _post(self, path: str, request: SignedRequest) -> BoxAnswer:
        resource = path.strip("/").partition("/")[0]
        if resource not in self._resources:
            raise AcmeProblem("notFound", f"there is no {path}")
        work = self._resources[resource]
        with self._lock:
            self._check(path, request, resource)
            if resource != "challenge":
                if failure := self._failure_of(resource):
                    raise failure
                return work(request, f"{self.base}{path}")
        # Without the lock, because a validation by http-01 sends a request to the program under test.
        return work(request, f"{self.base}{path}")

    def _check(self, path: str, request: SignedRequest, resource: str) -> None:
        """Check nonce, URL, key and signature (RFC 8555 section 6)."""
        header = request.header
        if header.get("nonce") not in self._nonces:
            raise AcmeProblem("badNonce", "the nonce is not known")
        self._nonces.discard(header["nonce"])
        if header.get("url") != f"{self.base}{path}":
            raise AcmeProblem("unauthorized", "the URL of the JWS is another one")
        if resource in {"newAccount", "revokeCert"} and "jwk" in header:
            self._verify(request, header["jwk"])
            return
        if (account := self.accounts.get(str(header.get("kid")))) is None:
            raise AcmeProblem("accountDoesNotExist", "there is no such account")
        if account.status != "valid":
            raise AcmeProblem("unauthorized", f"the account is {account.status}")
        self._verify(request, account.jwk)

    def _verify(self, request: SignedRequest, jwk: Mapping[str, Any]) -> None:
        if self.verifies:
            request.verify(jwk)

    def _failure_of(self, resource: str) -> AcmeProblem | None:
        """Return the refusal that a test has asked for."""
        with self._lock:
            failures = self._failures.get(resource)
            return failures.popleft() if failures else None

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def _new_account(self, request: SignedRequest, _url: str) -> BoxAnswer:
        jwk, wanted = request.header["jwk"], request.payload or {}
        if (known := self._account_with(jwk)) is not None:
            return json_answer(known.to_dict(), headers=(("Location", known.url),))
        if wanted.get("onlyReturnExisting"):
            raise AcmeProblem("accountDoesNotExist", "there is no account with this key")
        if "termsOfService" in self.meta and wanted.get("termsOfServiceAgreed") is not True:
            raise AcmeProblem("userActionRequired", "the terms of service are not agreed to")
        account = BoxAccount(f"{self.base}/account/{len(self.accounts) + 1}", jwk, wanted.get("contact", ()))
        self.accounts[account.url] = account
        return json_answer(account.to_dict(), 201, (("Location", account.url),))

    def _account_with(self, jwk: Mapping[str, Any]) -> BoxAccount | None:
        mark = thumbprint(jwk)
        return next((each for each in self.accounts.values() if each.thumbprint == mark), None)

    def _change_account(self, request: SignedRequest, url: str) -> BoxAnswer:
        account, changes = self.accounts[request.header["kid"]], request.payload or {}
        if url != account.url:
            raise AcmeProblem("unauthorized", "the account is another one")
        account.contact = changes.get("contact", account.contact)
        account.status = "deactivated" if changes.get("status") == "deactivated" else account.status
        return json_answer(account.to_dict())

    def _change_key(self, request: SignedRequest, _url: str) -> BoxAnswer:
        """Replace the key of an account (RFC 8555 section 7.3.5)."""
        inner = SignedRequest.read(json.dumps(request.payload).encode())
        account, jwk = self.accounts[request.header["kid"]], inner.header.get("jwk", {})
        self._verify(inner, jwk)
        if self._account_with(jwk) is not None:
            raise AcmeProblem("conflict", "another account has this key")
        account.former.append(account.thumbprint)
        account.jwk = jwk
        return json_answer(account.to_dict())
