"""Serves the responses to http-01 challenges (RFC 8555 section 8.3), and nothing else."""

from __future__ import annotations

import re
import socket
from typing import Final

from dnsrenew.challenges.server import MOST_BYTES, ChallengeServer, Client

PATH: Final = "/.well-known/acme-challenge/"

_REQUEST: Final = re.compile(
    rb"(?P<method>GET|HEAD) (?:http://[^/ ]+)?/\.well-known/acme-challenge/(?P<token>[A-Za-z0-9_-]+) HTTP/1\.[0-9]\r?\n"
)
_END: Final = re.compile(rb"\r?\n\r?\n")


class HttpServer(ChallengeServer[bytes]):
    """Serves key authorizations by token."""

    def read(self, client: Client) -> bool:
        """Collect the request and respond when its head is complete."""
        data = client.socket.recv(MOST_BYTES)
        if not data:
            return False
        if not client.answered:
            client.received += data
            if _END.search(client.received) or len(client.received) >= MOST_BYTES:
                self.farewell(client)
                client.socket.send(self._response(client.received))  # a few hundred bytes: any send buffer takes them
                client.socket.shutdown(socket.SHUT_WR)
        return True

    def _response(self, request: bytes) -> bytes:
        match = _REQUEST.match(request)
        content = None if match is None else self.contents.get(match["token"].decode("ascii"))
        if match is None or content is None:
            return _message("404 Not Found", b"")
        return _message("200 OK", content, body=match["method"] == b"GET")


def _message(status: str, content: bytes, *, body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(content)}\r\n"
        # A proxy must not cache a 404 that was right a second ago.
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if body else b"")
