"""Finds the zone of a name, the name servers of the zone, and their addresses.

Recursive servers are queried only for the PARENT of the name. From there, the zone's own servers are queried, down
through referrals (RFC 1034 section 4.3.2), so that a zone cut at the name itself is found too. The query is for CNAME:
the answer has one hop, or the SOA record of the zone if there is no CNAME.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import dns.name
import dns.rdatatype

from dnsrenew.base.names import absolute, in_letters, is_public_suffix, relative
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import lookup as recursive
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import FoundAnswer, Lookup, LookupResult, MissingAnswer, Recursion, list_reasons, questions
from dnsrenew.dns.wire import Address, DnsQuestion, Message, Name
from dnsrenew.errors import DnsError, Text

_CNAME = dns.rdatatype.CNAME
_SOA = dns.rdatatype.SOA
_NS = dns.rdatatype.NS
_TOP_LEVEL: Final = 2  # labels, with the root's empty one
_A = dns.rdatatype.A
_AAAA = dns.rdatatype.AAAA


class ZoneOf(Frozen):
    """The zone of a name.

    :ivar zone: the zone by SOA; the root if there is no zone.
    :ivar answer: the answer of a server of the zone to the CNAME query for the name, or None without an answer.
    :ivar reasons: why each address did not answer.
    :ivar is_tcp: whether the answer came over TCP.
    """

    zone: Name
    answer: Message | None
    reasons: Mapping[Address, str]
    is_tcp: bool = False


class Zones:
    """Finds zones and their servers, and caches them for the run. Thread-safe: two threads may find the same twice.

    :ivar lookup: queries servers.
    :param port: the port of authoritative servers.
    """

    def __init__(self, recursion: Recursion, lookup: Lookup, port: int) -> None:
        self.port = port
        self.lookup = lookup
        self._recursion = recursion
        self._enclosing: dict[Name, Name] = {}
        self._servers = NameServers(recursion, port)
        self._zone_of: dict[Name, Name] = {}
        self._absent: set[Name] = set()

    # ── queries ─────────────────────────────────────────────────────────────────────────

    def locate(self, context: Context, names: Iterable[Name]) -> dict[Name, ZoneOf]:
        """Return the zone of each name, from fresh queries to the zones' own servers.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        """
        wanted = list(dict.fromkeys(names))
        above = self.starting_zones(context, [_parent(name) for name in wanted])
        starts = {name: above[_parent(name)] for name in wanted}
        located = self._search(context, starts)
        if silent := [name for name in wanted if located[name].answer is None]:
            # In a private network, the servers of a zone may be reachable even if its parent's are not.
            nearest = self.enclosing(context, [_parent(name) for name in silent])
            others = {name: zone for name in silent if (zone := nearest[_parent(name)]) != starts[name]}
            located |= self._search(context, others)
        self._zone_of.update({name: found.zone for name, found in located.items() if found.zone != wire.ROOT})
        return located

    def _search(self, context: Context, starts: Mapping[Name, Name]) -> dict[Name, ZoneOf]:
        """Search for the zone of each name, from a zone above it or its own (name → zone)."""
        located = {name: ZoneOf(wire.ROOT, None, {}) for name in starts}
        zones = {name: zone for name, zone in starts.items() if zone != wire.ROOT}
        while zones:
            zones = self._descend(context, zones, located)
        return located

    def zone_of(self, context: Context, names: Iterable[Name]) -> dict[Name, Name]:
        """Return the zone of each name, from the cache or located.

        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``.
        """
        wanted = list(dict.fromkeys(names))
        self.locate(context, [name for name in wanted if name not in self._zone_of])
        for name in wanted:
            if name not in self._zone_of:
                raise no_zone(wire.to_text(name))
        return {name: self._zone_of[name] for name in wanted}

    def servers(self, context: Context, zones: Iterable[Name]) -> dict[Name, tuple[NameServer, ...]]:
        """Return every address of every name server of each zone; servers without an address have ``""``.

        If there are more than 13 name servers or 32 addresses, this many are chosen at random, with a warning.
        """
        wanted = list(dict.fromkeys(zones))
        self._servers.find(context, wanted)
        return {zone: self._servers.of(zone) for zone in wanted}

    def query(
        self, context: Context, names: Mapping[Name, Name], kind: wire.Type, *, only_tcp: bool = False
    ) -> dict[Name, LookupResult]:
        """Query the zone's servers for each name (name → zone). Accept authoritative answers and referrals."""
        self._servers.find(context, names.values())
        wanted = {
            DnsQuestion(name, kind): _rotated(self._servers.addresses(zone), number)
            for number, (name, zone) in enumerate(names.items())
        }

        def check(question: DnsQuestion, answer: Message) -> str:
            zone = names[question.name]
            is_ours = wire.is_authoritative(answer) or wire.referral(answer, zone, question.name)
            return recursive.fault(question, answer) or ("" if is_ours else lame_reason(zone, answer))

        results = self.lookup.query(context, wanted, check, only_tcp=only_tcp)
        return {
            question.name: result if wanted[question] else self._servers.without_address(names[question.name])
            for question, result in results.items()
        }

    def unregistered(self, context: Context, name: Name, zone: Name) -> Name | None:
        """Return the unregistered domain, if this is why ``name`` is in ``zone`` (``com``).

        A zone of one label may be private (``lan``); a public one is signed, which a DS record in its parent shows.
        """
        if len(zone.labels) != _TOP_LEVEL or _parent(name) not in self._absent:
            return None
        question = DnsQuestion(zone, dns.rdatatype.DS, recurse=True)
        result = self._recursion.find(context, [question])[question]
        if not isinstance(result, FoundAnswer) or not any(wire.records(result.answer.answer, dns.rdatatype.DS)):
            return None
        domain: Name = name.split(_TOP_LEVEL + 1)[1]
        return domain

    # ── recursive servers: upwards ──────────────────────────────────────────────────────

    def starting_zones(self, context: Context, names: Sequence[Name]) -> dict[Name, Name]:
        """Return the zone from which to search for each name: the zone of the topmost given name above it.

        So a hundred names of one domain need one query to the recursive servers. In all other respects this works as
        :meth:`enclosing`.
        """
        tops = _topmost(names)
        zones = self.enclosing(context, list(dict.fromkeys(tops.values())))
        self._absent |= {name for name, top in tops.items() if top in self._absent}
        return {name: zones[top] for name, top in tops.items()}

    def enclosing(self, context: Context, names: Sequence[Name]) -> dict[Name, Name]:
        """Return the zone of each name according to the recursive servers, or the root if they report no zone.

        If a server omits the SOA record from negative answers, the parents are queried.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        """
        climbing = {name: name for name in names if name not in self._enclosing}
        while climbing:
            results = self._recursion.find(context, questions(climbing.values(), _SOA, recurse=True))
            parents: dict[Name, Name] = {}
            for name, current in climbing.items():
                result = results[DnsQuestion(current, _SOA, recurse=True)]
                if current == name and isinstance(result, FoundAnswer) and wire.is_nxdomain(result.answer):
                    self._absent.add(name)
                zone = wire.soa_owner(result.answer, current) if isinstance(result, FoundAnswer) else None
                if zone is None and current == wire.ROOT and isinstance(result, MissingAnswer):
                    raise self._recursion.unreachable(results)  # an offline recursive server fails for every name
                if zone is None and current != wire.ROOT:
                    parents[name] = _parent(current)
                else:
                    self._enclosing[name] = zone or wire.ROOT
            climbing = parents
        return {name: self._enclosing[name] for name in names}

    def host_addresses(self, context: Context, hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the addresses of hosts. A host is omitted unless both its queries (A, AAAA) were answered."""
        by_name = {wire.from_text(absolute(host)): host for host in hosts}
        results = self._recursion.find(context, questions(by_name, _A, _AAAA, recurse=True))
        addresses: dict[str, tuple[str, ...]] = {}
        for name, host in by_name.items():
            found = [results[DnsQuestion(name, kind, recurse=True)] for kind in (_A, _AAAA)]
            answers = [result.answer for result in found if isinstance(result, FoundAnswer)]
            if len(answers) == len(found):
                addresses[host] = tuple(address for answer in answers for address in wire.addresses(answer, name))
        return addresses

    # ── authoritative servers: downwards ────────────────────────────────────────────────

    def _descend(self, context: Context, zones: Mapping[Name, Name], located: dict[Name, ZoneOf]) -> dict[Name, Name]:
        """Query the zone of each name once; add the results to ``located``, and return the zones of the referrals."""
        deeper: dict[Name, Name] = {}
        referrals: dict[Name, tuple[Name, ...]] = {}
        for name, result in self.query(context, zones, _CNAME).items():
            zone = zones[name]
            if isinstance(result, MissingAnswer):
                located[name] = ZoneOf(zone, None, result.reasons)
            elif cut := wire.referral(result.answer, zone, name):
                referrals.setdefault(cut, wire.ns_names(result.answer.authority, cut))
                deeper[name] = cut
            else:
                found_zone = self._zone_in(context, result, zone, name)
                located[name] = ZoneOf(found_zone, result.answer, {}, result.is_tcp)
        # A zone's servers by its own NS records, otherwise by its parent's, which may be fewer.
        self._servers.find(context, referrals)
        self._servers.resolve(context, {zone: names for zone, names in referrals.items() if zone not in self._servers})
        return deeper

    def _zone_in(self, context: Context, found: FoundAnswer, zone: Name, name: Name) -> Name:
        """Return the zone of the SOA record in the answer. It is below ``zone`` if one server serves both."""
        owner = wire.soa_owner(found.answer, name)
        if owner is None or owner == zone or not owner.is_subdomain(zone):
            return zone
        if owner not in self._servers:
            question = DnsQuestion(owner, _NS)
            result = self.lookup.query(context, {question: [found.address]}, lambda *_: "")[question]
            names = wire.ns_names(result.answer.answer, owner) if isinstance(result, FoundAnswer) else ()
            if names:
                self._servers.resolve(context, {owner: names})
            else:
                self._servers.share(owner, zone)
        return owner


def lame_reason(zone: Name, answer: Message) -> str:
    """Return the reason for an answer without authority, as a clause that continues "the server …"."""
    text = texts.LAME_RECURSIVE if wire.recurses(answer) else texts.LAME
    return text.format(zone=wire.shown(zone))


def not_registered(domain: Name) -> DnsError:
    """Return the error for a domain that does not exist in its parent zone."""
    name, zone = wire.shown(domain), wire.shown(domain.parent())
    return DnsError.of(texts.NOT_REGISTERED, shown={"name": in_letters(name)}, name=name, zone=zone)


def no_zone(name: str) -> DnsError:
    """Return the error for a name without a zone. The label of the challenge is removed from it."""
    plain = relative(name).removeprefix("_acme-challenge.").removeprefix("_validation-persist.")
    top = plain.rpartition(".")[2]
    text = texts.NO_TOP_ZONE if is_public_suffix(top) else texts.NO_ZONE
    return DnsError.of(text, shown={"name": in_letters(plain)}, name=plain, top=top)


def _rotated(addresses: list[Address], by: int) -> list[Address]:
    """Spread the queries, so that each address is the first for some of them."""
    by %= max(len(addresses), 1)
    return addresses[by:] + addresses[:by]


def _topmost(names: Iterable[Name]) -> dict[Name, Name]:
    """Return, for each name, the topmost given name that is the same as it or above it."""
    # By labels, because a dnspython name is slow to make and to hash. Names in another case only cost one more query.
    known = {name.labels: name for name in names}
    return {
        name: next(known[labels[at:]] for at in reversed(range(len(labels))) if labels[at:] in known)
        for labels, name in known.items()
    }


def _parent(name: Name) -> Name:
    return name if name == wire.ROOT else name.parent()


# ── name servers ───────────────────────────────────────────────────────────────────────

# The name servers of zones and their addresses, from the recursive servers, with a limit for each zone.
#
# The operator of a zone chooses its list. Without a limit, one zone could make us query thousands of foreign
# addresses.

_T = TypeVar("_T")
MAX_NAMES: Final = 13
MAX_ADDRESSES: Final = 32


class NameServer(Frozen):
    """One address of one name server. A name server without an address has the address ``""``."""

    name: str
    address: str


class NameServers:
    """The name servers of zones, cached for the run. Thread-safe: two threads may find the same twice."""

    def __init__(self, recursion: Recursion, port: int) -> None:
        self._recursion = recursion
        self._port = port
        self._servers: dict[Name, tuple[NameServer, ...]] = {}
        self._addresses: dict[Name, tuple[str, ...]] = {}
        self._failures: dict[str, str] = {}  # why the addresses of a name server are unknown

    def __contains__(self, zone: Name) -> bool:
        return zone in self._servers

    def of(self, zone: Name) -> tuple[NameServer, ...]:
        """Return the known servers of a zone."""
        return self._servers.get(zone, ())

    def share(self, zone: Name, parent: Name) -> None:
        """Record that a zone has the same servers as its parent."""
        self._servers[zone] = self.of(parent)

    def addresses(self, zone: Name) -> list[Address]:
        """Return the addresses at which the servers of a zone can be queried."""
        return [(server.address, self._port) for server in self.of(zone) if server.address]

    def without_address(self, zone: Name) -> MissingAnswer:
        """Return the result of a query to a zone without any known server address."""
        names = [server.name for server in self.of(zone) if server.name in self._failures]
        return MissingAnswer({(name, self._port): self._failures[name] for name in names}, answered=False)

    def find(self, context: Context, zones: Iterable[Name]) -> None:
        """Find the servers of each zone, unless they are known.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        """
        missing = [zone for zone in dict.fromkeys(zones) if zone not in self]
        results = self._recursion.find(context, questions(missing, _NS, recurse=True))
        names = {
            question.name: wire.ns_names(result.answer.answer, question.name) if isinstance(result, FoundAnswer) else ()
            for question, result in results.items()
        }
        self.resolve(context, names)

    def resolve(self, context: Context, names: Mapping[Name, Sequence[Name]]) -> None:
        """Find the addresses of the name servers of each zone (zone → names)."""
        chosen = {
            zone: sorted(_at_most(MAX_NAMES, context, zone, its, texts.MANY_SERVERS)) for zone, its in names.items()
        }
        unknown = {name for its in chosen.values() for name in its if name not in self._addresses}
        results = self._recursion.find(context, questions(sorted(unknown), _A, _AAAA, recurse=True))
        for name in unknown:
            self._note(name, [results[DnsQuestion(name, kind, recurse=True)] for kind in (_A, _AAAA)])
        for zone, its in chosen.items():
            by_address: dict[str, NameServer] = {}
            for name in its:
                for address in self._addresses.get(name) or ("",):
                    key = address or wire.to_text(name)
                    by_address.setdefault(key, NameServer(wire.shown(name), address))
            if by_address:
                servers = _at_most(MAX_ADDRESSES, context, zone, list(by_address.values()), texts.MANY_ADDRESSES)
                self._servers[zone] = tuple(servers)

    def _note(self, name: Name, results: Sequence[LookupResult]) -> None:
        found = [wire.addresses(result.answer, name) for result in results if isinstance(result, FoundAnswer)]
        if found:
            self._addresses[name] = tuple(dict.fromkeys(address for group in found for address in group))
        for result in results:
            if isinstance(result, MissingAnswer):
                reasons = {recursive.host_and_port(*address): reason for address, reason in result.reasons.items()}
                self._failures[wire.shown(name)] = texts.ADDRESS_UNKNOWN.format(answers=list_reasons(reasons.items()))


def _at_most(limit: int, context: Context, zone: Name, found: Sequence[_T], text: Text) -> Sequence[_T]:
    if len(found) <= limit:
        return found
    context.warn(*text.fill(zone=wire.shown(zone), count=len(found), limit=limit))
    return context.random.sample(found, limit)
