"""Finds where the TXT of a challenge belongs: at ``_acme-challenge``, or at the end of the CNAMEs that start there.

A CNAME from a wildcard is no delegation: it disappears when the TXT is written (RFC 4592 section 2.2), so the TXT
belongs at the name itself. A CNAME is from a wildcard if a random sibling has the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import FoundAnswer, list_reasons
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import ZoneOf, Zones, no_zone, not_registered
from dnsrenew.errors import DnsError

ACME_LABEL: Final = "_acme-challenge"
"""The label of dns-01 (RFC 8555 section 8.4)."""
_MAX_HOPS: Final = 16
_CNAME = dns.rdatatype.CNAME


class Target(Frozen):
    """Where the TXT of a challenge belongs.

    :ivar name: its owner name; absolute.
    :ivar hops: the CNAMEs from the challenge's name to the target, without the target; absolute; empty if none.
    :ivar served_zone: the zone of the name by SOA; absolute.
    :ivar only_udp: the hops whose CNAME leads to another zone and was seen over UDP only, because TCP is closed there.
    """

    name: str
    hops: tuple[str, ...]
    served_zone: str
    only_udp: tuple[str, ...] = ()


def challenge_name(identifier: str, label: str = ACME_LABEL) -> str:
    """Return the name that the CA queries (RFC 8555 section 8.4); absolute, in lower case.

    :param label: the label that the challenge type puts before the domain.
    """
    return names.absolute(f"{label}.{names.base_domain(identifier).lower()}")


class Delegation:
    """Follows CNAMEs for one call.

    An answer over UDP can be forged. So a CNAME to another zone is queried a second time over TCP.

    :ivar unverified: names for which no server answered; they may have a CNAME.
    :param through_wildcards: whether CNAMEs from a wildcard count (they do if no TXT is written beside them).
    :param require_answer: whether it is an error if no server of a zone answers; otherwise the name is the target.
    """

    def __init__(self, context: Context, zones: Zones, *, through_wildcards: bool, require_answer: bool) -> None:
        self._context = context
        self._zones = zones
        self._through_wildcards = through_wildcards
        self._require_answer = require_answer
        self.unverified: set[str] = set()
        self._only_udp: set[Name] = set()

    def follow(self, starts: Iterable[Name]) -> dict[Name, Target]:
        """Return the end of the chain that starts at each name.

        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``, ``cname-loop``, ``cname-dangling``.
        """
        chains: dict[Name, list[Name]] = {start: [start] for start in starts}
        ends: dict[Name, Target] = {}
        while open_chains := {start: chain for start, chain in chains.items() if start not in ends}:
            located = self._zones.locate(self._context, [chain[-1] for chain in open_chains.values()])
            targets = self._cname_targets(located)
            for start, chain in open_chains.items():
                name = chain[-1]
                self._check_zone(chain, located[name])
                if name in targets:
                    self._check_hop(chain, targets[name])
                    chain.append(targets[name])
                else:
                    hops = tuple(wire.to_text(hop) for hop in chain[:-1])
                    zone = wire.to_text(located[name].zone)
                    ends[start] = Target(wire.to_text(name), hops, zone, self._seen_by_udp(chain))
        return ends

    def _cname_targets(self, located: Mapping[Name, ZoneOf]) -> dict[Name, Name]:
        """Return the CNAME target of each name that has a CNAME of its own."""
        targets = {
            name: target
            for name, found in located.items()
            if found.answer is not None and (target := wire.cname_target(found.answer, name)) is not None
        }
        if targets and not self._through_wildcards:
            self._drop_wildcards(located, targets)
        if targets:
            self._confirm(located, targets)
        return targets

    def _drop_wildcards(self, located: Mapping[Name, ZoneOf], targets: dict[Name, Name]) -> None:
        siblings = {random_child(self._context, name.parent()): name for name in targets}
        answers = self._zones.query(
            self._context, {sibling: located[name].zone for sibling, name in siblings.items()}, _CNAME
        )
        for sibling, name in siblings.items():
            result = answers[sibling]
            if isinstance(result, FoundAnswer) and wire.cname_target(result.answer, sibling) == targets[name]:
                del targets[name]

    def _confirm(self, located: Mapping[Name, ZoneOf], targets: dict[Name, Name]) -> None:
        """Query the CNAMEs to other zones over TCP, and take these answers; where there is none, that of UDP stands."""
        leaving = {
            name: located[name].zone
            for name, target in targets.items()
            if not target.is_subdomain(located[name].zone) and not located[name].is_tcp
        }
        for name, result in self._zones.query(self._context, leaving, _CNAME, only_tcp=True).items():
            if not isinstance(result, FoundAnswer):
                self._only_udp.add(name)
            elif (target := wire.cname_target(result.answer, name)) is not None:
                targets[name] = target
            else:
                del targets[name]

    def _seen_by_udp(self, chain: Sequence[Name]) -> tuple[str, ...]:
        return tuple(wire.to_text(name) for name in chain if name in self._only_udp)

    def _check_zone(self, chain: Sequence[Name], found: ZoneOf) -> None:
        name = wire.to_text(chain[-1])
        if found.zone == wire.ROOT:
            raise self._dangling(chain) if len(chain) > 1 else no_zone(name)
        if domain := self._zones.unregistered(self._context, chain[-1], found.zone):
            raise self._dangling(chain) if len(chain) > 1 else not_registered(domain)
        if found.answer is None:
            if self._require_answer:
                raise _unreachable(found, name)
            self.unverified.add(name)

    def _check_hop(self, chain: Sequence[Name], target: Name) -> None:
        if target not in chain and len(chain) <= _MAX_HOPS:
            return
        hops = [wire.to_text(hop) for hop in (*chain, target)]
        code, message, fix = texts.CNAME_LOOP.fill(
            name=wire.shown(chain[0]), last=wire.shown(chain[-1]), chain=" → ".join(map(names.relative, hops))
        )
        raise DnsError(code, message, fix=fix, evidence={"hops": hops, "only_udp": list(self._seen_by_udp(chain))})

    def _dangling(self, chain: Sequence[Name]) -> DnsError:
        code, message, fix = texts.CNAME_DANGLING.fill(name=wire.shown(chain[-2]), target=wire.shown(chain[-1]))
        evidence = {"hops": [wire.to_text(hop) for hop in chain], "only_udp": list(self._seen_by_udp(chain))}
        return DnsError(code, message, fix=fix, evidence=evidence)


def check_alias(target: Target, start: Name, alias: Name) -> None:
    """Raise an error if the CA, which follows CNAMEs, would not arrive at the alias.

    :raises DnsError: ``alias-not-delegated``.
    """
    if target.name == wire.to_text(alias):
        return
    text = texts.ALIAS_ELSEWHERE if target.hops else texts.ALIAS_WITHOUT_CNAME
    if wire.to_text(alias) in target.hops:
        text = texts.ALIAS_HAS_CNAME
    raise DnsError.of(
        text,
        name=wire.shown(start),
        alias=wire.shown(alias),
        hops=list(target.hops),
        only_udp=list(target.only_udp),
        leads_to=names.relative(target.name),
    )


def random_child(context: Context, name: Name) -> Name:
    """Return a random name directly below ``name``, which can exist only through a wildcard."""
    label = f"_dnsrenew-{context.random.getrandbits(64):016x}"
    child: Name = wire.from_text(label + "." + wire.to_text(name)) if name != wire.ROOT else wire.from_text(label)
    return child


def _unreachable(found: ZoneOf, name: str) -> DnsError:
    servers = [{"address": address, "reason": reason} for (address, _), reason in found.reasons.items()]
    evidence = {"name": names.relative(name), "zone": wire.shown(found.zone), "servers": servers}
    text = texts.ZONE_SILENT if servers else texts.ZONE_WITHOUT_ADDRESS
    answers = list_reasons({address: reason for (address, _), reason in found.reasons.items()})
    code, message, fix = text.fill(**evidence, answers=answers)
    return DnsError(code, message, fix=fix, evidence=evidence)
