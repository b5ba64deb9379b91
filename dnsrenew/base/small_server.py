"""A small HTTP server: a thread for each request, with limits on clients, bytes and time.

A client has some seconds to send its request, and again to take the answer. A request has at most 8 KiB. If there are
too many clients, the oldest client of the largest group is dropped (:class:`~dnsrenew.base.clients.Clients`).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self

from dnsrenew.base import files, host_port, threads
from dnsrenew.base.clients import Clients

MAX_REQUEST: Final = 8192
"""Maximum bytes of a request."""
PLAIN: Final = "text/plain; charset=utf-8"
_END_OF_HEADERS: Final = (b"\r\n\r\n", b"\n\n")
_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
_ROOM: Final = 0.5
"""Seconds in which a dropped client hands its thread to the next one."""


class BackgroundServer(socketserver.BaseServer):
    """A server in a daemon thread. The threads that it starts are daemon threads too.

    :cvar poll: the interval in seconds at which :meth:`stop` is noticed.
    """

    daemon_threads = True
    block_on_close = False
    poll: ClassVar[float] = 0.2

    def start(self) -> None:
        """Start answering."""
        threads.start(lambda: self.serve_forever(self.poll))

    def stop(self) -> None:
        """Stop answering. The port is free when this returns."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing, because a client that disconnects, or does not trust the server, is not an error."""


class SmallServer(BackgroundServer, ThreadingHTTPServer):
    """Serves in daemon threads; a subclass sets ``handler``.

    :cvar most: the maximum number of clients at once.
    :param monotonic: a clock in seconds, for the time-outs.
    :ivar lock: held while the clients are read or changed.
    """

    request_queue_size = 128
    handler: ClassVar[type[SmallHandler]]
    most: ClassVar[int]

    def __init__(self, address: tuple[Any, ...], family: socket.AddressFamily, monotonic: Callable[[], float]) -> None:
        self.address_family = family
        self.monotonic = monotonic
        self.lock = threading.Lock()
        self._clients: Clients[socket.socket] = Clients(self.most)
        self._room = threading.BoundedSemaphore(self.most)
        super().__init__(address, self.handler)

    @classmethod
    def bind(cls, listen: str, monotonic: Callable[[], float]) -> Self:
        """Return a listening server.

        :param listen: ``HOST:PORT``; ``:PORT`` is all addresses, IPv4 and IPv6.
        :raises ValueError: the text has another form.
        :raises OSError: the port is taken, or this machine does not have the address.
        """
        host, port = host_port.split(listen)
        if not host:
            try:
                return cls(("::", port), socket.AF_INET6, monotonic)
            except OSError as error:
                if error.errno not in _NO_IPV6:
                    raise
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104  # as configured
        family, _, _, _, address = found[0]
        return cls(address, family, monotonic)

    @property
    def address(self) -> str:
        """The address that it listens on, ``HOST:PORT``."""
        host, port = self.server_address[:2]
        return host_port.join(str(host), int(port))

    def server_bind(self) -> None:
        """Bind the address; ``::`` includes IPv4."""
        if os.name != "nt":  # ignore connections in TIME_WAIT; on Windows it would share the port with its owner
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.server_address[0] != "::"))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()  # the inherited method would also look up a name

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread. If there are too many, drop another one."""
        with self.lock:
            dropped = self._clients.add(request, client_address[0])
        if dropped is not None:
            end(dropped)
        if not self._room.acquire(timeout=_ROOM):
            self.shutdown_request(request)
            return
        with files.undone(self._room.release):  # no thread could be started, and the caller closes the connection
            super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self.lock:
            self._clients.remove(request)
        super().shutdown_request(request)

    def connections(self, address: str) -> int:
        """Return the number of connections of an address's host."""
        with self.lock:
            return self._clients.count(address)


def end(connection: socket.socket) -> None:
    """End a connection that another thread waits for."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class SmallHandler(BaseHTTPRequestHandler):
    """Answers one request of a connection; a subclass has ``respond``.

    :cvar timeout: the seconds that a client has to send its request, and again to take the answer.
    """

    timeout: ClassVar[float]
    server: SmallServer
    raw_requestline: bytes

    def setup(self) -> None:
        """Read the request before it is parsed, within its limits."""
        super().setup()
        self.rfile = io.BytesIO(self._received())

    def _received(self) -> bytes:
        """Return the request up to the end of its headers, or nothing if it did not arrive in time.

        A longer request is cut, and then invalid.
        """
        last, data = self.server.monotonic() + self.timeout, b""
        while not any(mark in data for mark in _END_OF_HEADERS) and len(data) < MAX_REQUEST:
            left = last - self.server.monotonic()
            if left <= 0:
                return b""
            self.connection.settimeout(left)
            try:
                more = self.connection.recv(MAX_REQUEST - len(data))
            except OSError:
                return b""
            if not more:
                return b""
            data += more
        self.connection.settimeout(self.timeout)
        return data

    def parse_request(self) -> bool:
        """Refuse a request that was cut."""
        if self.rfile.seek(0, io.SEEK_END) >= MAX_REQUEST:
            self.requestline = self.command = ""
            self.send_error(431)
            return False
        self.rfile.seek(len(self.raw_requestline))
        return super().parse_request()

    def do_GET(self) -> None:
        """See :meth:`respond`."""
        self.respond()

    def do_HEAD(self) -> None:
        """See :meth:`respond`. :meth:`answer` leaves out the body."""
        self.respond()

    def respond(self) -> None:
        """Answer a request for a path."""
        raise NotImplementedError

    def answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        """Send an answer.

        :param headers: further headers, with ``_`` for ``-``.
        """
        self.send_response(status)
        sent = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store", **headers}
        for name, value in sent.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int) -> None:
        """Answer a malformed request, without repeating any part of it."""
        self.answer(status, b"bad request\n", PLAIN)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """See :meth:`refuse`."""
        del message, explain
        self.close_connection = True
        self.request_version = "HTTP/1.0"  # otherwise, without a version, there would be no status
        self.refuse(int(code))

    def version_string(self) -> str:
        """Return the name of this server."""
        return "dnsrenew"

    def log_message(self, *_: Any) -> None:
        """Log nothing, because frequent requests would fill the log, and client addresses must not be stored."""
