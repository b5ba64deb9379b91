"""The ACME server of all tests that need no real one: the CA of ``dnsrenew.testing``, without sockets.

:class:`AcmeServer` stands where :class:`dnsrenew.base.http.HttpClient` does, so the real CAClient talks to it. It looks
at what is really published and issues real certificates, but verifies no signatures. Its faults are hooks with the same
requests and responses as those of the proxy before Pebble (tests/lab/acmeproxy.py).
"""

from __future__ import annotations

import base64
import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509 as crypto
from requests.structures import CaseInsensitiveDict

from dnsrenew.base.clock import Clock
from dnsrenew.base.http import HttpFailure
from dnsrenew.base.http import Response as HttpResponse
from dnsrenew.base.names import base_domain
from dnsrenew.testing.box.order_server import OrderServer, Proof, Validate
from dnsrenew.testing.box.resources import (
    AcmeProblem,
    BoxAccount,
    BoxAnswer,
    BoxAuthorization,
    BoxOrder,
    Json,
    SignedRequest,
    identifier_of,
)
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


# ── switches ────────────────────────────────────────────────────────────────────────────

REFUSALS: Final[Mapping[str, str]] = {
    "ca-account-refused": "accountDoesNotExist",
    "ca-caa": "caa",
    "ca-error": "strange",
    "ca-malformed-name": "malformed",
    "ca-rate-limited": "rateLimited",
    "ca-rejected-identifier": "rejectedIdentifier",
    "ca-server-error": "serverInternal",
}
"""The problem type of the server, by the error code of the client."""


@dataclass(frozen=True, slots=True)
class CaBehaviour:
    """How a CA behaves.

    :ivar opening: error code of every request for its directory; empty: no error.
    :ivar ordering: error code of every order.
    :ivar issuing: error code of every finalize; ``"wrong"``: it issues another certificate; ``"lost"``: it issues, and
        does not send it.
    :ivar blamed: the name that these errors report, if any.
    :ivar retry_after: the Retry-After of these errors (seconds).
    :ivar rejects: by challenge and writing account (None: http-01), an error type and its names.
    :ivar once: whether it rejects each proof only the first time.
    :ivar reuses: whether valid authorizations are reused.
    :ivar offers: the kinds of challenge.
    :ivar dialect: the draft of dns-persist-01.
    :ivar label: how the name of dns-account-01 begins: as in draft-ietf-acme-dns-account-label-02, or in a draft before
        (draft-ietf-acme-dns-account-01-01, scope ``host``).
    :ivar named: whether its directory says what CAA records call it.
    """

    opening: str = ""
    ordering: str = ""
    issuing: str = ""
    blamed: str | None = None
    retry_after: float | None = None
    rejects: Mapping[tuple[str, str | None], tuple[str, Collection[str]]] = field(default_factory=dict)
    once: bool = False
    reuses: bool = True
    offers: Collection[str] = CHALLENGES
    dialect: str = "01"
    named: bool = True
    label: str = "_acme-challenge"


# ── the server ──────────────────────────────────────────────────────────────────────────


def nothing(*_: Any) -> None:
    """Do nothing."""


