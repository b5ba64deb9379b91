"""The CA of a box: orders, authorizations and certificates (RFC 8555 section 7.4 on), and ARI (RFC 9773)."""

from __future__ import annotations

import hashlib
import http.client
import secrets
import ssl
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew.acme.client import cert_id
from dnsrenew.acme.resources import base64url
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.model import rfc3339
from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import alternative_names, names_of
from dnsrenew.testing.box import resources
from dnsrenew.testing.box.resources import AccountServer, AcmeProblem, BoxAnswer, BoxAuthorization, BoxOrder, Json

# ── issuer ─────────────────────────────────────────────────────────────────────────────

# The roots and intermediates of a box, and the certificates they sign. These are real; TLS accepts them.

_Extension = tuple[x509.ExtensionType, bool]
LIFETIME: Final = timedelta(days=90)
_ROOT_LIFETIME: Final = timedelta(days=3650)


class BoxIssuer:
    """A root, or an intermediate below another issuer, that signs certificates.

    :param now: the time at which it is made.
    :cvar purposes: the purposes of the certificates that it signs.
    :ivar name: its common name.
    :ivar pem: its own certificate and the issuers above it.
    """

    purposes: ClassVar[Sequence[x509.ObjectIdentifier]] = (ExtendedKeyUsageOID.SERVER_AUTH,)

    def __init__(self, name: str, now: datetime, above: BoxIssuer | None = None) -> None:
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        begin, end = now - _ROOT_LIFETIME, now + _ROOT_LIFETIME
        own = (above or self).certify(self._subject, self._key.public_key(), begin, end, is_ca=True)
        self.pem: str = own + (above.pem if above else "")

    def sign(self, key: Any, names: Sequence[str], begin: datetime, lifetime: timedelta = LIFETIME) -> str:
        """Return a certificate for DNS names and IP addresses, with its chain, as PEM.

        :param key: the public key.
        """
        begin = begin.replace(microsecond=0)
        extensions = (x509.ExtendedKeyUsage(self.purposes), False), (alternative_names(names), True)
        return self.certify(x509.Name([]), key, begin, begin + lifetime, *extensions) + self.pem

    def server_pem(self, now: datetime) -> str:
        """Return a new key with its certificate for loopback, for the server of the box itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return pem + self.sign(key.public_key(), ("localhost", "127.0.0.1"), now - timedelta(days=1), _ROOT_LIFETIME)

    def certify(
        self, subject: x509.Name, key: Any, begin: datetime, end: datetime, *extensions: _Extension, is_ca: bool = False
    ) -> str:
        """Return one certificate, as PEM.

        :param extensions: further extensions, each with whether it is critical.
        """
        serial, identifier = x509.random_serial_number(), x509.SubjectKeyIdentifier.from_public_key(key)
        builder = x509.CertificateBuilder(self._subject, subject, key, serial, begin, end)
        kind = (x509.BasicConstraints(ca=is_ca, path_length=None), True), (_usage(is_ca=is_ca), True)
        for extension, critical in (*kind, *extensions, (identifier, False), (self._authority, False)):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, **never)


# ── order server ───────────────────────────────────────────────────────────────────────

_SHORT: Final = timedelta(days=10)
_UNFIT: Final = {"http-01": is_wildcard, "dns-01": is_ip, "dns-persist-01": is_ip, "dns-account-01": is_ip}
"""For each challenge type, whether it cannot validate a name."""

T = TypeVar("T", BoxOrder, BoxAuthorization)
Suggest = Callable[[datetime, datetime], tuple[datetime, datetime]]
"""Computes the window in which the CA suggests a renewal (RFC 9773), from the dates of a certificate."""


def suggest(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the window that Let's Encrypt's software suggests: a fiftieth of the lifetime on each side of its time."""
    lifetime = end - begin
    advised = end - (lifetime / 2 if lifetime < _SHORT else lifetime / 3)
    return advised - lifetime / 50, advised + lifetime / 50


