"""Asks the router for its address and its port mappings by UPnP (Internet Gateway Device, versions 1 and 2).

Nothing is changed: no mapping is made. Every URL must lead to the router itself.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin
from xml.etree import ElementTree

from dnsrenew.acme.clean import one_line
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.router.ssdp import is_at

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_TIMEOUT: Final = (1.0, 2.0)
_MAX_BYTES: Final = 64 * 1024
_SECONDS: Final = 4.0
"""For all requests together; then what is known so far is returned."""
_CONNECTION: Final = re.compile(r"urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[0-9]{1,2}")
_PORTS: Final = ("80", "443")
_NO_SUCH_INDEX: Final = "713"
_NO_SUCH_ENTRY: Final = "714"
_MOST_SERVICES: Final = 4
_MOST_LISTED: Final = 100
_MOST_MAPPINGS: Final = 16
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

    def to_dict(self) -> dict[str, str | int]:
        """Return the mapping as evidence."""
        return dict(vars(self))


class UpnpRouter(Frozen):
    """What the router said.

    :ivar model: its name for itself.
    :ivar external: its address on the other side; empty: it has none; None: it did not tell.
    :ivar mappings: at least those of ports 80 and 443, if there are any; None: it did not tell.
    """

    model: str = ""
    external: str | None = None
    mappings: tuple[PortMapping, ...] | None = None


# ── the router ──────────────────────────────────────────────────────────────────────────


class _ActionFailed(Exception):
    """The router answers with an error, or does not answer as UPnP says."""


def ask(context: Context, location: str, gateway: str, source: str) -> UpnpRouter:
    """Ask the router that a search has found; what it does not tell properly is None.

    :raises Cancelled: the caller cancelled.
    """
    client = HttpClient(source=source)
    end = context.clock.monotonic() + _SECONDS
    try:
        root = _document(client.request("GET", location, timeout=_TIMEOUT, max_bytes=_MAX_BYTES))
        answers = [each.ask(context, end) for each in _connections(client, root, location, gateway)]
    except (HttpFailure, _ActionFailed):
        return UpnpRouter()
    finally:
        client.close()
    # A router with a line that is off has a service for it too.
    model = one_line(_text(root, "friendlyName"), _MAX_NAME)
    external = [each.external for each in answers if each.external is not None]
    mappings = [each.mappings for each in answers if each.mappings is not None]
    return UpnpRouter(
        model,
        next((each for each in external if each), external[0] if external else None),
        tuple(one for each in mappings for one in each) if mappings else None,
    )


def _connections(client: HttpClient, root: ElementTree.Element, location: str, gateway: str) -> Iterator[_Connection]:
    """Give the services of the description that know the address and the mappings."""
    base = _text(root, "URLBase").strip()
    services = islice((each for each in root.iter() if _name(each) == "service"), _MOST_LISTED)
    found = 0
    for service in services:
        kind = _text(service, "serviceType").strip()
        try:
            url = urljoin(base if is_at(base, gateway) else location, _text(service, "controlURL").strip())
        except ValueError:
            continue
        if found < _MOST_SERVICES and _CONNECTION.fullmatch(kind) and is_at(url, gateway):
            found += 1
            yield _Connection(client, url, kind)


class _Connection:
    """A service of the router: one line to the Internet."""

    def __init__(self, client: HttpClient, url: str, kind: str) -> None:
        self._client = client
        self._url = url
        self._kind = kind

    def ask(self, context: Context, end: float) -> UpnpRouter:
        """Return its address and its mappings."""
        try:
            external = self._call(context, end, "GetExternalIPAddress")["NewExternalIPAddress"].strip()
        except (HttpFailure, _ActionFailed, KeyError):
            return UpnpRouter()
        return UpnpRouter(external=one_line(external, _MAX_NAME), mappings=self._mappings(context, end))

    def _mappings(self, context: Context, end: float) -> tuple[PortMapping, ...] | None:
        """Return the mappings of ports 80 and 443, and the first of the list; None if the router tells neither."""
        found: list[PortMapping | None] = []
        for port in _PORTS:
            key = {"NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP"}
            try:
                found.append(_mapping({**self._call(context, end, "GetSpecificPortMappingEntry", **key), **key}))
            except HttpFailure:
                return None
            except _ActionFailed as error:
                if error.args == (_NO_SUCH_ENTRY,):
                    found.append(None)
        try:
            for index in range(_MOST_MAPPINGS):
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
        response = self._client.request(
            "POST",
            self._url,
            data=_ENVELOPE.format(action=action, service=self._kind, arguments=filled),
            headers={"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{self._kind}#{action}"'},
            timeout=_TIMEOUT,
            max_bytes=_MAX_BYTES,
        )
        root = _document(response)
        if response.status != 200:
            raise _ActionFailed(_text(root, "errorCode").strip())
        answer = next((each for each in root.iter() if _name(each) == f"{action}Response"), None)
        if answer is None:
            raise _ActionFailed("other")
        return {_name(each): each.text or "" for each in answer}


def _mapping(entry: Mapping[str, str]) -> PortMapping | None:
    """Return the mapping of an answer; None if it is off, for few remote hosts only, or malformed."""
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
    """Return the root of a document, which is small and declares no entities: it cannot grow.

    :raises _ActionFailed: it is no such document.
    """
    text = response.body.decode("utf-8", "replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _ActionFailed("doctype")
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # see above
    except (ElementTree.ParseError, ValueError):
        raise _ActionFailed("xml") from None


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: ElementTree.Element, name: str) -> str:
    """Return the text of the first element of this name, or an empty text."""
    return next((each.text or "" for each in element.iter() if _name(each) == name), "")
