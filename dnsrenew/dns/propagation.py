"""The waiting: until every address of every name server of every zone shows every value.

Every address keeps its own pace: a fiftieth of the time waited so far between two questions, so that the wait ends
within a fiftieth of the moment the last one agrees. An address that is silent is not one that is late: it gets three
tries, and is named in a warning when the others agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.dns import propagation_report, wire
from dnsrenew.dns.doh import Doh
from dnsrenew.dns.doh_propagation import wait_at_doh
from dnsrenew.dns.query_engine import QueryEngine
from dnsrenew.dns.server_poll import TRIES, AddressAnswer, ServerPoll
from dnsrenew.dns.wire import DnsQuestion, Name
from dnsrenew.dns.zones import Zones
from dnsrenew.model import PropagationCheck, TxtRecord
from dnsrenew.runtime.context import Context

_TXT = dns.rdatatype.TXT
_SOA = dns.rdatatype.SOA

_UDP: Final = 0.8
_TCP: Final = 0.8
_PATIENCE: Final = 6.0  # seconds for the silent ones, after all others agree
_TELL: Final = 1.0  # seconds between two events when nothing changes

Expected = Mapping[DnsQuestion, frozenset[str]]
"""The question for each name, and the values to be seen."""


class PropagationWait:
    """One wait for one set of records.

    :param timeout: seconds until a value that is missing somewhere is an error.
    :param settle: seconds more after all agree.
    """

    def __init__(self, context: Context, zones: Zones, doh: Doh, *, timeout: float, settle: float) -> None:
        self._context = context
        self._zones = zones
        self._doh = doh
        self._timeout = timeout
        self._settle = settle
        self._start = context.clock.monotonic()

    def until_visible(self, records: Sequence[TxtRecord], check: PropagationCheck) -> None:
        """Wait.

        :raises PropagationError: ``propagation-timeout``, ``dns-unreachable``.
        :raises Cancelled: when called away.
        """
        expected = _by_name(records)
        left = self._at_name_servers(expected) if check == "authoritative" and expected else {}
        if check == "doh":
            left = expected
        self._context.wait(self._settle)
        if left:
            wait_at_doh(self._context, self._doh, left, timeout=self._timeout)
        seconds = self._context.clock.monotonic() - self._start
        self._context.emit("dns-visible", seconds=round(seconds, 3))

    def _at_name_servers(self, expected: Expected) -> Expected:
        """Wait for the zones' own servers; return what only DNS over HTTPS can show, none being reachable."""
        watches = watches_for(self._context, self._zones, expected)
        with QueryEngine(self._context) as exchange:
            rounds = PollingRounds(self._context, exchange, watches, self._zones.port, timeout=self._timeout)
            if not rounds.run():
                rounds.look_closer()
                raise propagation_report.timed_out(watches, self._context.clock.monotonic() - self._start)
        seen = {watch.zone for watch in watches if watch.state == "agrees"}
        unseen = [watch for watch in watches if watch.zone not in seen]
        if unseen and not self._doh:
            raise propagation_report.unreachable(unseen)
        for watch in watches:
            if watch.state == "unreachable" and watch.zone in seen:
                self._context.warn("dns-unreachable", *propagation_report.silent_server(watch))
        return {question: values for watch in unseen for question, values in watch.expected.items()}


