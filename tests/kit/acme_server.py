"""The ACME server of all tests that need no real one: RFC 8555 and RFC 9773 in memory, at the level of HTTP.

:class:`AcmeServer` stands where :class:`dnsrenew.http.HttpClient` does, so the real CAClient talks to it. It validates
what is really published, issues real certificates, and does not verify signatures (Pebble does, in tests/lab). Its
faults are hooks with the same requests and responses as those of the proxy before Pebble (tests/lab/acmeproxy.py).
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509 as crypto
from cryptography.hazmat.primitives.serialization import Encoding
from requests.structures import CaseInsensitiveDict

from dnsrenew.base.clock import Clock
from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.ca.ari import cert_id
from dnsrenew.ca.resources import base64url
from dnsrenew.http import HttpFailure
from dnsrenew.http import Response as HttpResponse
from dnsrenew.model import rfc3339
from tests.kit import persist_ca
from tests.kit.certificates import LIFETIME, Issuer, issuer
from tests.lab.acmemessages import DROP, Request, Response

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
CHALLENGES: Final = ("http-01", "dns-01")
UNAUTHORIZED: Final = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "the response is not there"}
_RESOURCES: Final = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
_PEM: Final = ("Content-Type", "application/pem-certificate-chain")

Problem = Mapping[str, Any]
Suggest = Callable[[datetime, datetime], tuple[datetime, datetime]]
"""From the dates of a certificate to the window in which the CA suggests its renewal (RFC 9773)."""


class Proof(NamedTuple):
    """What the server looks for to validate a challenge (RFC 8555 section 8).

    :ivar expected: the key authorization (http-01), or the TXT value (dns-01).
    :ivar accept: looks at the TXT values instead (dns-persist-01).
    """

    challenge: str
    identifier: str
    token: str
    expected: str
    accept: Callable[[Collection[str]], bool] | None = None

    @property
    def txt_name(self) -> str:
        """The absolute name of the TXT record."""
        label = "_acme-challenge" if self.accept is None else "_validation-persist"
        return f"{label}.{base_domain(self.identifier)}."

    def is_met_by(self, values: Collection[str]) -> bool:
        """Tell whether the published values validate the name."""
        return self.expected in values if self.accept is None else self.accept(values)


Validate = Callable[[Proof], Problem | None]
"""Looks at what is published; returns what is wrong with it, or None."""


def suggest(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the window that Let's Encrypt's software suggests: a fiftieth to each side of the time it advises."""
    lifetime = end - begin
    ideal = end - (lifetime / 2 if lifetime < 10 * DAY else lifetime / 3)
    return ideal - lifetime / 50, ideal + lifetime / 50


# ── limits ──────────────────────────────────────────────────────────────────────────────


