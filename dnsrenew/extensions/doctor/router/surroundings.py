"""The path between this machine and the Internet: its addresses, and what the router reports."""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Mapping
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, Final, Literal

from dnsrenew.base import subprocesses, threads
from dnsrenew.base.host_port import is_public
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.host.machine import is_global_ipv6, outbound_routes, own_addresses
from dnsrenew.extensions.doctor.router import upnp
from dnsrenew.extensions.doctor.router.upnp import PortMapping, UpnpRouter


class Surroundings(Frozen):
    """The known facts about the path from the Internet to this machine.

    :ivar host: the IPv4 address from which this machine sends; None without IPv4.
    :ivar ipv6: its public IPv6 address, or None.
    :ivar gateway: the router's address in this network; not looked up if the machine has a public address.
    :ivar wan: the router's external address, by protocol; empty if it reports none.
    :ivar mappings: None if the router does not report them.
    :ivar own: all addresses of this machine.
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
        """Whether the machine can be reached by IPv4 without a router."""
        return self.host is not None and kind_of(self.host) == "public"

    @property
    def wan_address(self) -> str | None:
        """The router's external address, preferably a public one; None if the router does not report it."""
        known = sorted(self.wan.values(), key=lambda each: kind_of(each) != "public")
        return next((each for each in known if kind_of(each) != "none"), known[0] if known else None)

    def mapping(self, port: int) -> PortMapping | None:
        """Return the mapping of a TCP port."""
        return next((each for each in self.mappings or () if each.external == port and each.protocol == "tcp"), None)

    def evidence(self) -> dict[str, Any]:
        """Return the findings."""
        mappings = None if self.mappings is None else [dict(vars(each)) for each in self.mappings]
        known = {"host": self.host, "ipv6": self.ipv6, "gateway": self.gateway, "router": self.model}
        return {**known, "wan": dict(self.wan), "mappings": mappings, "ignored": list(self.ignored)}

    def forwards_here(self, port: int) -> bool:
        """Return whether a TCP port of the public address certainly leads to this machine."""
        mapping = self.mapping(port)
        return self.is_public or (mapping is not None and mapping.host in self.own)


def surroundings(facts: Facts) -> Surroundings:
    """Return the path from the Internet to this machine. The router is asked once."""
    routes, own = outbound_routes(facts), frozenset(own_addresses(facts))
    host, ipv6 = (route.source if route is not None else None for route in (routes["ipv4"], routes["ipv6"]))
    here = Surroundings(host, ipv6 if ipv6 is not None and is_global_ipv6(ipv6) else None, own=own)
    if host is None or here.is_public:  # no router in front of it translates
        return here
    return facts.once("surroundings", partial(_find, here, host))


def _find(here: Surroundings, host: str, context: Context) -> Surroundings:
    if (gateway := default_gateway()) is None:
        return here
    nat_pmp_task = threads.start(partial(external_address, context, gateway))
    router, ignored = context.join(threads.start(partial(_ask_upnp, context, gateway, host)))
    told = {"upnp": router.external, "nat-pmp": context.join(nat_pmp_task)}
    wan = {protocol: address for protocol, address in told.items() if address is not None}
    return replace(here, gateway=gateway, wan=wan, mappings=router.mappings, model=router.model, ignored=ignored)


def _ask_upnp(context: Context, gateway: str, host: str) -> tuple[UpnpRouter, tuple[str, ...]]:
    location, others = upnp.search(context, gateway, host)
    return UpnpRouter() if location is None else upnp.ask(context, location, gateway, host), others


# ── gateway ────────────────────────────────────────────────────────────────────────────

# The router: the default gateway for IPv4, from the routing table of the operating system.
#
# psutil does not show routes. Linux has them in /proc, Windows in a function of its IP helper library, and macOS
# prints them.

_GATEWAY_LINE: Final = re.compile(rb"^\s*gateway: ([0-9.]+)\s*$", re.MULTILINE)


def default_gateway(table: str = "/proc/net/route") -> str | None:
    """Return the address of the default gateway; None if it does not exist or cannot be found."""
    if sys.platform == "win32":
        return _from_windows()
    if sys.platform == "darwin":
        return _from_macos()
    try:
        with open(table, encoding="ascii") as file:
            return from_table(file.read())
    except (OSError, ValueError):
        return None


