"""The propagation wait: until every address of every name server of every zone has every value.

Each address is polled at its own pace: the gap between two queries is a fiftieth of the time waited so far. So the wait
is at most a fiftieth longer than the last address needs. An address that does not answer is not late: after three tries
it is given up with a warning, if all other addresses are updated. An address that has only answered with errors, such
as SERVFAIL, is given up at the time-out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, grouped
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import Doh, NoDohAnswer, list_reasons
from dnsrenew.dns.query_engine import QueryEngine
from dnsrenew.dns.server_poll import TRIES, AddressAnswer, ServerPoll
from dnsrenew.dns.wire import DnsQuestion, Name
from dnsrenew.dns.zones import Zones
from dnsrenew.errors import Cancelled, PropagationError, Text

_TXT = dns.rdatatype.TXT
_SOA = dns.rdatatype.SOA

_UDP: Final = 0.8
_TCP: Final = 0.8
_SILENCE_LIMIT: Final = 6.0  # seconds for silent addresses after all others are updated
_FIND_SECONDS: Final = 18.0  # for the zone and its servers, outside a wait
_EVENT_INTERVAL: Final = 1.0  # seconds between two events if no state changes

Expected = Mapping[DnsQuestion, frozenset[str]]
"""The question for each name, and the expected values."""


def until_visible(
    context: Context, zones: Zones, doh: Doh, records: Sequence[TxtRecord], *, timeout: float, settle: float, check: str
) -> None:
    """Wait until the records are visible; see :meth:`dnsrenew.dns.view.DnsView.wait_visible`."""
    start = context.clock.monotonic()
    by_name = grouped(records, lambda record: DnsQuestion(wire.from_text(names.absolute(record.name)), _TXT))
    expected = {question: frozenset(each.value for each in some) for question, some in by_name.items()}
    remaining: Expected = expected if check == "doh" else {}
    if check == "authoritative" and expected:
        remaining = _at_name_servers(context, zones, expected, timeout, has_doh=bool(doh))
    left = start + timeout - context.clock.monotonic()
    context.wait(settle)
    if remaining:
        wait_at_doh(context, doh, remaining, timeout=left)
    if check != "none":
        context.emit("dns-visible", seconds=round(context.clock.monotonic() - start, 3))


def _at_name_servers(context: Context, zones: Zones, expected: Expected, timeout: float, *, has_doh: bool) -> Expected:
    """Wait for the zones' own servers. Return unreachable zones, which are left to DNS over HTTPS."""
    end = context.clock.monotonic() + timeout
    polls = polls_for(context, zones, expected, timeout)
    with zones.lookup.engine(context) as engine:
        rounds = PollingRounds(context, engine, polls, zones.port, timeout=end - context.clock.monotonic())
        if not rounds.run():
            rounds.collect_evidence()
            raise timed_out(polls, context.clock.monotonic() - end + timeout)
    reached = {poll.zone for poll in polls if poll.state == "agrees"}
    unreached = [poll for poll in polls if poll.zone not in reached]
    if unreached and (not has_doh or context.clock.monotonic() >= end):
        raise unreachable(unreached)
    for poll in polls:
        if poll.state == "unreachable" and poll.zone in reached:
            its = {"server": str(poll), "zone": wire.shown(poll.zone), "name": poll.server.name}
            context.warn(*texts.SERVER_UNREACHABLE.fill(**its, reason=poll.detail()))
    return {question: values for poll in unreached for question, values in poll.expected.items()}


