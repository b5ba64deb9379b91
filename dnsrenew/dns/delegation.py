"""Where the TXT of a challenge belongs: ``_acme-challenge``, or the end of the CNAMEs that start there.

A CNAME that is there only through a wildcard is no delegation: it ends where the TXT is written (RFC 4592 section
2.2), so the name itself is the right place. Whether it is one shows when a random name beside it gets the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import FoundAnswer
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import ZoneOf, Zones, no_zone, not_registered
from dnsrenew.errors import DnsError
from dnsrenew.runtime.context import Context

_MAX_HOPS: Final = 16
_CNAME = dns.rdatatype.CNAME


class Target(NamedTuple):
    """Where the TXT of a challenge belongs.

    :ivar name: its owner name; absolute.
    :ivar hops: the CNAMEs gone through, from ``_acme-challenge`` on, without the target; absolute; empty if none.
    :ivar served_zone: the zone that the name is in, by SOA; absolute.
    """

    name: str
    hops: tuple[str, ...]
    served_zone: str


def challenge_name(identifier: str) -> str:
    """Return the name that the CA asks for (RFC 8555 section 8.4); absolute, in lower case."""
    return names.absolute(f"_acme-challenge.{names.base_domain(identifier).lower()}")


class Delegation:
    """Follows CNAMEs for one call.

    :ivar unseen: names that no server could be asked about, and so may have a CNAME all the same.
    :param through_wildcards: whether those of a wildcard count (they do where nothing is written beside them).
    :param must_see: whether it is an error that no server of a zone answers; otherwise the name is taken as it is.
    """

    def __init__(self, context: Context, zones: Zones, *, through_wildcards: bool, must_see: bool) -> None:
        self._context = context
        self._zones = zones
        self._through_wildcards = through_wildcards
        self._must_see = must_see
        self.unseen: set[str] = set()

    def follow(self, starts: Iterable[Name]) -> dict[Name, Target]:
        """Return the end of the chain that starts at each name.

        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``, ``cname-loop``, ``cname-dangling``.
        """
        chains: dict[Name, list[Name]] = {start: [start] for start in starts}
        ends: dict[Name, Target] = {}
        while open_chains := {start: chain for start, chain in chains.items() if start not in ends}:
            places = self._zones.locate(self._context, [chain[-1] for chain in open_chains.values()])
            onward = self._onward(places)
            for start, chain in open_chains.items():
                name = chain[-1]
                self._check_place(chain, places[name])
                if name in onward:
                    self._check_hop(chain, onward[name])
                    chain.append(onward[name])
                else:
                    hops = tuple(wire.to_text(hop) for hop in chain[:-1])
                    ends[start] = Target(wire.to_text(name), hops, wire.to_text(places[name].zone))
        return ends

    def _onward(self, places: Mapping[Name, ZoneOf]) -> dict[Name, Name]:
        """Return where each name's CNAME leads, for the names that have one of their own."""
        onward = {
            name: target
            for name, place in places.items()
            if place.answer is not None and (target := wire.cname_target(place.answer, name)) is not None
        }
        if self._through_wildcards or not onward:
            return onward
        siblings = {random_child(self._context, name.parent()): name for name in onward}
        answers = self._zones.ask(
            self._context, {sibling: places[name].zone for sibling, name in siblings.items()}, _CNAME
        )
        for sibling, name in siblings.items():
            result = answers[sibling]
            if isinstance(result, FoundAnswer) and wire.cname_target(result.answer, sibling) == onward[name]:
                del onward[name]
        return onward

    def _check_place(self, chain: Sequence[Name], place: ZoneOf) -> None:
        name = wire.to_text(chain[-1])
        if place.zone == wire.ROOT:
            raise _dangling(chain) if len(chain) > 1 else no_zone(name)
        if domain := self._zones.unregistered(self._context, chain[-1], place.zone):
            raise _dangling(chain) if len(chain) > 1 else not_registered(domain)
        if place.answer is None:
            if self._must_see:
                raise _unreachable(place, name)
            self.unseen.add(name)

    @staticmethod
    def _check_hop(chain: Sequence[Name], onward: Name) -> None:
        if onward not in chain and len(chain) <= _MAX_HOPS:
            return
        hops = [wire.to_text(hop) for hop in (*chain, onward)]
        first, last = wire.shown(chain[0]), wire.shown(chain[-1])
        raise DnsError(
            "cname-loop",
            f"The CNAME records that start at {first} never end: {' → '.join(map(names.relative, hops))}.",
            fix=f"Change the CNAME record at {last} so that it leads to the name that will hold the TXT.",
            evidence={"hops": hops},
        )


def check_alias(target: Target, start: Name, alias: Name) -> None:
    """Raise when the CA, which follows CNAMEs, would not arrive at the alias.

    :raises DnsError: ``alias-not-delegated``.
    """
    if target.name == wire.to_text(alias):
        return
    first, wanted, end = wire.shown(start), wire.shown(alias), names.relative(target.name)
    if wire.to_text(alias) in target.hops:
        seen = f"The alias {wanted} has a CNAME record itself, which leads on to {end}."
        fix = f'Set alias = "{end}", or remove the CNAME record at {wanted}.'
    elif target.hops:
        seen = f"The CNAME record at {first} leads to {end} and not to the alias {wanted}."
        fix = f"Change it to: {wire.to_text(start)} CNAME {wire.to_text(alias)}"
    else:
        seen = f"There is no CNAME record at {first} that leads to the alias {wanted}, so the CA would not look there."
        fix = f"Create this record at the DNS host of {first}: {wire.to_text(start)} CNAME {wire.to_text(alias)}"
    raise DnsError(
        "alias-not-delegated",
        seen,
        fix=fix,
        evidence={"name": first, "alias": wanted, "hops": list(target.hops), "leads_to": end},
    )


def random_child(context: Context, name: Name) -> Name:
    """Return a name directly below that nobody has thought of."""
    label = f"_dnsrenew-{context.random.getrandbits(64):016x}"
    child: Name = wire.from_text(label + "." + wire.to_text(name)) if name != wire.ROOT else wire.from_text(label)
    return child


def _dangling(chain: Sequence[Name]) -> DnsError:
    hops = [wire.to_text(hop) for hop in chain]
    return DnsError(
        "cname-dangling",
        f"The CNAME record at {wire.shown(chain[-2])} leads to {wire.shown(chain[-1])}, which is in no DNS zone.",
        fix=f"Correct the CNAME record at {wire.shown(chain[-2])}, or remove it so that the TXT is written there.",
        evidence={"hops": hops},
    )


def _unreachable(place: ZoneOf, name: str) -> DnsError:
    zone = wire.shown(place.zone)
    servers = [{"address": address, "reason": reason} for (address, _), reason in place.reasons.items()]
    said = "; ".join(f"{server['address']} {server['reason']}" for server in servers)
    what = f"None of the name servers of {zone} gives an answer ({said})." if said else ""
    return DnsError(
        "dns-unreachable",
        what or f"The zone {zone} has no name server with an address that could be asked.",
        fix=f"Check that the name servers of {zone} run and that this machine may ask them on port 53; "
        "where it may not, set doh under [resolver] in the configuration.",
        evidence={"name": names.relative(name), "zone": zone, "servers": servers},
    )
