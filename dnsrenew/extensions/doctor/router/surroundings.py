"""What stands between this host and the Internet: its addresses, and what the router says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew.base import threads
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.extensions.doctor.host.machine import OutboundRoute, is_global_ipv6, outbound_routes, own_addresses
from dnsrenew.extensions.doctor.router import nat_pmp, ssdp, upnp
from dnsrenew.extensions.doctor.router.address_kinds import kind_of
from dnsrenew.extensions.doctor.router.gateway import default_gateway
from dnsrenew.extensions.doctor.router.upnp import PortMapping, UpnpRouter

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.doctor.facts import Facts


class Surroundings(Frozen):
    """What is known of the path from the Internet to this host.

    :ivar host: the IPv4 address that this host sends from; None: it has no IPv4.
    :ivar ipv6: its public IPv6 address, or None.
    :ivar gateway: the router's address in this network; not looked up if the host has a public address.
    :ivar wan: the router's address on the other side, by protocol; empty: it says that it has none.
    :ivar mappings: None: the router does not tell.
    :ivar own: all addresses of this host.
    :ivar ignored: devices that answered as if they were the router.
    """

    host: str | None
    ipv6: str | None = None
    gateway: str | None = None
    wan: Mapping[str, str] = field(default_factory=dict)
    mappings: tuple[PortMapping, ...] | None = None
    own: frozenset[str] = frozenset()
    model: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether the host needs no router to be reached by IPv4."""
        return self.host is not None and kind_of(self.host) == "public"

    @property
    def wan_address(self) -> str | None:
        """The router's address; a public one counts before others. None: it does not tell."""
        known = sorted(self.wan.values(), key=lambda each: kind_of(each) != "public")
        return next((each for each in known if kind_of(each) != "none"), known[0] if known else None)

    def mapping(self, port: int) -> PortMapping | None:
        """Return the mapping of a TCP port."""
        return next((each for each in self.mappings or () if each.external == port and each.protocol == "tcp"), None)

    def evidence(self) -> dict[str, Any]:
        """Return what was found."""
        mappings = None if self.mappings is None else [each.to_dict() for each in self.mappings]
        return {
            "host": self.host,
            "ipv6": self.ipv6,
            "gateway": self.gateway,
            "router": self.model,
            "wan": dict(self.wan),
            "mappings": mappings,
            "ignored": list(self.ignored),
        }

    def forwards_here(self, port: int) -> bool:
        """Tell whether it is certain that a TCP port of the public address leads to this host."""
        mapping = self.mapping(port)
        return self.is_public or (mapping is not None and mapping.host in self.own)


def surroundings(facts: Facts) -> Surroundings:
    """Return the path from the Internet to this host; the router is asked once."""
    routes, own = outbound_routes(facts), frozenset(own_addresses(facts))
    route = routes["ipv4"]
    host = None if route is None else route.source
    return facts.once("surroundings", partial(_find, host, _public(routes["ipv6"]), own))


def _public(route: OutboundRoute | None) -> str | None:
    return route.source if route is not None and is_global_ipv6(route.source) else None


def _find(host: str | None, ipv6: str | None, own: frozenset[str], context: Context) -> Surroundings:
    here = Surroundings(host, ipv6, own=own)
    if host is None or here.is_public:  # no router in front of it translates
        return here
    gateway = default_gateway()
    if gateway is None:
        return here
    nat_pmp_task = threads.start(partial(nat_pmp.external_address, context, gateway))
    router, ignored = context.join(threads.start(partial(_ask_upnp, context, gateway, host)))
    addresses = {"upnp": router.external, "nat-pmp": context.join(nat_pmp_task)}
    return replace(
        here,
        gateway=gateway,
        wan={protocol: address for protocol, address in addresses.items() if address is not None},
        mappings=router.mappings,
        model=router.model,
        ignored=ignored,
    )


def _ask_upnp(context: Context, gateway: str, host: str) -> tuple[UpnpRouter, tuple[str, ...]]:
    found = ssdp.search(context, gateway, host)
    router = UpnpRouter() if found.location is None else upnp.ask(context, found.location, gateway, host)
    return router, found.others
