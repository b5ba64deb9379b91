"""The DNS of a run: where a TXT belongs, whether every name server has it, and which CAA records apply."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.checks import CaaAnswer
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import PropagationCheck, Resolver, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import propagation, texts, wire
from dnsrenew.dns.caa_lookup import CaaLookup
from dnsrenew.dns.lookup import Doh, FoundAnswer, Lookup, LookupResult, Recursion, list_reasons
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import ZoneOf, Zones, no_zone, not_registered
from dnsrenew.errors import AttemptError, Cancelled, DnsError

# ── delegation ─────────────────────────────────────────────────────────────────────────

# Finds where the TXT of a challenge belongs: at ``_acme-challenge``, or at the end of the CNAMEs that start there.
#
# A CNAME from a wildcard is no delegation: it disappears when the TXT is written (RFC 4592 section 2.2), so the TXT
# belongs at the name itself. A CNAME is from a wildcard if a random sibling has the same one.

ACME_LABEL: Final = "_acme-challenge"
"""The label of dns-01 (RFC 8555 section 8.4)."""
_MAX_HOPS: Final = 16
_CNAME = dns.rdatatype.CNAME


class Target(Frozen):
    """Where the TXT of a challenge belongs.

    :ivar name: the owner name; absolute.
    :ivar hops: the CNAMEs from the challenge's name to the target, without the target; absolute; empty without a CNAME.
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

    :ivar unverified: names for which no server answered, so that they may have a CNAME.
    :param through_wildcards: whether CNAMEs from a wildcard count, which is right if no TXT is written beside them.
    :param require_answer: whether it is an error if no server of a zone answers. If not, the name is the target.
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
        zones = {sibling: located[name].zone for sibling, name in siblings.items()}
        answers = self._zones.query(self._context, zones, _CNAME)
        for sibling, name in siblings.items():
            result = answers[sibling]
            if isinstance(result, FoundAnswer) and wire.cname_target(result.answer, sibling) == targets[name]:
                del targets[name]

    def _confirm(self, located: Mapping[Name, ZoneOf], targets: dict[Name, Name]) -> None:
        """Query the CNAMEs to other zones again over TCP, and use these answers.

        Without one, the answer over UDP stays.
        """
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
        way = " → ".join(map(names.relative, hops))
        shown = {"name": wire.shown(chain[0]), "last": wire.shown(chain[-1]), "chain": way}
        raise DnsError.of(texts.CNAME_LOOP, shown=shown, hops=hops, only_udp=list(self._seen_by_udp(chain)))

    def _dangling(self, chain: Sequence[Name]) -> DnsError:
        shown = {"name": wire.shown(chain[-2]), "target": wire.shown(chain[-1])}
        hops, only_udp = list(map(wire.to_text, chain)), list(self._seen_by_udp(chain))
        return DnsError.of(texts.CNAME_DANGLING, shown=shown, hops=hops, only_udp=only_udp)


def check_alias(target: Target, start: Name, alias: Name) -> None:
    """Raise an error if the CA would not arrive at the alias by following CNAMEs.

    :raises DnsError: ``alias-not-delegated``.
    """
    if target.name == wire.to_text(alias):
        return
    text = texts.ALIAS_ELSEWHERE if target.hops else texts.ALIAS_WITHOUT_CNAME
    if wire.to_text(alias) in target.hops:
        text = texts.ALIAS_HAS_CNAME
    hops, only_udp, leads_to = list(target.hops), list(target.only_udp), names.relative(target.name)
    its: dict[str, Any] = {"name": wire.shown(start), "alias": wire.shown(alias), "leads_to": leads_to}
    raise DnsError.of(text, **its, hops=hops, only_udp=only_udp)


def random_child(context: Context, name: Name) -> Name:
    """Return a random name directly below ``name``, which can exist only through a wildcard."""
    label = f"_dnsrenew-{context.random.getrandbits(64):016x}"
    child: Name = wire.from_text(label + "." + wire.to_text(name)) if name != wire.ROOT else wire.from_text(label)
    return child


