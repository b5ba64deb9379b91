"""What the servers of its zone say about a name, and what the recursive servers of this host say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import dns.rdatatype

from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import probes, wire
from dnsrenew.dns.delegation import random_child
from dnsrenew.dns.probes import ProbeQuestion
from dnsrenew.dns.query import Address, Reply
from dnsrenew.dns.wire import Message, Name
from dnsrenew.dns.zone_facts import ZoneFacts
from dnsrenew.dns.zone_survey import Survey
from dnsrenew.errors import DnsError

_A: Final = dns.rdatatype.A
_AAAA: Final = dns.rdatatype.AAAA
_TXT: Final = dns.rdatatype.TXT
_KINDS: Final = (_A, _AAAA)
_KIND_NAMES: Final = ("A", "AAAA")
_MAX_HOPS: Final = 16
_MAX_VALUES: Final = 20
_MAX_TEXT: Final = 255

Existence = Literal["records", "empty", "absent", "unknown"]
"""``records``: it has addresses, or a CNAME; ``empty``: it exists without (NODATA); ``absent``: NXDOMAIN; ``unknown``:
no server of its zone answers.
"""


class NameRecords(Frozen):
    """The addresses of a name at the servers of its zone.

    :ivar addresses: the A and AAAA addresses of all servers together.
    :ivar chain: the targets of its CNAME records, from one to the next.
    :ivar ttl: the longest time (seconds) for which a resolver may cache them; None without records.
    """

    existence: Existence
    addresses: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None


class ResolvedName(Frozen):
    """What the recursive servers of this host say about a name.

    :ivar rcode: the response code, such as ``NOERROR``; empty if none answers.
    :ivar denied: the types (A, AAAA) that the zone itself denied when the server asked it (RFC 2308): an answer with
        the SOA record, which may come from a cache. A filter that only takes addresses out of an answer has none.
    """

    rcode: str = ""
    addresses: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


class ServedTexts(Frozen):
    """The TXT values at a name, by the address of the server, without those that a wildcard gives to every name."""

    name: str
    by_server: Mapping[str, Sequence[str]]

    @property
    def values(self) -> set[str]:
        """The values of all servers."""
        return {value for its in self.by_server.values() for value in its}


class NameSurvey:
    """The lookups of an examination about names."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def records(self, context: Context, zones: Mapping[str, ZoneFacts]) -> dict[str, NameRecords]:
        """Return the addresses of names (name → its zone).

        A recursive server is asked where a CNAME leads to another zone, and where no server of the zone answers.
        """
        replies = self._at_servers(context, zones, _KINDS)
        found = {name: _records(wire.from_text(name), its) for name, its in replies.items()}
        ends = {
            name: its.chain[-1] if its.chain else name
            for name, its in found.items()
            if not its.addresses and (its.chain or (its.existence == "unknown" and zones[name].resolves))
        }
        elsewhere = self._elsewhere(context, map(wire.from_text, ends.values()))
        for name, end in ends.items():
            further = elsewhere.get(wire.from_text(end), NameRecords("unknown"))
            if found[name].chain and further.existence == "absent":
                further = NameRecords("empty")  # the name itself exists
            found[name] = replace(further, chain=(*found[name].chain, *further.chain), ttl=found[name].ttl)
        return found

    def resolved(self, context: Context, wanted: Iterable[str]) -> dict[str, ResolvedName]:
        """Return what the recursive servers say, as a program on this host gets it."""
        starts = {name: wire.from_text(name) for name in wanted}
        asked = [ProbeQuestion(start, kind, recurse=True) for start in starts.values() for kind in _KINDS]
        replies = self._survey.ask_recursive(context, asked)
        return {name: _resolved(start, replies) for name, start in starts.items()}

    def is_refused(self, context: Context, zone: str) -> bool:
        """Tell whether a recursive server that validates refuses a zone because of its signatures.

        It then answers the same question if it need not validate (CD).
        """
        name = wire.from_text(zone)
        checked = ProbeQuestion(name, dns.rdatatype.SOA, recurse=True)
        unchecked = ProbeQuestion(name, dns.rdatatype.SOA, recurse=True, unchecked=True)
        replies = self._survey.ask_recursive(context, [checked, unchecked])
        return any(
            probes.is_servfail(reply) and _is_answered(replies.get((address, unchecked)))
            for (address, probe), reply in replies.items()
            if probe == checked
        )

    def texts(self, context: Context, zones: Mapping[str, ZoneFacts]) -> list[ServedTexts]:
        """Return the TXT values at names (name → the zone that holds it) at each server."""
        siblings = {name: wire.shown(random_child(context, wire.from_text(name).parent())) for name in zones}
        wanted = {**zones, **{siblings[name]: zone for name, zone in zones.items()}}
        replies = self._at_servers(context, wanted, (_TXT,))
        found = []
        for name in zones:
            of_wildcard = {value for reply in replies[siblings[name]].values() for value in _values(reply)}
            by_server = {
                address: sorted(set(_values(reply)) - of_wildcard)[:_MAX_VALUES]
                for ((address, _), _), reply in replies[name].items()
            }
            found.append(ServedTexts(name, {address: values for address, values in by_server.items() if values}))
        return found

    def _at_servers(
        self, context: Context, zones: Mapping[str, ZoneFacts], kinds: Sequence[wire.Type]
    ) -> dict[str, dict[probes.ProbeKey, Reply]]:
        """Return the authoritative replies of all servers that work, by name."""
        wanted = {
            (address, ProbeQuestion(wire.from_text(name), kind, is_tcp=is_tcp)): name
            for name, zone in zones.items()
            for address, is_tcp in self._working(zone)
            for kind in kinds
        }
        by_name: dict[str, dict[probes.ProbeKey, Reply]] = {name: {} for name in zones}
        for key, reply in probes.ask(context, self._survey.lookup, wanted).items():
            if _is_answered(reply) and reply.answer is not None and wire.is_authoritative(reply.answer):
                by_name[wanted[key]][key] = reply
        return by_name

    def _working(self, zone: ZoneFacts) -> list[tuple[Address, bool]]:
        """Return the addresses that answer with authority, and whether they do so over TCP only."""
        return [
            ((server.address, self._survey.port), server.udp != "authority")
            for server in zone.servers
            if "authority" in {server.udp, server.tcp}
        ]

    def _elsewhere(self, context: Context, targets: Iterable[Name]) -> dict[Name, NameRecords]:
        """Return the addresses of names by the recursive servers; those that they cannot resolve are omitted."""
        wanted = {
            target: [ProbeQuestion(target, kind, recurse=True, unchecked=True) for kind in _KINDS]
            for target in set(targets)
        }
        try:
            answers = self._survey.resolve(context, [probe for its in wanted.values() for probe in its])
        except DnsError:
            return {}
        return {
            target: _merged([answers[probe] for probe in its], target)
            for target, its in wanted.items()
            if all(probe in answers for probe in its)
        }


