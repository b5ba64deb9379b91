"""The listeners for http-01, and the responder of one listen address."""

from __future__ import annotations

import socket
from typing import Final

from dnsrenew.challenges import texts as shared_texts
from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.http01.server import PATH, HttpServer, TokenResponse
from dnsrenew.challenges.listeners import TIMEOUT, Listeners, PortTexts

DEFAULT: Final = ":80"
"""The port that every CA uses (RFC 8555 section 8.3); another one needs a forwarding from port 80."""
_MAX_BYTES: Final = 65_536


class HttpListeners(Listeners[TokenResponse]):
    """The listeners for http-01."""

    texts = PortTexts(
        texts.PORT_TAKEN,
        texts.PORT_TAKEN_UNKNOWN,
        texts.PORT_FORBIDDEN,
        texts.ADDRESS_MISSING,
        texts.PORT_FAILED,
    )

    def start(self, listening: socket.socket) -> HttpServer:
        """Return a running server on a listening socket."""
        return HttpServer(listening, self.monotonic)

    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Return the whole response to one GET, head and body; never use a proxy."""
        response = b""
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(f"GET {PATH}{key} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while len(response) < _MAX_BYTES and (data := connection.recv(4096)):
                response += data
        return response


SHARED: Final = HttpListeners()
"""Shared by all runs in a process, since a port belongs to the process."""


class Port:
    """The responder of one identifier on one listen address."""

    def __init__(self, listeners: HttpListeners, listen: str, host: str) -> None:
        self._listeners = listeners
        self._listen = listen
        self._host = host

    def check(self, _probe: str) -> None:
        """Check whether the port can be opened.

        :raises ChallengeError: it cannot.
        """
        self._listeners.check(self._listen)

    def add(self, token: str, content: bytes) -> None:
        """Serve a response.

        :raises ChallengeError: the port cannot be opened.
        """
        self._listeners.add(self._listen, token, TokenResponse(self._host, content))

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`."""
        self._listeners.remove(self._listen, token, TokenResponse(self._host, content))

    def problem(self, token: str, content: bytes) -> str | None:
        """Request a token as a CA would; return what is wrong with the response, as a clause, or None."""
        try:
            answers = self._listeners.ask(self._listen, token)
        except OSError as error:
            return shared_texts.LISTENER_SILENT.format(reason=error.strerror or error)
        for address, answer in answers.items():
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n" + content):
                return texts.OTHER_RESPONSE.format(address=address)
        return None
