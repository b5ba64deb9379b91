"""A CA in memory that looks at what is really published, issues real certificates, and fails where it is told to."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dnsrenew import x509
from dnsrenew.base.clock import Clock
from dnsrenew.base.names import base_domain, is_wildcard
from dnsrenew.ca.problems import Problems
from dnsrenew.ca.resources import Authorization, Challenge, Order
from dnsrenew.errors import CAError
from dnsrenew.runtime.context import Context
from tests.kit.clock import START
from tests.kit.year_ca import standing

DAY = timedelta(days=1)
KINDS = ("http-01", "dns-01")

Shown = Callable[[str, str, str], Mapping[str | None, Collection[str]]]
"""What is to be seen of a proof, by kind, identifier and token: for each account that holds it, its values."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What a CA does.

    :ivar opening: code of the error that it answers everybody with; empty: none.
    :ivar ordering: code of the error for every order.
    :ivar issuing: code of the error for every finalize; ``"wrong"``: it issues something else.
    :ivar blamed: the name that these errors are about, if any.
    :ivar retry_after: seconds it asks to wait with them.
    :ivar rejects: for a kind of challenge and the account that wrote (None: http-01) an error type, and its names.
    :ivar once: whether it rejects each proof only the first time it looks.
    :ivar reuses: whether what is valid stays valid in the next order.
    :ivar offers: the kinds of challenge.
    """

    opening: str = ""
    ordering: str = ""
    issuing: str = ""
    blamed: str | None = None
    retry_after: float | None = None
    rejects: Mapping[tuple[str, str | None], tuple[str, Collection[str]]] = field(default_factory=dict)
    once: bool = False
    reuses: bool = True
    offers: Collection[str] = KINDS


class StageCA:
    """What :class:`dnsrenew.ca.CAClient` offers.

    :ivar asked: the names of every order it was asked for, refused or not; ``made`` counts those it took.
    :ivar looked: for every proof it looked at: kind of challenge, name, and the accounts that held a value.
    """

    def __init__(self, name: str, authority: Authority, clock: Clock, shown: Shown) -> None:
        self.name = name
        self.authority = authority
        self.asked: list[tuple[str, ...]] = []
        self.made = 0
        self.looked: list[tuple[str, str, tuple[str | None, ...]]] = []
        self._clock = clock
        self._shown = shown
        self._valid: set[str] = set()
        self._seen: set[tuple[str, str | None, str]] = set()
        self._authorizations: dict[str, Authorization] = {}
        self._orders: dict[str, Order] = {}

    def open(self, context: Context) -> str:
        """Return our account."""
        self._fail(self.authority.opening)
        return f"https://{self.name}.test/account/1"

    def offers_renewal_info(self, context: Context) -> bool:
        """Whether it has ARI."""
        return True

    def caa_identities(self, context: Context) -> tuple[str, ...]:
        """It has one name."""
        return (f"{self.name}.test",)

    def new_order(self, context: Context, identifiers: Sequence[str], **_: Any) -> Order:
        """Take an order."""
        context.check()
        self.asked.append(tuple(identifiers))
        self._fail(self.authority.ordering)
        self.made += 1
        urls = []
        for identifier in identifiers:
            url = f"https://{self.name}.test/{self.made}/{identifier}"
            urls.append(url)
            valid = self.authority.reuses and identifier in self._valid
            self._authorizations[url] = Authorization(
                url,
                base_domain(identifier),
                is_wildcard(identifier),
                "valid" if valid else "pending",
                tuple(self._challenge(url, kind) for kind in self.authority.offers),
            )
        order = Order(f"https://{self.name}.test/{self.made}", "pending", tuple(identifiers), tuple(urls), "finalize")
        self._orders[order.url] = order
        return order

    def find_order(self, context: Context, url: str) -> Order | None:
        """Return an order of an earlier run, as its proofs stand."""
        context.check()
        self._fail(self.authority.opening)
        order = self._orders.get(url)
        return None if order is None else replace(order, status=standing(self.authorizations(context, order)))

    def _challenge(self, url: str, kind: str) -> Challenge:
        token = hashlib.sha256(f"{url} {kind}".encode()).hexdigest()
        return Challenge(kind, f"{url}/{kind}", token, "pending", None, url)

    def authorizations(self, context: Context, order: Order) -> tuple[Authorization, ...]:
        """Return them as they stand."""
        return tuple(self._authorizations[url] for url in order.authorizations)

    def deactivate_authorizations(self, context: Context, order: Order) -> int:
        """Forget what was valid."""
        self._valid.clear()
        return len(order.authorizations)

    def key_authorization(self, challenge: Challenge) -> str:
        """Return what has to be found."""
        return f"{challenge.token}.thumbprint"

    def dns01_value(self, challenge: Challenge) -> str:
        """Return the TXT value."""
        digest = hashlib.sha256(self.key_authorization(challenge).encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Look at once at what is published."""
        context.check()
        for challenge in challenges:
            authorization = self._authorizations[challenge.authorization_url]
            problem = self._look(challenge, authorization.identifier)
            if problem is None:
                self._valid.add(authorization.identifier)
            status = "invalid" if problem else "valid"
            judged = Challenge(
                challenge.type, challenge.url, challenge.token, status, problem, challenge.authorization_url
            )
            self._authorizations[authorization.url] = Authorization(
                authorization.url, authorization.domain, authorization.wildcard, status, (judged,)
            )

    def _look(self, challenge: Challenge, identifier: str) -> dict[str, Any] | None:
        dns = challenge.type == "dns-01"
        expected = self.dns01_value(challenge) if dns else self.key_authorization(challenge)
        shown = self._shown(challenge.type, identifier, challenge.token or "")
        holders = tuple(account for account, values in shown.items() if expected in values)
        self.looked.append((challenge.type, identifier, holders))
        if not holders:
            return {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "nothing there"}
        for account in holders:
            kind, about = self.authority.rejects.get((challenge.type, account), ("", ()))
            place = (challenge.type, account, identifier)
            if identifier in about and not (self.authority.once and place in self._seen):
                self._seen.add(place)
                return {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "not as it should be"}
        return None

    def await_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Tell which of some proofs failed."""
        self._judge([self._authorizations[each.url] for each in authorizations])

    def _judge(self, authorizations: Sequence[Authorization]) -> None:
        failed = [each for each in authorizations if each.status != "valid"]
        if failed:
            raise Problems(self.name).failed(failed, None)

    def issue(self, context: Context, order: Order, csr: bytes, **_: Any) -> str:
        """Issue, once all is proved."""
        context.check()
        self._judge(self.authorizations(context, order))
        self._fail("" if self.authority.issuing == "wrong" else self.authority.issuing)
        request = crypto.load_der_x509_csr(csr)
        names = order.identifiers[1:] if self.authority.issuing == "wrong" else order.identifiers
        return sign(request.public_key(), names or ("wrong.test",), self._clock.now())

    def _fail(self, code: str) -> None:
        if code:
            blamed = self.authority.blamed
            problems = [] if blamed is None else [{"type": "x", "detail": "no", "identifier": blamed}]
            raise CAError(
                code,
                f"The CA {self.name} says {code}.",
                fix="Ask it.",
                subproblems=problems,
                retry_after=self.authority.retry_after,
            )


# ── certificates ────────────────────────────────────────────────────────────────────────


@functools.cache
def _root() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key, name = ec.generate_private_key(ec.SECP256R1()), _named("Stage CA 1")
    builder = crypto.CertificateBuilder(name, name, key.public_key(), 1, START - 999 * DAY, START + 9999 * DAY)
    return key, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def sign(key: Any, identifiers: Sequence[str], begin: datetime) -> str:
    """Return a certificate for 90 days, with its chain."""
    root, own = _root()
    names = crypto.SubjectAlternativeName([crypto.DNSName(name) for name in identifiers])
    authority = crypto.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    builder = crypto.CertificateBuilder(
        _named("Stage CA 1"), crypto.Name([]), key, crypto.random_serial_number(), begin, begin + 90 * DAY
    )
    builder = builder.add_extension(names, critical=False).add_extension(authority, critical=False)
    return builder.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM).decode() + own


def issue(identifiers: Sequence[str], begin: datetime) -> tuple[str, bytes, x509.Facts]:
    """Return a chain, its key and what it says."""
    key = x509.new_key("ecdsa-p256")
    pem = sign(key.public_key(), identifiers, begin)
    return pem, x509.key_to_pem(key), x509.read_certificate(pem)


def _named(name: str) -> crypto.Name:
    return crypto.Name([crypto.NameAttribute(NameOID.COMMON_NAME, name)])