class OrderServer(AccountServer):
    """The CA. Thread-safe.

    :param base: the address that its URLs begin with.
    :param validate: checks the published responses.
    :param lifetime: of its certificates, unless an order has ``notAfter``.
    :param suggest: suggests a window for a renewal; None if the CA has no ARI.
    :param offers: the challenge types.
    :param authorization_reuse: how long a validation stays valid for later orders of the account.
    :ivar age: the age of a certificate at issuance.
    :ivar orders: by URL.
    :ivar issued: the certificates by their ARI identifiers, in the order of their issue.
    """

    def __init__(
        self,
        base: str,
        issuer: BoxIssuer,
        validate: Validate,
        *,
        lifetime: timedelta = LIFETIME,
        suggest: Suggest | None = suggest,
        offers: Collection[str] = ("dns-01",),
        authorization_reuse: timedelta = timedelta(0),
    ) -> None:
        super().__init__(base)
        self.age = timedelta(0)
        self.orders: dict[str, BoxOrder] = {}
        self.issued: dict[str, resources.IssuedCertificate] = {}
        self._issuer, self._validate = issuer, validate
        self._clock: Clock = SystemClock()
        self._lifetime, self._offers, self._reuse = lifetime, offers, authorization_reuse
        self._authorizations: dict[str, BoxAuthorization] = {}
        self._valid: dict[tuple[str, str], tuple[BoxAuthorization, datetime]] = {}
        self._replaced: set[str] = set()
        self._revoked: set[str] = set()
        self._public |= {} if suggest is None else {"renewalInfo": partial(self._renewal_info, suggest)}
        self._resources |= {
            "newOrder": self._new_order,
            "order": self._show_order,
            "authorization": self._show_authorization,
            "challenge": self._answer_challenge,
            "finalize": self._finalize,
            "certificate": self._download,
            "revokeCert": self._revoke,
        }

    # ── orders ──────────────────────────────────────────────────────────────────────────

    def _new_order(self, request: resources.SignedRequest, _url: str) -> BoxAnswer:
        payload = request.payload or {}
        names = tuple(str(each["value"]).lower() for each in payload.get("identifiers", ()))
        if not names or [resources.identifier_of(name) for name in names] != payload["identifiers"]:
            raise AcmeProblem("malformed", "the identifiers are wrong")
        replaces = payload.get("replaces")
        if replaces not in self.issued or replaces in self._replaced:
            replaces = None
        end = _end(payload.get("notAfter"), self._clock.now())
        order = self._make_order(request.header["kid"], names, replaces, payload.get("profile"))
        order.not_after = end
        return self._shown(order, 201)

    def _make_order(self, account: str, names: tuple[str, ...], replaces: str | None, profile: str | None) -> BoxOrder:
        number = len(self.orders) + 1
        url, place = f"{self.base}/order/{number}", f"{self.base}/authorization/{number}"
        made = [self._authorize(f"{place}/{index}", account, name) for index, name in enumerate(names)]
        self.orders[url] = BoxOrder(url, account, names, made, self._clock.now(), replaces, profile)
        return self.orders[url]

    def _authorize(self, url: str, account: str, name: str) -> BoxAuthorization:
        """Return a valid authorization that may be reused, or a new one."""
        now = self._clock.now()
        known, until = self._valid.get((account, name), (None, now))
        if known is not None and known.status == "valid" and now < until:
            return known
        types = [kind for kind in self._offers if kind not in _UNFIT or not _UNFIT[kind](name)]
        if not types:
            raise AcmeProblem("rejectedIdentifier", f"no challenge is offered for {name}")
        challenges = {kind: self._challenge_fields(kind, account) for kind in types}
        self._authorizations[url] = BoxAuthorization(url, account, name, challenges)
        return self._authorizations[url]

    def _challenge_fields(self, _kind: str, _account: str) -> Json:
        """Return the fields of a new challenge that only its type has."""
        return {"token": secrets.token_urlsafe(32)}

    def _shown(self, order: BoxOrder, status: int = 200) -> BoxAnswer:
        return resources.json_answer(order.to_dict(), status, (("Location", order.url),))

    def _order_at(self, request: resources.SignedRequest, url: str) -> BoxOrder:
        return _owned(self.orders.get(f"{self.base}/order/{url.rpartition('/')[2]}"), request, "order")

    def _show_order(self, request: resources.SignedRequest, url: str) -> BoxAnswer:
        return self._shown(self._order_at(request, url))

    # ── authorizations ──────────────────────────────────────────────────────────────────

    def _authorization_at(self, request: resources.SignedRequest, url: str) -> BoxAuthorization:
        return _owned(self._authorizations.get(url), request, "authorization")

    def _show_authorization(self, request: resources.SignedRequest, url: str) -> BoxAnswer:
        authorization = self._authorization_at(request, url)
        if (request.payload or {}).get("status") == "deactivated":
            authorization.status = "deactivated"
        return resources.json_answer(authorization.to_dict())

    def _answer_challenge(self, request: resources.SignedRequest, url: str) -> BoxAnswer:
        """Validate at once (RFC 8555 section 7.5.1)."""
        place, _, kind = url.replace("/challenge/", "/authorization/").rpartition("/")
        authorization = self._authorization_at(request, place)
        if kind not in authorization.challenges:
            raise AcmeProblem("notFound", "there is no such challenge")
        if authorization.status == "pending":
            error = self._failure_of("challenge") or self._validate(self._proof(authorization, kind))
            with self._lock:
                self._end_validation(authorization, kind, error)
        link = f'<{authorization.url}>;rel="up"'
        return resources.json_answer(authorization.challenge(kind), headers=(("Link", link),))

    def _proof(self, authorization: BoxAuthorization, kind: str) -> Proof:
        mark = self.accounts[authorization.account].thumbprint
        return Proof.of(kind, authorization.identifier, authorization.challenges[kind]["token"], mark)

    def _end_validation(self, authorization: BoxAuthorization, kind: str, error: AcmeProblem | None) -> None:
        authorization.answered, authorization.error = kind, error
        authorization.status = "valid" if error is None else "invalid"
        if error is None:
            until = self._clock.now() + self._reuse
            self._valid[authorization.account, authorization.identifier] = authorization, until

    # ── certificates ────────────────────────────────────────────────────────────────────

    def _finalize(self, request: resources.SignedRequest, url: str) -> BoxAnswer:
        order = self._order_at(request, url)
        if order.chain is None:
            if order.status != "ready":
                raise AcmeProblem("orderNotReady", f"the order is {order.status}")
            self._issue(order, self._csr_for(order, request))
        return self._shown(order)

    def _csr_for(self, order: BoxOrder, request: resources.SignedRequest) -> x509.CertificateSigningRequest:
        """Return the CSR of a request; it must have the names of the order."""
        try:
            csr = x509.load_der_x509_csr(resources.decoded((request.payload or {})["csr"]))
        except (KeyError, ValueError):
            raise AcmeProblem("badCSR", "the CSR cannot be read") from None
        if _names_in(csr) != set(order.names) or (self.verifies and not csr.is_signature_valid):
            raise AcmeProblem("badCSR", "the CSR has other names than the order, or a wrong signature")
        return csr

    def _issue(self, order: BoxOrder, csr: x509.CertificateSigningRequest) -> None:
        begin = (self._clock.now() - self.age).replace(microsecond=0)
        end = order.not_after or begin + self._lifetime
        order.chain = self._issuer.sign(csr.public_key(), order.names, begin, end - begin)
        self.issued[cert_id(order.chain)] = resources.IssuedCertificate(
            order.names, begin, end, order.chain, order.replaces
        )
        if order.replaces is not None:
            self._replaced.add(order.replaces)

    def _download(self, request: resources.SignedRequest, url: str) -> BoxAnswer:
        order = self._order_at(request, url)
        if order.chain is None:
            raise AcmeProblem("notFound", "there is no certificate yet")
        return BoxAnswer(200, order.chain.encode(), (("Content-Type", "application/pem-certificate-chain"),))

    def _revoke(self, request: resources.SignedRequest, _url: str) -> BoxAnswer:
        """Revoke a certificate.

        The request is signed with the account key or the certificate key (RFC 8555 section 7.6).
        """
        try:
            pem = ssl.DER_cert_to_PEM_cert(resources.decoded((request.payload or {})["certificate"]))
        except (KeyError, ValueError):
            raise AcmeProblem("malformed", "the certificate cannot be read") from None
        if not any(each.pem.startswith(pem) for each in self.issued.values()):
            raise AcmeProblem("notFound", "there is no such certificate")
        if pem in self._revoked:
            raise AcmeProblem("alreadyRevoked", "it is revoked already")
        self._revoked.add(pem)
        return BoxAnswer(200)

    def _renewal_info(self, suggest: Suggest, identifier: str) -> BoxAnswer:
        if (issued := self.issued.get(identifier)) is None:
            raise AcmeProblem("notFound", "there is no such certificate")
        begin, end = suggest(issued.not_before, issued.not_after)
        window = {"start": rfc3339(begin), "end": rfc3339(end)}
        return resources.json_answer({"suggestedWindow": window}, headers=(("Retry-After", "21600"),))


