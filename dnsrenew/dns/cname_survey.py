"""What every address of the name servers of a zone says about the CNAME record of a name, at this moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import probes, texts, wire
from dnsrenew.dns.delegation import random_child
from dnsrenew.dns.ipv6_source import only_local
from dnsrenew.dns.probes import ProbeKey, ProbeQuestion
from dnsrenew.dns.query import Address, Reply
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zone_survey import Survey
from dnsrenew.dns.zones import lame_reason

_CNAME: Final = dns.rdatatype.CNAME
_OTHERS: Final = {
    kind: dns.rdatatype.to_text(kind)
    for kind in (
        dns.rdatatype.TXT,
        dns.rdatatype.A,
        dns.rdatatype.AAAA,
        dns.rdatatype.MX,
        dns.rdatatype.NS,
    )
}
"""Types of records beside which a CNAME record cannot stand (RFC 1034 section 3.6.2)."""


class CnameAnswer(Frozen):
    """What one address says about a name.

    :ivar server: the name of the name server.
    :ivar target: where the CNAME record of the name leads, without the final dot; None without one of its own.
    :ivar of_wildcard: where the CNAME record of a wildcard leads that stands for the name too; None without one.
    :ivar doubled: whether a CNAME record stands at the name with the zone once more behind it
        (``_acme-challenge.example.com.example.com``), as it does if the DNS host adds the zone itself.
    :ivar reason: why the address did not answer with authority, as a clause that continues "the server …".
    """

    server: str
    address: str
    target: str | None = None
    of_wildcard: str | None = None
    doubled: bool = False
    reason: str = ""


class CnameSurvey:
    """Asks the servers of each zone; their addresses are found once."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._servers: dict[str, list[tuple[str, str]]] = {}

    def ask(self, context: Context, zones: Mapping[str, str]) -> dict[str, list[CnameAnswer]]:
        """Return the answers of every address for each name (name → its zone), all asked at once.

        A zone whose servers are unknown, or to which this host has no route, has no answers.

        :raises DnsError: ``dns-unreachable``: no recursive server answers.
        :raises Cancelled: the caller cancelled.
        """
        siblings = {name: wire.shown(random_child(context, wire.from_text(name).parent())) for name in zones}
        doubled = {name: _doubled(name, zone) for name, zone in zones.items()}
        wanted = {
            (address, ProbeQuestion(wire.from_text(each), _CNAME))
            for name, zone in zones.items()
            for _, address in self._addresses(context, zone)
            for each in filter(None, (name, siblings[name], doubled[name]))
        }
        replies = self._ask(context, wanted)
        found: dict[str, list[CnameAnswer]] = {name: [] for name in zones}
        for name, zone in zones.items():
            for server, address in self._addresses(context, zone):
                reply, sibling, twice = (
                    replies.get((address, ProbeQuestion(wire.from_text(each), _CNAME))) if each else None
                    for each in (name, siblings[name], doubled[name])
                )
                if reply is None or not reply.no_route:
                    found[name].append(_answer((server, address[0]), (reply, sibling, twice), wire.from_text(zone)))
        return found

    def beside(self, context: Context, zones: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the types of the records at each name (name → its zone) that a CNAME record cannot stand beside.

        Records of a wildcard are none: a CNAME record of the name takes their place.
        """
        siblings = {name: wire.shown(random_child(context, wire.from_text(name).parent())) for name in zones}
        wanted = {
            (address, ProbeQuestion(wire.from_text(each), kind))
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

    def _addresses(self, context: Context, zone: str) -> list[tuple[str, Address]]:
        """Return the addresses of the name servers of a zone, each with the name of its server."""
        if zone not in self._servers:
            servers = self._survey.name_servers(context, [zone])[zone]
            self._servers[zone] = list(_usable(servers))
        return [(name, (address, self._survey.port)) for name, address in self._servers[zone]]

    def _ask(self, context: Context, wanted: Collection[ProbeKey]) -> dict[ProbeKey, Reply]:
        """Return the replies; what is not answered over UDP is asked over TCP."""
        replies = probes.ask(context, self._survey.lookup, wanted)
        again = {
            (address, ProbeQuestion(question.name, question.type, is_tcp=True)): (address, question)
            for address, question in wanted
            if (reply := replies.get((address, question))) is None or (reply.answer is None and not reply.no_route)
        }
        if again:
            by_tcp = probes.ask(context, self._survey.lookup, again)
            replies |= {again[key]: reply for key, reply in by_tcp.items() if reply.answer is not None}
        return replies


def _usable(servers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Give each address once; those that this host can only reach in its own network are left out."""
    seen = set[str]()
    for name, addresses in servers.items():
        for address in addresses:
            if address not in seen and not only_local(address):
                seen.add(address)
                yield name, address


def _doubled(name: str, zone: str) -> str | None:
    """Return the name with the zone once more behind it; None if that would be too long."""
    twice = f"{name}.{zone}"
    return twice if len(twice) < wire.MAX_NAME - 1 else None


def _answer(server: tuple[str, str], replies: Sequence[Reply | None], zone: Name) -> CnameAnswer:
    """Return what a server says.

    :param replies: for the name, for a random sibling, and for the name with the zone once more behind it.
    """
    reply, sibling, twice = replies
    if reply is None or reply.answer is None:
        return CnameAnswer(*server, reason=texts.NO_REPLY if reply is None else reply.reason)
    if not wire.is_positive(reply.answer):
        return CnameAnswer(*server, reason=texts.RCODE.format(rcode=wire.rcode_text(reply.answer)))
    if not wire.is_authoritative(reply.answer):
        return CnameAnswer(*server, reason=lame_reason(zone, reply.answer))
    target, of_wildcard = _target(reply), _target(sibling)
    is_own = target is not None and target != of_wildcard
    return CnameAnswer(*server, target if is_own else None, of_wildcard, _target(twice) not in {None, of_wildcard})


def _target(reply: Reply | None) -> str | None:
    if reply is None or reply.answer is None:
        return None
    target = wire.cname_target(reply.answer, reply.question.name)
    return None if target is None else names.relative(wire.to_text(target))
