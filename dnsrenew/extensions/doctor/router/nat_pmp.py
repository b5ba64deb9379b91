"""Asks the router for its address by NAT-PMP (RFC 6886 section 3.2): two packets.

NAT-PMP cannot list mappings. Its successor PCP (RFC 6887) tells an address only to one that makes a mapping, which a
diagnosis must not do; servers of PCP answer NAT-PMP too (RFC 6887 appendix A).
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

PORT: Final = 5351
_REQUEST: Final = b"\0\0"
"""Version 0, operation 0: the address."""
_ANSWER: Final = struct.Struct("!BBHI4s")
_ADDRESS: Final = 128
_WAITS: Final = (0.25, 0.5)
"""Seconds for an answer, twice as long each time (RFC 6886 section 3.1); a router needs milliseconds."""


def external_address(context: Context, gateway: str, port: int = PORT) -> str | None:
    """Return the address of the router on its other side; ``0.0.0.0`` if it has none, None if it does not tell.

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
