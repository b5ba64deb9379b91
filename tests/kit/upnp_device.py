"""A UPnP device and a NAT-PMP server on loopback whose answers a test decides; miniupnpd is in ``router.py``."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.kit.api_server import Answer, Api, Asked

LOOPBACK = "127.0.0.1"
KIND = "urn:schemas-upnp-org:service:WANIPConnection:1"
_SERVICE = "<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>"
_DESCRIPTION = (
    '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><friendlyName>{name}</friendlyName>'
    "<serviceList>{services}</serviceList></device></root>"
)
_FAULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail>'
    '<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode></UPnPError>'
    "</detail></s:Fault></s:Body></s:Envelope>"
)


def description(*services: tuple[str, str], name: str = "Box") -> str:
    """Return a description with services: each with its type and its URL."""
    filled = "".join(_SERVICE.format(kind=kind, url=url) for kind, url in services)
    return _DESCRIPTION.format(name=name, services=filled)


def answer(action: str, **values: str) -> Answer:
    """The answer to an action."""
    body = "".join(f"<{key}>{value}</{key}>" for key, value in values.items())
    inner = f'<u:{action}Response xmlns:u="{KIND}">{body}</u:{action}Response>'
    return 200, f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{inner}</s:Body></s:Envelope>'


def fault(code: int) -> Answer:
    """The answer of an action that fails."""
    return 500, _FAULT.format(code=code)


def mapping(external: str, host: str, port: str, **more: str) -> dict[str, str]:
    """The values of a mapping."""
    keys = ("NewExternalPort", "NewProtocol", "NewInternalClient", "NewInternalPort", "NewEnabled")
    return dict(zip(keys, (external, "TCP", host, port, "1"), strict=True)) | more


@dataclass
class UpnpDevice:
    """A UPnP device with answers of the test.

    :ivar described: its description.
    :ivar external: its address; None: the action fails.
    :ivar entries: what it answers for the list of mappings.
    :ivar knows_ports: whether it can be asked for one port.
    """

    described: str = field(default_factory=lambda: description((KIND, "/ctl")))
    external: str | None = "203.0.115.7"
    entries: list[dict[str, str]] = field(default_factory=list)
    knows_ports: bool = True

    def hook(self, asked: Asked) -> Answer:
        """Answer a request."""
        if asked.method == "GET":
            return 200, self.described
        action = asked.headers["SOAPAction"].strip('"').partition("#")[2]
        if action == "GetExternalIPAddress":
            return fault(501) if self.external is None else answer(action, NewExternalIPAddress=self.external)
        if action == "GetGenericPortMappingEntry":
            index = int(asked.body.partition("<NewPortMappingIndex>")[2].partition("<")[0])
            return answer(action, **self.entries[index]) if index < len(self.entries) else fault(713)
        port = asked.body.partition("<NewExternalPort>")[2].partition("<")[0]
        found = [each for each in self.entries if each.get("NewExternalPort") == port]
        if not self.knows_ports:
            return fault(401)
        return answer(action, **found[0]) if found else fault(714)


@contextlib.contextmanager
def answering(datagram: Callable[[bytes], bytes | None], host: str = LOOPBACK, port: int = 0) -> Iterator[int]:
    """Answer datagrams; yield the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((host, port))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    asked, address = server.recvfrom(2048)
                    if not asked and address[1] == server.getsockname()[1]:
                        return
                    if (said := datagram(asked)) is not None:
                        server.sendto(said, address)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


@contextlib.contextmanager
def serving(device: UpnpDevice) -> Iterator[Api]:
    """Serve a device's pages."""
    with Api(device.hook) as api:
        yield api
