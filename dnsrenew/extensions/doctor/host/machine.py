"""The facts about this machine: its outbound routes, its addresses, what listens, and whether a port can be opened.

No packet is sent. An outbound route is the system's own choice of a route to a public address.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from dnsrenew.base import host_port
from dnsrenew.base.found import Discovery, running_program
from dnsrenew.base.host_port import is_public
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.names import is_ip, is_wildcard
from dnsrenew.base.runtime import Context
from dnsrenew.base.users import user_name
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.http01_server import HttpListeners
from dnsrenew.errors import ChallengeError, DnsRenewError, printable
from dnsrenew.extensions.doctor.facts import Facts, MaybeSpec

Family = Literal["ipv4", "ipv6"]
FAMILIES: Final[tuple[Family, ...]] = ("ipv4", "ipv6")
LABELS: Final[dict[Family, str]] = {"ipv4": "IPv4", "ipv6": "IPv6"}
Link = Literal["vpn", "ppp", "other"]
"""``vpn``: certainly a tunnel (tun, WireGuard, utun). ``ppp``: a VPN, or the line of an Internet provider."""

_SOCKET_FAMILIES: Final = frozenset((socket.AF_INET, socket.AF_INET6))
_ELSEWHERE: Final[dict[Family, tuple[Any, ...]]] = {
    "ipv4": (socket.AF_INET, ("198.41.0.4", 80)),
    "ipv6": (socket.AF_INET6, ("2001:503:ba3e::2:30", 80)),
}
"""A certainly public address: that of a.root-servers.net."""


class OutboundRoute(Frozen):
    """The route of this machine to public addresses of one family.

    :ivar source: the address that it sends from.
    :ivar interface: the only interface with this address; empty if there is not exactly one.
    """

    source: str
    interface: str
    link: Link = "other"


class Listener(Frozen):
    """A TCP socket that listens.

    :ivar pid: the process that opened it; None if only root may see it.
    :ivar program: the name of the program; empty if unknown.
    :ivar user: the name of its user; empty if unknown.
    :ivar is_trusted: whether it belongs to root, to us or to a service, so that its name can be trusted.
    """

    address: str
    port: int
    pid: int | None = None
    program: str = ""
    user: str = ""
    is_trusted: bool = True


class PortFailure(Frozen):
    """Why a port cannot be opened.

    :ivar kind: the end of the error's code: ``port-taken``, ``port-forbidden``, ``address-missing`` or ``port-failed``.
    """

    kind: str
    errno: int | None
    cause: str


class ThisHost:
    """This machine. Tests replace its methods."""

    # ── routes and addresses ────────────────────────────────────────────────────────────

    def outbound_route(self, family: Family) -> OutboundRoute | None:
        """Return the outbound route for a family, or None."""
        kind, address = _ELSEWHERE[family]
        try:
            with socket.socket(kind, socket.SOCK_DGRAM) as link:
                link.connect(address)
                source = str(link.getsockname()[0])
        except OSError:
            return None
        owners = [name for name, its in self.addresses(only_up=False).items() if source in its]
        interface = owners[0] if len(owners) == 1 else ""
        return OutboundRoute(source, interface, link_of(interface))

    def addresses(self, *, only_up: bool = True) -> dict[str, list[str]]:
        """Return the IPv4 and IPv6 addresses of each interface.

        :param only_up: only interfaces that are up and connected; a tunnel may be neither, and still be the outbound
            route.
        """
        up = psutil.net_if_stats()
        return {
            printable(name): [each.address.partition("%")[0] for each in its if each.family in _SOCKET_FAMILIES]
            for name, its in psutil.net_if_addrs().items()
            if not only_up or (name in up and up[name].isup)
        }

    # ── ports ───────────────────────────────────────────────────────────────────────────

    def listeners(self, port: int) -> list[Listener] | None:
        """Return the sockets that listen on a TCP port; None if this user may not see them."""
        try:
            sockets = psutil.net_connections("tcp")
        except (psutil.Error, OSError):  # macOS shows them only to root
            return None
        listening = [(one.laddr, one.pid) for one in sockets if one.status == psutil.CONN_LISTEN]
        return [Listener(at[0], port, pid, *_program(pid)) for at, pid in listening if at and at[1] == port]

    def port_failure(self, listen: str) -> PortFailure | None:
        """Open a port for a moment as a renewal does, without listening; return why this fails, or None."""
        try:
            HttpListeners().check(listen)
        except ChallengeError as error:
            return PortFailure(error.code.removeprefix("http-"), error.evidence["errno"], error.evidence["cause"])
        return None

    def accepts(self, address: str, port: int) -> bool:
        """Return whether this machine accepts connections at one of its own addresses."""
        with suppress(OSError):
            socket.create_connection((address, port), timeout=1.0).close()
            return True
        return False

    def user(self) -> str:
        """Return the name of the running user."""
        return user_name(os.geteuid()) if hasattr(os, "geteuid") else os.environ.get("USERNAME", "?")


def this_host(facts: Facts) -> ThisHost:
    """Return the machine of an examination."""
    return facts.once("this host", lambda _: ThisHost())


# Found once, because we listen on a port ourselves while an outside helper checks it (see router/outside.py).


def port_failure(facts: Facts, listen: str) -> PortFailure | None:
    """Return why a renewal could not open a port, or None."""
    return facts.once(("port failure", listen), lambda _: this_host(facts).port_failure(listen))


def listeners(facts: Facts, port: int) -> list[Listener] | None:
    """Return the sockets of others that listen on a TCP port; None if this user may not see them."""
    return facts.once(("listeners", port), lambda _: this_host(facts).listeners(port))


def outbound_routes(facts: Facts) -> dict[Family, OutboundRoute | None]:
    """Return the outbound route for each family."""
    here = this_host(facts)
    return facts.once("outbound routes", lambda _: {family: here.outbound_route(family) for family in FAMILIES})


def own_addresses(facts: Facts) -> set[str]:
    """Return all addresses of this machine."""
    here = this_host(facts)
    return facts.once("own addresses", lambda _: {address for its in here.addresses().values() for address in its})


def family_of(address: str) -> Family:
    """Return the family of an IP address."""
    return "ipv6" if ":" in address else "ipv4"


def families_here(addresses: Iterable[str], own: Collection[str]) -> list[Family]:
    """Return the address families by which a CA reaches this machine.

    An IPv4 address may belong to the router in front. An IPv6 address that is not ours belongs to another host or a
    proxy.
    """
    return sorted({family_of(each) for each in addresses if family_of(each) == "ipv4" or each in own})


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches an address."""
    return host_port.is_ip(address) and ipaddress.ip_address(address).is_loopback


