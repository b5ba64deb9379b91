"""A CA in memory that looks at what is published, issues real certificates, and counts against its own limits.

The limits are those of Let's Encrypt (November 2026): buckets that refill steadily. It is a model of its own, so
that a mistake in our ledger is seen here. An order beyond a limit is refused, and noted in ``exceeded``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dnsrenew.base.clock import Clock
from dnsrenew.base.names import base_domain, is_wildcard
from dnsrenew.ca.ari import DEFAULT, LONGEST, NoWindow, Window, cert_id
from dnsrenew.ca.resources import Authorization, Challenge, Order
from dnsrenew.errors import CAError
from dnsrenew.runtime.context import Context

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

ORDERS: Final = (300, 3 * HOUR)
SAME_SET: Final = (5, 7 * DAY)
FAILED: Final = (5, HOUR)

Look = Callable[[str, str], str | None]
"""What can be seen of the proof of a name, by kind of challenge and name; None: the CA cannot connect."""
Suggest = Callable[[datetime, datetime], tuple[datetime, datetime]]
"""From the dates of a certificate to the window in which the CA would like it renewed."""


def suggest(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the window that Let's Encrypt's software names: around the time it advises, a fiftieth to each side."""
    lifetime = end - begin
    ideal = end - (lifetime / 2 if lifetime < 10 * DAY else lifetime / 3)
    return ideal - lifetime / 50, ideal + lifetime / 50


