"""Whether the outbound route of this host is a VPN, and whether its IPv6 works."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dnsrenew.base.model import Check
from dnsrenew.base.names import is_ip
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.doctor.facts import INBOUND
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.host.internet import cas_used, host_of
from dnsrenew.extensions.doctor.host.machine import (
    LABELS,
    Family,
    OutboundRoute,
    is_global_ipv6,
    outbound_routes,
    own_addresses,
)
from dnsrenew.extensions.doctor.host.names import records

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.doctor.facts import Facts

_CONNECT_SECONDS: Final = 2.0
_DNS_SECONDS: Final = 4.0
_MAX_TRIED: Final = 3


# ── VPN ─────────────────────────────────────────────────────────────────────────────────


def vpn(facts: Facts) -> Check | None:
    """Look at the interfaces through which this host reaches the Internet."""
    return judge_vpn(outbound_routes(facts))


def judge_vpn(routes: Mapping[Family, OutboundRoute | None]) -> Check | None:
    """Return the check; None without an outbound route."""
    found = {family: route for family, route in routes.items() if route is not None}
    if not found:
        return None
    for link, result, text in (("vpn", "bad", texts.VPN_OUT), ("ppp", "unknown", texts.VPN_PPP)):
        tunnels = {family: route for family, route in found.items() if route.link == link}
        if tunnels:
            return Check.of(text, result, _evidence(tunnels))  # type: ignore[arg-type]  # one of the table above
    if not all(route.interface for route in found.values()):
        return Check.of(texts.VPN_UNKNOWN, "unknown", {"addresses": [route.source for route in found.values()]})
    return Check.of(texts.VPN_NONE, "ok", _evidence(found))


def _evidence(routes: Mapping[Family, OutboundRoute]) -> dict[str, Any]:
    return {
        "interfaces": list(dict.fromkeys(route.interface for route in routes.values())),
        "families": [LABELS[family] for family in routes],
    }


# ── IPv6 ────────────────────────────────────────────────────────────────────────────────


def ipv6(facts: Facts, spec: CertificateSpec | None) -> Check:
    """Look for public IPv6 addresses, their route, and a CA that answers by it."""
    own = sorted(filter(is_global_ipv6, own_addresses(facts)))
    route = outbound_routes(facts)["ipv6"]
    works = facts.once("ipv6 works", partial(_works, facts)) if own and route is not None else None
    return judge_ipv6(own, route, records(facts, spec), works=works)


def judge_ipv6(
    own: Sequence[str], route: OutboundRoute | None, found: Mapping[str, Sequence[str]], *, works: bool | None
) -> Check:
    """Return the check.

    A name with both kinds of addresses is not stopped: a CA that gets no connection by IPv6 tries IPv4.

    :param own: the public IPv6 addresses of this host.
    :param found: the addresses of the names.
    :param works: whether a host of a CA that answers by IPv4 answers by IPv6; None: there is none to try.
    """
    named = {name: its for name, its in found.items() if any(":" in each for each in its)}
    evidence: dict[str, Any] = {"addresses": list(own)}
    if own and route is not None and works is not False:
        return Check.of(texts.IPV6_OK if works else texts.IPV6_UNTRIED, "ok", evidence)
    if not own and not named:
        return Check.of(texts.IPV6_NONE, "ok", evidence)
    stopped = [name for name, its in named.items() if all(":" in each for each in its)]
    if named:
        evidence["names"] = stopped or list(named)
    blocks = INBOUND if stopped else ()
    if not own:
        return Check.of(texts.IPV6_ELSEWHERE, "unknown", evidence, blocks=blocks)
    text = texts.IPV6_NO_ROUTE if route is None else texts.IPV6_BROKEN
    return Check.of(text, "bad", evidence, blocks=blocks)


def _works(facts: Facts, context: Context) -> bool | None:
    """Connect to the CAs by IPv6; if that fails, by IPv4, to tell a broken IPv6 from a CA that is down."""
    targets = {host_of(ca.directory): urlsplit(ca.directory).port or 443 for ca in cas_used(facts)}
    domains = [host for host in targets if not is_ip(host)]
    try:
        found = facts.dns.addresses(context.within(_DNS_SECONDS), domains) if domains else {}
    except DnsRenewError:
        return None
    tried = [(host, its) for host, its in found.items() if any(map(is_global_ipv6, its))][:_MAX_TRIED]
    if not tried:
        return None
    by_ipv6 = [(next(filter(is_global_ipv6, its)), targets[host]) for host, its in tried]
    if _any_connects(context, by_ipv6):
        return True
    by_ipv4 = [(each, targets[host]) for host, its in tried for each in its if ":" not in each][:_MAX_TRIED]
    return False if _any_connects(context, by_ipv4) else None


def _any_connects(context: Context, addresses: Sequence[tuple[str, int]]) -> bool:
    return any(task.result() for task in context.call_all([partial(_connects, each) for each in addresses], _MAX_TRIED))


def _connects(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