class Bucket:
    """So many within so long; what was used comes back steadily.

    :ivar least: how many were left when it was emptiest.
    """

    def __init__(self, count: int, window: timedelta) -> None:
        self._count = count
        self._window = window
        self._full_at = datetime.min.replace(tzinfo=UTC)
        self.least = count

    def left(self, now: datetime) -> int:
        """Return how many are left."""
        missing = max(self._full_at - now, timedelta(0))
        return self._count - -(-missing // (self._window / self._count))

    def take(self, now: datetime) -> None:
        """Take one; a bucket is not emptier than empty."""
        self._full_at = min(max(self._full_at, now) + self._window / self._count, now + self._window)
        self.least = min(self.least, self.left(now))


class Buckets(dict[Any, Bucket]):
    """A bucket for each key."""

    def __init__(self, limit: tuple[int, timedelta]) -> None:
        super().__init__()
        self._limit = limit

    def __missing__(self, key: Any) -> Bucket:
        return self.setdefault(key, Bucket(*self._limit))

    @property
    def least(self) -> int:
        """How many were left in the emptiest one."""
        return min((bucket.least for bucket in self.values()), default=self._limit[0])


ORDERS: Final = (300, 3 * HOUR)
SAME_SET: Final = (5, 7 * DAY)
FAILED: Final = (5, HOUR)


class Limits:
    """The limits of Let's Encrypt (November 2026): a model of its own, so that a mistake in our ledger is seen.

    :ivar exceeded: every order beyond a limit.
    """

    def __init__(self) -> None:
        self.orders = Bucket(*ORDERS)
        self.same_set = Buckets(SAME_SET)
        self.failed = Buckets(FAILED)
        self.exceeded: list[str] = []

    def beyond(self, names: Sequence[str], now: datetime) -> str | None:
        """Return the limit that another order for these names would exceed."""
        buckets = {
            "orders": self.orders,
            "same set of names": self.same_set[frozenset(names)],
            **{f"failed validations of {name}": self.failed[name] for name in names},
        }
        what = next((what for what, bucket in buckets.items() if bucket.left(now) < 1), None)
        if what is not None:
            self.exceeded.append(f"{now:%Y-%m-%d %H:%M}: {what}")
        return what


# ── resources ───────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Authorization:
    """An authorization (RFC 8555 section 7.1.4).

    :ivar error: why it is invalid.
    """

    url: str
    identifier: str
    status: str = "pending"
    account: str = ""
    answered: str = ""
    error: Problem | None = None

    def token(self, challenge: str) -> str:
        """Return the token of a challenge."""
        return hashlib.sha256(f"{self.url} {challenge}".encode()).hexdigest()


@dataclass(slots=True)
class Order:
    """An order (RFC 8555 section 7.1.3).

    :ivar created: when.
    :ivar chain: the certificate, once it is issued.
    :ivar processing: whether the server goes on saying that it is still at it.
    :ivar error: why the server gave it up after the CSR came.
    """

    url: str
    number: int
    names: tuple[str, ...]
    authorizations: list[Authorization]
    created: datetime
    replaces: str | None = None
    profile: str | None = None
    chain: str | None = field(default=None, repr=False)
    processing: bool = False
    error: Problem | None = None

    @property
    def status(self) -> str:
        """The status (RFC 8555 section 7.1.6)."""
        if self.error is not None:
            return "invalid"
        if self.processing:
            return "processing"
        if self.chain is not None:
            return "valid"
        seen = {each.status for each in self.authorizations}
        return (
            "pending"
            if seen <= {"pending", "valid"} and "pending" in seen
            else "ready"
            if seen == {"valid"}
            else "invalid"
        )


class Refusal(Exception):
    """A problem document as the answer."""

    def __init__(self, status: int, kind: str, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(kind)
        self.response = Response.problem(status, kind, detail, *headers)


def problem(kind: str, detail: str, **more: Any) -> Problem:
    """Return a problem document; ``kind`` is the word after ``urn:ietf:params:acme:error:``."""
    return {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, **more}


def nothing(*_: Any) -> None:
    """Do nothing."""


class AcmeServer:
    """One CA. Thread-safe.

    :param directory: the URL of its directory; all its URLs are of that host.
    :param validate: looks at what is published.
    :param accounts: the thumbprint of the key of each account, by its URL; the server adds new ones.
    :param suggest: suggests a window for a renewal; None: the CA has no ARI.
    :param limits: what it counts; None: it has no limits.
    :param offers: the challenge types.
    :param reuses: whether what is valid stays valid in the next order of the account.
    :param meta: what the directory says beside the resources.
    :param dialect: the draft of dns-persist-01: ``"00"``, ``"01"`` or ``"02"``.
    :param issuers: its issuer domain names in dns-persist-01 records.
    :ivar up: whether it can be reached.
    :ivar counts: requests by kind, and ``issued``.
    :ivar on_request: may answer instead of the server, by a response or by raising HttpFailure.
    :ivar on_response: may change an answer, after the server has done what was asked; DROP loses it.
    :ivar orders: by URL.
    :ivar issued: the dates of each certificate, by its ARI identifier.
    """

    def __init__(
        self,
        directory: str,
        clock: Clock,
        validate: Validate,
        *,
        name: str = "Stage CA",
        accounts: dict[str, str] | None = None,
        lifetime: timedelta = LIFETIME,
        suggest: Suggest | None = suggest,
        limits: Limits | None = None,
        offers: Collection[str] = CHALLENGES,
        reuses: bool = False,
        meta: Mapping[str, Any] | None = None,
        dialect: str = "01",
        issuers: Sequence[str] = ("ca.test",),
    ) -> None:
        self.directory = directory
        self.dialect = dialect
        self.issuers = tuple(issuers)
        self.keys: dict[str, list[str]] = {}
        self.name = name
        self.limits = limits
        self.offers = offers
        self.reuses = reuses
        self.accounts = {} if accounts is None else accounts
        self.meta = dict(meta or {})
        self.up = True
        self.counts: Counter[str] = Counter()
        self.on_request: Callable[[Request], Response | None] = nothing
        self.on_response: Callable[[Request, Response], Response | None] = nothing
        self.orders: dict[str, Order] = {}
        self.issued: dict[str, tuple[datetime, datetime]] = {}
        self._authorizations: dict[str, Authorization] = {}
        self._valid: dict[tuple[str, str], Authorization] = {}
        self._replaced: set[str] = set()
        self._revoked: set[bytes] = set()
        self._nonces: set[str] = set()
        self._base = f"https://{urlsplit(directory).netloc}"
        if "dns-persist-01" in offers:
            self.meta |= persist_ca.meta_fields(dialect, issuers, self._base)
        self._clock = clock
        self._validate = validate
        self._lifetime = lifetime
        self._suggest = suggest
        self._issuer: Issuer = issuer(f"{name} 1")
        self._lock = threading.RLock()

    def take_over(self, other: AcmeServer) -> None:
        """Know the orders and certificates that another server knows."""
        known = copy.deepcopy((other.orders, other._authorizations, other._valid))
        self.orders, self._authorizations, self._valid = known
        self.issued, self._replaced = dict(other.issued), set(other._replaced)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """There are no connections."""

    def request(self, method: str, url: str, *, data: bytes | None = None, **more: Any) -> HttpResponse:
        """Answer a request.

        :raises HttpFailure: a hook says so.
        """
        if not self.up:
            raise HttpFailure("connect", "the connection was refused")
        headers, path = more.get("headers") or {}, urlsplit(url).path
        first = Request(method, "/directory" if url == self.directory else path, headers, data or b"", 0)
        with self._lock:
            self.counts[first.kind] += 1
            request = Request(first.method, first.path, headers, first.body, self.counts[first.kind])
        response = self.on_request(request)
        if response is None:
            with self._lock:
                response = self._answer(request, url)
            response = self.on_response(request, response) or response
        if response is DROP:
            raise HttpFailure("timeout", "nothing was answered within 30 s")
        kept = {"Replay-Nonce": self._nonce(), **dict(response.headers)}
        return HttpResponse(response.status, CaseInsensitiveDict(kept), response.body, url)

    def _nonce(self) -> str:
        with self._lock:
            nonce = base64url(b"nonce %d" % self.counts["nonces"])
            self.counts["nonces"] += 1
            self._nonces.add(nonce)
        return nonce

    def _answer(self, request: Request, url: str) -> Response:
        try:
            if request.method in {"GET", "HEAD"}:
                return self._public(request)
            head = request.header
            if head["url"] != url:
                raise Refusal(403, "unauthorized", "the URL of the JWS is another one")
            if head["nonce"] not in self._nonces:
                raise Refusal(400, "badNonce", "this nonce is not known")
            self._nonces.remove(head["nonce"])
            if "kid" in head and head["kid"] not in self.accounts:
                raise Refusal(400, "accountDoesNotExist", "there is no such account")
            answer: Response = getattr(self, f"_{request.kind}", self._missing)(request)
        except Refusal as refusal:
            return refusal.response
        return answer

    def _missing(self, request: Request) -> Response:
        raise Refusal(404, "malformed", f"there is no {request.path}")

    def _public(self, request: Request) -> Response:
        if request.kind == "directory":
            names = _RESOURCES + (() if self._suggest is None else ("renewalInfo",))
            return Response.of_json(200, {**{name: f"{self._base}/{name}" for name in names}, "meta": self.meta})
        if request.kind == "renewalInfo" and self._suggest is not None:
            return self._renewal_info(request.path.rpartition("/")[2])
        return Response(200) if request.kind == "newNonce" else self._missing(request)

    def _renewal_info(self, identifier: str) -> Response:
        assert self._suggest is not None
        if identifier not in self.issued:
            raise Refusal(404, "malformed", "there is no such certificate")
        begin, end = self._suggest(*self.issued[identifier])
        return Response.of_json(200, {"suggestedWindow": {"start": rfc3339(begin), "end": rfc3339(end)}})

    # ── the account ─────────────────────────────────────────────────────────────────────

    def _newAccount(self, request: Request) -> Response:
        mark = thumbprint(request.header["jwk"])
        known = next((url for url, has in self.accounts.items() if has == mark), None)
        if known is None and (request.payload or {}).get("onlyReturnExisting"):
            raise Refusal(400, "accountDoesNotExist", "there is no account with this key")
        url = known or f"{self._base}/account/{len(self.accounts) + 1}"
        self.accounts[url] = mark
        return Response.of_json(201 if known is None else 200, {"status": "valid"}, ("Location", url))

    def _account(self, request: Request) -> Response:
        return Response.of_json(200, {"status": "valid", "contact": (request.payload or {}).get("contact", [])})

    def _keyChange(self, request: Request) -> Response:
        inner = Request("POST", request.path, {}, json.dumps(request.payload).encode(), 0)
        mark = thumbprint(inner.header["jwk"])
        if mark in self.accounts.values():
            raise Refusal(409, "malformed", "another account has this key")
        account = request.header["kid"]
        self.keys.setdefault(account, []).append(self.accounts[account])
        self.accounts[account] = mark
        return Response.of_json(200, {"status": "valid"})

    # ── the order ───────────────────────────────────────────────────────────────────────

    def _newOrder(self, request: Request) -> Response:
        payload, now = request.payload or {}, self._clock.now()
        names = tuple(each["value"] for each in payload["identifiers"])
        if payload["identifiers"] != [_identifier(name) for name in names]:
            raise Refusal(400, "unsupportedIdentifier", "a name has the type of another")
        replaces = payload.get("replaces")
        if replaces is not None and (replaces not in self.issued or replaces in self._replaced):
            replaces = None
        if self.limits is not None and replaces is None:  # a renewal that says what it replaces is exempt
            if beyond := self.limits.beyond(names, now):
                raise Refusal(429, "rateLimited", f"too many {beyond}", ("Retry-After", "3600"))
            self.limits.orders.take(now)
        number, account = len(self.orders) + 1, request.header["kid"]
        authorizations = [
            self._authorize(f"{self._base}/authorization/{number}/{index}", name, account)
            for index, name in enumerate(names)
        ]
        order = Order(
            f"{self._base}/order/{number}", number, names, authorizations, now, replaces, payload.get("profile")
        )
        self.orders[order.url] = order
        return self._shown(order, 201)

    def _authorize(self, url: str, name: str, account: str) -> Authorization:
        valid = self._valid.get((account, name)) if self.reuses else None
        return valid or self._authorizations.setdefault(url, Authorization(url, name, account=account))

    def _shown(self, order: Order, status: int = 200) -> Response:
        body: dict[str, Any] = {
            "status": order.status,
            "identifiers": [_identifier(name) for name in order.names],
            "authorizations": [each.url for each in order.authorizations],
            "finalize": f"{self._base}/finalize/{order.number}",
        }
        body |= {} if order.replaces is None else {"replaces": order.replaces}
        body |= {} if order.profile is None else {"profile": order.profile}
        body |= {} if order.error is None else {"error": order.error}
        body |= {"certificate": f"{self._base}/certificate/{order.number}"} if order.status == "valid" else {}
        return Response.of_json(status, body, ("Location", order.url))

    def order_of(self, request: Request) -> Order:
        """Return the order that a request is about.

        :raises Refusal: there is none.
        """
        order = self.orders.get(f"{self._base}/order/{request.path.rpartition('/')[2]}")
        if order is None:
            raise Refusal(404, "malformed", "there is no such order")
        return order

    def _order(self, request: Request) -> Response:
        return self._shown(self.order_of(request))

    # ── authorizations ──────────────────────────────────────────────────────────────────

    def _authorization(self, request: Request) -> Response:
        authorization = self._authorization_at(f"{self._base}{request.path}")
        if (request.payload or {}).get("status") == "deactivated":
            authorization.status = "deactivated"
            self._valid = {key: each for key, each in self._valid.items() if each is not authorization}
        return Response.of_json(200, self._described(authorization))

    def _authorization_at(self, url: str) -> Authorization:
        if url not in self._authorizations:
            raise Refusal(404, "malformed", "there is no such authorization")
        return self._authorizations[url]

    def _described(self, authorization: Authorization) -> dict[str, Any]:
        name = authorization.identifier
        unfit = {"dns-01", "dns-persist-01"} if is_ip(name) else {"http-01"} if is_wildcard(name) else set()
        offered = [kind for kind in self.offers if kind not in unfit]
        kinds = [authorization.answered] if authorization.status in {"valid", "invalid"} else offered
        return {
            "status": authorization.status,
            "identifier": _identifier(base_domain(name)),
            "wildcard": is_wildcard(name),
            "challenges": [self._challenge_of(authorization, kind) for kind in kinds],
        }

    def _challenge_of(self, authorization: Authorization, kind: str) -> dict[str, Any]:
        url = authorization.url.replace("/authorization/", "/challenge/")
        status = {"deactivated": "pending"}.get(authorization.status, authorization.status)
        body: dict[str, Any] = {"type": kind, "url": f"{url}/{kind}", "status": status}
        if kind == "dns-persist-01":
            body |= persist_ca.challenge_fields(self.dialect, self.issuers, authorization.account)
        else:
            body["token"] = authorization.token(kind)
        return body if authorization.error is None else {**body, "error": authorization.error}

    def _challenge(self, request: Request) -> Response:
        """Look at once at what is published."""
        *path, kind = request.path.split("/")
        url = f"{self._base}{'/'.join(path).replace('/challenge/', '/authorization/')}"
        authorization, account = self._authorization_at(url), request.header["kid"]
        if authorization.status == "pending":
            found = self._validate(self._proof(authorization, kind, account))
            authorization.answered, authorization.error = kind, found
            authorization.status = "valid" if found is None else "invalid"
            if found is None:
                self._valid[account, authorization.identifier] = authorization
            elif self.limits is not None:
                self.limits.failed[authorization.identifier].take(self._clock.now())
        return Response.of_json(200, {**self._challenge_of(authorization, kind), "status": "processing"})

    def _proof(self, authorization: Authorization, kind: str, account: str) -> Proof:
        if kind == "dns-persist-01":
            return self._persist_proof(authorization.identifier, account)
        token = authorization.token(kind)
        expected = f"{token}.{self.accounts[account]}"
        if kind == "dns-01":
            expected = base64url(hashlib.sha256(expected.encode()).digest())
        return Proof(kind, authorization.identifier, token, expected)

    def _persist_proof(self, name: str, account: str) -> Proof:
        keys = [self.accounts[account], *self.keys.get(account, ())]
        uris = persist_ca.account_uris(self.dialect, self._base, base_domain(name), account, keys)
        wildcard = is_wildcard(name)

        def accept(values: Collection[str]) -> bool:
            return persist_ca.is_met(values, self.issuers, uris, self._clock.now(), wildcard=wildcard)

        return Proof("dns-persist-01", name, "", "", accept)

    # ── the certificate ─────────────────────────────────────────────────────────────────

    def _finalize(self, request: Request) -> Response:
        order = self.order_of(request)
        if order.status not in {"ready", "processing", "valid"}:
            raise Refusal(403, "orderNotReady", f"the order is {order.status}")
        if order.chain is None:
            csr = crypto.load_der_x509_csr(_decoded((request.payload or {})["csr"]))
            self._issue(order, csr)
        return self._shown(order)

    def _issue(self, order: Order, csr: crypto.CertificateSigningRequest) -> None:
        now = self._clock.now()
        order.chain = self._issuer.sign(csr.public_key(), order.names, now - HOUR, self._lifetime)
        begin = (now - HOUR).replace(microsecond=0)
        self.issued[cert_id(order.chain)] = begin, begin + self._lifetime
        self.counts["issued"] += 1
        if order.replaces is not None:
            self._replaced.add(order.replaces)
        if self.limits is not None:
            self.limits.same_set[frozenset(order.names)].take(now)

    def _certificate(self, request: Request) -> Response:
        order = self.order_of(request)
        if order.chain is None:
            raise Refusal(404, "malformed", "it is not issued")
        return Response(200, order.chain.encode(), (_PEM,))

    def _revokeCert(self, request: Request) -> Response:
        der = _decoded((request.payload or {})["certificate"])
        ours = (each.chain for each in self.orders.values() if each.chain is not None)
        if der not in {crypto.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER) for pem in ours}:
            raise Refusal(404, "malformed", "there is no such certificate")
        if der in self._revoked:
            raise Refusal(400, "alreadyRevoked", "it is revoked already")
        self._revoked.add(der)
        return Response(200)


class Internet:
    """In the place of an HttpClient: hands each request to the server whose host it names."""

    def __init__(self, servers: Iterable[AcmeServer]) -> None:
        self._servers = {urlsplit(server.directory).netloc: server for server in servers}

    def request(self, method: str, url: str, **more: Any) -> HttpResponse:
        """Have a request answered."""
        server = self._servers.get(urlsplit(url).netloc)
        if server is None:
            raise HttpFailure("dns", "there is no such host")
        return server.request(method, url, **more)

    def proxy_for(self, url: str) -> str | None:
        """There is no proxy."""

    def close(self) -> None:
        """There are no connections."""


def _identifier(name: str) -> dict[str, str]:
    return {"type": "ip" if is_ip(name) else "dns", "value": name}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the thumbprint of a public key (RFC 7638)."""
    text = json.dumps(jwk, separators=(",", ":"), sort_keys=True)
    return base64url(hashlib.sha256(text.encode()).digest())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
