"""How dnsrenew looks at DNS: where a TXT belongs, and whether every name server shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dnsrenew.base import names
from dnsrenew.dns import delegation, propagation, wire
from dnsrenew.dns.caa_lookup import CaaAnswer, CaaLookup
from dnsrenew.dns.delegation import Delegation, Target
from dnsrenew.dns.doh import Doh
from dnsrenew.dns.lookup import Lookup
from dnsrenew.dns.recursive import Recursion
from dnsrenew.dns.wildcard_shadow import shadowed
from dnsrenew.dns.zones import Zones
from dnsrenew.model import PropagationCheck, Resolver, TxtRecord
from dnsrenew.runtime.context import Context

if TYPE_CHECKING:
    from dnsrenew.http import HttpClient


class DnsView:
    """One for a run: zones, name servers and addresses are remembered. Thread-safe.

    :param resolver: whom to ask.
    :param http_factory: makes the client for DNS over HTTPS, when it is needed.
    """

    def __init__(self, resolver: Resolver, http_factory: Callable[[], HttpClient] | None = None) -> None:
        lookup = Lookup()
        self._doh = Doh(resolver.doh, http_factory)
        recursion = Recursion(resolver, lookup, self._doh)
        self._zones = Zones(recursion, lookup, resolver.authoritative_port)
        self._caa = CaaLookup(self._zones, recursion)
        self._closed: set[str] = set()  # challenge names whose zones' servers do not answer here

    def challenge_targets(
        self,
        context: Context,
        identifiers: Sequence[str],
        *,
        follow_cname: bool = True,
        alias: str | None = None,
        check: PropagationCheck = "authoritative",
    ) -> dict[str, Target]:
        """Return where the TXT for each identifier belongs (RFC 8555 section 8.4), all looked up together.

        :param identifiers: A-labels, wildcards too.
        :param follow_cname: whether a CNAME at ``_acme-challenge`` is followed, over several hops.
        :param alias: the end of that CNAME, as the user states it.
        :param check: with anything but ``"authoritative"``, or with DNS over HTTPS configured, it is no error that
            this machine cannot ask the zones' own servers: the name is then taken as it is, with a warning.
        :raises DnsError: ``dns-no-zone``, ``dns-unreachable``, ``cname-loop``, ``cname-dangling``,
            ``alias-not-delegated``.
        """
        starts = {identifier: wire.from_text(delegation.challenge_name(identifier)) for identifier in identifiers}
        must_see = check == "authoritative" and not self._doh
        if not follow_cname and alias is None:
            return self._unfollowed(context, starts)
        way = Delegation(context, self._zones, through_wildcards=alias is not None, must_see=must_see)
        ends = way.follow(starts.values())
        if way.unseen:
            self._closed.update(way.unseen)
            _warn_closed(context, sorted(way.unseen))
        if alias is not None:
            self._arrive(context, ends, wire.from_text(names.to_a_labels(alias)), way.unseen)
        return {identifier: ends[start] for identifier, start in starts.items()}

    def warn_wildcard_shadow(self, context: Context, targets: Mapping[str, Target]) -> None:
        """Warn (``wildcard-shadow``) of domains that vanish while their TXT stands.

        :param targets: what :meth:`challenge_targets` returned.
        """
        for domain in shadowed(context, self._zones, targets):
            parent = domain.partition(".")[2]
            context.warn(
                "wildcard-shadow",
                f"{domain} exists only through *.{parent}, so it will be gone from DNS while the TXT record for its "
                "certificate stands, and for some time after.",
                f"Ask for *.{parent} instead, or give {domain} a record of its own.",
            )

    def caa(self, context: Context, identifiers: Collection[str]) -> dict[str, CaaAnswer]:
        """Return the CAA records that count for each identifier (RFC 8659 section 3), all looked up together.

        It takes four seconds at most: what is not known by then is said to be unknown, and not asked again.

        :param identifiers: A-labels, wildcards too.
        :raises Cancelled: when called away.
        """
        closed = {name for name in identifiers if delegation.challenge_name(name) in self._closed}
        answers = self._caa.find(context, [name for name in identifiers if name not in closed])
        silent = CaaAnswer(trouble="the zone's own name servers do not answer this machine")
        return answers | dict.fromkeys(closed, silent)

    def wait_visible(
        self, context: Context, records: Sequence[TxtRecord], *, timeout: float, settle: float, check: PropagationCheck
    ) -> None:
        """Wait until every address of every name server shows every value, and ``settle`` seconds more.

        :param timeout: seconds until it is an error.
        :param check: ``"doh"``: the DNS-over-HTTPS servers are asked instead, after ``settle``; ``"none"``: nobody.
        :raises PropagationError: ``propagation-timeout``, ``dns-unreachable``.
        :raises Cancelled: when called away, within a second.
        """
        wait = propagation.PropagationWait(context, self._zones, self._doh, timeout=timeout, settle=settle)
        wait.until_visible(records, check)

    def addresses(self, context: Context, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the A and AAAA addresses of hosts; one of which they cannot be found out is left out.

        :raises DnsError: ``dns-unreachable``.
        :raises Cancelled: when called away.
        """
        return self._zones.host_addresses(context, hosts)

    def values(self, context: Context, name: str) -> set[str]:
        """Return the TXT values at a name that any of its name servers' addresses serves now."""
        return propagation.served(context, self._zones, wire.from_text(names.absolute(name)))[0]

    def ttl(self, context: Context, name: str) -> int:
        """Return how long (seconds) a resolver may keep the TXT values that are served at a name now."""
        return propagation.served(context, self._zones, wire.from_text(names.absolute(name)))[1]

    def _arrive(
        self, context: Context, ends: dict[wire.Name, Target], alias: wire.Name, unseen: Collection[str]
    ) -> None:
        """See that every chain ends at the alias; where it could not be followed, believe the user."""
        for start, target in ends.items():
            if target.name in unseen:
                zone = self._zones.zone_of(context, [alias])[alias]
                ends[start] = Target(wire.to_text(alias), (wire.to_text(start),), wire.to_text(zone))
            else:
                delegation.check_alias(target, start, alias)

    def _unfollowed(self, context: Context, starts: Mapping[str, wire.Name]) -> dict[str, Target]:
        zones = self._zones.zone_of(context, starts.values())
        return {
            identifier: Target(wire.to_text(start), (), wire.to_text(zones[start]))
            for identifier, start in starts.items()
        }


def _warn_closed(context: Context, unseen: Sequence[str]) -> None:
    shown = ", ".join(names.relative(name) for name in unseen[:3]) + (" …" if len(unseen) > 3 else "")
    context.warn(
        "dns-closed",
        f"The zones' own name servers do not answer this machine, so it was not looked whether {shown} has a CNAME "
        "record.",
        "If there is such a CNAME record, state where it leads with alias in the route.",
    )
