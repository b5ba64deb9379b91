"""Which zone a name is in, who serves that zone, and at which addresses.

The recursive servers are asked about the PARENT of the name only; from there on the zone's own servers are asked,
down through referrals (RFC 1034 section 4.3.2), so that a zone cut at the very name is found too. They are asked for
CNAME: that is answered with one hop, and where there is none, with the SOA of the zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import dns.name
import dns.rdatatype

from dnsrenew.base.names import absolute, relative
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import FoundAnswer, Lookup, LookupResult, MissingAnswer, questions
from dnsrenew.dns.query_engine import Address
from dnsrenew.dns.recursive import Recursion
from dnsrenew.dns.wire import DnsQuestion, Message, Name
from dnsrenew.errors import DnsError
from dnsrenew.runtime.context import Context

_CNAME = dns.rdatatype.CNAME
_SOA = dns.rdatatype.SOA
_NS = dns.rdatatype.NS
_TOP_LEVEL: Final = 2  # labels, the root's empty one included
_A = dns.rdatatype.A
_AAAA = dns.rdatatype.AAAA


class NameServer(NamedTuple):
    """One address of one name server; a name server without any has the address ``""``."""

    name: str
    address: str


class ZoneOf(NamedTuple):
    """Where a name is.

    :ivar zone: the zone by SOA; the root when there is none.
    :ivar answer: what a server of the zone says about the name (asked for CNAME), or None when none could be asked.
    :ivar reasons: why none could, for each address.
    """

    zone: Name
    answer: Message | None
    reasons: Mapping[Address, str]


class Zones:
    """Finds zones and their servers, and remembers them for the run. Thread-safe: two may find the same thing twice.

    :param port: where authoritative servers listen.
    """

    def __init__(self, recursion: Recursion, lookup: Lookup, port: int) -> None:
        self.port = port
        self._recursion = recursion
        self._lookup = lookup
        self._enclosing: dict[Name, Name] = {}
        self._servers: dict[Name, tuple[NameServer, ...]] = {}
        self._addresses: dict[Name, tuple[str, ...]] = {}
        self._places: dict[Name, Name] = {}
        self._absent: set[Name] = set()

    # ── for the others ──────────────────────────────────────────────────────────────────

    def locate(self, context: Context, names: Iterable[Name]) -> dict[Name, ZoneOf]:
        """Return the place of each name, asked anew at the zones' own servers.

        :raises DnsError: ``dns-unreachable``, when no recursive server answers.
        """
        wanted = list(dict.fromkeys(names))
        enclosing = self.enclosing(context, [_parent(name) for name in wanted])
        places = {name: ZoneOf(wire.ROOT, None, {}) for name in wanted}
        zones = {name: zone for name in wanted if (zone := enclosing[_parent(name)]) != wire.ROOT}
        while zones:
            zones = self._descend(context, zones, places)
        self._places.update({name: place.zone for name, place in places.items() if place.zone != wire.ROOT})
        return places

    def zone_of(self, context: Context, names: Iterable[Name]) -> dict[Name, Name]:
        """Return the zone of each name, remembered or located.

        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``.
        """
        wanted = list(dict.fromkeys(names))
        self.locate(context, [name for name in wanted if name not in self._places])
        for name in wanted:
            if name not in self._places:
                raise no_zone(wire.to_text(name))
        return {name: self._places[name] for name in wanted}

    def servers(self, context: Context, zones: Iterable[Name]) -> dict[Name, tuple[NameServer, ...]]:
        """Return every address of every name server of each zone; those without an address come with ``""``."""
        wanted = list(dict.fromkeys(zones))
        missing = [zone for zone in wanted if zone not in self._servers]
        results = self._recursion.find(context, questions(missing, _NS, recurse=True))
        server_names = {
            question.name: wire.ns_names(result.answer.answer, question.name) if isinstance(result, FoundAnswer) else ()
            for question, result in results.items()
        }
        self._learn_servers(context, server_names)
        return {zone: self._servers.get(zone, ()) for zone in wanted}

    def ask(self, context: Context, names: Mapping[Name, Name], kind: wire.Type) -> dict[Name, LookupResult]:
        """Ask the servers of its zone about each name (name → zone); an answer is one with authority, or a referral."""
        servers = self.servers(context, names.values())
        wanted = {
            DnsQuestion(name, kind): _rotated(self._reachable(servers[zone]), number)
            for number, (name, zone) in enumerate(names.items())
        }

        def judge(question: DnsQuestion, answer: Message) -> str:
            zone = names[question.name]
            if not wire.is_positive(answer):
                return f"answers {wire.rcode_text(answer)}"
            if wire.wrong_owner(answer, question.name):
                return "answers for another name"
            if wire.is_authoritative(answer) or wire.referral(answer, zone, question.name):
                return ""
            return lame(zone, answer)

        results = self._lookup.ask(context, wanted, judge)
        return {question.name: result for question, result in results.items()}

    def unregistered(self, context: Context, name: Name, zone: Name) -> Name | None:
        """Return the domain that nobody has registered, if that is why ``name`` is in ``zone`` (``com``).

        Not every zone of one label is a public one (``lan``); public ones are signed, which their parent attests.
        """
        if len(zone.labels) != _TOP_LEVEL or _parent(name) not in self._absent:
            return None
        question = DnsQuestion(zone, dns.rdatatype.DS, recurse=True)
        result = self._recursion.find(context, [question])[question]
        if not isinstance(result, FoundAnswer) or not any(wire.records(result.answer.answer, dns.rdatatype.DS)):
            return None
        domain: Name = name.split(_TOP_LEVEL + 1)[1]
        return domain

    # ── up: the recursive side ──────────────────────────────────────────────────────────

    def enclosing(self, context: Context, names: Sequence[Name]) -> dict[Name, Name]:
        """Return the zone each name is in, as recursive servers see it; the root when they know none.

        From a server that leaves the SOA out of negative answers it is learnt by climbing too.

        :raises DnsError: ``dns-unreachable``, when no recursive server answers.
        """
        climbing = {name: name for name in names if name not in self._enclosing}
        while climbing:
            results = self._recursion.find(context, questions(climbing.values(), _SOA, recurse=True))
            higher: dict[Name, Name] = {}
            for name, at in climbing.items():
                result = results[DnsQuestion(at, _SOA, recurse=True)]
                if at == name and isinstance(result, FoundAnswer) and wire.is_nxdomain(result.answer):
                    self._absent.add(name)
                zone = wire.soa_owner(result.answer, at) if isinstance(result, FoundAnswer) else None
                if zone is None and at == wire.ROOT and isinstance(result, MissingAnswer):
                    raise self._recursion.unreachable(results)  # a server that is cut off itself fails for every name
                if zone is None and at != wire.ROOT:
                    higher[name] = _parent(at)
                else:
                    self._enclosing[name] = zone or wire.ROOT
            climbing = higher
        return {name: self._enclosing[name] for name in names}

    def host_addresses(self, context: Context, hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the addresses of hosts that both questions about were answered for."""
        by_name = {wire.from_text(absolute(host)): host for host in hosts}
        results = self._recursion.find(context, questions(by_name, _A, _AAAA, recurse=True))
        addresses: dict[str, tuple[str, ...]] = {}
        for name, host in by_name.items():
            found = [results[DnsQuestion(name, kind, recurse=True)] for kind in (_A, _AAAA)]
            answers = [result.answer for result in found if isinstance(result, FoundAnswer)]
            if len(answers) == len(found):
                addresses[host] = tuple(address for answer in answers for address in wire.addresses(answer, name))
        return addresses

    def _learn_servers(self, context: Context, server_names: Mapping[Name, Sequence[Name]]) -> None:
        unknown = {name for names in server_names.values() for name in names if name not in self._addresses}
        results = self._recursion.find(context, questions(sorted(unknown), _A, _AAAA, recurse=True))
        for name in unknown:
            answers = [results[DnsQuestion(name, kind, recurse=True)] for kind in (_A, _AAAA)]
            found = [wire.addresses(result.answer, name) for result in answers if isinstance(result, FoundAnswer)]
            if found:
                self._addresses[name] = tuple(dict.fromkeys(address for group in found for address in group))
        for zone, names in server_names.items():
            by_address: dict[str, NameServer] = {}
            for name in names:
                for address in self._addresses.get(name) or ("",):
                    key = address or wire.to_text(name)
                    by_address.setdefault(key, NameServer(wire.to_text(name).removesuffix("."), address))
            if by_address:
                self._servers[zone] = tuple(by_address.values())

    # ── down: the authoritative side ────────────────────────────────────────────────────

    def _descend(self, context: Context, zones: Mapping[Name, Name], places: dict[Name, ZoneOf]) -> dict[Name, Name]:
        """Ask once at each name's zone; fill in the places that are settled, return the zones further down."""
        deeper: dict[Name, Name] = {}
        for name, result in self.ask(context, zones, _CNAME).items():
            zone = zones[name]
            if isinstance(result, MissingAnswer):
                places[name] = ZoneOf(zone, None, result.reasons)
            elif cut := wire.referral(result.answer, zone, name):
                if cut not in self._servers:
                    self._learn_servers(context, {cut: wire.ns_names(result.answer.authority, cut)})
                deeper[name] = cut
            else:
                places[name] = ZoneOf(self._cut(context, result, zone, name), result.answer, {})
        return deeper

    def _cut(self, context: Context, found: FoundAnswer, zone: Name, name: Name) -> Name:
        """Return the zone that the answer names: deeper than ``zone`` where one server holds both."""
        owner = wire.soa_owner(found.answer, name)
        if owner is None or owner == zone or not owner.is_subdomain(zone):
            return zone
        if owner not in self._servers:
            question = DnsQuestion(owner, _NS)
            result = self._lookup.ask(context, {question: [found.address]}, lambda *_: "")[question]
            names = wire.ns_names(result.answer.answer, owner) if isinstance(result, FoundAnswer) else ()
            if names:
                self._learn_servers(context, {owner: names})
            else:
                self._servers[owner] = self._servers.get(zone, ())
        return owner

    def _reachable(self, servers: Sequence[NameServer]) -> list[Address]:
        return [(server.address, self.port) for server in servers if server.address]


