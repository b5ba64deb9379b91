"""Ports of the lab with a wrong server. All are context managers with a `port`."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from . import ports
from .delay import SilentServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_ADDRESS = "127.0.0.1"


class _Reserved:
    def __init__(self) -> None:
        """Reserve a port."""
        self._port = ports.reserve(_ADDRESS)
        self.port = self._port.number

    def close(self) -> None:
        """Give it back."""
        self._port.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NobodyThere(_Reserved):
    """A port that refuses connections."""


class NoWay(_Reserved):
    """A port that completes no connection: its queue is full, and the kernel drops every SYN, as a firewall does."""

    def __init__(self) -> None:
        """Listen, and fill the queue."""
        super().__init__()
        self._sockets = [socket.socket() for _ in range(4)]
        listener, *fill = self._sockets
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections are no obstacle
        listener.bind((_ADDRESS, self.port))
        listener.listen(0)
        for each in fill:
            each.setblocking(False)
            each.connect_ex((_ADDRESS, self.port))

    def close(self) -> None:
        """Stop listening."""
        for each in self._sockets:
            each.close()
        super().close()


class Silence(_Reserved):
    """A port that accepts connections and sends nothing: no TLS handshake ends."""

    def __init__(self) -> None:
        """Listen."""
        super().__init__()
        self._server = SilentServer(_ADDRESS, self.port)

    def close(self) -> None:
        """Stop listening."""
        self._server.stop()
        super().close()


class Talker(_Reserved):
    """A server that calls a function with each connection, in a thread of its own, and closes it."""

    def __init__(self, talk: Callable[[socket.socket], object]) -> None:
        """Listen."""
        super().__init__()
        self._talk = talk
        self._listener = socket.create_server((_ADDRESS, self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening; the thread that waits for a connection is woken by the shutdown."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        super().close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with connection, contextlib.suppress(OSError):  # the client went away
            self._talk(connection)


def with_certificate(context: ssl.SSLContext) -> Talker:
    """Return a TLS server that answers 200 to clients that accept its certificate."""

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return Talker(talk)


def plain_http() -> Talker:
    """Return an HTTP server without TLS, which answers a TLS handshake with the status 400."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return Talker(talk)
