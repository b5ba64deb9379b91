"""Polls one address of one name server for the TXT values of one zone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import only_local
from dnsrenew.dns.query_engine import PER_ADDRESS
from dnsrenew.dns.wire import DnsQuestion, Name, Reply
from dnsrenew.dns.zones import NameServer, lame_reason

AddressState = Literal["waiting", "agrees", "unreachable", "skipped"]

TRIES: Final = 3
"""The number of rounds without an answer after which an address is given up."""

_SERVED: Final = {"NOERROR", "NXDOMAIN"}
_FIRST_GAP: Final = 0.005
_MIN_GAP: Final = 0.02
_MAX_GAP: Final = 2.0
_FRACTION: Final = 50
_GAP_WITHOUT_ANSWER: Final = 0.5  # a server that restarts refuses connections for a moment


def gap(elapsed: float) -> float:
    """Return the seconds between two rounds at one address, ``elapsed`` seconds after the first."""
    soon = min(max(elapsed / 2, _FIRST_GAP), _MIN_GAP)  # a secondary on the local network takes milliseconds
    return min(max(elapsed / _FRACTION, soon), _MAX_GAP)


class AddressAnswer(Frozen):
    """The content of one answer.

    :ivar rcode: the name of the response code; empty without a valid answer.
    :ivar reason: why there is no valid answer, as a clause that continues "the server …".
    """

    values: frozenset[str] = frozenset()
    rcode: str = ""
    reason: str = ""
    serial: int | None = None

    @classmethod
    def from_reply(cls, reply: Reply, zone: Name) -> AddressAnswer:
        """Return the content of a reply. A lame answer is not valid; SERVFAIL and REFUSED mean "not yet"."""
        answer = reply.answer
        if answer is None:
            return cls(reason=reply.reason)
        if wire.is_positive(answer) and not wire.is_authoritative(answer):
            return cls(reason=lame_reason(zone, answer))
        return cls(wire.txt_values(answer), wire.rcode_text(answer), "", wire.soa_serial(answer))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form. The keys are always the same; a field without a value is None."""
        rcode, reason = self.rcode or None, self.reason or None
        return {"values": sorted(self.values), "rcode": rcode, "serial": self.serial, "reason": reason}