class PollingRounds:
    """Polls all addresses, each at its own pace, until all are updated or given up, or the time is over."""

    def __init__(
        self, context: Context, engine: QueryEngine, polls: Sequence[ServerPoll], port: int, *, timeout: float
    ) -> None:
        self._context = context
        self._engine = engine
        self._polls = polls
        self._port = port
        self._timeout = timeout
        self._now = context.clock.monotonic
        self._start = self._now()
        self._silent_since: dict[Name, float] = {}
        self._by_question = {((one.server.address, port), question): one for one in polls for question in one.expected}
        self._last_event: tuple[float, list[str]] | None = None

    def run(self) -> bool:
        """Return True if all reachable addresses are updated, False if the time is over before."""
        self._activate_last_resort()
        self._emit_states()
        while any(poll.state == "waiting" for poll in self._polls):
            if self._elapsed() >= self._timeout:
                return self._drop_unreachable()
            for poll in self._polls:
                for question in poll.next_questions(self._now()):
                    self._engine.submit((poll.server.address, self._port), question, udp=_UDP, tcp=_TCP)
            self._receive(self._next_wait())
            self._drop_silent_in_zones()
            self._activate_last_resort()
            self._emit_states()
        return True

    def collect_evidence(self) -> None:
        """Query late addresses for all missing values, and every address for the serial; takes about two seconds."""
        while any(poll.busy for poll in self._polls):
            self._receive(_UDP + _TCP)
        pending = 0
        for poll in self._polls:
            if poll.state not in {"waiting", "agrees"}:
                continue
            wanted = [*poll.missing, DnsQuestion(poll.zone, _SOA)]
            for question in wanted:
                self._engine.submit((poll.server.address, self._port), question, udp=_UDP, tcp=0)
            pending += len(wanted)
        serials: dict[tuple[str, Name], int | None] = {}
        while pending > 0 and (replies := self._engine.receive(2 * _UDP)):
            for reply in replies:
                pending -= 1
                if reply.question.type == _SOA:
                    serial = wire.soa_serial(reply.answer) if reply.answer else None
                    serials[reply.address[0], reply.question.name] = serial
                elif reply.answer is not None:
                    poll = self._by_question[reply.address, reply.question]
                    poll.answers[reply.question] = AddressAnswer.from_reply(reply, poll.zone)
        for poll in self._polls:
            poll.serial = serials.get((poll.server.address, poll.zone))

    def _receive(self, wait: float) -> None:
        for reply in self._engine.receive(wait):
            self._by_question[reply.address, reply.question].handle(reply, self._now(), self._elapsed())

    def _next_wait(self) -> float:
        """Return the seconds until the next round, event or time-out (a reply ends the wait earlier)."""
        now = self._now()
        due = [poll.due for poll in self._polls if poll.state == "waiting" and not poll.busy]
        return max(min([*due, self._start + self._timeout, now + _EVENT_INTERVAL]) - now, 0.0)

    def _drop_silent_in_zones(self) -> None:
        """Drop silent addresses in zones whose other addresses are all updated or silent too."""
        now = self._now()
        waiting = grouped((poll for poll in self._polls if poll.state == "waiting"), lambda poll: poll.zone)
        for zone, polls in waiting.items():
            if any(poll.answered for poll in polls):
                self._silent_since.pop(zone, None)
                continue
            since = self._silent_since.setdefault(zone, now)
            for poll in polls:
                if poll.failures >= TRIES or now - since >= _SILENCE_LIMIT:
                    poll.state = "unreachable"

    def _activate_last_resort(self) -> None:
        """Query last-resort addresses in zones that have no other address left."""
        served = {poll.zone for poll in self._polls if poll.state in {"waiting", "agrees"}}
        for poll in self._polls:
            if poll.last_resort and poll.zone not in served:
                poll.activate()

    def _drop_unreachable(self) -> bool:
        """Drop the waiting addresses after the time-out, except late ones. Return whether no late address is left."""
        for poll in self._polls:
            if poll.state == "waiting" and not poll.is_late:
                poll.state = "unreachable"
        return all(poll.state != "waiting" for poll in self._polls)

    def _emit_states(self) -> None:
        if self._context.emitter is None:
            return
        states: list[str] = [poll.state for poll in self._polls]
        now = self._now()
        last = self._last_event
        if last is None or last[1] != states or now - last[0] >= _EVENT_INTERVAL:
            self._last_event = (now, states)
            servers = [poll.to_dict() for poll in self._polls]
            self._context.emit("dns-waiting", seconds=round(self._elapsed(), 3), timeout=self._timeout, servers=servers)

    def _elapsed(self) -> float:
        return self._now() - self._start


