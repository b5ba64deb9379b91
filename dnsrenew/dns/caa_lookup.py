"""The CAA records that count for a domain: its own, or those of the nearest name above that has some (RFC 8659).

What is found is read at the zones' own servers. The names above a domain's own zone (``com``) are asked for at the
recursive servers first, because their many servers would cost a lot and most often there is nothing: "nothing" is
believed as long as no record turns up anywhere, and read at the zones' own servers otherwise. So a denial never rests
on a recursive server; home routers answer this type with SERVFAIL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import dns.rdatatype
import dns.rdtypes.ANY.CAA

from dnsrenew.base import names, threads
from dnsrenew.base.values import replace
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import FoundAnswer, LookupResult, MissingAnswer, questions
from dnsrenew.dns.recursive import Recursion
from dnsrenew.dns.wire import DnsQuestion, Message, Name
from dnsrenew.dns.zones import Zones
from dnsrenew.errors import Cancelled, DnsError
from dnsrenew.runtime.context import Context

_CAA: Final = dns.rdatatype.CAA
_TOP_LEVEL: Final = 2  # labels, the root's empty one included
_MAX_HOPS: Final = 16
_SECONDS: Final = 4.0
"""For all names together: not to know is no harm, and must not hold up a renewal."""
_GLANCE_SECONDS: Final = 1.5
"""For recursive servers: some home routers drop questions of this type."""


class CaaRecord(NamedTuple):
    """One CAA record (RFC 8659 section 4.1).

    :ivar value: one character for each octet.
    """

    flags: int
    tag: str
    value: str


class CaaAnswer(NamedTuple):
    """The CAA records that count for a domain.

    :ivar records: empty when neither the domain nor a name above it has some, and when it is not known.
    :ivar found_at: the domain that has them, without the final dot: the domain itself or one above.
    :ivar owner: the name that holds them: another one when ``found_at`` has a CNAME record.
    :ivar trouble: why it is not known; a clause without a full stop. Empty when it is.
    """

    records: tuple[CaaRecord, ...] = ()
    found_at: str | None = None
    owner: str | None = None
    trouble: str = ""


class _Seen(NamedTuple):
    """What one name has.

    :ivar alias: where its CNAME leads.
    :ivar sure: whether its zone's own servers say so.
    """

    records: tuple[CaaRecord, ...] = ()
    alias: Name | None = None
    sure: bool = True
    trouble: str = ""


class CaaLookup:
    """Finds CAA records; each name is asked about once a run. Thread-safe: two may ask the same thing twice."""

    def __init__(self, zones: Zones, recursion: Recursion) -> None:
        self._zones = zones
        self._recursion = recursion
        self._seen: dict[Name, _Seen] = {}

    def find(self, context: Context, identifiers: Iterable[str]) -> dict[str, CaaAnswer]:
        """Return what counts for each identifier (a wildcard: for its base domain), all looked up together.

        :raises Cancelled: when called away.
        """
        starts = {identifier: _start(identifier) for identifier in identifiers}
        bases = [base for base in dict.fromkeys(starts.values()) if self._climb(base)[0] is None]
        if bases and (trouble := self._look_within(context, bases)):
            for base in bases:
                self._give_up(base, trouble)
        answers = {base: self._climb(base)[0] for base in starts.values()}
        unseen = CaaAnswer(trouble="not every name on the way up could be looked at")
        return {identifier: answers[base] or unseen for identifier, base in starts.items()}

    # ── asking ──────────────────────────────────────────────────────────────────────────

    def _look_within(self, context: Context, bases: list[Name]) -> str:
        """Look, but not for long; return why not everything could be seen."""
        try:
            self._look(_bounded(context, _SECONDS), bases)
        except DnsError as error:
            return error.message.removesuffix(".")
        except Cancelled:
            context.check()
            return f"the name servers did not answer within {_SECONDS:.0f} seconds"
        return ""

    def _look(self, context: Context, bases: list[Name]) -> None:
        zones = self._zones.enclosing(context, bases)
        own = {base: zone for base, zone in zones.items() if len(zone.labels) > _TOP_LEVEL}
        inside = {name: zone for base, zone in own.items() for name in _upwards(base, zone)}
        above = {name for base in bases for name in _upwards(base) if name not in inside and name not in self._seen}
        glance = threads.start(lambda: self._glance(context, sorted(above)))  # most often it is needed: not one by one
        self._see(context, inside)
        suspects = context.join(glance)
        open_bases = [base for base in bases if self._climb(base)[0] is None]
        wanted = {name for base in open_bases for name in _upwards(base) if name in suspects}
        self._see(context, self._zones.enclosing(context, sorted(wanted)))
        while doubtful := {name for base in bases for name in self._climb(base)[1]}:
            self._see(context, self._zones.enclosing(context, sorted(doubtful)))

    def _see(self, context: Context, places: Mapping[Name, Name]) -> None:
        """Ask the servers of its zone about each name (name → zone), of deeper zones too, and about their aliases."""
        left = dict(places)
        for _ in range(_MAX_HOPS):
            left = {name: zone for name, zone in left.items() if not self._is_sure(name)}
            for name in [name for name, zone in left.items() if zone == wire.ROOT]:
                self._seen[name] = _Seen(trouble=f"{wire.shown(name)} is in no DNS zone")
                del left[name]
            if not left:
                return
            left = self._see_once(context, left)
        self._seen.update({name: _Seen(trouble=f"the way to {wire.shown(name)} does not end") for name in left})

    def _see_once(self, context: Context, places: Mapping[Name, Name]) -> dict[Name, Name]:
        """Return what is to be asked about next."""
        further: dict[Name, Name] = {}
        aliases: dict[Name, Name] = {}
        for name, result in self._zones.ask(context, places, _CAA).items():
            zone = places[name]
            if isinstance(result, MissingAnswer):
                self._seen[name] = _Seen(trouble=_why(name, zone, result))
            elif cut := wire.referral(result.answer, zone, name):
                further[name] = cut
            else:
                seen = self._seen[name] = _read(result.answer, name)
                if seen.alias is not None and seen.alias not in self._seen:
                    aliases[seen.alias] = zone
        return further | self._places_of(context, aliases)

    def _places_of(self, context: Context, aliases: Mapping[Name, Name]) -> dict[Name, Name]:
        """Return the zone of each alias (alias → the zone of the name that has it), where it is worth asking."""
        near = {alias: zone for alias, zone in aliases.items() if alias.is_subdomain(zone)}
        elsewhere = self._zones.enclosing(context, [alias for alias in aliases if alias not in near])
        near |= {alias: zone for alias, zone in elsewhere.items() if len(zone.labels) > _TOP_LEVEL}
        suspects = self._glance(context, [alias for alias in elsewhere if alias not in near])
        return near | self._zones.enclosing(context, suspects)

    def _glance(self, context: Context, wanted: Iterable[Name]) -> list[Name]:
        """Ask the recursive servers; return the names that are to be asked about at their zones' own servers."""
        suspects = []
        for question, result in self._glances(context, questions(wanted, _CAA, recurse=True)).items():
            name = question.name
            if isinstance(result, FoundAnswer) and not any(wire.records(result.answer.answer, _CAA)):
                self._seen[name] = _Seen(sure=False)
            elif isinstance(result, MissingAnswer) and len(name.labels) <= _TOP_LEVEL:
                self._seen[name] = _Seen(trouble=_unanswered(name, result))
            else:
                suspects.append(name)
        return suspects

    def _glances(self, context: Context, wanted: list[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        try:
            return self._recursion.find(_bounded(context, _GLANCE_SECONDS), wanted)
        except (Cancelled, DnsError):
            context.check()
            return dict.fromkeys(wanted, MissingAnswer({}, heard=False))

    # ── concluding ──────────────────────────────────────────────────────────────────────

    def _climb(self, base: Name) -> tuple[CaaAnswer | None, list[Name]]:
        """Return what counts for a domain, None when not enough has been seen for that.

        With it the names below the records that only a recursive server calls empty.
        """
        unsure: list[Name] = []
        for name in _upwards(base):
            end, seen = self._follow(name)
            if seen is None:
                return None, []
            if seen.trouble:
                return CaaAnswer(trouble=seen.trouble), []
            if seen.records:
                return CaaAnswer(seen.records, wire.shown(name), wire.shown(end)), unsure
            if not seen.sure:
                unsure.append(end)
        return CaaAnswer(), []

    def _follow(self, name: Name) -> tuple[Name, _Seen | None]:
        """Return the end of the CNAMEs that start at a name, and what is there."""
        end = name
        for _ in range(_MAX_HOPS):
            seen = self._seen.get(end)
            if seen is None or seen.alias is None:
                return end, seen
            end = seen.alias
        return end, _Seen(trouble=f"the CNAME records that start at {wire.shown(name)} never end")

    def _is_sure(self, name: Name) -> bool:
        seen = self._seen.get(name)
        return seen is not None and seen.sure

    def _give_up(self, base: Name, trouble: str) -> None:
        """See that a domain is not looked at again in this run."""
        answer, unsure = self._climb(base)
        if answer is None or unsure:
            self._seen[base] = _Seen(trouble=trouble)


def _bounded(context: Context, seconds: float) -> Context:
    end = context.clock.monotonic() + seconds
    return replace(context, deadline=end if context.deadline is None else min(end, context.deadline))


def _start(identifier: str) -> Name:
    return wire.from_text(names.absolute(names.base_domain(identifier)))


@lru_cache(maxsize=4096)
def _upwards(name: Name, last: Name | None = None) -> tuple[Name, ...]:
    """Return the name and those above it, up to ``last`` or the top level."""
    if name == wire.ROOT:
        return ()
    return (name,) if name == last else (name, *_upwards(name.parent(), last))


def _read(answer: Message, name: Name) -> _Seen:
    alias = wire.cname_target(answer, name)
    if alias is not None:
        return _Seen(alias=alias)
    found = [
        CaaRecord(rdata.flags, rdata.tag.decode("latin-1"), rdata.value.decode("latin-1"))
        for rrset in wire.records(answer.answer, _CAA)
        if rrset.name == name
        for rdata in rrset
        if isinstance(rdata, dns.rdtypes.ANY.CAA.CAA)
    ]
    return _Seen(tuple(found))


def _why(name: Name, zone: Name, result: MissingAnswer) -> str:
    said = "; ".join(f"{address} {reason}" for (address, _), reason in result.reasons.items())
    why = said or "none of them has an address"
    return f"the name servers of {wire.shown(zone)} do not say whether {wire.shown(name)} has CAA records ({why})"


def _unanswered(name: Name, result: MissingAnswer) -> str:
    said = "; ".join(f"{address} {reason}" for (address, _), reason in result.reasons.items())
    return f"no recursive DNS server says whether {wire.shown(name)} has CAA records ({said or 'none answers in time'})"