class ServerPoll:
    """Queries one address in rounds.

    The first round queries every name. While values are missing, a round queries only one missing name. When that name
    appears, the next round queries all missing names. A zone is transferred as a whole, so this does not flood a server
    that lags behind.

    :ivar expected: the questions, one per name, with the expected values.
    :ivar missing: the questions whose values are not all present.
    :ivar answers: the latest answer to each question.
    :ivar answered: whether the latest round brought a valid answer.
    :ivar has_served: whether any answer came from a working server of the zone, with or without the values.
    :ivar failures: the number of consecutive rounds without a valid answer.
    :ivar no_socket: this machine had no free socket for the query. The address is neither silent nor unreachable, so
        this means "not yet".
    :ivar serial: the serial of the zone at this address, if it was queried.
    :ivar last_resort: queried only if no other address of the zone answers (:mod:`dnsrenew.dns.lookup`).
    """

    def __init__(self, zone: Name, server: NameServer, expected: Mapping[DnsQuestion, frozenset[str]]) -> None:
        self.zone = zone
        self.server = server
        self.expected = dict(expected)
        self.missing = dict(expected)
        self.answers: dict[DnsQuestion, AddressAnswer] = {}
        self.answered = False
        self.has_served = False
        self.failures = 0
        self.no_socket = False
        self.last_resort = only_local(server.address)
        self.state: AddressState = "waiting" if server.address and not self.last_resort else "skipped"
        self.due = 0.0
        self.serial: int | None = None
        self.skip_reason = texts.NO_IPV6_SOURCE if self.last_resort else ""
        if not server.address:
            self.skip_reason = texts.NO_SERVER_ADDRESS
        self._in_flight: set[DnsQuestion] = set()
        self._queue: deque[DnsQuestion] = deque()
        self._queries_all = True
        self._round_start = 0.0
        self._round_answered = False
        self._round_progressed = False

    @property
    def busy(self) -> bool:
        """Whether a round is in progress."""
        return bool(self._in_flight or self._queue)

    @property
    def is_late(self) -> bool:
        """Whether a value is missing at a working server. A server that has only failed so far is not late."""
        return self.no_socket or (self.answered and self.has_served)

    def next_questions(self, now: float) -> list[DnsQuestion]:
        """Return the questions to send now, and start a round when it is due."""
        if self.state != "waiting":
            return []
        if not self.busy:
            if now < self.due:
                return []
            self._start_round(now)
        count = min(PER_ADDRESS - len(self._in_flight), len(self._queue))
        questions = [self._queue.popleft() for _ in range(count)]
        self._in_flight.update(questions)
        return questions

    def activate(self) -> None:
        """Query this last-resort address from now on."""
        self.last_resort, self.state = False, "waiting"

    def handle(self, reply: Reply, now: float, elapsed: float) -> None:
        """Update the state from a reply.

        :param elapsed: seconds since the polling began.
        """
        question = reply.question
        self._in_flight.discard(question)
        answer = self.answers[question] = AddressAnswer.from_reply(reply, self.zone)
        if reply.no_route:
            self.state = "skipped"
            family = "IPv6" if ":" in self.server.address else "IPv4"
            self.skip_reason = texts.NO_FAMILY_ROUTE.format(family=family)
        self.no_socket = reply.no_socket
        if answer.reason:
            self._queue.clear()  # wait for one time-out, not for a hundred
            self._round_answered |= reply.no_socket
        else:
            self._round_answered = True
            self.has_served |= answer.rcode in _SERVED
            if question in self.missing and self.missing[question] <= answer.values:
                del self.missing[question]
                self._round_progressed = True
        if not self.busy:
            self._end_round(now, elapsed)

    def _start_round(self, now: float) -> None:
        missing = list(self.missing)
        self._queue.extend(missing if self._queries_all else missing[:1])
        self._round_start = now
        self._round_answered = self._round_progressed = False

    def _end_round(self, now: float, elapsed: float) -> None:
        self.answered = self._round_answered
        self.failures = 0 if self._round_answered else self.failures + 1
        self.due = self._round_start + gap(elapsed)
        if self.state == "waiting" and not self.missing:
            self.state = "agrees"
        elif not self._round_answered:
            self._queries_all = False
            self.due = self._round_start + max(gap(elapsed), _GAP_WITHOUT_ANSWER)
        elif self._round_progressed and not self._queries_all:
            self._queries_all = True
            self.due = now
        else:
            self._queries_all = False

    # ── for people ──────────────────────────────────────────────────────────────────────

    def __str__(self) -> str:
        return texts.SERVER.format(name=self.server.name, address=self.server.address or texts.ADDRESS_MISSING)

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form for the event ``dns-waiting``."""
        server = {"server": self.server.name, "address": self.server.address}
        return {**server, "state": self.state, "detail": self.detail()}

    def detail(self) -> str:
        """Describe the state, as a clause that continues "the server …"."""
        total = len(self.expected)
        if self.state == "skipped":
            return texts.SKIPPED.format(reason=self.skip_reason)
        if self.state == "agrees":
            return texts.UPDATED if total == 1 else texts.ALL_NAMES_UPDATED.format(total=total)
        if not self.answers:
            return texts.NOT_ANSWERED_YET
        answers = [self.answers[question] for question in self.missing if question in self.answers]
        answer = answers[0] if answers else next(iter(self.answers.values()))
        if answer.reason:
            return answer.reason
        if answer.rcode not in _SERVED:
            text = texts.ONLY_RCODE if self.state == "unreachable" else texts.RCODE
            return text.format(rcode=answer.rcode)
        if total == 1:
            return texts.NOT_UPDATED
        return texts.SOME_NAMES_UPDATED.format(updated=total - len(self.missing), total=total)

    def evidence(self, question: DnsQuestion) -> dict[str, Any]:
        """Return the answers of the address for one name."""
        answer = self.answers.get(question) or AddressAnswer(reason=self.skip_reason or texts.NOT_ASKED)
        if self.serial is not None:
            answer = replace(answer, serial=self.serial)
        return {
            "server": self.server.name,
            "address": self.server.address,
            "zone": wire.shown(self.zone),
            "name": wire.shown(question.name),
            "expected": sorted(self.expected[question]),
            **answer.to_dict(),
        }