class Bucket:
    """So many within so long; what was used comes back steadily.

    :ivar least: how many were left when it was emptiest.
    """

    def __init__(self, count: int, window: timedelta) -> None:
        self._count = count
        self._each = window / count
        self._full_at = datetime.min.replace(tzinfo=UTC)
        self.least = count

    def left(self, now: datetime) -> int:
        """Return how many are left."""
        missing = max(self._full_at - now, timedelta(0))
        return self._count - -(-missing // self._each)

    def take(self, now: datetime) -> None:
        """Take one."""
        self._full_at = max(self._full_at, now) + self._each
        self.least = min(self.least, self.left(now))


class Buckets(dict[Any, Bucket]):
    """A bucket for each of something."""

    def __init__(self, limit: tuple[int, timedelta]) -> None:
        super().__init__()
        self._limit = limit

    def __missing__(self, key: Any) -> Bucket:
        return self.setdefault(key, Bucket(*self._limit))

    @property
    def least(self) -> int:
        """How many were left in the emptiest one."""
        return min((bucket.least for bucket in self.values()), default=self._limit[0])


@dataclass(slots=True)
class Ordered:
    """An order as the CA sees it."""

    order: Order
    authorizations: tuple[Authorization, ...]


class YearCA:
    """What :class:`dnsrenew.ca.CAClient` offers, without a network.

    :param name: what it is called.
    :param look: sees what is published.
    :param suggest: when it would like a certificate renewed; None: it has no ARI.
    :ivar up: whether it can be reached.
    :ivar exceeded: every order that went beyond a limit; there must be none.
    """

    def __init__(self, name: str, clock: Clock, lifetime: timedelta, look: Look, *, suggest: Suggest | None) -> None:
        self.name = name
        self._clock = clock
        self._lifetime = lifetime
        self._look = look
        self._suggest = suggest
        self._ordered: dict[str, Ordered] = {}
        self._issued: dict[str, tuple[datetime, datetime]] = {}
        self._replaced: set[str] = set()
        self._issuer = crypto.Name([crypto.NameAttribute(NameOID.COMMON_NAME, f"{name} 1")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._sign_itself()
        self.up = True
        self.orders = Bucket(*ORDERS)
        self.same_set = Buckets(SAME_SET)
        self.failed = Buckets(FAILED)
        self.exceeded: list[str] = []

    def _sign_itself(self) -> str:
        name, now = self._issuer, self._clock.now()
        builder = crypto.CertificateBuilder(name, name, self._key.public_key(), 1, now - DAY, now + 9999 * DAY)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    # ── what is asked first ─────────────────────────────────────────────────────────────

    def open(self, context: Context) -> str:
        """Return our account, if it is up."""
        self._knock()
        return f"https://{self.name}.test/account/1"

    def _knock(self) -> None:
        if not self.up:
            raise CAError("ca-unreachable", f"The CA {self.name} cannot be reached.", fix="Wait.")

    def offers_renewal_info(self, context: Context) -> bool:
        """Whether it has ARI."""
        return self._suggest is not None

    def caa_identities(self, context: Context) -> tuple[str, ...]:
        """There are no CAA records anyway."""
        return (f"{self.name}.test",)

    def renewal_windows(self, context: Context, cert_ids: Sequence[str]) -> list[Window | NoWindow]:
        """Return the windows, as far as it has ARI and is up."""
        if not self.up:
            return [NoWindow("Nobody answers.", DEFAULT, "ca-unreachable") for _ in cert_ids]
        if self._suggest is None:
            return [NoWindow("It has none.", LONGEST, "ari-not-offered") for _ in cert_ids]
        return [Window(*self._suggest(*self._issued[each]), None, DEFAULT) for each in cert_ids]

    # ── order ───────────────────────────────────────────────────────────────────────────

    def new_order(
        self, context: Context, identifiers: Sequence[str], *, replaces: str | None = None, profile: object = None
    ) -> Order:
        """Take an order, unless a limit is reached; a renewal that says what it replaces is exempt from all."""
        self._knock()
        names, now = tuple(identifiers), self._clock.now()
        if replaces is not None and (replaces not in self._issued or replaces in self._replaced):
            replaces = None
        if replaces is None:
            self._count(names, now)
        url = f"https://{self.name}.test/order/{len(self._ordered) + 1}"
        authorizations = tuple(_authorization(url, place, name) for place, name in enumerate(names))
        order = Order(
            url, "pending", names, tuple(each.url for each in authorizations), f"{url}/finalize", replaces=replaces
        )
        self._ordered[url] = Ordered(order, authorizations)
        return order

    def _count(self, names: tuple[str, ...], now: datetime) -> None:
        buckets: Mapping[str, Bucket] = {
            "orders": self.orders,
            "same set of names": self.same_set[frozenset(names)],
            **{f"failed validations of {name}": self.failed[name] for name in names},
        }
        for what, bucket in buckets.items():
            if bucket.left(now) < 1:
                self.exceeded.append(f"{now:%Y-%m-%d %H:%M}: {what}")
                raise CAError("ca-rate-limited", f"Too many {what}.", fix="Wait.", retry_after=HOUR.total_seconds())
        self.orders.take(now)

    def find_order(self, context: Context, url: str) -> Order | None:
        """Return an order of an earlier run, as its proofs stand."""
        self._knock()
        ordered = self._ordered.get(url)
        return None if ordered is None else replace(ordered.order, status=standing(ordered.authorizations))

    def authorizations(self, context: Context, order: Order) -> tuple[Authorization, ...]:
        """Return what is to be proved: everything, at every order."""
        return self._ordered[order.url].authorizations

    def key_authorization(self, challenge: Challenge) -> str:
        """Return what is served for http-01."""
        return f"{challenge.token}.thumbprint"

    def dns01_value(self, challenge: Challenge) -> str:
        """Return the TXT value."""
        digest = hashlib.sha256(self.key_authorization(challenge).encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Look at each proof, and keep what came of it."""
        for challenge in challenges:
            ordered = self._ordered[challenge.authorization_url.rpartition("/")[0]]
            ordered.authorizations = tuple(
                self._seen(each, challenge) if each.url == challenge.authorization_url else each
                for each in ordered.authorizations
            )

    def _seen(self, authorization: Authorization, challenge: Challenge) -> Authorization:
        error = self._error(authorization, challenge)
        if error is not None:
            self.failed[authorization.identifier].take(self._clock.now())
        status = "valid" if error is None else "invalid"
        return replace(authorization, status=status, challenges=(replace(challenge, status=status, error=error),))

    def _error(self, authorization: Authorization, challenge: Challenge) -> dict[str, str] | None:
        if challenge.type == "dns-01":
            wanted, place = self.dns01_value(challenge), f"_acme-challenge.{authorization.domain}."
        else:
            wanted, place = self.key_authorization(challenge), challenge.token or ""
        found = self._look(challenge.type, place)
        if found is None:
            return {"type": "connection", "detail": "Timeout during connect (likely firewall problem)"}
        return None if wanted in found.split() else {"type": "unauthorized", "detail": "the proof is not there"}

    # ── issue ───────────────────────────────────────────────────────────────────────────

    def await_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Raise where a proof failed."""
        failed = [each for each in self._ordered[order.url].authorizations if each.status == "invalid"]
        if failed:
            problems = [{**(each.problem or {}), "identifier": each.identifier} for each in failed]
            code = f"ca-{problems[0]['type']}"
            raise CAError(code, f"The CA did not accept: {problems}.", fix="Look.", subproblems=problems)

    def issue(self, context: Context, order: Order, csr: bytes, *, preferred_chain: str | None) -> str:
        """Issue, if everything is proved."""
        self.await_valid(context, order, ())
        request, now = crypto.load_der_x509_csr(csr), self._clock.now()
        begin = now.replace(microsecond=0) - HOUR  # for clocks that are late
        end = begin + self._lifetime
        names = crypto.SubjectAlternativeName([crypto.DNSName(name) for name in order.identifiers])
        authority = crypto.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = crypto.CertificateBuilder(
            self._issuer, crypto.Name([]), request.public_key(), 1000 + len(self._issued), begin, end
        )
        builder = builder.add_extension(names, critical=True).add_extension(authority, critical=False)
        leaf = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
        self._issued[cert_id(leaf)] = begin, end
        if order.replaces is not None:
            self._replaced.add(order.replaces)
        self.same_set[frozenset(order.identifiers)].take(now)
        return leaf + self._own


def standing(authorizations: Collection[Authorization]) -> str:
    """The status of an order with these authorizations, whose CSR has not come (RFC 8555 section 7.1.6)."""
    seen = {each.status for each in authorizations}
    return "invalid" if "invalid" in seen else "pending" if "pending" in seen else "ready"


def _authorization(order: str, place: int, identifier: str) -> Authorization:
    url = f"{order}/{place}"
    kinds = ["dns-01"] if is_wildcard(identifier) else ["http-01", "dns-01"]
    token = hashlib.sha256(url.encode()).hexdigest()
    challenges = tuple(Challenge(kind, f"{url}/{kind}", token, "pending", None, url) for kind in kinds)
    return Authorization(url, base_domain(identifier), is_wildcard(identifier), "pending", challenges)
