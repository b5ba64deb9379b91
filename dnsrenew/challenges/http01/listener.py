"""The listeners for http-01, and one listen address as a place for responses."""

from __future__ import annotations

import socket
from typing import Final

from dnsrenew.challenges import texts
from dnsrenew.challenges.http01.server import PATH, HttpServer
from dnsrenew.challenges.listeners import TIMEOUT, Listeners, PortTexts

DEFAULT: Final = ":80"
"""Where every CA connects (RFC 8555 section 8.3); another port works only where something forwards from there to it."""
_MOST_BYTES: Final = 65_536


class HttpListeners(Listeners[bytes]):
    """The listeners for http-01."""

    texts = PortTexts(
        texts.HTTP_PORT_TAKEN,
        texts.HTTP_PORT_TAKEN_UNKNOWN,
        texts.HTTP_PORT_FORBIDDEN,
        texts.HTTP_ADDRESS_MISSING,
        texts.HTTP_PORT_FAILED,
    )

    def start(self, listening: socket.socket) -> HttpServer:
        """Return a running server on a listening socket."""
        return HttpServer(listening, self.monotonic)

    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Return the whole response to one GET, head and body; never through a proxy."""
        answer = b""
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(f"GET {PATH}{key} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while len(answer) < _MOST_BYTES and (data := connection.recv(4096)):
                answer += data
        return answer


SHARED: Final = HttpListeners()
"""A port belongs to the process: two runs in one program share it."""


class Port:
    """One listen address, as a place for responses."""

    def __init__(self, listeners: HttpListeners, listen: str) -> None:
        self._listeners = listeners
        self._listen = listen

    def check(self, _probe: str) -> None:
        """Check whether the port can be opened.

        :raises ChallengeError: it cannot.
        """
        self._listeners.check(self._listen)

    def add(self, token: str, content: bytes) -> None:
        """Serve a response.

        :raises ChallengeError: the port cannot be opened.
        """
        self._listeners.add(self._listen, token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`."""
        self._listeners.remove(self._listen, token, content)

    def problem(self, token: str, content: bytes) -> str | None:
        """Ask for a token as a CA would; return what is wrong with the response, or None."""
        try:
            answers = self._listeners.ask(self._listen, token)
        except OSError as error:
            return f"the listener does not respond ({error.strerror or error})"
        for address, answer in answers.items():
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n" + content):
                return f"{address} responds with something else"
        return None
