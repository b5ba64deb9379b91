"""The ACME server of all tests that need no real one: the CA of ``dnsrenew.testing``, without sockets.

:class:`AcmeServer` stands where :class:`dnsrenew.base.http.HttpClient` does, so the real CAClient talks to it. It looks
at what is really published and issues real certificates, but verifies no signatures. Its faults are hooks with the same
requests and responses as those of the proxy before Pebble (tests/lab/acmeproxy.py).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509 as crypto
from requests.structures import CaseInsensitiveDict

from dnsrenew.base.clock import Clock
from dnsrenew.base.http import HttpFailure
from dnsrenew.base.http import Response as HttpResponse
from dnsrenew.base.names import base_domain
from dnsrenew.testing.box.answers import AcmeProblem
from dnsrenew.testing.box.order_server import OrderServer
from dnsrenew.testing.box.resources import BoxAuthorization, BoxOrder, Json
from dnsrenew.testing.box.validation import Proof, Validate
from tests.kit import persist_ca
from tests.kit.certificates import issuer
from tests.lab.acmemessages import DROP, Request, Response

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
CHALLENGES: Final = ("http-01", "dns-01")
UNAUTHORIZED: Final = AcmeProblem("unauthorized", "the response is not there")
_PERSIST: Final = "dns-persist-01"


# ── limits ──────────────────────────────────────────────────────────────────────────────


class Bucket:
    """A limit of a number of tokens in a period; used tokens come back steadily.

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
        """Take one token; the bucket never has fewer than zero."""
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


# ── the server ──────────────────────────────────────────────────────────────────────────


def nothing(*_: Any) -> None:
    """Do nothing."""


class AcmeServer(OrderServer):
    """One CA, an :class:`OrderServer` with limits and hooks. Thread-safe.

    :param directory: the URL of its directory; all its URLs are of that host.
    :param limits: what it counts; None: it has no limits.
    :param dialect: the draft of dns-persist-01: ``"00"``, ``"01"`` or ``"02"``.
    :param issuers: its issuer domain names in dns-persist-01 records.
    :ivar up: whether it can be reached.
    :ivar counts: requests by kind, and ``issued``.
    :ivar on_request: may answer instead of the server, by a response or by raising HttpFailure.
    :ivar on_response: may change an answer, after the server has done what was asked; DROP loses it.
    """

    def __init__(
        self,
        directory: str,
        clock: Clock,
        validate: Validate,
        *,
        name: str = "Stage CA",
        limits: Limits | None = None,
        offers: Collection[str] = CHALLENGES,
        dialect: str = "01",
        issuers: Sequence[str] = ("ca.test",),
        **options: Any,
    ) -> None:
        base = f"https://{urlsplit(directory).netloc}"
        super().__init__(base, issuer(f"{name} 1"), validate, verifies=False, clock=clock, offers=offers, **options)
        self.directory = directory
        self.name = name
        self.age = HOUR
        self.limits = limits
        self.dialect = dialect
        self.issuers = tuple(issuers)
        if _PERSIST in offers:
            self.meta |= persist_ca.meta_fields(dialect, issuers, base)
        self.up = True
        self.counts: Counter[str] = Counter()
        self.on_request: Callable[[Request], Response | None] = nothing
        self.on_response: Callable[[Request, Response], Response | None] = nothing

    def take_over(self, other: AcmeServer) -> None:
        """Adopt the orders and certificates of another server."""
        known = copy.deepcopy((other.orders, other._authorizations, other._valid))
        self.orders, self._authorizations, self._valid = known
        self.issued, self._replaced = dict(other.issued), set(other._replaced)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def request(self, method: str, url: str, *, data: bytes | None = None, **more: Any) -> HttpResponse:
        """Answer a request.

        :raises HttpFailure: a hook says so.
        """
        if not self.up:
            raise HttpFailure("connect", "the connection was refused")
        path, headers = "/directory" if url == self.directory else urlsplit(url).path, more.get("headers") or {}
        kind = Request(method, path, headers, b"", 0).kind
        with self._lock:
            self.counts[kind] += 1
            request = Request(method, path, headers, data or b"", self.counts[kind])
        response = self.on_request(request)
        if response is None:
            response = self.response(request)
            response = self.on_response(request, response) or response
        if response is DROP:
            raise HttpFailure("timeout", "nothing was answered within 30 s")
        kept = {"Replay-Nonce": self.nonce(), **dict(response.headers)}
        return HttpResponse(response.status, CaseInsensitiveDict(kept), response.body, url)

    def response(self, request: Request) -> Response:
        """Do what a request asks for, without hooks."""
        path = "/directory" if request.kind == "directory" else request.path
        answer = self.answer(request.method, path, request.body)
        response = Response(answer.status, answer.body, answer.headers)
        if request.kind == "challenge" and answer.status == 200:  # as a CA that validates later
            return response.with_json({**response.json(), "status": "processing"})
        return response

    # ── limits ──────────────────────────────────────────────────────────────────────────

    def _make_order(self, account: str, names: tuple[str, ...], replaces: str | None, profile: str | None) -> BoxOrder:
        if self.limits is not None and replaces is None:  # a renewal that says what it replaces is exempt
            now = self._clock.now()
            if beyond := self.limits.beyond(names, now):
                raise AcmeProblem("rateLimited", f"too many {beyond}", retry_after=3600)
            self.limits.orders.take(now)
        return super()._make_order(account, names, replaces, profile)

    def _end_validation(self, authorization: BoxAuthorization, kind: str, error: AcmeProblem | None) -> None:
        super()._end_validation(authorization, kind, error)
        if self.limits is not None and error is not None:
            self.limits.failed[authorization.identifier].take(self._clock.now())

    def _issue(self, order: BoxOrder, csr: crypto.CertificateSigningRequest) -> None:
        super()._issue(order, csr)
        self.counts["issued"] += 1
        if self.limits is not None:
            self.limits.same_set[frozenset(order.names)].take(self._clock.now())

    # ── dns-persist-01 ──────────────────────────────────────────────────────────────────

    def _challenge_fields(self, kind: str, account: str) -> Json:
        if kind == _PERSIST:
            return persist_ca.challenge_fields(self.dialect, self.issuers, account)
        return super()._challenge_fields(kind, account)

    def _proof(self, authorization: BoxAuthorization, kind: str) -> Proof:
        if kind != _PERSIST:
            return super()._proof(authorization, kind)
        account, name = self.accounts[authorization.account], authorization.identifier
        keys = [account.thumbprint, *account.former]
        uris = persist_ca.account_uris(self.dialect, self.base, base_domain(name), account.url, keys)
        return persist_ca.PersistProof(kind, name, "", "", self.issuers, uris, self._clock.now())


class Internet:
    """A replacement of HttpClient that passes each request to the server of its host."""

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
        """Do nothing: there are no connections."""
