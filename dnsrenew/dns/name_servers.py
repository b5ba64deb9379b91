"""The name servers of zones and their addresses, by the recursive servers: at most so many of a zone.

Whoever runs a zone chooses what it lists. Without a limit, one zone could make us query thousands of foreign addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import dns.rdatatype

from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import resolvers, texts, wire
from dnsrenew.dns.lookup import FoundAnswer, LookupResult, MissingAnswer, list_reasons, questions
from dnsrenew.dns.query import Address
from dnsrenew.dns.recursive import Recursion
from dnsrenew.dns.wire import DnsQuestion, Name

_NS = dns.rdatatype.NS
_A = dns.rdatatype.A
_AAAA = dns.rdatatype.AAAA

MAX_NAMES: Final = 13
MAX_ADDRESSES: Final = 32


class NameServer(Frozen):
    """One address of one name server; a name server without any has the address ``""``."""

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
        """Return what is known about a zone."""
        return self._servers.get(zone, ())

    def share(self, zone: Name, parent: Name) -> None:
        """Note that a zone has the servers of its parent."""
        self._servers[zone] = self.of(parent)

    def addresses(self, zone: Name) -> list[Address]:
        """Return where the servers of a zone can be queried."""
        return [(server.address, self._port) for server in self.of(zone) if server.address]

    def without_address(self, zone: Name) -> MissingAnswer:
        """Return the result of a query to a zone none of whose servers has a known address."""
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
        chosen = {zone: _choose_names(context, zone, its) for zone, its in names.items()}
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
                self._servers[zone] = _choose_addresses(context, zone, tuple(by_address.values()))

    def _note(self, name: Name, results: Sequence[LookupResult]) -> None:
        found = [wire.addresses(result.answer, name) for result in results if isinstance(result, FoundAnswer)]
        if found:
            self._addresses[name] = tuple(dict.fromkeys(address for group in found for address in group))
        for result in results:
            if isinstance(result, MissingAnswer):
                reasons = {resolvers.host_and_port(*address): reason for address, reason in result.reasons.items()}
                self._failures[wire.shown(name)] = texts.ADDRESS_UNKNOWN.format(answers=list_reasons(reasons))


def _choose_names(context: Context, zone: Name, names: Sequence[Name]) -> Sequence[Name]:
    if len(names) <= MAX_NAMES:
        return names
    context.warn(*texts.MANY_SERVERS.fill(zone=wire.shown(zone), count=len(names), limit=MAX_NAMES))
    return sorted(context.random.sample(names, MAX_NAMES))


def _choose_addresses(context: Context, zone: Name, servers: Sequence[NameServer]) -> tuple[NameServer, ...]:
    if len(servers) <= MAX_ADDRESSES:
        return tuple(servers)
    context.warn(*texts.MANY_ADDRESSES.fill(zone=wire.shown(zone), count=len(servers), limit=MAX_ADDRESSES))
    return tuple(context.random.sample(servers, MAX_ADDRESSES))