def _records(name: Name, replies: Mapping[probes.ProbeKey, Reply]) -> NameRecords:
    answers = [reply.answer for reply in replies.values() if reply.answer is not None]
    return _merged(answers, name) if answers else NameRecords("unknown")


def _merged(answers: Sequence[Message], name: Name) -> NameRecords:
    """Return what several answers say together."""
    addresses = dict.fromkeys(address for answer in answers for address in wire.addresses(answer, name))
    chain = max((_chain(answer, name) for answer in answers), key=len)
    if addresses or chain:
        ttl = max(rrset.ttl for answer in answers for rrset in answer.answer)
        return NameRecords("records", tuple(addresses), chain, ttl)
    return NameRecords("absent" if all(map(wire.is_nxdomain, answers)) else "empty")


def _chain(answer: Message, name: Name) -> tuple[str, ...]:
    chain: list[Name] = []
    while len(chain) < _MAX_HOPS:
        target = wire.cname_target(answer, chain[-1] if chain else name)
        if target is None or target in chain:
            break
        chain.append(target)
    return tuple(map(wire.shown, chain))


def _resolved(name: Name, replies: Mapping[probes.ProbeKey, Reply]) -> ResolvedName:
    """Return what the first server says that answers both questions."""
    for address in dict.fromkeys(address for address, _ in replies):
        its = [replies.get((address, ProbeQuestion(name, kind, recurse=True))) for kind in _KINDS]
        answers = [reply.answer for reply in its if reply is not None and reply.answer is not None]
        if len(answers) == len(its):
            found = tuple(each for answer in answers for each in wire.addresses(answer, name))
            denied = tuple(kind for kind, answer in zip(_KIND_NAMES, answers, strict=True) if _is_denied(answer))
            return ResolvedName(wire.rcode_text(answers[0]), found, denied)
    return ResolvedName()


def _is_denied(answer: Message) -> bool:
    """Tell whether the answer is a negative one of the zone, with its SOA record (RFC 2308 section 2)."""
    return wire.is_nxdomain(answer) or any(rrset.rdtype == dns.rdatatype.SOA for rrset in answer.authority)


def _is_answered(reply: Reply | None) -> bool:
    return reply is not None and reply.answer is not None and wire.is_positive(reply.answer)


def _values(reply: Reply) -> list[str]:
    """Return the TXT values, as printable texts of a sensible length."""
    values = wire.txt_values(reply.answer) if reply.answer is not None else ()
    printable = ("".join(letter if letter.isprintable() else "?" for letter in value) for value in values)
    return [text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…" for text in printable]