class AcmeServer(OrderServer):
    """One CA, an :class:`OrderServer` with limits, switches and hooks. Thread-safe.

    :param directory: the URL of its directory; all its URLs are of that host.
    :param limits: what it counts; None: it has no limits.
    :param dialect: the draft of dns-persist-01: ``"00"``, ``"01"`` or ``"02"``.
    :param issuers: its issuer domain names in dns-persist-01 records.
    :param accounts: by URL; the CA adds new ones.
    :param meta: what the directory says beside the resources.
    :ivar up: whether it can be reached.
    :ivar behaviour: what it refuses, or does wrong; how it validates is decided by ``validate``.
    :ivar asked: the names of every newOrder request, refused or not; a repetition without ``replaces`` counts once.
    :ivar counts: requests by kind, and ``accepted`` orders and ``issued`` certificates.
    :ivar on_request: may answer instead of the server, by a response or by raising HttpFailure.
    :ivar on_response: may change an answer, after the server has done what was asked; DROP loses it.
    """

    verifies = False

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
        behaviour: CaBehaviour = CaBehaviour(),  # it cannot be changed
        accounts: dict[str, BoxAccount] | None = None,
        meta: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        base = f"https://{urlsplit(directory).netloc}"
        super().__init__(base, issuer(f"{name} 1"), validate, offers=offers, **options)
        self._clock, self.meta = clock, dict(meta or {})
        self.accounts = {} if accounts is None else accounts
        self.directory = directory
        self.name = name
        self.age = HOUR
        self.limits = limits
        self.dialect = dialect
        self.issuers = tuple(issuers)
        if _PERSIST in offers:
            self.meta |= persist_ca.meta_fields(dialect, issuers, base)
        self.up = True
        self.behaviour = behaviour
        self.asked: list[tuple[str, ...]] = []
        self._repeats: tuple[str, ...] | None = None
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

    # ── switches ────────────────────────────────────────────────────────────────────────

    def _fail(self, code: str) -> None:
        """Refuse a request so that the client has an error with this code; empty: do not."""
        if not code:
            return
        if code == "ca-unreachable":
            raise HttpFailure("connect", "the connection was refused")
        kind, blamed, after = REFUSALS[code], self.behaviour.blamed, self.behaviour.retry_after
        about = [] if blamed is None else [{**AcmeProblem(kind, "no").document(), "identifier": identifier_of(blamed)}]
        raise AcmeProblem(
            kind, f"the CA says {code}", retry_after=None if after is None else int(after), subproblems=about
        )

    def _directory(self, rest: str) -> BoxAnswer:
        self._fail(self.behaviour.opening)
        return super()._directory(rest)

    def _new_order(self, request: SignedRequest, url: str) -> BoxAnswer:
        payload = request.payload or {}
        names = tuple(each["value"] for each in payload.get("identifiers", ()))
        if names != self._repeats:
            self.asked.append(names)
        self._repeats = names if "replaces" in payload else None
        self._fail(self.behaviour.ordering)
        self._repeats = None
        answer = super()._new_order(request, url)
        self.counts["accepted"] += 1
        return answer

    def _finalize(self, request: SignedRequest, url: str) -> BoxAnswer:
        code = self.behaviour.issuing
        if code == "ca-order-invalid":
            order = self._order_at(request, url)
            order.error = AcmeProblem("strange", "it was given up")
            return self._shown(order)
        if code not in {"wrong", "ca-timeout", "lost"}:
            self._fail(code)
        return super()._finalize(request, url)

    def _download(self, request: SignedRequest, url: str) -> BoxAnswer:
        if self.behaviour.issuing == "lost":
            raise HttpFailure("timeout", "nothing was answered within 30 s")
        return super()._download(request, url)

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
        order.processing = self.behaviour.issuing == "ca-timeout"
        if self.behaviour.issuing == "wrong":  # which counts against no limit
            names = order.names[1:] or ("wrong.test",)
            order.chain = self._issuer.sign(csr.public_key(), names, self._clock.now() - self.age)
            return
        super()._issue(order, csr)
        self.counts["issued"] += 1
        if self.limits is not None:
            self.limits.same_set[frozenset(order.names)].take(self._clock.now())

    # ── dns-persist-01 ──────────────────────────────────────────────────────────────────

    def speak(self, dialect: str) -> None:
        """Change the dialect of dns-persist-01."""
        self.dialect = dialect
        fields = dict.fromkeys(("issuerDomainNames", "accountHashPrefix"))
        self.meta = {key: value for key, value in self.meta.items() if key not in fields}
        self.meta |= persist_ca.meta_fields(dialect, self.issuers, self.base)

    def _challenge_fields(self, kind: str, account: str) -> Json:
        if kind == _PERSIST:
            return persist_ca.challenge_fields(self.dialect, self.issuers, account)
        return super()._challenge_fields(kind, account)

    def _proof(self, authorization: BoxAuthorization, kind: str) -> Proof:
        if kind == "dns-account-01":
            proof = super()._proof(authorization, kind)
            return AccountProof.by(self.accounts[authorization.account], proof, self.behaviour.label)
        if kind != _PERSIST:
            return super()._proof(authorization, kind)
        account, name = self.accounts[authorization.account], authorization.identifier
        keys = [account.thumbprint, *account.former]
        uris = persist_ca.account_uris(self.dialect, self.base, base_domain(name), account.url, keys)
        has_policy = self.dialect != "sc-088"
        return persist_ca.PersistProof(kind, name, "", "", self.issuers, uris, self._clock.now(), has_policy)


class AccountProof(Proof):
    """A proof of dns-account-01.

    :ivar first: the labels before the domain.
    """

    first: str

    @classmethod
    def by(cls, account: BoxAccount, proof: Proof, label: str = "_acme-challenge") -> AccountProof:
        """Return the proof of an account (draft-ietf-acme-dns-account-label-02), from that of http-01."""
        digest = hashlib.sha256(account.url.encode()).digest()[:10]
        value = base64.urlsafe_b64encode(hashlib.sha256(proof.expected.encode()).digest()).decode().rstrip("=")
        first = f"_{base64.b32encode(digest).decode().lower()}.{label}"
        return cls(proof.challenge, proof.identifier, proof.token, value, first)

    @property
    def txt_name(self) -> str:
        """The absolute name of the TXT record."""
        return f"{self.first}.{base_domain(self.identifier)}."


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