def polls_for(context: Context, zones: Zones, expected: Expected, seconds: float) -> list[ServerPoll]:
    """Return a poll for every address of every name server of every zone that holds one of the names.

    :param seconds: the time for finding the zones and their servers.
    :raises PropagationError: ``dns-unreachable``: a zone has no name server, or it was not found in time.
    """
    limited = context.within(seconds)
    try:
        zone_of = zones.zone_of(limited, [question.name for question in expected])
        servers = zones.servers(limited, zone_of.values())
    except Cancelled:
        context.check()
        names_left = shown_names(expected)
        raise PropagationError.of(texts.SERVERS_NOT_FOUND, names=names_left, seconds=seconds, servers=[]) from None
    polls: list[ServerPoll] = []
    for zone in dict.fromkeys(zone_of.values()):
        in_zone = {question: values for question, values in expected.items() if zone_of[question.name] == zone}
        if not servers[zone]:
            shown = {"zone": wire.shown(zone), "names": shown_names(in_zone)}
            raise PropagationError.of(texts.ZONE_WITHOUT_SERVERS, **shown, servers=[])
        polls += [ServerPoll(zone, server, in_zone) for server in servers[zone]]
    return polls


class ServedValues(Frozen):
    """The TXT values at a name, from all addresses of its name servers together.

    :ivar ttl: their longest TTL, in seconds.
    :ivar is_answer: whether any address gave a valid answer.
    """

    values: set[str]
    ttl: int
    is_answer: bool


def served(context: Context, zones: Zones, name: Name) -> ServedValues:
    """Return the TXT values that the name servers serve at a name now."""
    question = DnsQuestion(name, _TXT)
    polls = polls_for(context, zones, {question: frozenset()}, _FIND_SECONDS)
    values: set[str] = set()
    ttl, is_answer = 0, False
    with zones.lookup.engine(context) as engine:
        queried = [poll for poll in polls if poll.state == "waiting"] or [poll for poll in polls if poll.last_resort]
        for poll in queried:
            engine.submit((poll.server.address, zones.port), question, udp=_UDP, tcp=_TCP)
        pending = len(queried)
        while pending:
            for reply in engine.receive(2 * (_UDP + _TCP)):
                pending -= 1
                answer = AddressAnswer.from_reply(reply, polls[0].zone)
                values |= answer.values
                is_answer |= answer.rcode in {"NOERROR", "NXDOMAIN"}
                if reply.answer is not None:
                    ttl = max([ttl, *(rrset.ttl for rrset in wire.records(reply.answer.answer, _TXT))])
    return ServedValues(values, ttl, is_answer)


# ── propagation report ─────────────────────────────────────────────────────────────────

# The errors and warnings about name servers that are not updated, with every address in the evidence.


def timed_out(polls: Sequence[ServerPoll], seconds: float) -> PropagationError:
    """Return the error for values that are missing at an address after the time-out."""
    counted = [poll for poll in polls if poll.state != "skipped"]
    late = [poll for poll in counted if poll.state == "waiting"]
    updated = [poll for poll in counted if poll.state == "agrees"]
    text = texts.SOME_UPDATED if updated else texts.NONE_UPDATED
    if any(poll.no_socket for poll in late):
        text = texts.SOME_UPDATED_NO_SOCKET if updated else texts.NONE_UPDATED_NO_SOCKET
    answers = _list_servers([poll for poll in counted if poll not in updated])
    shown = {"updated": len(updated), "total": len(counted), "seconds": seconds, "answers": answers}
    return PropagationError.of(text, shown=shown, names=_missing_names(late), servers=_evidence(polls))


def unreachable(polls: Sequence[ServerPoll]) -> PropagationError:
    """Return the error for zones without an address that can be queried."""
    zones = list(dict.fromkeys(wire.shown(poll.zone) for poll in polls))
    shown, missing = {"zones": zones, "answers": _list_servers(polls)}, _missing_names(polls)
    return PropagationError.of(texts.SERVERS_UNREACHABLE, shown=shown, names=missing, servers=_evidence(polls))


def shown_names(questions: Iterable[DnsQuestion]) -> list[str]:
    """Return the names of questions, without duplicates."""
    return list(dict.fromkeys(wire.shown(question.name) for question in questions))


def _missing_names(polls: Sequence[ServerPoll]) -> list[str]:
    return shown_names(question for poll in polls for question in poll.missing)


