"""Finds the CAA records of a domain, or of the nearest name above it that has CAA records (RFC 8659).

Records are read from the zones' own servers. The names above the domain's own zone (``com``) are first queried at the
recursive servers, because their own servers are many and usually there is no record. "No record" from a recursive
server is trusted unless a record is found further up; then the zones' own servers are queried. So a denial never
depends on a recursive server. Home routers answer this type with SERVFAIL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import dns.rdatatype
import dns.rdtypes.ANY.CAA

from dnsrenew.base import names, threads
from dnsrenew.base.checks import CaaAnswer, CaaRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import FoundAnswer, LookupResult, MissingAnswer, Recursion, list_reasons, questions
from dnsrenew.dns.wire import DnsQuestion, Message, Name
from dnsrenew.dns.zones import Zones
from dnsrenew.errors import Cancelled, DnsError

_CAA: Final = dns.rdatatype.CAA
_TOP_LEVEL: Final = 2  # labels, with the root's empty one
_MAX_HOPS: Final = 16
_SECONDS: Final = 4.0
"""For all names together. Unknown records are harmless, and must not delay a renewal."""
_RECURSIVE_SECONDS: Final = 1.5
"""For recursive servers: some home routers drop queries of this type."""


class _NameCaa(Frozen):
    """The CAA records of one name.

    :ivar alias: the target of its CNAME record.
    :ivar sure: whether the zone's own servers say so.
    """

    records: tuple[CaaRecord, ...] = ()
    alias: Name | None = None
    sure: bool = True
    unknown_reason: str = ""
    is_tcp: bool = False


class CaaLookup:
    """Finds CAA records and caches them for the run. Thread-safe: two threads may query the same twice.

    :ivar known: the result at each name.
    :param first: the lookup that this one checks: the zones' own servers are queried over TCP. If they do not answer
        over TCP, the result of the first lookup stays.
    """

    def __init__(self, zones: Zones, recursion: Recursion, first: CaaLookup | None = None) -> None:
        self._zones = zones
        self._recursion = recursion
        self._first = first
        self.known: dict[Name, _NameCaa] = {}

    def find(self, context: Context, identifiers: Iterable[str]) -> dict[str, CaaAnswer]:
        """Return the records that apply to each identifier (for a wildcard, its base domain), from one lookup for all.

        :raises Cancelled: the caller cancelled.
        """
        starts = {each: wire.from_text(names.absolute(names.base_domain(each))) for each in identifiers}
        self._adopt(only_unsure=True)
        bases = [base for base in dict.fromkeys(starts.values()) if self._climb(base)[0] is None]
        if bases and (reason := self._query_within_limit(context, bases)):
            self._adopt()
            for base in bases:
                answer, unsure = self._climb(base)
                if answer is None or unsure:
                    self.known[base] = _NameCaa(unknown_reason=reason)
        answers = {base: self._climb(base)[0] for base in starts.values()}
        incomplete = CaaAnswer(unknown_reason=texts.CAA_INCOMPLETE)
        return {identifier: answers[base] or incomplete for identifier, base in starts.items()}

    # ── queries ─────────────────────────────────────────────────────────────────────────

    def _query_within_limit(self, context: Context, bases: list[Name]) -> str:
        """Query within the time limit; return why the result is incomplete, or an empty text."""
        try:
            self._query(context.within(_SECONDS), bases)
        except DnsError as error:
            return error.message
        except Cancelled:
            context.check()
            return texts.CAA_TIMEOUT.format(seconds=_SECONDS)
        return ""

    def _query(self, context: Context, bases: list[Name]) -> None:
        zones = self._zones.starting_zones(context, bases)
        own = {base: zone for base, zone in zones.items() if len(zone.labels) > _TOP_LEVEL}
        inside = {name: zone for base, zone in own.items() for name in _ancestors(base, zone)}
        above = {name for base in bases for name in _ancestors(base) if name not in inside and name not in self.known}
        # usually needed, so it runs at the same time
        task = threads.start(lambda: self._query_recursive(context, sorted(above)))
        self._query_zones(context, inside)
        candidates = context.join(task)
        open_bases = [base for base in bases if self._climb(base)[0] is None]
        wanted = {name for base in open_bases for name in _ancestors(base) if name in candidates}
        self._query_zones(context, self._zones.enclosing(context, sorted(wanted)))
        while unsure := {name for base in bases for name in self._climb(base)[1]}:
            self._query_zones(context, self._zones.enclosing(context, sorted(unsure)))

    def _query_zones(self, context: Context, zones: Mapping[Name, Name]) -> None:
        """Query the zone's servers for each name (name → zone), including deeper zones and CNAME targets."""
        remaining = dict(zones)
        for _ in range(_MAX_HOPS):
            remaining = {name: zone for name, zone in remaining.items() if not self._is_sure(name)}
            for name in [name for name, zone in remaining.items() if zone == wire.ROOT]:
                self.known[name] = _unknown(texts.CAA_NO_ZONE, name)
                del remaining[name]
            if not remaining:
                return
            remaining = self._query_zones_once(context, remaining)
        self.known.update({name: _unknown(texts.CAA_REFERRALS, name) for name in remaining})

    def _query_zones_once(self, context: Context, zones: Mapping[Name, Name]) -> dict[Name, Name]:
        """Query once; return the names to query next (name → zone)."""
        referred: dict[Name, Name] = {}
        aliases: dict[Name, Name] = {}
        for name, result in self._zones.query(context, zones, _CAA, only_tcp=self._first is not None).items():
            zone = zones[name]
            if isinstance(result, MissingAnswer) and not result.answered and name in self._earlier():
                self.known[name] = self._earlier()[name]
            elif isinstance(result, MissingAnswer):
                text = texts.CAA_ZONE_SILENT if result.reasons else texts.CAA_NO_ADDRESS
                self.known[name] = _unknown(text, name, result, zone)
            elif cut := wire.referral(result.answer, zone, name):
                referred[name] = cut
            else:
                found = self.known[name] = replace(_read(result.answer, name), is_tcp=result.is_tcp)
                if found.alias is not None and found.alias not in self.known:
                    aliases[found.alias] = zone
        return referred | self._zones_of(context, aliases)

    def _zones_of(self, context: Context, aliases: Mapping[Name, Name]) -> dict[Name, Name]:
        """Return the zone of each alias to query (alias → the zone of the name that has it)."""
        near = {alias: zone for alias, zone in aliases.items() if alias.is_subdomain(zone)}
        elsewhere = self._zones.enclosing(context, [alias for alias in aliases if alias not in near])
        near |= {alias: zone for alias, zone in elsewhere.items() if len(zone.labels) > _TOP_LEVEL}
        candidates = self._query_recursive(context, [alias for alias in elsewhere if alias not in near])
        return near | self._zones.enclosing(context, candidates)

    def _query_recursive(self, context: Context, wanted: Iterable[Name]) -> list[Name]:
        """Query the recursive servers; return the names for which the zones' own servers must be queried."""
        candidates = []
        for question, result in self._recursive_results(context, questions(wanted, _CAA, recurse=True)).items():
            name = question.name
            if isinstance(result, FoundAnswer) and not any(wire.records(result.answer.answer, _CAA)):
                self.known[name] = _NameCaa(sure=False)
            elif isinstance(result, MissingAnswer) and len(name.labels) <= _TOP_LEVEL:
                text = texts.CAA_RECURSIVE if result.reasons else texts.CAA_RECURSIVE_SILENT
                self.known[name] = _unknown(text, name, result)
            else:
                candidates.append(name)
        return candidates

    def _recursive_results(self, context: Context, wanted: list[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        try:
            return self._recursion.find(context.within(_RECURSIVE_SECONDS), wanted)
        except (Cancelled, DnsError):
            context.check()
            return dict.fromkeys(wanted, MissingAnswer({}, answered=False))

    # ── results ─────────────────────────────────────────────────────────────────────────

    def _climb(self, base: Name) -> tuple[CaaAnswer | None, list[Name]]:
        """Return the records that apply to a domain, or None if not enough names were queried.

        The second value lists the names below the records for which only a recursive server says "no record".
        """
        unsure: list[Name] = []
        is_tcp = True
        for name in _ancestors(base):
            end, found = self._follow(name)
            if found is None:
                return None, []
            if found.unknown_reason:
                return CaaAnswer(unknown_reason=found.unknown_reason), []
            is_tcp = is_tcp and found.is_tcp
            if found.records:
                return CaaAnswer(found.records, wire.shown(name), wire.shown(end), is_tcp=is_tcp), unsure
            if not found.sure:
                unsure.append(end)
        return CaaAnswer(), []

    def _follow(self, name: Name) -> tuple[Name, _NameCaa | None]:
        """Return the end of the CNAMEs that start at a name, and its records.

        It counts as TCP only if each hop does.
        """
        end, is_tcp = name, True
        for _ in range(_MAX_HOPS):
            found = self.known.get(end)
            if found is None or found.alias is None:
                return end, replace(found, is_tcp=False) if found and found.is_tcp and not is_tcp else found
            end, is_tcp = found.alias, is_tcp and found.is_tcp
        return end, _unknown(texts.CAA_CNAME_LOOP, name)

    def _earlier(self) -> Mapping[Name, _NameCaa]:
        return self._first.known if self._first is not None else {}

    def _adopt(self, *, only_unsure: bool = False) -> None:
        """Use the result of the first lookup for names without an answer in this one."""
        for name, found in list(self._earlier().items()):
            if not self._is_sure(name) and not (only_unsure and found.sure):
                self.known[name] = found

    def _is_sure(self, name: Name) -> bool:
        found = self.known.get(name)
        return found is not None and found.sure


@lru_cache(maxsize=4096)
def _ancestors(name: Name, last: Name | None = None) -> tuple[Name, ...]:
    """Return the name and the names above it, up to ``last`` or the top level."""
    if name == wire.ROOT:
        return ()
    return (name,) if name == last else (name, *_ancestors(name.parent(), last))


def _read(answer: Message, name: Name) -> _NameCaa:
    alias = wire.cname_target(answer, name)
    if alias is not None:
        return _NameCaa(alias=alias)
    found = [
        CaaRecord(rdata.flags, rdata.tag.decode("latin-1"), rdata.value.decode("latin-1"))
        for rrset in wire.records(answer.answer, _CAA)
        if rrset.name == name
        for rdata in rrset
        if isinstance(rdata, dns.rdtypes.ANY.CAA.CAA)
    ]
    return _NameCaa(tuple(found))


def _unknown(text: str, name: Name, result: MissingAnswer | None = None, zone: Name = wire.ROOT) -> _NameCaa:
    reasons = {address: reason for (address, _), reason in result.reasons.items()} if result else {}
    reason = text.format(name=wire.shown(name), zone=wire.shown(zone), answers=list_reasons(reasons.items()))
    return _NameCaa(unknown_reason=reason)