def _owned(found: T | None, request: resources.SignedRequest, what: str) -> T:
    """Return the resource if it belongs to the account of the request."""
    if found is None:
        raise AcmeProblem("notFound", f"there is no such {what}")
    if found.account != request.header["kid"]:
        raise AcmeProblem("unauthorized", f"the {what} is of another account")
    return found


def _end(asked: Any, now: datetime) -> datetime | None:
    """Return the end of validity that an order asks for, or None."""
    if asked is None:
        return None
    try:
        end = datetime.fromisoformat(asked)
        if end > now:
            return end.replace(microsecond=0)
    except (TypeError, ValueError):
        pass
    raise AcmeProblem("malformed", "notAfter is no time to come")


def _names_in(csr: x509.CertificateSigningRequest) -> set[str]:
    try:
        return {*names_of(csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)}
    except x509.ExtensionNotFound:
        return set()


# ── validation ─────────────────────────────────────────────────────────────────────────

# How the CA of a box validates: it checks the published response, as a real CA does.

_SECONDS: Final = 5.0


class Proof(Frozen):
    """The response that a CA expects for a challenge (RFC 8555 section 8).

    :ivar expected: the key authorization (http-01), or the TXT value (dns-01).
    """

    challenge: str
    identifier: str
    token: str
    expected: str

    @classmethod
    def of(cls, challenge: str, identifier: str, token: str, thumbprint: str) -> Proof:
        """Return the expected response for an account key."""
        expected = f"{token}.{thumbprint}"
        if challenge == "dns-01":
            expected = base64url(hashlib.sha256(expected.encode()).digest())
        return cls(challenge, identifier, token, expected)

    @property
    def txt_name(self) -> str:
        """The absolute name of the TXT record."""
        return f"_acme-challenge.{base_domain(self.identifier)}."

    def is_met_by(self, values: Collection[str]) -> bool:
        """Return whether the published values validate the name."""
        return self.expected in values