def _evidence(polls: Sequence[ServerPoll]) -> list[dict[str, Any]]:
    """Return every address for every name that is missing at one of them."""
    missing = {question for poll in polls for question in poll.missing}
    return [poll.evidence(question) for poll in polls for question in poll.expected if question in missing]


def _list_servers(polls: Sequence[ServerPoll]) -> list[str]:
    return list_reasons([(str(poll), poll.detail()) for poll in polls])


# ── doh propagation ────────────────────────────────────────────────────────────────────

# The propagation wait at DNS-over-HTTPS servers, for networks in which port 53 is closed.
#
# These servers cache, so they must not be queried too early.

_TRIES: Final = 3
_MIN_GAP: Final = 1.0
_MAX_GAP: Final = 5.0
_FRACTION: Final = 20
_MAX_CALLS: Final = 8


def wait_at_doh(context: Context, doh: Doh, expected: Mapping[DnsQuestion, frozenset[str]], *, timeout: float) -> None:
    """Wait until every server that answers has every value.

    :raises PropagationError: ``doh-missing`` (no server is configured), ``propagation-timeout``, ``dns-unreachable``.
    """
    if not doh:
        raise PropagationError.of(texts.DOH_MISSING)
    start = context.clock.monotonic()
    servers = [_DohServer(doh, url, expected) for url in doh.urls]
    while True:
        _poll(context.within(start + timeout - context.clock.monotonic()), context, servers)
        elapsed = context.clock.monotonic() - start
        states = [server.to_dict() for server in servers]
        context.emit("dns-waiting", seconds=round(elapsed, 3), timeout=timeout, servers=states)
        if all(server.state != "waiting" for server in servers):
            break
        if elapsed >= timeout:
            late = [server for server in servers if server.state == "waiting"]
            raise _doh_error(texts.DOH_TIMEOUT, servers, late, seconds=elapsed)
        context.wait(min(max(elapsed / _FRACTION, _MIN_GAP), _MAX_GAP))
    if all(server.state == "unreachable" for server in servers):
        raise _doh_error(texts.DOH_UNREACHABLE, servers, servers)


def _poll(limited: Context, context: Context, servers: Sequence[_DohServer]) -> None:
    """Query every server that lacks a value, until the time is over."""
    try:
        limited.call_all([server.poll for server in servers if server.state == "waiting"], _MAX_CALLS)
    except Cancelled:
        context.check()


class _DohServer:
    def __init__(self, doh: Doh, url: str, expected: Mapping[DnsQuestion, frozenset[str]]) -> None:
        self._doh = doh
        self.url = url
        self.missing = dict(expected)
        self.state = "waiting"
        self.reason: str = texts.NO_REPLY
        self._failures = 0

    def poll(self) -> None:
        """Query the missing names one by one; stop at the first name that is still missing."""
        for question, values in list(self.missing.items()):
            try:
                answer = self._doh.query(self.url, question)
            except NoDohAnswer as error:
                self.reason = error.reason
                self._failures += 1
                if self._failures >= _TRIES:
                    self.state = "unreachable"
                return
            self._failures = 0
            if not values <= wire.txt_values(answer):
                rcode = wire.rcode_text(answer)
                self.reason = texts.NOT_UPDATED if rcode == "NOERROR" else texts.RCODE.format(rcode=rcode)
                return
            del self.missing[question]
        self.state, self.reason = "agrees", texts.UPDATED

    def to_dict(self) -> dict[str, str]:
        return {"server": self.url, "address": "", "state": self.state, "detail": self.reason}

    def evidence(self) -> list[dict[str, Any]]:
        return [
            {"server": self.url, "name": wire.shown(question.name), "expected": sorted(values), "reason": self.reason}
            for question, values in self.missing.items()
        ]


def _doh_error(text: Text, servers: list[_DohServer], told: list[_DohServer], **shown: Any) -> PropagationError:
    """Return the error for values that servers do not show.

    :param told: the servers that the message names.
    """
    missing = [question for server in servers for question in server.missing]
    entries = [entry for server in servers for entry in server.evidence()]
    shown["answers"] = list_reasons([(server.url, server.reason) for server in told])
    return PropagationError.of(text, shown=shown, names=shown_names(missing), servers=entries)
