"""Finds names that exist only through a wildcard, and vanish while a TXT exists below them (RFC 4592 section 2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.runtime.context import Context
from dnsrenew.dns import wire
from dnsrenew.dns.delegation import challenge_name, random_child
from dnsrenew.dns.lookup import FoundAnswer, LookupResult
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import Zones

_A = dns.rdatatype.A
_RecordData = frozenset[tuple[int, str]]


class Placed(Protocol):
    """Where the TXT for an identifier is placed; both names are absolute."""

    @property
    def name(self) -> str:
        """The owner name of the TXT record."""

    @property
    def served_zone(self) -> str:
        """The zone of that name."""


def shadowed(context: Context, zones: Zones, targets: Mapping[str, Placed]) -> list[str]:
    """Return the domains (without ``*.``) that a TXT at their target would make vanish.

    A random name below such a domain has the same records as a random sibling of the domain: both come from the
    wildcard above. A domain that cannot be checked is omitted.
    """
    candidates = {
        domain: wire.from_text(target.served_zone)
        for identifier, target in targets.items()
        if _is_direct(domain := names.base_domain(identifier), target)
    }
    parents = {wire.from_text(domain).parent(): zone for domain, zone in candidates.items()}
    wildcards = _child_records(context, zones, parents)  # usually empty, after one query for all
    candidates = {domain: zone for domain, zone in candidates.items() if wire.from_text(domain).parent() in wildcards}
    below = _child_records(context, zones, {wire.from_text(domain): zone for domain, zone in candidates.items()})
    return [
        domain
        for domain in candidates
        if (name := wire.from_text(domain)) in below and below[name] == wildcards[name.parent()]
    ]


def _is_direct(domain: str, target: Placed) -> bool:
    return (
        target.name == challenge_name(domain)
        and names.absolute(domain) != target.served_zone
        and (names.is_at_or_below(domain, target.served_zone))
    )


def _child_records(context: Context, zones: Zones, parents: Mapping[Name, Name]) -> dict[Name, _RecordData]:
    """Return the records of a random name below each parent (parent → zone), if such a name exists."""
    children = {random_child(context, parent): parent for parent in parents}
    results = zones.query(context, {child: parents[parent] for child, parent in children.items()}, _A)
    return {
        children[child]: records
        for child, result in results.items()
        if (records := _records_in(result, child)) is not None
    }


def _records_in(result: LookupResult, name: Name) -> _RecordData | None:
    if not isinstance(result, FoundAnswer) or not wire.is_authoritative(result.answer):
        return None
    rrsets = [rrset for rrset in result.answer.answer if rrset.name == name]
    if wire.is_nxdomain(result.answer) and not rrsets:  # after a CNAME, NXDOMAIN may be about the target
        return None
    return frozenset((int(rrset.rdtype), rdata.to_text()) for rrset in rrsets for rdata in rrset)
