"""The helper outside: tells other hosts whether their ports can be reached, ``dnsrenew doctor --serve-probe``.

Its protocol is on docs/reference/outside-probe.md. Anybody may ask it, so it does little: it checks only the address
that asks, only at ports 80 and 443, and sends one request there. A client that asks too often gets 429.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from dnsrenew.base import host_port
from dnsrenew.challenges.server import network_of
from dnsrenew.doctor.router import helper, texts
from dnsrenew.doctor.router.port_check import check_port, end
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context

PORTS: Final = (80, 443)
_CLIENT_SECONDS: Final = 10.0
"""For a connection, from its start to its end."""
_AT_ONCE: Final = 32
_AT_ONCE_EACH: Final = 4
"""Connections of one network: an IPv4 address, or the first 64 bits of an IPv6 address."""
_PERIOD: Final = 60.0
_MOST_IN_PERIOD: Final = 30
"""Requests of one network; an examination needs up to six."""
_TICK: Final = 0.25
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_PROXY_HEADERS: Final = ("Forwarded", "X-Forwarded-For", "Via")


def serve(context: Context, host_and_port: str, ready: Callable[[str], None]) -> None:
    """Be the helper until the caller cancels.

    :param host_and_port: such as ``":8090"``: all addresses, IPv4 and IPv6.
    :param ready: called once with the address, when connections are accepted.
    :raises ConfigError: ``probe-address``: this is no address to listen on.
    """
    with ProbeServer.bind(host_and_port, context.clock.monotonic) as server:
        host, port = server.server_address[:2]
        ready(host_port.join(str(host), int(port)))
        server.timeout = _TICK
        while not context.cancel.is_set():
            server.handle_request()


class ProbeServer(ThreadingHTTPServer):
    """Answers each connection in a thread; refuses more than a few at once, and many of one network.

    :param monotonic: a clock in seconds.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: tuple[Any, ...], family: socket.AddressFamily, monotonic: Callable[[], float]) -> None:
        self.address_family = family
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._connected: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._period_ends = monotonic() + _PERIOD
        super().__init__(address, _ProbeHandler)

    @classmethod
    def bind(cls, text: str, monotonic: Callable[[], float]) -> ProbeServer:
        """Return a server that listens.

        :raises ConfigError: ``probe-address``.
        """
        try:
            host, port = host_port.split(text)
            if not port:
                raise ValueError(text)
        except ValueError:
            raise ConfigError.of(texts.PROBE_ADDRESS, value=text) from None
        try:
            if not host:
                with contextlib.suppress(OSError):  # this host may lack IPv6
                    return cls(("::", port), socket.AF_INET6, monotonic)
            found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104  # as asked
            family, _, _, _, address = found[0]
            return cls(address, family, monotonic)
        except OSError as error:
            raise ConfigError.of(texts.PROBE_PORT, value=text, cause=error.strerror or str(error)) from None

    def server_bind(self) -> None:
        """Bind the address; ``::`` takes IPv4 too."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.server_address[0] != "::"))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()  # the inherited method would also look up a name

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection, unless there are too many."""
        network = network_of(asker(client_address[0]))
        with self._lock:
            too_many = self._connected.total() >= _AT_ONCE or self._connected[network] >= _AT_ONCE_EACH
            self._connected[network] += not too_many
        if too_many:
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection within a time, however slowly it sends."""
        network = network_of(asker(client_address[0]))
        timer = threading.Timer(_CLIENT_SECONDS, partial(end, request))
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            with self._lock:
                self._connected[network] -= 1
                self._connected += Counter()  # drops those without a connection

    def may_ask(self, address: str) -> bool:
        """Count a request, and tell whether the network may ask now."""
        with self._lock:
            now = self._monotonic()
            if now >= self._period_ends:
                self._requests.clear()
                self._period_ends = now + _PERIOD
            network = network_of(address)
            self._requests[network] += 1
            return self._requests[network] <= _MOST_IN_PERIOD

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error."""


class _ProbeHandler(BaseHTTPRequestHandler):
    """Answers ``GET /?port=80&token=…``."""

    timeout: ClassVar[float] = 5.0
    server: ProbeServer

    def do_GET(self) -> None:
        """Look at the address that asks."""
        address = asker(self.client_address[0])
        if any(name in self.headers for name in _PROXY_HEADERS):
            # Not believed: with a name of somebody else in it, we would look at them.
            self._answer(400, {"error": "proxied"})
            return
        if not self.server.may_ask(address):
            self._answer(429, {"error": "too-many-requests"})
            return
        query = parse_qs(urlsplit(self.path).query, max_num_fields=10)
        port, token = query.get("port", [""])[-1], query.get("token", [""])[-1]
        if not port:
            self._answer(200, {"address": address})
        elif port not in map(str, PORTS) or not _TOKEN.fullmatch(token):
            self._answer(400, {"error": "port-or-token"})
        else:
            self._answer(200, {"port": int(port), **vars(check_port(address, int(port), token))})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps({"version": helper.VERSION, **value}).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 429:
            self.send_header("Retry-After", str(int(_PERIOD)))
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request; nothing of it is repeated."""
        del message, explain
        self.close_connection = True
        self._answer(int(code), {"error": "request"})

    def version_string(self) -> str:
        """Return the name of this server."""
        return "dnsrenew"

    def log_message(self, *_: Any) -> None:
        """Log nothing: the addresses of others are none of our business."""


def asker(address: str) -> str:
    """Return the address of a client; an IPv4 client of a socket for both families has it as IPv6."""
    return address.partition("%")[0].removeprefix("::ffff:") if "." in address else address.partition("%")[0]
