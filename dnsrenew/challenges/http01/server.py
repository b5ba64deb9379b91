"""Serves the responses to http-01 challenges (RFC 8555 section 8.3), and nothing else."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.server import MAX_BYTES, ChallengeServer, Client

PATH: Final = "/.well-known/acme-challenge/"

_REQUEST: Final = re.compile(
    rb"(?P<method>GET|HEAD) (?:http://[^/ ]+)?/\.well-known/acme-challenge/(?P<token>[A-Za-z0-9_-]+) HTTP/1\.[0-9]\r?\n"
)
_END: Final = re.compile(rb"\r?\n\r?\n")
_HOST: Final = re.compile(rb"\nhost:[ \t]*+(?P<host>[^\s:]*|\[[^\s\]]*\])(?::[0-9]*)?[ \t]*\r?\n", re.IGNORECASE)
_REFERER: Final = re.compile(rb"\nreferer:[ \t]*https?://(?P<host>[^\s:/]+)", re.IGNORECASE)


class TokenResponse(Frozen):
    """The response for one token.

    :ivar host: the identifier that it validates.
    """

    host: str
    body: bytes


class HttpServer(ChallengeServer[TokenResponse]):
    """Serves key authorizations by token."""

    def read(self, client: Client) -> bool:
        """Collect the request and respond when its head is complete."""
        data = client.socket.recv(MAX_BYTES)
        if not data:
            return False
        if not client.answered:
            client.received += data
            if _END.search(client.received) or len(client.received) >= MAX_BYTES:
                self.farewell(client)
                client.socket.send(self._response(client.received))  # a few hundred bytes: any send buffer takes them
                client.socket.shutdown(socket.SHUT_WR)
        return True

    def _response(self, request: bytes) -> bytes:
        match = _REQUEST.match(request)
        found = None if match is None else self.contents.get(match["token"].decode("ascii"))
        if match is None or found is None or _is_foreign(request, {each.host for each in self.contents.all()}):
            return _message("404 Not Found", b"")
        return _message("200 OK", found.body, body=match["method"] == b"GET")


def _is_foreign(request: bytes, hosts: Collection[str]) -> bool:
    """Tell whether a request is for a host that is not being validated, as after DNS rebinding.

    A CA that followed a redirect to another host names the validated one as the referrer. A proxy may send an address,
    a name without a dot, or none.
    """
    host = _name(_HOST, request)
    if "." not in host or host in hosts or host_port.is_ip(host):
        return False
    return _name(_REFERER, request) not in hosts


def _name(header: re.Pattern[bytes], request: bytes) -> str:
    """Return the host in a header, or an empty text."""
    match = header.search(request)
    return "" if match is None else match["host"].decode("latin-1").lower().strip("[]").rstrip(".")


def _message(status: str, content: bytes, *, body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(content)}\r\n"
        # A proxy must not cache a 404 that was right a second ago.
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if body else b"")
