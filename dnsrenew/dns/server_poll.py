"""One address of one name server, and what it was seen to answer for the names of one zone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from dnsrenew.dns import wire
from dnsrenew.dns.ipv6_source import only_local
from dnsrenew.dns.query_engine import PER_ADDRESS, Reply
from dnsrenew.dns.wire import DnsQuestion, Name
from dnsrenew.dns.zones import NameServer, lame

AddressState = Literal["waiting", "agrees", "unreachable", "skipped"]

TRIES: Final = 3
"""How often a silent address is asked before it is given up."""

_LEAST_GAP: Final = 0.02
_GREATEST_GAP: Final = 2.0
_FRACTION: Final = 50
_GAP_AFTER_SILENCE: Final = 0.5  # a server that is being restarted refuses connections for a moment
_NO_SOURCE: Final = "this machine has no global IPv6 address to ask it from"


def gap(elapsed: float) -> float:
    """Return the seconds between two rounds at one address, ``elapsed`` seconds after the first."""
    return min(max(elapsed / _FRACTION, _LEAST_GAP), _GREATEST_GAP)


class AddressAnswer(NamedTuple):
    """What one answer showed.

    :ivar rcode: the response code's name; empty when there was no answer that counts.
    :ivar reason: why it does not count, in words that continue "the server …".
    """

    values: frozenset[str] = frozenset()
    rcode: str = ""
    reason: str = ""
    serial: int | None = None

    @classmethod
    def at(cls, reply: Reply, zone: Name) -> AddressAnswer:
        """Judge a reply: without authority it is none (lame); SERVFAIL, REFUSED and their like are "not yet"."""
        answer = reply.answer
        if answer is None:
            return cls(reason=reply.reason)
        if wire.is_positive(answer) and not wire.is_authoritative(answer):
            return cls(reason=lame(zone, answer))
        return cls(wire.txt_values(answer), wire.rcode_text(answer), "", wire.soa_serial(answer))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, always of the same keys: None for what was not seen, no reason for what counts."""
        return {
            "values": sorted(self.values),
            "rcode": self.rcode or None,
            "serial": self.serial,
            "reason": self.reason or None,
        }


class ServerPoll:
    """Asks one address in rounds.

    The first round asks for every name. While something is missing, a round asks for one missing name only, and when
    that one has come, the next asks for all that are left: a zone is transferred whole, and a server that lags is not
    flooded.

    :ivar expected: the questions, one for each name, with the values that are to be seen.
    :ivar missing: those of them whose values are not all seen.
    :ivar looks: the latest look at each.
    :ivar answered: whether the latest round brought any answer that counts.
    :ivar failures: how many rounds in a row did not.
    :ivar unasked: there was no socket left to ask it with: it is neither silent nor out of reach, so "not yet".
    :ivar serial: the zone's serial at the address, where it was asked for.
    :ivar last_resort: it is asked only when its zone has no address that answers (see :mod:`dnsrenew.dns.ipv6_source`).
    """

    def __init__(self, zone: Name, server: NameServer, expected: Mapping[DnsQuestion, frozenset[str]]) -> None:
        self.zone = zone
        self.server = server
        self.expected = dict(expected)
        self.missing = dict(expected)
        self.looks: dict[DnsQuestion, AddressAnswer] = {}
        self.answered = False
        self.failures = 0
        self.unasked = False
        self.last_resort = only_local(server.address)
        self.state: AddressState = "waiting" if server.address and not self.last_resort else "skipped"
        self.due = 0.0
        self.serial: int | None = None
        self.skipped_because = _NO_SOURCE if self.last_resort else "" if server.address else "it has no address"
        self._asking: set[DnsQuestion] = set()
        self._queue: deque[DnsQuestion] = deque()
        self._sweep = True
        self._round_began = 0.0
        self._round_heard = False
        self._round_progressed = False

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return bool(self._asking or self._queue)

    def next_questions(self, now: float) -> list[DnsQuestion]:
        """Return what to ask at this moment; begins a round when one is due."""
        if self.state != "waiting":
            return []
        if not self.busy:
            if now < self.due:
                return []
            self._begin_round(now)
        room = min(PER_ADDRESS - len(self._asking), len(self._queue))
        asked = [self._queue.popleft() for _ in range(room)]
        self._asking.update(asked)
        return asked

    def activate(self) -> None:
        """Ask it after all."""
        self.last_resort, self.state = False, "waiting"

    def take(self, reply: Reply, now: float, elapsed: float) -> None:
        """Take what came of one question.

        :param elapsed: seconds since the waiting began.
        """
        question = reply.question
        self._asking.discard(question)
        look = self.looks[question] = AddressAnswer.at(reply, self.zone)
        if reply.no_route:
            self.state = "skipped"
            family = "IPv6" if ":" in self.server.address else "IPv4"
            self.skipped_because = f"this machine has no {family} route to it"
        self.unasked = reply.unasked
        if look.reason:
            self._queue.clear()  # one silence is waited for, not a hundred
            self._round_heard |= reply.unasked
        else:
            self._round_heard = True
            if question in self.missing and self.missing[question] <= look.values:
                del self.missing[question]
                self._round_progressed = True
        if not self.busy:
            self._end_round(now, elapsed)

    def _begin_round(self, now: float) -> None:
        every = list(self.missing)
        self._queue.extend(every if self._sweep else every[:1])
        self._round_began = now
        self._round_heard = self._round_progressed = False

    def _end_round(self, now: float, elapsed: float) -> None:
        self.answered = self._round_heard
        self.failures = 0 if self._round_heard else self.failures + 1
        self.due = self._round_began + gap(elapsed)
        if self.state == "waiting" and not self.missing:
            self.state = "agrees"
        elif not self._round_heard:
            self._sweep = False
            self.due = self._round_began + max(gap(elapsed), _GAP_AFTER_SILENCE)
        elif self._round_progressed and not self._sweep:
            self._sweep = True
            self.due = now
        else:
            self._sweep = False

    # ── for people ──────────────────────────────────────────────────────────────────────

    def __str__(self) -> str:
        return f"{self.server.name} ({self.server.address or 'no address'})"

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form for the event ``dns-waiting``."""
        return {
            "server": self.server.name,
            "address": self.server.address,
            "state": self.state,
            "detail": self.detail(),
        }

    def detail(self) -> str:
        """Say how it stands, in words that continue "the server …"."""
        if self.state == "skipped":
            return f"is not asked: {self.skipped_because}"
        if self.state == "agrees":
            return "shows the new value" if len(self.expected) == 1 else f"shows all {len(self.expected)} names"
        if not self.looks:
            return "is being asked"
        looks = [self.looks[question] for question in self.missing if question in self.looks]
        look = looks[0] if looks else next(iter(self.looks.values()))
        if look.reason:
            return look.reason
        if look.rcode not in {"NOERROR", "NXDOMAIN"}:
            return f"answers {look.rcode}"
        if len(self.expected) == 1:
            return "still answers without the new value"
        return f"shows {len(self.expected) - len(self.missing)} of {len(self.expected)} names"

    def evidence(self, question: DnsQuestion) -> dict[str, Any]:
        """Return what the address showed for one name."""
        look = self.looks.get(question) or AddressAnswer(reason=self.skipped_because or "was not asked")
        if self.serial is not None:
            look = look._replace(serial=self.serial)
        return {
            "server": self.server.name,
            "address": self.server.address,
            "zone": wire.shown(self.zone),
            "name": wire.shown(question.name),
            "expected": sorted(self.expected[question]),
            **look.to_dict(),
        }
