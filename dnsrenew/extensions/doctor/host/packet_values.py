"""What is known of the packet's interface and sender, for all readers of rules."""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase

from dnsrenew.extensions.doctor.host.packet_path import Applies, Packet


def interface_is(name: str, packet: Packet) -> Applies:
    """Tell whether the packet arrives on an interface; ``eth*`` and iptables' ``eth+`` stand for several."""
    if name == "lo":
        return Applies.NO
    if not packet.interface:
        return Applies.UNKNOWN
    return Applies.YES if fnmatchcase(packet.interface, name.replace("+", "*")) else Applies.NO


def is_public_sender(network: str) -> Applies:
    """Tell whether a sender on the Internet is in a network; nobody knows the addresses of a CA."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:  # a range, or a name
        return Applies.SOME
    if parsed.prefixlen == 0:
        return Applies.YES
    return Applies.SOME if parsed.is_global else Applies.NO
