"""The CA of the machine: that of the year (real certificates, its own count of its limits), and it may break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from dnsrenew.base.clock import Clock
from dnsrenew.ca.resources import Authorization, Challenge, Order
from dnsrenew.errors import CAError
from dnsrenew.runtime.context import Context
from tests.kit.year_ca import DAY, HOUR, Bucket, Look, YearCA, suggest

if TYPE_CHECKING:
    from tests.kit.machine_gate import Gate

LIFETIME: Final = 90 * DAY
KEPT: Final = 7 * DAY
"""How long it knows of an order."""
ASKS_TO_WAIT: Final = 2 * HOUR
FATES: Final = ("ok", "down", "busy", "limit", "blind", "lost", "slow", "refuses", "wrong")


@dataclass(slots=True)
class Counted:
    """Something that the CA counted against a limit.

    :ivar key: the limit, and whose.
    :ivar run: the number of the run whose doing it was.
    """

    time: datetime
    key: str
    run: int


@dataclass(frozen=True, slots=True)
class Made:
    """An order that it was asked for.

    :ivar key: what it was beyond, or None; then it is a second entry of the same order.
    """

    time: datetime
    run: int
    names: frozenset[str]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedHere:
    """A certificate."""

    time: datetime
    run: int
    order: str
    names: frozenset[str]
    serial: int
    chain: str = field(repr=False)


class FaultyCA(YearCA):
    """What :class:`dnsrenew.ca.CAClient` offers.

    :ivar fate: ``ok``; or it is ``down``, takes no order (``busy``), asks to wait (``limit``), sees no proof
        (``blind``), issues and does not answer (``lost``) or takes too long for us (``slow``), does not issue
        (``refuses``), or issues something else (``wrong``).
    :ivar run: the number of the run that is under way.
    :ivar counted: what it counted against its limits.
    :ivar made: the orders that it was asked for.
    :ivar waits: for a set of names, until when it asked to wait with an order, and the run that it told so.
    """

    def __init__(self, name: str, clock: Clock, look: Look, gate: Callable[[], Gate]) -> None:
        super().__init__(name, clock, LIFETIME, lambda kind, place: "" if self.fate == "blind" else look(kind, place),
                         suggest=suggest)  # fmt: skip
        self.fate = "ok"
        self.run = 0
        self.counted: list[Counted] = []
        self.made: list[Made] = []
        self.issued: dict[str, IssuedHere] = {}
        self.waits: dict[frozenset[str], tuple[datetime, int]] = {}
        self._gate = gate
        self._born: dict[str, datetime] = {}

    # ── what it counts ──────────────────────────────────────────────────────────────────

    def _count(self, names: tuple[str, ...], now: datetime) -> None:
        for key, bucket in self._buckets(names).items():
            if bucket.left(now) < 1:
                self.made.append(Made(now, self.run, frozenset(names), key))
                self.waits[frozenset(names)] = now + HOUR, self.run
        super()._count(names, now)

    def _buckets(self, names: Sequence[str]) -> dict[str, Bucket]:
        failed = {f"failed {name}": self.failed[name] for name in names}
        return {same_set(names): self.same_set[frozenset(names)], **failed}

    def _seen(self, authorization: Authorization, challenge: Challenge) -> Authorization:
        seen = super()._seen(authorization, challenge)
        if seen.status == "invalid":
            self._keep_in_bounds(self.failed[authorization.identifier], HOUR)
            self.counted.append(Counted(self._clock.now(), f"failed {authorization.identifier}", self.run))
        return seen

    def _keep_in_bounds(self, bucket: Bucket, window: timedelta) -> None:
        """A bucket is not emptier than empty, however many orders were exempt."""
        bucket._full_at = min(bucket._full_at, self._clock.now() + window)

    # ── what it is asked ────────────────────────────────────────────────────────────────

    def _knock(self) -> None:
        self.up = self.fate != "down"
        super()._knock()

    def new_order(
        self, context: Context, identifiers: Sequence[str], *, replaces: str | None = None, profile: object = None
    ) -> Order:
        """Take an order."""
        return self._gate().around(lambda: self._new_order(context, identifiers, replaces))

    def _new_order(self, context: Context, identifiers: Sequence[str], replaces: str | None) -> Order:
        names, now = frozenset(identifiers), self._clock.now()
        self.made.append(Made(now, self.run, names))
        self._say("busy", "ca-server-error")
        if self.fate == "limit":
            self.waits[names] = now + ASKS_TO_WAIT, self.run
            self._say("limit", "ca-rate-limited", ASKS_TO_WAIT)
        if replaces is None:
            self._look_at_the_time(names, now)
        order = self._unfinished(names, now) or super().new_order(context, identifiers, replaces=replaces)
        self._born.setdefault(order.url, now)
        return order

    def _unfinished(self, names: frozenset[str], now: datetime) -> Order | None:
        """Return an order for the same names that is still of use, as Let's Encrypt does."""
        for url, ordered in self._ordered.items() if self.name == "letsencrypt" else ():
            usable = {one.status for one in ordered.authorizations} <= {"pending", "valid"}
            if usable and frozenset(ordered.order.identifiers) == names and url not in self.issued:
                return ordered.order if now - self._born[url] < KEPT else None
        return None

    def _look_at_the_time(self, names: frozenset[str], now: datetime) -> None:
        until, run = self.waits.get(names, (now, 0))
        if now < until:
            self.made.append(Made(now, self.run, names, f"wait {run}"))

    def find_order(self, context: Context, url: str) -> Order | None:
        """Return an order of an earlier run as it is now, unless it is forgotten."""
        self._gate().act()
        self._knock()
        known = self._ordered.get(url)
        if known is None or self._clock.now() - self._born[url] > KEPT:
            return None
        statuses = {authorization.status for authorization in known.authorizations}
        status = "pending" if "pending" in statuses else "invalid" if "invalid" in statuses else "ready"
        return replace(known.order, status="valid" if url in self.issued else status)

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Look at each proof."""
        self._gate().around(lambda: super(FaultyCA, self).answer(context, challenges))

    def issue(self, context: Context, order: Order, csr: bytes, **_: Any) -> str:
        """Issue; the same order is the same certificate, however often it is asked for."""
        return self._gate().around(lambda: self._issue(context, order, csr))

    def _issue(self, context: Context, order: Order, csr: bytes) -> str:
        self._knock()
        self._say("refuses", "ca-server-error")
        if self.fate == "wrong" and order.url not in self.issued:
            # For somebody else: no limit of ours is touched.
            own = replace(order, identifiers=("wrong.test",), replaces=None)
            return super().issue(context, own, csr, preferred_chain=None)
        if order.url not in self.issued:
            chain = super().issue(context, order, csr, preferred_chain=None)
            self._note_issued(order, chain)
        self._say("lost", "ca-unreachable")
        self._say("slow", "ca-timeout")
        return self.issued[order.url].chain

    def _note_issued(self, order: Order, chain: str) -> None:
        now, names = self._clock.now(), frozenset(order.identifiers)
        self._keep_in_bounds(self.same_set[names], 7 * DAY)
        serial = x509.load_pem_x509_certificate(chain.encode()).serial_number
        self.issued[order.url] = IssuedHere(now, self.run, order.url, names, serial, chain)
        self.counted.append(Counted(now, same_set(order.identifiers), self.run))
        self.waits.pop(names, None)

    def _say(self, fate: str, code: str, wait: timedelta | None = None) -> None:
        if self.fate == fate:
            after = None if wait is None else wait.total_seconds()
            raise CAError(code, f"The CA {self.name} says {code}.", fix="Ask it.", retry_after=after)


def same_set(names: Sequence[str]) -> str:
    """Return what the limit for a set of names is called."""
    return f"same set {' '.join(sorted(names))}"
