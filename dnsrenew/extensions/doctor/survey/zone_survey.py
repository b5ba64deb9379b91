"""How a name is delegated: the zones above it, and the answers of each of their name servers.

This works even for a broken zone. Queries to recursive servers request no validation (CD). A zone that they cannot
resolve is found by the referral of the zone above, and its servers' addresses by the glue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from dnsrenew.base import names as texts_of_names
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import FoundAnswer, MissingAnswer, only_local
from dnsrenew.dns.view import DnsView
from dnsrenew.dns.wire import Address, Message, Name, Reply
from dnsrenew.dns.zones import MAX_ADDRESSES, MAX_NAMES
from dnsrenew.errors import Cancelled
from dnsrenew.extensions.doctor.survey import probes
from dnsrenew.extensions.doctor.survey.probes import ProbeQuestion

_SOA: Final = dns.rdatatype.SOA
_NS: Final = dns.rdatatype.NS
_ADDRESS_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)
_TOP_LEVEL: Final = 2  # labels, with the root's empty one

Servers = Mapping[str, Sequence[str]]
"""The addresses of each name server of a zone, by its name."""


class Survey:
    """The lookups of an examination about zones.

    :ivar lookup: the lookups of the run, which remember servers.
    :ivar port: the port of authoritative servers.
    """

    def __init__(self, view: DnsView) -> None:
        self.lookup = view.lookup
        self.port = view.zones.port
        self._recursion = view.recursion
        self._only_doh = False  # the other recursive servers do not answer

    # ── recursive servers ───────────────────────────────────────────────────────────────

    def resolve(self, context: Context, wanted: Iterable[ProbeQuestion]) -> dict[ProbeQuestion, Message]:
        """Return the answer of a recursive server to each question that has one.

        :raises DnsError: ``dns-unreachable``: no server answers.
        """
        questions = list(dict.fromkeys(wanted))
        replies = {} if self._only_doh else self.ask_recursive(context, questions)
        if not questions or any(reply.answer for reply in replies.values()):
            return probes.first_answers(replies, self._recursion.addresses(context))
        answers = self._by_doh(context, questions)
        if not answers:
            reasons = {address: reply.reason for (address, _), reply in replies.items()}
            raise self._recursion.unreachable({questions[0]: MissingAnswer(reasons, answered=False)})
        self._only_doh = True
        return answers

    def _by_doh(self, context: Context, questions: Sequence[ProbeQuestion]) -> dict[ProbeQuestion, Message]:
        """Return the answers of the servers for DNS over HTTPS, for networks in which port 53 is closed."""
        try:
            found = self._recursion.doh.find(context.within(probes.SECONDS), questions) if self._recursion.doh else {}
        except Cancelled:
            context.check()
            return {}
        results = {question: found.get(question) for question in questions}
        return {question: result.answer for question, result in results.items() if isinstance(result, FoundAnswer)}

    def ask_recursive(self, context: Context, wanted: Collection[ProbeQuestion]) -> dict[probes.ProbeKey, Reply]:
        """Return the reply of each recursive server."""
        servers = self._recursion.addresses(context)
        return probes.ask(context, self.lookup, [(address, probe) for address in servers for probe in wanted])

    def paths(self, context: Context, names: Iterable[str]) -> dict[str, NamePath]:
        """Return the zones on the way to each name.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        """
        starts = {name: wire.from_text(name) for name in names}
        wanted = {each: plain(each, _SOA) for start in starts.values() for each in _upwards(start)}
        answers = self.resolve(context, wanted.values())
        known = {each: answers[probe] for each, probe in wanted.items() if probe in answers}
        paths = {name: _path(start, known) for name, start in starts.items()}
        broken = {name: path for name, path in paths.items() if _is_broken(starts[name], path, known)}
        for name, cut in self._referrals(context, {name: starts[name] for name in broken}, broken).items():
            paths[name] = replace(paths[name], cuts=(*paths[name].cuts, cut))
        return paths

    def _referrals(self, context: Context, names: Mapping[str, Name], paths: dict[str, NamePath]) -> dict[str, ZoneCut]:
        """Return the zone that the servers of the last known zone refer to, for names that do not resolve."""
        zones = {name: paths[name].zone or paths[name].above for name in names}
        servers = self.name_servers(context, set(zones.values()))
        places = [(name, address) for name, zone in zones.items() for address in self._some(context, servers[zone])]
        asked = {(address, ProbeQuestion(names[name], _NS)): name for name, address in places}
        found: dict[str, ZoneCut] = {}
        for key, reply in probes.ask(context, self.lookup, asked).items():
            name = asked[key]
            zone = wire.from_text(f"{zones[name]}.")
            if reply.answer is not None and (cut := wire.referral(reply.answer, zone, names[name])):
                found.setdefault(name, ZoneCut(wire.shown(cut), zones[name], resolves=False))
        return found

    def name_servers(self, context: Context, zones: Iterable[str]) -> dict[str, Servers]:
        """Return the name servers of zones and their addresses, from the recursive servers."""
        wanted = {zone: plain(wire.from_text(f"{zone}."), _NS) for zone in zones}
        answers = self.resolve(context, wanted.values())
        chosen: dict[str, Sequence[Name]] = {}
        for zone, probe in wanted.items():
            its = wire.ns_names(answers[probe].answer, probe.name) if probe in answers else ()
            chosen[zone] = its if len(its) <= MAX_NAMES else sorted(context.random.sample(its, MAX_NAMES))
        addresses = self.addresses(context, {name for its in chosen.values() for name in its})
        return {zone: {wire.shown(name): addresses[name] for name in its} for zone, its in chosen.items()}

    def addresses(self, context: Context, hosts: Iterable[Name]) -> dict[Name, tuple[str, ...]]:
        """Return the addresses of hosts from the recursive servers; empty if unknown."""
        wanted = {host: [plain(host, kind) for kind in _ADDRESS_TYPES] for host in hosts}
        answers = self.resolve(context, [probe for its in wanted.values() for probe in its])
        known = {host: [answers[probe] for probe in its if probe in answers] for host, its in wanted.items()}
        return {host: tuple(at for its in found for at in wire.addresses(its, host)) for host, found in known.items()}

    # ── one zone ────────────────────────────────────────────────────────────────────────

    def zone(self, context: Context, cut: ZoneCut) -> ZoneFacts:
        """Return the data of a zone in the zone above and at every name server.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        """
        zone = wire.from_text(cut.zone)
        listed = self.name_servers(context, [cut.parent, cut.zone] if cut.resolves else [cut.parent])
        referral, is_absent = self._at_parent(context, cut, listed[cut.parent])
        parent_ns = None if referral is None else wire.ns_names(referral.authority, zone)
        servers = dict(listed.get(cut.zone, {}))
        if referral is not None:
            missing = [name for name in parent_ns or () if not servers.get(wire.shown(name))]
            glue = {name: _glue(referral, name) for name in missing[:MAX_NAMES]}
            found = self.addresses(context, [name for name, its in glue.items() if not its])
            servers |= {wire.shown(name): its or found[name] for name, its in glue.items()}
        above = None if parent_ns is None else tuple(map(wire.shown, parent_ns))
        probed = self._probe(context, zone, servers)
        return ZoneFacts(cut.zone, cut.parent, cut.resolves, above, is_absent, probed)

    def parent_addresses(self, context: Context, cut: ZoneCut) -> list[Address]:
        """Return some addresses of name servers of the zone above."""
        return self._some(context, self.name_servers(context, [cut.parent])[cut.parent])

    def _at_parent(self, context: Context, cut: ZoneCut, servers: Servers) -> tuple[Message | None, bool]:
        """Return the referral of the zone above, and whether it says that the name does not exist."""
        zone, parent = wire.from_text(cut.zone), wire.from_text(f"{cut.parent}.")
        question = ProbeQuestion(zone, _NS)
        asked = [(address, question) for address in self._some(context, servers)]
        replies = probes.ask(context, self.lookup, asked).values()
        answers = [reply.answer for reply in replies if reply.answer is not None]
        referral = next((answer for answer in answers if wire.referral(answer, parent, zone) == zone), None)
        absent = [answer for answer in answers if wire.is_nxdomain(answer) and wire.is_authoritative(answer)]
        return referral, bool(absent) and len(absent) == len(answers)

    def _probe(self, context: Context, zone: Name, servers: Servers) -> tuple[ZoneServer, ...]:
        places = [(name, address) for name, its in servers.items() for address in its]
        places = places if len(places) <= MAX_ADDRESSES else context.random.sample(places, MAX_ADDRESSES)
        by_udp, by_tcp = ProbeQuestion(zone, _SOA), ProbeQuestion(zone, _SOA, is_tcp=True)
        listing = ProbeQuestion(zone, _NS)
        asked = [(address, self.port) for _, address in places if not only_local(address)]
        wanted = [(address, probe) for address in asked for probe in (by_udp, by_tcp, listing)]
        replies = probes.ask(context, self.lookup, wanted)
        probed = []
        for name, address in places:
            udp, tcp, ns = (replies.get(((address, self.port), probe)) for probe in (by_udp, by_tcp, listing))
            serial = next((wire.soa_serial(each.answer) for each in (udp, tcp) if each and each.answer), None)
            states = ("no-route",) * 2 if only_local(address) else (probes.state(udp, zone), probes.state(tcp, zone))
            probed.append(ZoneServer(name, address, *states, serial, _listed(ns, zone)))
        return (*probed, *(ZoneServer(name, "", "", "") for name, its in servers.items() if not its))

    def _some(self, context: Context, servers: Servers) -> list[Address]:
        addresses = [(address, self.port) for its in servers.values() for address in its]
        return context.random.sample(addresses, min(len(addresses), 4))


def plain(name: Name, kind: wire.Type) -> ProbeQuestion:
    """Return a question for recursive servers without validation."""
    return ProbeQuestion(name, kind, recurse=True, unchecked=True)


def _upwards(name: Name) -> list[Name]:
    """Return the name and the names above it, up to the top level."""
    return [name.split(depth)[1] for depth in range(len(name.labels), 1, -1)]


def _path(start: Name, known: Mapping[Name, Message]) -> NamePath:
    upwards = _upwards(start)
    owners = [owner for each in upwards if each in known and (owner := wire.soa_owner(known[each], each)) is not None]
    apexes = list(dict.fromkeys(owners))
    cuts = [
        ZoneCut(wire.shown(zone), _shown(parent))
        for zone, parent in zip(apexes, [*apexes[1:], wire.ROOT], strict=False)  # without any zone, there is none above
        if len(zone.labels) > _TOP_LEVEL
    ]
    above = next((zone for zone in apexes if len(zone.labels) <= _TOP_LEVEL), wire.ROOT)
    zone = apexes[0] if apexes else wire.ROOT
    below = [each for each in upwards if each in known and each != zone and each.is_subdomain(zone)]
    absent = [wire.shown(each) for each in below if wire.is_nxdomain(known[each])]
    return NamePath(tuple(reversed(cuts)), _shown(above), absent[-1] if absent else None)


def _is_broken(start: Name, path: NamePath, known: Mapping[Name, Message]) -> bool:
    """Return whether the recursive servers have no answer for the name, or for a name below its last known zone."""
    zone = path.zone or path.above
    return any(each not in known for each in _upwards(start) if texts_of_names.is_at_or_below(_shown(each), zone))


def _shown(name: Name) -> str:
    return "" if name == wire.ROOT else wire.shown(name)


def _listed(reply: Reply | None, zone: Name) -> tuple[str, ...] | None:
    if reply is None or reply.answer is None or not wire.is_authoritative(reply.answer):
        return None
    return tuple(map(wire.shown, wire.ns_names(reply.answer.answer, zone)))


def _glue(referral: Message, name: Name) -> tuple[str, ...]:
    every = [rrset for kind in _ADDRESS_TYPES for rrset in wire.records(referral.additional, kind)]
    found = [rdata for rrset in every if rrset.name == name for rdata in rrset]
    return tuple(str(at.address) for at in found if isinstance(at, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA))


# ── zone facts ─────────────────────────────────────────────────────────────────────────

# The results of an examination about zones, as plain values.


class ZoneCut(Frozen):
    """A zone on the way to a name.

    :ivar parent: the zone above.
    :ivar resolves: whether the recursive servers can resolve it.
    """

    zone: str
    parent: str
    resolves: bool = True


class NamePath(Frozen):
    """The answers of the recursive servers about a name.

    :ivar cuts: the zones around it, from the top, without top-level domains.
    :ivar above: the nearest zone above, if this is a top-level domain or the root (``""``) and there is no other.
    :ivar absent: the uppermost missing name below the zone, which is the name or a name above it; None if it exists.
    """

    cuts: tuple[ZoneCut, ...]
    above: str
    absent: str | None

    @property
    def zone(self) -> str | None:
        """The zone of the name; None if it is in a top-level domain or the root."""
        return self.cuts[-1].zone if self.cuts else None


class ZoneServer(Frozen):
    """One address of one name server.

    :ivar address: the address; empty if unknown.
    :ivar udp: how it answers over UDP: :func:`dnsrenew.extensions.doctor.survey.probes.state`.
    :ivar tcp: how it answers over TCP.
    :ivar ns: the zone's name servers that it lists; None without an answer.
    """

    name: str
    address: str
    udp: str
    tcp: str
    serial: int | None = None
    ns: tuple[str, ...] | None = None


class ZoneFacts(Frozen):
    """A zone and its name servers.

    :ivar parent_ns: the name servers that the zone above lists; None if unknown.
    :ivar resolves: whether the recursive servers can resolve it.
    :ivar is_absent: whether the servers of the zone above say that the name of the zone does not exist.
    :ivar servers: every address of every name server that the zone above or the zone itself lists.
    """

    zone: str
    parent: str
    resolves: bool
    parent_ns: tuple[str, ...] | None
    is_absent: bool
    servers: tuple[ZoneServer, ...]