def from_table(text: str) -> str | None:
    """Return the gateway of the default route with the lowest metric, from Linux's /proc/net/route."""
    rows = [line.split() for line in text.splitlines()[1:]]
    # interface, destination, gateway, flags, references, use, metric, mask; addresses in the byte order of the host
    defaults = [row for row in rows if len(row) > 7 and int(row[1], 16) == int(row[7], 16) == 0]
    routes = [(int(row[6]), row[2]) for row in defaults if int(row[3], 16) & 2]  # RTF_GATEWAY
    return socket.inet_ntoa(struct.pack("=I", int(min(routes)[1], 16))) if routes else None


def _from_windows() -> str | None:
    import ctypes

    row = (ctypes.c_uint32 * 14)()  # MIB_IPFORWARDROW: destination, mask, policy, next hop, …
    library = getattr(ctypes, "windll").iphlpapi  # noqa: B009  # exists on Windows only
    failed = library.GetBestRoute(struct.unpack("=I", socket.inet_aton("198.41.0.4"))[0], 0, ctypes.byref(row))
    return socket.inet_ntoa(struct.pack("=I", row[3])) if not failed and row[3] else None


def _from_macos() -> str | None:
    arguments = ["/sbin/route", "-n", "get", "default"]
    try:
        done = subprocesses.run(arguments, env=subprocesses.environment(), seconds=1.0, limit=4096)
    except OSError:
        return None
    found = _GATEWAY_LINE.search(done.output)
    return found[1].decode("ascii") if found else None


# ── nat pmp ────────────────────────────────────────────────────────────────────────────

# Asks the router for its address by NAT-PMP (RFC 6886 section 3.2), with two packets.
#
# NAT-PMP cannot list mappings. Its successor PCP (RFC 6887) tells an address only to one that makes a mapping, which
# a diagnosis must not do; servers of PCP answer NAT-PMP too (RFC 6887 appendix A).

PORT: Final = 5351
_REQUEST: Final = b"\0\0"
"""Version 0, operation 0: the address."""
_ANSWER: Final = struct.Struct("!BBHI4s")
_ADDRESS: Final = 128
_WAITS: Final = (0.25, 0.5)
"""Seconds to wait for an answer, doubled each time (RFC 6886 section 3.1). A router needs milliseconds."""


def external_address(context: Context, gateway: str, port: int = PORT) -> str | None:
    """Return the external address of the router; ``0.0.0.0`` if it has none, None if it does not report it.

    :raises Cancelled: the caller cancelled.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for wait in _WAITS:
            context.check()
            try:
                link.connect((gateway, port))  # only answers of the router are received
                link.settimeout(wait)
                link.send(_REQUEST)
                return _read(link.recv(64))
            except TimeoutError:
                continue
            except OSError:  # refused: the router does not speak it
                return None
    return None


def _read(answer: bytes) -> str | None:
    if len(answer) != _ANSWER.size:
        return None
    version, operation, result, _, address = _ANSWER.unpack(answer)
    return socket.inet_ntoa(address) if (version, operation, result) == (0, _ADDRESS, 0) else None


# ── address kinds ──────────────────────────────────────────────────────────────────────

# What a router's IPv4 address says about the path to it. Pure.

AddressKind = Literal["public", "private", "cgnat", "ds-lite", "none"]
"""``cgnat``: shared by customers of a provider (RFC 6598). ``ds-lite``: the provider translates IPv4 (RFC 6333).

``private``: of a network behind another router, or for documentation or benchmarks. ``none``: not an address of a host.
"""

_CGNAT: Final = IPv4Network("100.64.0.0/10")
_DS_LITE: Final = IPv4Network("192.0.0.0/24")


def kind_of(address: str) -> AddressKind:
    """Return the kind of an IPv4 address. Any other text is ``none``."""
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return "none"
    if found in _CGNAT:
        return "cgnat"
    if found in _DS_LITE:
        return "ds-lite"
    if found.packed[0] in {0, 255} or found.is_loopback or found.is_link_local or found.is_multicast:
        return "none"
    return "public" if is_public(address) else "private"