def is_global_ipv6(address: str) -> bool:
    """Return whether an address is a public IPv6 address."""
    return ":" in address and host_port.is_ip(address) and is_public(address)


# ── the kind of an interface ────────────────────────────────────────────────────────────


def link_of(interface: str, sys: Path = Path("/sys/class/net"), proc: Path = Path("/proc/net")) -> Link:
    """Return the kind of an interface, from Linux's ``/sys`` or on other systems from its name."""
    if not interface:
        return "other"
    if not sys.is_dir():
        return "vpn" if interface.startswith(("utun", "tun", "wg")) else "other"
    kind = list(_lines(sys / interface / "uevent"))
    is_tun = int(next(_lines(sys / interface / "tun_flags"), "0"), 16) & 1  # IFF_TUN; a tap belongs to many containers
    if is_tun or "DEVTYPE=wireguard" in kind:
        return "vpn"
    if "DEVTYPE=ppp" not in kind:
        return "other"
    return "other" if len(list(_lines(proc / "pppoe"))) > 1 else "ppp"  # with PPPoE it is the line of the provider


def _lines(file: Path) -> Iterator[str]:
    try:
        yield from file.read_text("ascii", "replace").splitlines()
    except OSError:
        return


def _program(pid: int | None) -> tuple[str, str, bool]:
    """Return the name of a program, the name of its user, and whether it is trusted."""
    its = running_program(pid) if pid is not None else None
    return (its.name, its.user, Discovery().is_trusted_process(its)) if its is not None else ("", "", False)


# ── names ──────────────────────────────────────────────────────────────────────────────

# The addresses that a certificate's names have in DNS, for the checks of this machine.

Records = Mapping[str, Sequence[str]]
"""The addresses of each identifier to which a CA connects, without identifiers with unknown addresses."""


def records(facts: Facts, spec: MaybeSpec) -> Records:
    """Return the addresses of each identifier; empty if DNS does not answer."""
    if spec is None:
        return {}
    return facts.once(("addresses of names", spec.name), partial(_find, facts, spec))


def _find(facts: Facts, spec: CertificateSpec, context: Context) -> Records:
    found: dict[str, Sequence[str]] = {name: [name] for name in spec.identifiers if is_ip(name)}
    domains = [name for name in spec.identifiers if name not in found and not is_wildcard(name)]
    try:
        return found | facts.dns.addresses(context.within(6.0), domains) if domains else found
    except DnsRenewError:  # the checks of DNS say why
        return found
