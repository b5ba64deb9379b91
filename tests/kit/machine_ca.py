"""The CA of the state machine: it counts against its limits, records all requests, and may break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from dnsrenew.base.clock import Clock
from dnsrenew.base.http import Response as HttpResponse
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem, BoxAnswer, BoxOrder, SignedRequest
from tests.kit.acme_server import DAY, HOUR, UNAUTHORIZED, AcmeServer, Bucket, CaBehaviour, Limits

if TYPE_CHECKING:
    from tests.kit.machine_gate import Gate

KEPT: Final = 7 * DAY
"""How long it keeps an order."""
ASKS_TO_WAIT: Final = 2 * HOUR
SWITCHES: Final = {
    "ok": CaBehaviour(),
    "down": CaBehaviour(),
    "busy": CaBehaviour(ordering="ca-server-error"),
    "limit": CaBehaviour(ordering="ca-rate-limited", retry_after=ASKS_TO_WAIT.total_seconds()),
    "blind": CaBehaviour(),
    "lost": CaBehaviour(issuing="lost"),
    "slow": CaBehaviour(issuing="ca-timeout"),
    "refuses": CaBehaviour(issuing="ca-server-error"),
    "wrong": CaBehaviour(issuing="wrong"),
}
"""How it behaves, by a word."""
BEHAVIOURS: Final = tuple(SWITCHES)
_CHANGES: Final = ("/newAccount", "/newOrder", "/challenge/", "/finalize/")


@dataclass(slots=True)
class Counted:
    """An event that the CA counted against a limit.

    :ivar key: the limit and its subject.
    :ivar run: the number of the run that caused it.
    """

    time: datetime
    key: str
    run: int


@dataclass(frozen=True, slots=True)
class Made:
    """A newOrder request.

    :ivar key: the limit that it exceeded, in a second entry of the same request; or None.
    """

    time: datetime
    run: int
    names: frozenset[str]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedHere:
    """A certificate that this CA has issued."""

    time: datetime
    run: int
    order: str
    names: frozenset[str]
    serial: int
    chain: str = field(repr=False)


class FaultyCA(AcmeServer):
    """A CA in memory that breaks, and records which run caused each of its actions.

    :ivar mood: ``ok``; or it is ``down``, refuses orders (``busy``), asks to wait (``limit``), rejects proofs
        (``blind``), issues and does not send it (``lost``) or takes too long (``slow``), does not issue
        (``refuses``), or issues another certificate (``wrong``).
    :ivar run: the number of the current run.
    :ivar counted: the events that count against its limits.
    :ivar made: the newOrder requests.
    :ivar certificates: the certificates, by the URL of the order.
    :ivar waits: by set of names, the end of a Retry-After and the run that received it.
    """

    def __init__(
        self, name: str, directory: str, clock: Clock, served: Callable[[str], set[str]], gate: Callable[[], Gate]
    ) -> None:
        self.count = Limits()
        super().__init__(directory, clock, self._validate_proof, name=name, limits=self.count)
        self.mood = "ok"
        self.run = 0
        self.counted: list[Counted] = []
        self.made: list[Made] = []
        self.certificates: dict[str, IssuedHere] = {}
        self.waits: dict[frozenset[str], tuple[datetime, int]] = {}
        self._served = served
        self._gate = gate
        self._refused_with: tuple[int, frozenset[str]] | None = None

    # ── limits ──────────────────────────────────────────────────────────────────────────

    def _buckets(self, names: Sequence[str]) -> dict[str, Bucket]:
        failed = {f"failed {name}": self.count.failed[name] for name in names}
        return {same_set(names): self.count.same_set[frozenset(names)], **failed}

    def _validate_proof(self, proof: Proof) -> AcmeProblem | None:
        if self.mood != "blind" and proof.expected in self._served(proof.txt_name):
            return None
        self.counted.append(Counted(self._clock.now(), f"failed {proof.identifier}", self.run))
        return UNAUTHORIZED

    # ── requests ────────────────────────────────────────────────────────────────────────

    def request(self, method: str, url: str, **more: Any) -> HttpResponse:
        """Answer a request; a run may be killed before or after one that changes something."""
        self.up, self.behaviour = self.mood != "down", SWITCHES[self.mood]
        gate = self._gate()
        if method == "POST" and any(part in url for part in _CHANGES):
            return gate.around(lambda: super(FaultyCA, self).request(method, url, **more))
        gate.check()
        return super().request(method, url, **more)

    def _new_order(self, request: SignedRequest, url: str) -> BoxAnswer:
        payload = request.payload or {}
        listed = [each["value"] for each in payload["identifiers"]]
        names, now, replaces = frozenset(listed), self._clock.now(), "replaces" in payload
        if (self.run, names) != self._refused_with:  # or it is the same order without `replaces`
            self.made.append(Made(now, self.run, names))
        self._refused_with = (self.run, names) if replaces else None
        if self.mood == "limit":
            self.waits[names] = now + ASKS_TO_WAIT, self.run
        self._fail(self.behaviour.ordering)
        if not replaces:
            self._record_an_early_order(names, now)
        unfinished = self._unfinished(names, now)
        if unfinished is not None:
            return self._shown(unfinished, 201)
        try:
            response = super()._new_order(request, url)
        except AcmeProblem:
            beyond = [key for key, bucket in self._buckets(listed).items() if bucket.left(now) < 1]
            self.made += [Made(now, self.run, names, key) for key in beyond]
            self.waits[names] = now + HOUR, self.run
            raise
        self._refused_with = None
        return response

    def _unfinished(self, names: frozenset[str], now: datetime) -> BoxOrder | None:
        """Return a usable order for the same names, as Let's Encrypt does."""
        for order in self.orders.values() if self.name == "le" else ():
            usable = order.status in {"pending", "ready"} and now - order.created <= KEPT
            if usable and frozenset(order.names) == names:
                return order
        return None

    def _record_an_early_order(self, names: frozenset[str], now: datetime) -> None:
        until, run = self.waits.get(names, (now, 0))
        if now < until:
            self.made.append(Made(now, self.run, names, f"wait {run}"))

    def _order_at(self, request: SignedRequest, url: str) -> BoxOrder:
        order = super()._order_at(request, url)
        if self._clock.now() - order.created > KEPT:
            raise AcmeProblem("notFound", "there is no such order any more")
        order.processing = self.mood == "slow" and order.chain is not None
        return order

    def _issue(self, order: BoxOrder, csr: x509.CertificateSigningRequest) -> None:
        super()._issue(order, csr)
        if self.mood == "wrong":
            return
        assert order.chain is not None
        now, names = self._clock.now(), frozenset(order.names)
        serial = x509.load_pem_x509_certificate(order.chain.encode()).serial_number
        self.certificates[order.url] = IssuedHere(now, self.run, order.url, names, serial, order.chain)
        self.counted.append(Counted(now, same_set(order.names), self.run))
        self.waits.pop(names, None)


def same_set(names: Sequence[str]) -> str:
    """Return the name of the limit for a set of names."""
    return f"same set {' '.join(sorted(names))}"