def lame(zone: Name, answer: Message) -> str:
    """Say that a server answers without authority, in words that continue "the server …"."""
    said = f"answers, but not as an authority for {wire.shown(zone)}"
    # A name server does not recurse for strangers; who redirects port 53 does.
    return f"{said} (something between here and there may be answering in its place)" if wire.recurses(answer) else said


def not_registered(domain: Name) -> DnsError:
    """Return the error for a domain that the zone above does not know."""
    shown = wire.shown(domain)
    above = wire.shown(domain.parent())
    return DnsError(
        "dns-no-zone",
        f"The domain {shown} is not registered: the name servers of {above} do not know it.",
        fix=f"Check the spelling of {shown}, and that its registration has not run out.",
        evidence={"name": shown, "zone": above},
    )


def no_zone(name: str) -> DnsError:
    """Return the error for a name that is in no zone; our own label in front is left out."""
    shown = relative(name).removeprefix("_acme-challenge.")
    return DnsError(
        "dns-no-zone",
        f"No DNS zone was found for {shown}: neither it nor any name above it is known to DNS.",
        fix=f"Check the spelling of {shown}, and that the domain is registered and has name servers.",
        evidence={"name": shown},
    )


def _rotated(addresses: list[Address], by: int) -> list[Address]:
    """Share the questions out: each address is the first to be asked for some."""
    by %= max(len(addresses), 1)
    return addresses[by:] + addresses[:by]


def _parent(name: Name) -> Name:
    return name if name == wire.ROOT else name.parent()
