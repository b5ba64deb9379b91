"""Whether this machine has an address to which a name server can reply.

Containers and virtual machines often have a default route for IPv6 but only a local IPv6 address (RFC 4193): the
kernel accepts every packet, and no reply comes back.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # RFC 4291 section 2.4, as assigned so far
_LOCAL: Final = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))


def only_local(address: str) -> bool:
    """Tell whether this machine would query a global IPv6 address from a local one; nothing is sent to find out.

    The address may still be reachable if a router translates addresses (RFC 6296): query it last, not never.
    """
    if ":" not in address or not _within(address, _GLOBAL):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
            source = str(sock.getsockname()[0])
    except OSError:
        return False  # no route at all: the query itself reports it
    return _within(source, *_LOCAL)


def _within(address: str, *networks: ipaddress.IPv6Network) -> bool:
    try:
        number = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return False
    return any(number in network for network in networks)
