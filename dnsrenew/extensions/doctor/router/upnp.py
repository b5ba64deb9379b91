"""Asks the router for its address and its port mappings by UPnP (Internet Gateway Device, versions 1 and 2).

It makes no mapping and changes nothing. Every URL must lead to the router itself.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Final
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

from dnsrenew.acme.resources import one_line
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen

_TIMEOUT: Final = (1.0, 2.0)
_MAX_BYTES: Final = 64 * 1024
_SECONDS: Final = 4.0
"""The time limit of all requests together. After that, the results so far are returned."""
_CONNECTION: Final = re.compile(r"urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[0-9]{1,2}")
_NO_SUCH_INDEX: Final = "713"
_NO_SUCH_ENTRY: Final = "714"
_ENVELOPE: Final = (
    '<?xml version="1.0"?>\r\n'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
    '<s:Body><u:{action} xmlns:u="{service}">{arguments}</u:{action}></s:Body></s:Envelope>'
)
_MAX_NAME: Final = 60


class PortMapping(Frozen):
    """A port that the router forwards.

    :ivar host: the address of a host in this network.
    """

    external: int
    protocol: str
    host: str
    port: int


class UpnpRouter(Frozen):
    """The answers of the router.

    :ivar model: the name that it gives itself.
    :ivar external: its external address; empty if it has none; None if it did not report it.
    :ivar mappings: the mappings, at least for ports 80 and 443; None if it did not report them.
    """

    model: str = ""
    external: str | None = None
    mappings: tuple[PortMapping, ...] | None = None


# ── the router ──────────────────────────────────────────────────────────────────────────


class _ActionFailed(Exception):
    """The router answers with an error, or not according to UPnP."""


def ask(context: Context, location: str, gateway: str, source: str) -> UpnpRouter:
    """Ask the router that a search has found. Missing or malformed answers are None.

    :raises Cancelled: the caller cancelled.
    """
    end = context.clock.monotonic() + _SECONDS
    try:
        with closing(HttpClient(source=source)) as client:
            root = _document(client.request("GET", location, timeout=_TIMEOUT, max_bytes=_MAX_BYTES))
            answers = [each.ask(context, end) for each in _connections(client, root, location, gateway)]
    except (HttpFailure, _ActionFailed):
        return UpnpRouter()
    # A router also has a service for a line that is off.
    model = one_line(root.findtext(".//{*}friendlyName", ""), _MAX_NAME)
    external = [each.external for each in answers if each.external is not None]
    mappings = [each.mappings for each in answers if each.mappings is not None]
    address = next((each for each in external if each), external[0] if external else None)
    return UpnpRouter(model, address, tuple(one for each in mappings for one in each) if mappings else None)


def _connections(client: HttpClient, root: ElementTree.Element, location: str, gateway: str) -> Iterator[_Connection]:
    """Yield the services in the description that have the address and the mappings."""
    base = root.findtext(".//{*}URLBase", "").strip()
    found = 0
    for service in islice(root.iterfind(".//{*}service"), 100):
        kind = service.findtext("{*}serviceType", "").strip()
        try:
            url = urljoin(base if is_at(base, gateway) else location, service.findtext("{*}controlURL", "").strip())
        except ValueError:
            continue
        if found < 4 and _CONNECTION.fullmatch(kind) and is_at(url, gateway):
            found += 1
            yield _Connection(client, url, kind)


class _Connection:
    """A service of the router: one line to the Internet."""

    def __init__(self, client: HttpClient, url: str, kind: str) -> None:
        self._client, self._url, self._kind = client, url, kind

    def ask(self, context: Context, end: float) -> UpnpRouter:
        """Return its address and its mappings."""
        try:
            external = self._call(context, end, "GetExternalIPAddress")["NewExternalIPAddress"].strip()
        except (HttpFailure, _ActionFailed, KeyError):
            return UpnpRouter()
        return UpnpRouter(external=one_line(external, _MAX_NAME), mappings=self._mappings(context, end))

    def _mappings(self, context: Context, end: float) -> tuple[PortMapping, ...] | None:
        """Return the mappings of ports 80 and 443, and the first of the list; None if the router reports neither."""
        found: list[PortMapping | None] = []
        for port in ("80", "443"):
            key = {"NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP"}
            try:
                found.append(_mapping({**self._call(context, end, "GetSpecificPortMappingEntry", **key), **key}))
            except HttpFailure:
                return None
            except _ActionFailed as error:
                if error.args == (_NO_SUCH_ENTRY,):
                    found.append(None)
        try:
            for index in range(16):
                entry = self._call(context, end, "GetGenericPortMappingEntry", NewPortMappingIndex=str(index))
                found.append(_mapping(entry))
        except HttpFailure:
            pass
        except _ActionFailed as error:
            if error.args in {(_NO_SUCH_INDEX,), (_NO_SUCH_ENTRY,)}:
                found.append(None)
        return tuple(dict.fromkeys(each for each in found if each is not None)) if found else None

    def _call(self, context: Context, end: float, action: str, /, **arguments: str) -> Mapping[str, str]:
        context.check()
        if context.clock.monotonic() >= end:
            raise _ActionFailed("late")
        filled = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
        url, body = self._url, _ENVELOPE.format(action=action, service=self._kind, arguments=filled)
        headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{self._kind}#{action}"'}
        response = self._client.request("POST", url, data=body, headers=headers, timeout=_TIMEOUT, max_bytes=_MAX_BYTES)
        root = _document(response)
        if response.status != 200:
            raise _ActionFailed(root.findtext(".//{*}errorCode", "").strip())
        if (answer := root.find(f".//{{*}}{action}Response")) is None:
            raise _ActionFailed("other")
        return {str(each.tag).rpartition("}")[2]: each.text or "" for each in answer}


def _mapping(entry: Mapping[str, str]) -> PortMapping | None:
    """Return the mapping of an answer; None if it is off, limited to some remote hosts, or malformed."""
    if entry.get("NewEnabled", "1").strip() in {"0", "false", "no"} or entry.get("NewRemoteHost", "").strip():
        return None
    try:
        external, port = int(entry["NewExternalPort"]), int(entry["NewInternalPort"])
        host = socket.inet_ntoa(socket.inet_pton(socket.AF_INET, entry["NewInternalClient"].strip()))
    except (KeyError, ValueError, OSError):
        return None
    if not (0 <= external < 65536 and 0 < port < 65536):
        return None
    return PortMapping(external, "udp" if entry.get("NewProtocol", "").strip().upper() == "UDP" else "tcp", host, port)


# ── XML ─────────────────────────────────────────────────────────────────────────────────


def _document(response: Response) -> ElementTree.Element:
    """Return the root of a document, which is small and declares no entities, so that it cannot grow.

    :raises _ActionFailed: the text is not such a document.
    """
    text = response.body.decode("utf-8", "replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _ActionFailed("doctype")
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # see above
    except (ElementTree.ParseError, ValueError):
        raise _ActionFailed("xml") from None


# ── ssdp ───────────────────────────────────────────────────────────────────────────────

# Searches for the router by SSDP, the first step of UPnP.
#
# Any device of the network may answer. Only the default gateway, and only a URL that leads to it, is trusted.

PORT: Final = 1900
_GROUP: Final = "239.255.255.250"
_TARGETS: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""The search targets. Devices of version 2 answer for version 1. Some routers answer only for their services."""
_SEARCH: Final = 'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{port}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {target}\r\n\r\n'
_SEARCH_WAITS: Final = (0.4, 0.8)
"""Seconds for answers to the first search, and to the second one."""
_LOCATION: Final = re.compile(rb"^location:[ \t]*(\S+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def search(context: Context, gateway: str, source: str, port: int = PORT) -> tuple[str | None, tuple[str, ...]]:
    """Search for the router: return the URL of its description, and addresses of other devices that answered.

    :param source: the address of this machine in the network of the router.
    :raises Cancelled: the caller cancelled.
    """
    others: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            link.bind((source, 0))
            link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        except OSError:
            return None, ()
        for wait in _SEARCH_WAITS:
            _send_searches(link, gateway, port)
            for sender, answer in _answers(context, link, wait):
                location = _LOCATION.search(answer)
                url = location[1].decode("ascii", "replace") if location else ""
                if sender == gateway and is_at(url, gateway):
                    return url, tuple(others)
                if sender not in {gateway, *others} and len(others) < 5:
                    others.append(sender)
    return None, tuple(others)


def _send_searches(link: socket.socket, gateway: str, port: int) -> None:
    for host in (gateway, _GROUP):
        for target in _TARGETS:
            try:
                link.sendto(_SEARCH.format(host=host, port=port, target=target).encode("ascii"), (host, port))
            except OSError:  # no route, or a firewall of this machine
                break


def _answers(context: Context, link: socket.socket, seconds: float) -> Iterator[tuple[str, bytes]]:
    end = context.clock.monotonic() + seconds
    for _ in range(50):
        context.check()
        left = end - context.clock.monotonic()
        if left <= 0:
            return
        link.settimeout(left)
        try:
            answer, address = link.recvfrom(2048)
        except TimeoutError:
            return
        except OSError:  # the router refuses, but an answer of another device may follow
            continue
        yield address[0], answer


def is_at(url: str, gateway: str) -> bool:
    """Return whether a URL leads to the router itself and not to another device of this network."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname == gateway and parts.port != 0 and parts.username is None
    except ValueError:
        return False
