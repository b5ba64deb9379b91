"""The CA of a box: accounts, orders, authorizations and certificates (RFC 8555), and ARI (RFC 9773), without HTTP."""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dnsrenew.ca.ari import cert_id
from dnsrenew.model import rfc3339
from dnsrenew.testing.box.answers import AcmeProblem, BoxAnswer, json_answer
from dnsrenew.testing.box.issuer import BoxIssuer
from dnsrenew.testing.box.resources import BoxAccount, BoxAuthorization, BoxOrder, IssuedCertificate, identifier_of
from dnsrenew.testing.box.signed_request import SignedRequest, decoded, thumbprint
from dnsrenew.testing.box.validation import BoxValidation

_RESOURCES: Final = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo")
_ORDER_LIFETIME: Final = timedelta(days=1)


class OrderServer:
    """The CA. Thread-safe.

    :param lifetime: of its certificates.
    :ivar base: the address that its URLs begin with.
    :ivar age: how old a certificate is when it is issued.
    :ivar issued: the certificates, in the order of their issue.
    """

    def __init__(self, issuer: BoxIssuer, validation: BoxValidation, lifetime: timedelta) -> None:
        self.base = ""
        self.age = timedelta(0)
        self.issued: list[IssuedCertificate] = []
        self._issuer, self._validation, self._lifetime = issuer, validation, lifetime
        self._accounts: dict[str, BoxAccount] = {}
        self._orders: dict[str, BoxOrder] = {}
        self._authorizations: dict[str, BoxAuthorization] = {}
        self._by_cert_id: dict[str, IssuedCertificate] = {}
        self._revoked: set[bytes] = set()
        self._nonces: set[str] = set()
        self._failures: dict[str, deque[AcmeProblem]] = {}
        self._lock = threading.RLock()
        self._resources: Mapping[str, Callable[[SignedRequest, str], BoxAnswer]] = {
            "newAccount": self._new_account,
            "newOrder": self._new_order,
            "account": self._change_account,
            "order": self._show_order,
            "authorization": self._show_authorization,
            "challenge": self._answer_challenge,
            "finalize": self._finalize,
            "certificate": self._download,
            "revokeCert": self._revoke,
            "keyChange": self._change_key,
        }

    @property
    def resources(self) -> frozenset[str]:
        """The resources to which a request can be sent."""
        return frozenset(self._resources)

    def fail(self, resource: str, problem: AcmeProblem) -> None:
        """Refuse the next request for a resource that has no refusal yet."""
        with self._lock:
            self._failures.setdefault(resource, deque()).append(problem)

    def nonce(self) -> str:
        """Return a new nonce."""
        with self._lock:
            self._nonces.add(nonce := secrets.token_urlsafe(16))
        return nonce

    def answer(self, method: str, path: str, body: bytes) -> BoxAnswer:
        """Answer a request, a refusal as a problem document (RFC 8555 section 6.7)."""
        try:
            if method == "POST":
                return self._post(path, SignedRequest.read(body))
            return self._get(path)
        except AcmeProblem as problem:
            return problem.answer()

    # ── requests ────────────────────────────────────────────────────────────────────────

    def _get(self, path: str) -> BoxAnswer:
        resource, _, rest = path.strip("/").partition("/")
        if resource == "directory":
            return json_answer({**{name: f"{self.base}/{name}" for name in _RESOURCES}, "meta": {}})
        if resource == "newNonce":
            return BoxAnswer(200, headers=(("Cache-Control", "no-store"),))
        if resource == "renewalInfo":
            return self._renewal_info(rest)
        raise AcmeProblem("notFound", f"there is no {path}")

    def _post(self, path: str, request: SignedRequest) -> BoxAnswer:
        resource = path.strip("/").partition("/")[0]
        if resource not in self._resources:
            raise AcmeProblem("notFound", f"there is no {path}")
        work = self._resources[resource]
        with self._lock:
            self._check(path, request, resource)
            if resource != "challenge":
                if failures := self._failures.get(resource):
                    raise failures.popleft()
                return work(request, f"{self.base}{path}")
        # Without the lock: a validation by http-01 asks the program under test.
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
            request.verify(header["jwk"])
            return
        account = self._accounts.get(str(header.get("kid")))
        if account is None:
            raise AcmeProblem("accountDoesNotExist", "there is no such account")
        if account.status != "valid":
            raise AcmeProblem("unauthorized", f"the account is {account.status}")
        request.verify(account.jwk)

    def _renewal_info(self, identifier: str) -> BoxAnswer:
        certificate = self._by_cert_id.get(identifier)
        if certificate is None:
            raise AcmeProblem("notFound", "there is no such certificate")
        lifetime = certificate.not_after - certificate.not_before
        advised = certificate.not_after - lifetime / 3
        window = {"start": rfc3339(advised - lifetime / 50), "end": rfc3339(advised + lifetime / 50)}
        return json_answer({"suggestedWindow": window}, headers=(("Retry-After", "21600"),))

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def _new_account(self, request: SignedRequest, _url: str) -> BoxAnswer:
        jwk, wanted = request.header["jwk"], request.payload or {}
        mark = thumbprint(jwk)
        for account in self._accounts.values():
            if thumbprint(account.jwk) == mark:
                return json_answer(account.to_dict(), headers=(("Location", account.url),))
        if wanted.get("onlyReturnExisting"):
            raise AcmeProblem("accountDoesNotExist", "there is no account with this key")
        account = BoxAccount(f"{self.base}/account/{len(self._accounts) + 1}", jwk, wanted.get("contact", ()))
        self._accounts[account.url] = account
        return json_answer(account.to_dict(), 201, (("Location", account.url),))

    def _change_account(self, request: SignedRequest, url: str) -> BoxAnswer:
        account, changes = self._accounts[request.header["kid"]], request.payload or {}
        if url != account.url:
            raise AcmeProblem("unauthorized", "the account is another one")
        account.contact = changes.get("contact", account.contact)
        account.status = "deactivated" if changes.get("status") == "deactivated" else account.status
        return json_answer(account.to_dict())

    def _change_key(self, request: SignedRequest, _url: str) -> BoxAnswer:
        """Replace the key of an account (RFC 8555 section 7.3.5)."""
        inner = SignedRequest.read(json.dumps(request.payload).encode())
        account, jwk = self._accounts[request.header["kid"]], inner.header.get("jwk", {})
        inner.verify(jwk)
        if any(thumbprint(each.jwk) == thumbprint(jwk) for each in self._accounts.values()):
            raise AcmeProblem("malformed", "another account has this key")
        account.jwk = jwk
        return json_answer(account.to_dict())

    # ── orders ──────────────────────────────────────────────────────────────────────────

    def _new_order(self, request: SignedRequest, _url: str) -> BoxAnswer:
        payload, number = request.payload or {}, len(self._orders) + 1
        names = tuple(str(each["value"]).lower() for each in payload.get("identifiers", ()))
        if not names or [identifier_of(name) for name in names] != payload["identifiers"]:
            raise AcmeProblem("malformed", "the identifiers are wrong")
        authorizations = []
        for index, name in enumerate(names):
            types = self._validation.types(name)
            if not types:
                raise AcmeProblem("rejectedIdentifier", f"no challenge is offered for {name}")
            authorizations.append(BoxAuthorization(f"{self.base}/authorization/{number}/{index}", name, types))
        expires = rfc3339(_now() + _ORDER_LIFETIME) or ""
        url, account = f"{self.base}/order/{number}", request.header["kid"]
        order = BoxOrder(url, account, names, authorizations, expires, payload.get("replaces"))
        self._orders[url] = order
        self._authorizations |= {each.url: each for each in authorizations}
        return json_answer(order.to_dict(), 201, (("Location", url),))

    def _order_at(self, url: str, request: SignedRequest) -> BoxOrder:
        number = url.removeprefix(self.base).split("/")[2]
        order = self._orders.get(f"{self.base}/order/{number}")
        if order is None:
            raise AcmeProblem("notFound", "there is no such order")
        if order.account != request.header["kid"]:
            raise AcmeProblem("unauthorized", "the order is of another account")
        return order

    def _show_order(self, request: SignedRequest, url: str) -> BoxAnswer:
        return json_answer(self._order_at(url, request).to_dict())

    def _show_authorization(self, request: SignedRequest, url: str) -> BoxAnswer:
        self._order_at(url, request)
        authorization = self._authorizations[url]
        if (request.payload or {}).get("status") == "deactivated":
            authorization.status = "deactivated"
        return json_answer(authorization.to_dict())

    def _answer_challenge(self, request: SignedRequest, url: str) -> BoxAnswer:
        """Validate at once (RFC 8555 section 7.5.1)."""
        self._order_at(url, request)
        path, _, kind = url.replace("/challenge/", "/authorization/").rpartition("/")
        authorization = self._authorizations.get(path)
        if authorization is None or kind not in authorization.types:
            raise AcmeProblem("notFound", "there is no such challenge")
        mark = thumbprint(self._accounts[request.header["kid"]].jwk)
        if authorization.status == "pending":
            error = self._validated(authorization, kind, mark)
            with self._lock:
                authorization.answered, authorization.error = kind, error
                authorization.status = "valid" if error is None else "invalid"
        return json_answer(authorization.challenge(kind), headers=(("Link", f'<{authorization.url}>;rel="up"'),))

    def _validated(self, authorization: BoxAuthorization, kind: str, mark: str) -> dict[str, Any] | None:
        try:
            with self._lock:
                if failures := self._failures.get("challenge"):
                    raise failures.popleft()
            self._validation.validate(kind, authorization.identifier, authorization.token, mark)
        except AcmeProblem as problem:
            return problem.document()
        return None

    # ── certificates ────────────────────────────────────────────────────────────────────

    def _finalize(self, request: SignedRequest, url: str) -> BoxAnswer:
        order = self._order_at(url, request)
        if order.chain is None:
            if order.status != "ready":
                raise AcmeProblem("orderNotReady", f"the order is {order.status}")
            try:
                csr = x509.load_der_x509_csr(decoded((request.payload or {})["csr"]))
            except (KeyError, ValueError):
                raise AcmeProblem("badCSR", "the CSR cannot be read") from None
            if not csr.is_signature_valid or _names_in(csr) != set(order.names):
                raise AcmeProblem("badCSR", "the CSR has other names than the order, or a wrong signature")
            self._issue(order, csr)
        return json_answer(order.to_dict(), headers=(("Location", order.url),))

    def _issue(self, order: BoxOrder, csr: x509.CertificateSigningRequest) -> None:
        begin = _now() - self.age
        end = begin + self._lifetime
        order.chain = self._issuer.sign(csr.public_key(), order.names, begin, end)
        certificate = IssuedCertificate(order.names, begin, end, order.chain, order.replaces)
        self.issued.append(certificate)
        self._by_cert_id[cert_id(order.chain)] = certificate

    def _download(self, request: SignedRequest, url: str) -> BoxAnswer:
        order = self._order_at(url, request)
        if order.chain is None:
            raise AcmeProblem("notFound", "there is no certificate yet")
        return BoxAnswer(200, order.chain.encode(), (("Content-Type", "application/pem-certificate-chain"),))

    def _revoke(self, request: SignedRequest, _url: str) -> BoxAnswer:
        """Revoke a certificate; the key of the account or that of the certificate signs (RFC 8555 section 7.6)."""
        try:
            der = decoded((request.payload or {})["certificate"])
        except (KeyError, ValueError):
            raise AcmeProblem("malformed", "the certificate cannot be read") from None
        if der not in {_der(each.pem) for each in self.issued}:
            raise AcmeProblem("notFound", "there is no such certificate")
        if der in self._revoked:
            raise AcmeProblem("alreadyRevoked", "it is revoked already")
        self._revoked.add(der)
        return BoxAnswer(200)


def _names_in(csr: x509.CertificateSigningRequest) -> set[str]:
    try:
        found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