class PollingRounds:
    """Asks all addresses, each at its own pace, until every one is settled or the time is over."""

    def __init__(
        self, context: Context, exchange: QueryEngine, watches: Sequence[ServerPoll], port: int, *, timeout: float
    ) -> None:
        self._context = context
        self._exchange = exchange
        self._watches = watches
        self._port = port
        self._timeout = timeout
        self._start = context.clock.monotonic()
        self._alone_since: dict[Name, float] = {}
        self._by_question = {
            ((watch.server.address, port), question): watch for watch in watches for question in watch.expected
        }
        self._told: tuple[float, list[str]] | None = None

    def run(self) -> bool:
        """Return True when all that can be reached agree, False when the time is over before."""
        self._call_up_the_spare()
        self._tell()
        while any(watch.state == "waiting" for watch in self._watches):
            if self._elapsed() >= self._timeout:
                return self._give_up_the_silent()
            self._ask()
            self._receive(self._pause())
            self._settle_zones()
            self._call_up_the_spare()
            self._tell()
        return True

    def look_closer(self) -> None:
        """Ask once more those that are late for all that they lack, and everybody for the serial: for the report.

        Two seconds at most.
        """
        while any(watch.busy for watch in self._watches):
            self._receive(_UDP + _TCP)
        asked = 0
        for watch in self._watches:
            if watch.state not in {"waiting", "agrees"}:
                continue
            wanted = [*watch.missing, DnsQuestion(watch.zone, _SOA)]
            for question in wanted:
                self._exchange.ask((watch.server.address, self._port), question, udp=_UDP, tcp=0)
            asked += len(wanted)
        serials: dict[tuple[str, Name], int | None] = {}
        while asked > 0 and (replies := self._exchange.receive(2 * _UDP)):
            for reply in replies:
                asked -= 1
                if reply.question.type == _SOA:
                    serial = wire.soa_serial(reply.answer) if reply.answer else None
                    serials[reply.address[0], reply.question.name] = serial
                elif reply.answer is not None:
                    watch = self._by_question[reply.address, reply.question]
                    watch.looks[reply.question] = AddressAnswer.at(reply, watch.zone)
        for watch in self._watches:
            watch.serial = serials.get((watch.server.address, watch.zone))

    def _ask(self) -> None:
        now = self._now()
        for watch in self._watches:
            for question in watch.next_questions(now):
                self._exchange.ask((watch.server.address, self._port), question, udp=_UDP, tcp=_TCP)

    def _receive(self, wait: float) -> None:
        for reply in self._exchange.receive(wait):
            self._by_question[reply.address, reply.question].take(reply, self._now(), self._elapsed())

    def _pause(self) -> float:
        """Return the seconds until something is due by itself (an answer ends the pause before)."""
        now = self._now()
        due = [watch.due for watch in self._watches if watch.state == "waiting" and not watch.busy]
        return max(min([*due, self._start + self._timeout, now + _TELL]) - now, 0.0)

    def _settle_zones(self) -> None:
        """Give up silent addresses whose zone's other addresses all agree, or are silent too."""
        now = self._now()
        for zone, watches in self._waiting_by_zone().items():
            if any(watch.answered for watch in watches):
                self._alone_since.pop(zone, None)
                continue
            since = self._alone_since.setdefault(zone, now)
            for watch in watches:
                if watch.failures >= TRIES or now - since >= _PATIENCE:
                    watch.state = "unreachable"

    def _call_up_the_spare(self) -> None:
        """Ask those that hardly can be reached, in zones where nobody else is left."""
        enough = {watch.zone for watch in self._watches if watch.state in {"waiting", "agrees"}}
        for watch in self._watches:
            if watch.last_resort and watch.zone not in enough:
                watch.activate()

    def _give_up_the_silent(self) -> bool:
        """When the time is over: True if nobody is late, and the rest only silent."""
        waiting = [watch for watch in self._watches if watch.state == "waiting"]
        if any(watch.answered for watch in waiting):
            return False
        for watch in waiting:
            watch.state = "unreachable"
        return True

    def _waiting_by_zone(self) -> dict[Name, list[ServerPoll]]:
        zones: dict[Name, list[ServerPoll]] = {}
        for watch in self._watches:
            if watch.state == "waiting":
                zones.setdefault(watch.zone, []).append(watch)
        return zones

    def _tell(self) -> None:
        if self._context.emitter is None:
            return
        states: list[str] = [watch.state for watch in self._watches]
        now = self._now()
        if self._told is None or self._told[1] != states or now - self._told[0] >= _TELL:
            self._told = (now, states)
            servers = [watch.to_dict() for watch in self._watches]
            self._context.emit("dns-waiting", seconds=round(self._elapsed(), 3), timeout=self._timeout, servers=servers)

    def _now(self) -> float:
        return self._context.clock.monotonic()

    def _elapsed(self) -> float:
        return self._now() - self._start


def watches_for(context: Context, zones: Zones, expected: Expected) -> list[ServerPoll]:
    """Return a watch for every address of every name server of every zone that holds one of the names.

    :raises PropagationError: ``dns-unreachable``, when a zone has no name server at all.
    """
    zone_of = zones.zone_of(context, [question.name for question in expected])
    servers = zones.servers(context, zone_of.values())
    watches: list[ServerPoll] = []
    for zone in dict.fromkeys(zone_of.values()):
        mine = {question: values for question, values in expected.items() if zone_of[question.name] == zone}
        if not servers[zone]:
            raise propagation_report.no_servers(zone, mine)
        watches += [ServerPoll(zone, server, mine) for server in servers[zone]]
    return watches


def served(context: Context, zones: Zones, name: Name) -> tuple[set[str], int]:
    """Return the TXT values at a name, of all addresses of its name servers together, and their longest TTL."""
    question = DnsQuestion(name, _TXT)
    watches = watches_for(context, zones, {question: frozenset()})
    values: set[str] = set()
    ttl = 0
    with QueryEngine(context) as exchange:
        asked = [watch for watch in watches if watch.state == "waiting"] or [
            watch for watch in watches if watch.last_resort
        ]
        for watch in asked:
            exchange.ask((watch.server.address, zones.port), question, udp=_UDP, tcp=_TCP)
        left = len(asked)
        while left:
            for reply in exchange.receive(2 * (_UDP + _TCP)):
                left -= 1
                values |= AddressAnswer.at(reply, watches[0].zone).values
                if reply.answer is not None:
                    ttl = max([ttl, *(rrset.ttl for rrset in wire.records(reply.answer.answer, _TXT))])
    return values, ttl


def _by_name(records: Sequence[TxtRecord]) -> dict[DnsQuestion, frozenset[str]]:
    expected: dict[DnsQuestion, frozenset[str]] = {}
    for record in records:
        question = DnsQuestion(wire.from_text(names.absolute(record.name)), _TXT)
        expected[question] = expected.get(question, frozenset()) | {record.value}
    return expected