def _unreachable(found: ZoneOf, name: str) -> DnsError:
    servers = [{"address": address, "reason": reason} for (address, _), reason in found.reasons.items()]
    evidence = {"name": names.relative(name), "zone": wire.shown(found.zone), "servers": servers}
    text = texts.ZONE_SILENT if servers else texts.ZONE_WITHOUT_ADDRESS
    answers = list_reasons([(address, reason) for (address, _), reason in found.reasons.items()])
    return DnsError.of(text, shown={"answers": answers}, **evidence)


# ── view ───────────────────────────────────────────────────────────────────────────────

_TARGETS_SECONDS: Final = 18.0
_SHADOW_SECONDS: Final = 3.0
"""With two CAA lookups of four seconds each, everything before an order ends within 30 s."""


class DnsView:
    """One per run: it caches zones, name servers and addresses. Thread-safe.

    :ivar zones: the known zones, with their name servers.
    :ivar lookup: the lookups of the run, which remember servers.
    :ivar recursion: the recursive servers.
    :param resolver: the servers to query.
    :param http_factory: makes the client for DNS over HTTPS when it is needed.
    """

    def __init__(self, resolver: Resolver, http_factory: Callable[[], HttpClient] | None = None) -> None:
        self.lookup = Lookup()
        self._doh = Doh(resolver.doh, http_factory)
        self.recursion = recursion = Recursion(resolver, self.lookup, self._doh)
        self.zones = Zones(recursion, self.lookup, resolver.authoritative_port)
        self._caa = CaaLookup(self.zones, recursion)
        self._caa_by_tcp = CaaLookup(self.zones, recursion, self._caa)
        self._unverified: set[str] = set()  # challenge names in zones whose servers do not answer this machine

    def challenge_targets(
        self,
        context: Context,
        identifiers: Sequence[str],
        *,
        follow_cname: bool = True,
        alias: str | None = None,
        check: PropagationCheck = "authoritative",
        label: str = ACME_LABEL,
    ) -> dict[str, Target]:
        """Return where the TXT for each identifier belongs (RFC 8555 section 8.4), from one lookup for all.

        It takes at most 18 seconds, even if name servers do not answer.

        :param identifiers: A-labels, wildcards too.
        :param follow_cname: whether to follow CNAMEs that start at ``_acme-challenge``, over several hops.
        :param alias: the end of these CNAMEs according to the user.
        :param check: with any value except ``"authoritative"``, or if DNS over HTTPS is configured, it is not an error
            if the zones' own servers do not answer this machine. The name is then the target, with a warning.
        :param label: the label that the challenge type puts before the domain.
        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``, ``cname-loop``, ``cname-dangling``,
            ``alias-not-delegated``.
        """
        starts = {each: wire.from_text(challenge_name(each, label)) for each in identifiers}
        require_answer = check == "authoritative" and not self._doh
        limited = context.within(_TARGETS_SECONDS)
        try:
            if not follow_cname and alias is None:
                return self._without_cnames(limited, starts)
            return self._follow_cnames(limited, starts, alias, require_answer=require_answer)
        except Cancelled:
            context.check()
            raise self._too_slow(identifiers) from None

    def _follow_cnames(
        self, context: Context, starts: Mapping[str, wire.Name], alias: str | None, *, require_answer: bool
    ) -> dict[str, Target]:
        cnames = Delegation(context, self.zones, through_wildcards=alias is not None, require_answer=require_answer)
        ends = cnames.follow(starts.values())
        if cnames.unverified:
            self._unverified.update(cnames.unverified)
            closed = [names.relative(name) for name in sorted(cnames.unverified)]
            context.warn(*texts.DNS_CLOSED.fill(names=_listed(closed)))
        if alias is not None:
            self._apply_alias(context, ends, wire.from_text(names.to_a_labels(alias)), cnames.unverified)
        return {identifier: ends[start] for identifier, start in starts.items()}

    def _too_slow(self, identifiers: Sequence[str]) -> DnsError:
        silent = self.lookup.silent_servers()
        servers = [{"address": address, "reason": reason} for address, reason in silent.items()]
        text = texts.LOOKUPS_SILENT if silent else texts.LOOKUPS_SLOW
        domains = list(dict.fromkeys(map(names.base_domain, identifiers)))
        shown = {"names": _listed(domains), "answers": list_reasons(silent.items())}
        return DnsError.of(text, shown=shown, names=list(identifiers), seconds=_TARGETS_SECONDS, servers=servers)

    def warn_wildcard_shadow(self, context: Context, targets: Mapping[str, Placed]) -> None:
        """Warn (``wildcard-shadow``) about domains that vanish while their TXT exists; it takes at most three seconds.

        :param targets: the place of the TXT for each identifier.
        """
        try:
            domains = self.shadowed(context.within(_SHADOW_SECONDS), targets)
        except Cancelled:
            context.check()
            return
        for domain in domains:
            context.warn(*texts.WILDCARD_SHADOW.fill(domain=domain, parent=domain.partition(".")[2]))

    def shadowed(self, context: Context, targets: Mapping[str, Placed]) -> list[str]:
        """Return the domains (without ``*.``) that a TXT at their target would make vanish.

        A random name below such a domain has the same records as a random sibling of the domain, because both come from
        the wildcard above. A domain that cannot be checked is omitted.

        :raises Cancelled: the caller cancelled.
        """
        direct = {
            wire.from_text(domain): (domain, wire.from_text(target.served_zone))
            for identifier, target in targets.items()
            if _is_direct(domain := names.base_domain(identifier), target)
        }
        parents = {name.parent(): zone for name, (_, zone) in direct.items()}
        wildcards = _child_records(context, self.zones, parents)  # usually empty, after one query for all
        candidates = {name: zone for name, (_, zone) in direct.items() if name.parent() in wildcards}
        below = _child_records(context, self.zones, candidates)
        return [direct[name][0] for name in candidates if name in below and below[name] == wildcards[name.parent()]]

    def caa(self, context: Context, identifiers: Collection[str]) -> dict[str, CaaAnswer]:
        """Return the CAA records that apply to each identifier (RFC 8659 section 3), from one lookup for all.

        It takes at most four seconds. Records that are not found by then are unknown for the rest of the run.

        :param identifiers: A-labels, including wildcards. An IP address has no CAA records (RFC 8659 is about domain
            names), and gets no answer.
        :raises Cancelled: the caller cancelled.
        """
        domains = without_addresses(identifiers)
        closed = {name for name in domains if challenge_name(name) in self._unverified}
        answers = self._caa.find(context, [name for name in domains if name not in closed])
        return answers | dict.fromkeys(closed, CaaAnswer(unknown_reason=texts.CAA_CLOSED))

    def caa_by_tcp(self, context: Context, identifiers: Collection[str]) -> dict[str, CaaAnswer]:
        """Return the same as :meth:`caa` from a second query over TCP, whose answer is hard to forge.

        If TCP is closed, the first answer stays. A denial counts only after this lookup. It takes at most four seconds.

        :raises Cancelled: the caller cancelled.
        """
        first = self._caa.find(context, without_addresses(identifiers))
        doubted = [identifier for identifier, answer in first.items() if not answer.is_tcp]
        return first | self._caa_by_tcp.find(context, doubted)

    def wait_visible(
        self, context: Context, records: Sequence[TxtRecord], *, timeout: float, settle: float, check: PropagationCheck
    ) -> None:
        """Wait until every address of every name server has every value, and ``settle`` seconds more.

        :param timeout: seconds after which a missing value is an error.
        :param check: ``"doh"``: query the DNS-over-HTTPS servers instead, after ``settle``; ``"none"``: query no
            server.
        :raises PropagationError: ``propagation-timeout``, ``dns-unreachable``.
        :raises Cancelled: the caller cancelled; noticed within a second.
        """
        propagation.until_visible(context, self.zones, self._doh, records, timeout=timeout, settle=settle, check=check)

    def addresses(self, context: Context, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the A and AAAA addresses of hosts; a host whose addresses are unknown is omitted.

        :raises DnsError: ``dns-unreachable``.
        :raises Cancelled: the caller cancelled.
        """
        return self.zones.host_addresses(context, hosts)

    def values(self, context: Context, name: str) -> set[str]:
        """Return the TXT values at a name that any address of its name servers serves now."""
        return propagation.served(context, self.zones, wire.from_text(names.absolute(name))).values

    def answered_values(self, context: Context, name: str) -> set[str] | None:
        """Return the TXT values at a name as :meth:`values`; None if no name server answers."""
        served = propagation.served(context, self.zones, wire.from_text(names.absolute(name)))
        return served.values if served.is_answer else None

    def known_values(self, context: Context, name: str) -> set[str] | None:
        """Return the TXT values at a name, from its name servers, or if they do not answer, from recursive servers.

        :returns: None if no server answers.
        :raises Cancelled: the caller cancelled.
        """
        owner = wire.from_text(names.absolute(name))
        with contextlib.suppress(AttemptError):  # a zone without a known server
            served = propagation.served(context, self.zones, owner)
            if served.is_answer:
                return served.values
        question = wire.DnsQuestion(owner, dns.rdatatype.TXT, recurse=True)
        try:
            result = self.recursion.find(context, [question])[question]
        except DnsError:
            return None
        return set(wire.txt_values(result.answer)) if isinstance(result, FoundAnswer) else None

    def ttl(self, context: Context, name: str) -> int:
        """Return the seconds for which a resolver may cache the TXT values that are served at a name now."""
        return propagation.served(context, self.zones, wire.from_text(names.absolute(name))).ttl

    def _apply_alias(
        self, context: Context, ends: dict[wire.Name, Target], alias: wire.Name, unverified: Collection[str]
    ) -> None:
        """Check that every chain ends at the alias. If a chain could not be followed, trust the user."""
        for start, target in ends.items():
            if target.name in unverified:
                zone = self.zones.zone_of(context, [alias])[alias]
                ends[start] = Target(wire.to_text(alias), (wire.to_text(start),), wire.to_text(zone))
            else:
                check_alias(target, start, alias)

    def _without_cnames(self, context: Context, starts: Mapping[str, wire.Name]) -> dict[str, Target]:
        zones = self.zones.zone_of(context, starts.values())
        return {
            identifier: Target(wire.to_text(start), (), wire.to_text(zones[start]))
            for identifier, start in starts.items()
        }


def without_addresses(identifiers: Collection[str]) -> list[str]:
    """Return the identifiers that are domains."""
    return [identifier for identifier in identifiers if not names.is_ip(identifier)]


def _listed(domains: Sequence[str]) -> str:
    return ", ".join(domains[:3]) + (" …" if len(domains) > 3 else "")


# ── wildcard shadow ────────────────────────────────────────────────────────────────────

# Finds names that exist only through a wildcard, and vanish while a TXT exists below them (RFC 4592 section 2.2.2).

_A = dns.rdatatype.A
_RecordData = frozenset[tuple[int, str]]


class Placed(Protocol):
    """Where the TXT for an identifier is placed; both names are absolute."""

    @property
    def name(self) -> str:
        """The owner name of the TXT record."""

    @property
    def served_zone(self) -> str:
        """The zone of the owner name."""


def _is_direct(domain: str, target: Placed) -> bool:
    is_below = names.absolute(domain) != target.served_zone and names.is_at_or_below(domain, target.served_zone)
    return is_below and target.name == challenge_name(domain)


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
