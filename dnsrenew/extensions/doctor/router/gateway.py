"""The router: the default gateway for IPv4, from the routing table of the operating system.

psutil does not show routes. Linux has them in /proc, Windows in a function of its IP helper library, and macOS prints
them.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
from typing import Final

_IS_GATEWAY: Final = 2  # RTF_GATEWAY
_SECONDS: Final = 1.0
_MOST: Final = 4096
_GATEWAY_LINE: Final = re.compile(rb"^\s*gateway: ([0-9.]+)\s*$", re.MULTILINE)


def default_gateway(table: str = "/proc/net/route") -> str | None:
    """Return the address of the default gateway; None if there is none, or it cannot be found out."""
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
    routes = [
        (int(row[6]), row[2])
        for row in rows
        if len(row) > 7 and int(row[1], 16) == int(row[7], 16) == 0 and int(row[3], 16) & _IS_GATEWAY
    ]
    return socket.inet_ntoa(struct.pack("=I", int(min(routes)[1], 16))) if routes else None


def _from_windows() -> str | None:
    import ctypes

    row = (ctypes.c_uint32 * 14)()  # MIB_IPFORWARDROW: destination, mask, policy, next hop, …
    library = getattr(ctypes, "windll").iphlpapi  # noqa: B009  # exists on Windows only
    failed = library.GetBestRoute(struct.unpack("=I", socket.inet_aton("198.41.0.4"))[0], 0, ctypes.byref(row))
    return socket.inet_ntoa(struct.pack("=I", row[3])) if not failed and row[3] else None


def _from_macos() -> str | None:
    from dnsrenew.base import subprocesses

    arguments = ["/sbin/route", "-n", "get", "default"]
    try:
        done = subprocesses.run(arguments, env=subprocesses.environment(), seconds=_SECONDS, limit=_MOST)
    except OSError:
        return None
    found = _GATEWAY_LINE.search(done.output)
    return found[1].decode("ascii") if found else None
