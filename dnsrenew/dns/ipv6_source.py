"""Whether this machine has an address from which a name server can answer it.

Inside a container or a virtual machine there is often a default route for IPv6, and no IPv6 address but a local one
(RFC 4193): the kernel takes every packet, and none comes back.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # RFC 4291 section 2.4, as assigned so far
_LOCAL: Final = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))


def only_local(address: str) -> bool:
    """Tell whether a global IPv6 address would be asked from a local one; nothing is sent to find out.

    It may be reached all the same, where somebody translates addresses (RFC 6296): ask it last, not never.
    """
    if ":" not in address or not _within(address, _GLOBAL):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as link:
            link.connect((address, 53))
            source = str(link.getsockname()[0])
    except OSError:
        return False  # no route at all: that is found out where it is asked
    return _within(source, *_LOCAL)


def _within(address: str, *networks: ipaddress.IPv6Network) -> bool:
    try:
        number = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return False
    return any(number in network for network in networks)
