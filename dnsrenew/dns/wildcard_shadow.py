"""Names that exist only through a wildcard, and vanish while a TXT stands below them (RFC 4592 section 2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.dns import wire
from dnsrenew.dns.delegation import Target, challenge_name, random_child
from dnsrenew.dns.lookup import FoundAnswer, LookupResult
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import Zones
from dnsrenew.runtime.context import Context

_A = dns.rdatatype.A
_Signature = frozenset[tuple[int, str]]


def shadowed(context: Context, zones: Zones, targets: Mapping[str, Target]) -> list[str]:
    """Return the domains (without ``*.``) that a TXT at their target would make vanish.

    Such a domain answers for a random name below it, with just what a random name beside it gets: both come from
    the wildcard above. Nobody is told that this could not be found out.
    """
    suspects = {
        domain: wire.from_text(target.served_zone)
        for identifier, target in targets.items()
        if _is_direct(domain := names.base_domain(identifier), target)
    }
    above = {wire.from_text(domain).parent(): zone for domain, zone in suspects.items()}
    wildcards = _answers(context, zones, above)  # most often it ends here, with one question for all
    suspects = {domain: zone for domain, zone in suspects.items() if wire.from_text(domain).parent() in wildcards}
    below = _answers(context, zones, {wire.from_text(domain): zone for domain, zone in suspects.items()})
    return [
        domain
        for domain in suspects
        if (name := wire.from_text(domain)) in below and below[name] == wildcards[name.parent()]
    ]


def _is_direct(domain: str, target: Target) -> bool:
    return (
        target.name == challenge_name(domain)
        and names.absolute(domain) != target.served_zone
        and (names.is_at_or_below(domain, target.served_zone))
    )


def _answers(context: Context, zones: Zones, parents: Mapping[Name, Name]) -> dict[Name, _Signature]:
    """Return what a random name below each parent has, for the parents where such a name exists."""
    children = {random_child(context, parent): parent for parent in parents}
    results = zones.ask(context, {child: parents[parent] for child, parent in children.items()}, _A)
    return {
        children[child]: signature
        for child, result in results.items()
        if (signature := _signature(result, child)) is not None
    }


def _signature(result: LookupResult, name: Name) -> _Signature | None:
    if not isinstance(result, FoundAnswer) or not wire.is_authoritative(result.answer):
        return None
    rrsets = [rrset for rrset in result.answer.answer if rrset.name == name]
    if wire.is_nxdomain(result.answer) and not rrsets:  # after a CNAME it may be the CNAME's target that is absent
        return None
    return frozenset((int(rrset.rdtype), rdata.to_text()) for rrset in rrsets for rdata in rrset)
