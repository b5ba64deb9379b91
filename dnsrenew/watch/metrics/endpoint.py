"""The endpoint of ``dnsrenew run``: ``/metrics`` for Prometheus, ``/healthz`` for what supervises a container.

It is meant for the loopback interface or a private network. A client has five seconds for its request, a request has at
most 8 KiB, and there are at most 16 connections; more are closed at once.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from dnsrenew.base import host_port, threads
from dnsrenew.errors import ConfigError
from dnsrenew.watch.metrics import texts
from dnsrenew.watch.metrics.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from dnsrenew.watch.metrics.health import Health

SECONDS: Final = 5.0
"""For a client to send its request; and again, to take the answer."""
MAX_REQUEST: Final = 8192
"""Bytes of a request."""
MAX_CONNECTIONS: Final = 16
_PLAIN: Final = "text/plain; charset=utf-8"
_END_OF_HEADERS: Final = (b"\r\n\r\n", b"\n\n")
_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
_POLL: Final = 0.2
"""Seconds in which :meth:`MetricsServer.stop` is noticed."""


class AnswerSource(Protocol):
    """Where the answers come from. Thread-safe."""

    def text(self) -> str | None:
        """Return the answer of ``/metrics``; None if the numbers cannot be read."""

    def health(self) -> Health:
        """Return the answer of ``/healthz``."""


class MetricsServer(ThreadingHTTPServer):
    """Serves the metrics in daemon threads until it is stopped.

    :param source: where the answers come from.
    :param monotonic: a clock in seconds, for time-outs.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(
        self,
        address: tuple[Any, ...],
        family: socket.AddressFamily,
        source: AnswerSource,
        monotonic: Callable[[], float],
    ) -> None:
        self.address_family = family
        self.source = source
        self.monotonic = monotonic
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _MetricsHandler)

    @classmethod
    def start(cls, listen: str, source: AnswerSource, monotonic: Callable[[], float]) -> MetricsServer:
        """Return a server that runs.

        :param listen: ``HOST:PORT``; ``:PORT`` is all addresses, IPv4 and IPv6.
        :raises ConfigError: ``metrics-port``: the port is taken, or this host does not have the address.
        """
        server = cls._bound(listen, source, monotonic)
        threads.start(lambda: server.serve_forever(_POLL))
        return server

    @classmethod
    def _bound(cls, listen: str, source: AnswerSource, monotonic: Callable[[], float]) -> MetricsServer:
        host, port = host_port.split(listen)
        try:
            if not host:
                try:
                    return cls(("::", port), socket.AF_INET6, source, monotonic)
                except OSError as error:
                    if error.errno not in _NO_IPV6:
                        raise
            found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104  # as configured
            family, _, _, _, address = found[0]
            return cls(address, family, source, monotonic)
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise ConfigError.of(texts.PORT, value=listen, cause=cause) from None

    @property
    def address(self) -> str:
        """The address that it listens on, ``HOST:PORT``."""
        host, port = self.server_address[:2]
        return host_port.join(str(host), int(port))

    def stop(self) -> None:
        """Close the port; it is free when this returns."""
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        """Bind the address; ``::`` takes IPv4 too."""
        if os.name != "nt":  # ignore connections in TIME_WAIT; on Windows it would share the port with its owner
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.server_address[0] != "::"))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()  # the inherited method would also look up a name

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection, unless there are too many."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error."""


class _MetricsHandler(BaseHTTPRequestHandler):
    """Answers one request of a connection."""

    timeout: ClassVar[float] = SECONDS
    server: MetricsServer
    raw_requestline: bytes

    def setup(self) -> None:
        """Read the request before it is parsed, within its limits."""
        super().setup()
        self.rfile = io.BytesIO(self._received())

    def _received(self) -> bytes:
        """Return the request up to the end of its headers; nothing if it did not arrive in time.

        A longer one is cut, and then is no valid request.
        """
        end, data = self.server.monotonic() + SECONDS, b""
        while not any(mark in data for mark in _END_OF_HEADERS) and len(data) < MAX_REQUEST:
            left = end - self.server.monotonic()
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
        self.connection.settimeout(SECONDS)
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
        """Answer a path."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path == "/healthz":
            health = self.server.source.health()
            self._answer(200 if health.ok else 503, f"{health.line}\n")
        else:
            self._answer(404, "not found\n")

    def do_HEAD(self) -> None:
        """Answer a path without the body."""
        self.do_GET()

    def _metrics(self) -> None:
        text = self.server.source.text()
        if text is None:
            self._answer(503, f"{self.server.source.health().line}\n")
        else:
            self._answer(200, text, CONTENT_TYPE)

    def _answer(self, status: int, text: str, kind: str = _PLAIN) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request; nothing of it is repeated."""
        del message, explain
        self.close_connection = True
        self.request_version = "HTTP/1.0"  # else, without a version, there would be no status
        self._answer(int(code), "bad request\n")

    def version_string(self) -> str:
        """Return the name of this server."""
        return "dnsrenew"

    def log_message(self, *_: Any) -> None:
        """Log nothing: a scrape every few seconds would fill the log."""