Validate = Callable[[Proof], AcmeProblem | None]
"""Checks the published response; returns what is wrong with it, or None."""


class BoxValidation:
    """Validates challenges.

    :param values: returns the TXT values at an absolute name.
    :param http_port: the loopback port for http-01; None if http-01 is not offered.
    """

    def __init__(self, values: Callable[[str], set[str]], http_port: int | None) -> None:
        self._values, self._http_port = values, http_port
        self.offers = ("dns-01",) if http_port is None else ("dns-01", "http-01")

    def validate(self, proof: Proof) -> AcmeProblem | None:
        """Check the published response; return what is wrong with it, or None."""
        return self._validate_dns(proof) if proof.challenge == "dns-01" else self._validate_http(proof)

    def _validate_dns(self, proof: Proof) -> AcmeProblem | None:
        """Compare the TXT values (RFC 8555 section 8.4)."""
        found = self._values(proof.txt_name)
        if proof.is_met_by(found):
            return None
        what = f"{len(found)} other TXT values" if found else "no TXT value"
        return AcmeProblem("unauthorized" if found else "dns", f"there is {what} at {proof.txt_name}")

    def _validate_http(self, proof: Proof) -> AcmeProblem | None:
        """Compare the response of the web server (RFC 8555 section 8.3)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=_SECONDS)
        try:
            path = f"/.well-known/acme-challenge/{proof.token}"
            connection.request("GET", path, headers={"Host": proof.identifier})
            answer = connection.getresponse()
            status, body = answer.status, answer.read(4096).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return AcmeProblem("connection", f"port {self._http_port} does not answer ({type(error).__name__})")
        finally:
            connection.close()
        if status == 200 and body.rstrip() == proof.expected:
            return None
        return AcmeProblem("unauthorized", f"the response has status {status} and another content")
