"""Waits until every name server shows the CNAME records that a person sets, and shows mistakes until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import DnsView, wire
from dnsrenew.dns import texts as dn_texts
from dnsrenew.dns.lookup import only_local
from dnsrenew.dns.view import random_child
from dnsrenew.dns.zones import lame_reason
from dnsrenew.errors import DnsError, Text
from dnsrenew.extensions.doctor.survey import probes
from dnsrenew.extensions.doctor.survey.zone_survey import Survey
from dnsrenew.operations import texts

_TRIES: Final = 3
"""The number of rounds without an answer after which an address no longer counts, if all other addresses have the
record.
"""
_TRIES_OF_ALL: Final = 6
"""The number of rounds without any answer after which the wait ends, because this machine may be unable to query these
servers.
"""
_GAP: Final = (0.2, 10.0)
_GAP_WITHOUT_ANSWER: Final = 2.0
_BESIDE_EVERY: Final = 30.0
"""Seconds between two checks for conflicting records."""
_FRACTION: Final = 20
"""A round comes after a twentieth of the time waited so far, so that a wait of hours is no burden."""

ServerState = Literal["agrees", "waiting", "elsewhere", "unreachable"]


class CnameRecord(Frozen):
    """A CNAME record to set.

    :ivar domain: the domain that it validates, without ``*.``.
    :ivar name: its owner name, without the final dot.
    :ivar value: its target, without the final dot.
    :ivar zone: the zone in which it is set, without the final dot.
    """

    domain: str
    name: str
    value: str
    zone: str

    @property
    def short(self) -> str:
        """The name without the zone, in the form that many DNS hosts expect."""
        return self.name.removesuffix(f".{self.zone}")

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"name": self.name, "type": "CNAME", "value": self.value}


class CnameWait:
    """One wait for some records."""

    def __init__(self, context: Context, dns: DnsView, records: Sequence[CnameRecord]) -> None:
        self._context, self._dns, self._records = context, dns, records
        self._survey = CnameSurvey(Survey(dns))
        self._failures = Counter[tuple[str, str]]()  # consecutive rounds without an answer, by name and address
        self._answers: Mapping[str, Sequence[CnameAnswer]] = {}
        self._next_check_beside = 0.0
        self._start = context.clock.monotonic()

    def until_there(self, account: str) -> None:
        """Wait until every address of every zone has its records. If all have them already, this takes one round.

        :param account: the account that will write, for the event with the records that are missing at the beginning.
        :raises DnsError: ``dns-unreachable``: no address of a zone answers this machine.
        :raises Cancelled: the caller cancelled.
        """
        missing = self._round()
        if missing:
            records = [{**record.to_dict(), "zone": record.zone} for record in missing]
            self._context.emit("cname-needed", records=records, account=account)
        while missing:
            self._warn_of_mistakes(missing)
            servers = [self._shown(record, each) for record in self._records for each in self._answers[record.name]]
            self._context.emit("cname-waiting", seconds=round(self._elapsed(), 3), servers=servers)
            self._check_reachable()
            self._context.wait(self._gap())
            missing = self._round()
        for record in self._records:
            its = self._answers[record.name]
            if silent := [each for each in its if self._state(record, each) == "unreachable"]:
                self._context.warn(*texts.DELEGATE_SERVER_SILENT.fill(**_silent(record, silent)))
        self._context.emit("cname-visible", seconds=round(self._elapsed(), 3))

    def _round(self) -> list[CnameRecord]:
        """Ask every address once; return the records that are not everywhere yet."""
        self._answers = self._survey.ask(self._context, {record.name: record.zone for record in self._records})
        for name, answers in self._answers.items():
            for each in answers:
                self._failures[name, each.address] = self._failures[name, each.address] + 1 if each.reason else 0
        return [record for record in self._records if not self._is_there(record)]

    def _state(self, record: CnameRecord, answer: CnameAnswer) -> ServerState:
        if answer.reason:
            return "unreachable" if self._failures[record.name, answer.address] >= _TRIES else "waiting"
        if answer.target is None:
            return "waiting"
        return "agrees" if names.labels(answer.target) == names.labels(record.value) else "elsewhere"

    def _shown(self, record: CnameRecord, answer: CnameAnswer) -> dict[str, str]:
        """Return the JSON form for the event ``cname-waiting``."""
        state, detail = self._state(record, answer), answer.reason or answer.target or ""
        said = {"server": answer.server, "address": answer.address, "state": state, "detail": detail}
        return {"name": record.name, **said}

    def _is_there(self, record: CnameRecord) -> bool:
        states = {self._state(record, each) for each in self._answers[record.name]} - {"unreachable"}
        if "elsewhere" in states and "waiting" not in states:
            return self._leads_there(record)
        return states == {"agrees"}

    def _leads_there(self, record: CnameRecord) -> bool:
        """Return whether a CNAME record to another name finally leads to the right one."""
        try:
            target = self._dns.challenge_targets(self._context, [record.domain])[record.domain]
        except DnsError:
            return False
        return names.labels(target.name) == names.labels(record.value)

    def _check_reachable(self) -> None:
        for record in self._records:
            its = self._answers[record.name]
            if all(self._failures[record.name, each.address] >= _TRIES_OF_ALL for each in its):
                raise DnsError.of(texts.DELEGATE_SILENT, **_silent(record, its))

    def _gap(self) -> float:
        if all(each.reason for answers in self._answers.values() for each in answers):
            return _GAP_WITHOUT_ANSWER
        least, most = _GAP
        return min(max(self._elapsed() / _FRACTION, least), most)

    # ── mistakes ────────────────────────────────────────────────────────────────────────

    def _warn_of_mistakes(self, missing: Sequence[CnameRecord]) -> None:
        """Warn of wrong records, once for each mistake."""
        for record in missing:
            evidence = {"name": record.name, "zone": record.zone, "value": record.value}
            for text, fields in _mistakes(record, self._answers[record.name]):
                self._context.warn(*text.fill(**evidence, **fields))
        if self._elapsed() < self._next_check_beside:
            return
        self._next_check_beside = self._elapsed() + _BESIDE_EVERY
        zones = {record.name: record.zone for record in missing}
        for name, types in self._survey.beside(self._context, zones).items():
            if types:
                self._context.warn(*texts.DELEGATE_BESIDE.fill(name=name, zone=zones[name], types=types))

    def _elapsed(self) -> float:
        return self._context.clock.monotonic() - self._start


def _mistakes(record: CnameRecord, answers: Sequence[CnameAnswer]) -> Iterator[tuple[Text, Mapping[str, Any]]]:
    wrong = {each.target for each in answers if each.target and names.labels(each.target) != names.labels(record.value)}
    for target in sorted(wrong):
        yield texts.DELEGATE_LEADS_ELSEWHERE, {"target": target}
    if any(each.doubled for each in answers):
        yield texts.DELEGATE_DOUBLED, {"doubled": f"{record.name}.{record.zone}", "short": record.short}
    wild = {each.of_wildcard for each in answers if each.of_wildcard and each.target is None}
    for target in sorted(wild):
        yield texts.DELEGATE_WILDCARD, {"target": target}


def _silent(record: CnameRecord, answers: Iterable[CnameAnswer]) -> dict[str, Any]:
    said = [texts.SERVER_SAYS.format(server=one.server, address=one.address, reason=one.reason) for one in answers]
    return {"domain": record.domain, "name": record.name, "zone": record.zone, "answers": said or [texts.NO_SERVERS]}


# ── cname survey ───────────────────────────────────────────────────────────────────────

# The answers of every address of a zone's name servers about the CNAME record of a name, at this moment.

_OTHERS: Final = {
    kind: dns.rdatatype.to_text(kind)
    for kind in (dns.rdatatype.TXT, dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.MX, dns.rdatatype.NS)
}
"""Types of records that cannot be at the same name as a CNAME record (RFC 1034 section 3.6.2)."""


class CnameAnswer(Frozen):
    """The answer of one address about a name.

    :ivar server: the name of the name server.
    :ivar target: the target of the name's own CNAME record, without the final dot, or None.
    :ivar of_wildcard: the target of a wildcard's CNAME record that covers the name, or None.
    :ivar doubled: whether a CNAME record is at the name with the zone appended twice
        (``_acme-challenge.example.com.example.com``), as happens if the DNS host appends the zone itself.
    :ivar reason: why the address did not answer with authority, as a clause that continues "the server …".
    """

    server: str
    address: str
    target: str | None = None
    of_wildcard: str | None = None
    doubled: bool = False
    reason: str = ""


class CnameSurvey:
    """Asks the servers of each zone. Their addresses are found once."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._servers: dict[str, list[tuple[str, str]]] = {}

    def ask(self, context: Context, zones: Mapping[str, str]) -> dict[str, list[CnameAnswer]]:
        """Return the answers of every address for each name (name → its zone), from concurrent queries.

        A zone whose servers are unknown, or to which this machine has no route, has no answers.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        :raises Cancelled: the caller cancelled.
        """
        asked = {name: [_question(name), _question(_sibling(context, name))] for name in zones}
        for name, zone in zones.items():
            if len(twice := f"{name}.{zone}") < wire.MAX_NAME - 1:  # the name with the zone appended twice
                asked[name].append(_question(twice))
        servers = {zone: self._addresses(context, zone) for zone in zones.values()}
        wanted = {(at, each) for name, zone in zones.items() for _, at in servers[zone] for each in asked[name]}
        replies = self._ask(context, wanted)
        found: dict[str, list[CnameAnswer]] = {name: [] for name in zones}
        for name, zone in zones.items():
            for server, address in servers[zone]:
                said = [replies.get((address, question)) for question in asked[name]]
                if said[0] is None or not said[0].no_route:
                    found[name].append(_answer((server, address[0]), said, wire.from_text(zone)))
        return found

    def beside(self, context: Context, zones: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the types of records at each name (name → its zone) that conflict with a CNAME record.

        Records of a wildcard do not conflict, because the name's own CNAME record replaces them.
        """
        siblings = {name: _sibling(context, name) for name in zones}
        wanted = {
            (address, _question(each, kind))
            for name, zone in zones.items()
            for _, address in self._addresses(context, zone)
            for each in (name, siblings[name])
            for kind in _OTHERS
        }
        there: dict[str, set[str]] = {}
        for (_, question), reply in self._ask(context, wanted).items():
            kind = question.type
            if reply.answer and any(rrset.name == question.name for rrset in wire.records(reply.answer.answer, kind)):
                there.setdefault(wire.shown(question.name), set()).add(_OTHERS[kind])
        return {name: sorted(there.get(name, set()) - there.get(siblings[name], set())) for name in zones}

    def _addresses(self, context: Context, zone: str) -> list[tuple[str, wire.Address]]:
        """Return the addresses of the name servers of a zone, each with the name of its server."""
        if zone not in self._servers:
            servers = self._survey.name_servers(context, [zone])[zone]
            self._servers[zone] = list(_usable(servers))
        return [(name, (address, self._survey.port)) for name, address in self._servers[zone]]

    def _ask(self, context: Context, wanted: Collection[probes.ProbeKey]) -> dict[probes.ProbeKey, wire.Reply]:
        """Return the replies. Questions without an answer over UDP are sent over TCP."""
        replies = probes.ask(context, self._survey.lookup, wanted)
        again = {
            (address, probes.ProbeQuestion(question.name, question.type, is_tcp=True)): (address, question)
            for address, question in wanted
            if (reply := replies.get((address, question))) is None or (reply.answer is None and not reply.no_route)
        }
        if again:
            by_tcp = probes.ask(context, self._survey.lookup, again)
            replies |= {again[key]: reply for key, reply in by_tcp.items() if reply.answer is not None}
        return replies


def _usable(servers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield each address once, without addresses that this machine can only reach in its own network."""
    seen = set[str]()
    for name, addresses in servers.items():
        for address in addresses:
            if address not in seen and not only_local(address):
                seen.add(address)
                yield name, address


def _sibling(context: Context, name: str) -> str:
    """Return a random name beside a name."""
    return wire.shown(random_child(context, wire.from_text(name).parent()))


def _question(name: str, kind: dns.rdatatype.RdataType = dns.rdatatype.CNAME) -> probes.ProbeQuestion:
    return probes.ProbeQuestion(wire.from_text(name), kind)


def _answer(server: tuple[str, str], replies: Sequence[wire.Reply | None], zone: wire.Name) -> CnameAnswer:
    """Return the answer of a server.

    :param replies: the replies for the name, for a random sibling, and possibly for the name with the zone appended
        twice.
    """
    reply, sibling, twice = (*replies, None)[:3]
    if reply is None or reply.answer is None:
        return CnameAnswer(*server, reason=dn_texts.NO_REPLY if reply is None else reply.reason)
    if not wire.is_positive(reply.answer):
        return CnameAnswer(*server, reason=dn_texts.RCODE.format(rcode=wire.rcode_text(reply.answer)))
    if not wire.is_authoritative(reply.answer):
        return CnameAnswer(*server, reason=lame_reason(zone, reply.answer))
    target, of_wildcard = _target(reply), _target(sibling)
    is_own = target is not None and target != of_wildcard
    return CnameAnswer(*server, target if is_own else None, of_wildcard, _target(twice) not in {None, of_wildcard})


def _target(reply: wire.Reply | None) -> str | None:
    if reply is None or reply.answer is None:
        return None
    target = wire.cname_target(reply.answer, reply.question.name)
    return None if target is None else names.relative(wire.to_text(target))
