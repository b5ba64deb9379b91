"""Searches for the router by SSDP, the first step of UPnP.

Any device of the network may answer. Only the default gateway is believed, and only an URL that leads to it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

PORT: Final = 1900
_GROUP: Final = "239.255.255.250"
_TARGETS: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""What is searched for; devices of version 2 answer for version 1. Some routers answer only for their services."""
_SEARCH: Final = 'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{port}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {target}\r\n\r\n'
_SEARCH_WAITS: Final = (0.4, 0.8)
"""Seconds for answers to the first search, and to the second one."""
_LOCATION: Final = re.compile(rb"^location:[ \t]*(\S+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_MOST_OTHERS: Final = 5
_MOST_ANSWERS: Final = 50


class RouterSearch(Frozen):
    """The answers to a search.

    :ivar location: the URL of the router's description; None: it did not answer.
    :ivar others: addresses of devices that answered and are not the router.
    """

    location: str | None
    others: tuple[str, ...] = ()


def search(context: Context, gateway: str, source: str, port: int = PORT) -> RouterSearch:
    """Search for the router.

    :param source: the address of this host in the network of the router.
    :raises Cancelled: the caller cancelled.
    """
    others: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            link.bind((source, 0))
            link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        except OSError:
            return RouterSearch(None)
        for wait in _SEARCH_WAITS:
            _send_searches(link, gateway, port)
            for sender, answer in _answers(context, link, wait):
                location = _LOCATION.search(answer)
                url = location[1].decode("ascii", "replace") if location else ""
                if sender == gateway and is_at(url, gateway):
                    return RouterSearch(url, tuple(others))
                if sender not in {gateway, *others} and len(others) < _MOST_OTHERS:
                    others.append(sender)
    return RouterSearch(None, tuple(others))


def _send_searches(link: socket.socket, gateway: str, port: int) -> None:
    for host in (gateway, _GROUP):
        for target in _TARGETS:
            try:
                link.sendto(_SEARCH.format(host=host, port=port, target=target).encode("ascii"), (host, port))
            except OSError:  # no route, or a firewall of this host
                break


def _answers(context: Context, link: socket.socket, seconds: float) -> Iterator[tuple[str, bytes]]:
    end = context.clock.monotonic() + seconds
    for _ in range(_MOST_ANSWERS):
        context.check()
        left = end - context.clock.monotonic()
        if left <= 0:
            return
        link.settimeout(left)
        try:
            answer, address = link.recvfrom(2048)
        except TimeoutError:
            return
        except OSError:  # the router refuses: an answer of somebody else may follow
            continue
        yield address[0], answer


def is_at(url: str, gateway: str) -> bool:
    """Tell whether a URL leads to the router itself, and to nothing else of this network."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname == gateway and parts.port != 0 and parts.username is None
    except ValueError:
        return False
