"""The outside helper, ``dnsrenew doctor --serve-probe``: tells other machines whether their ports can be reached.

Its protocol is in docs/reference/outside-probe.md. It is open to all, so it does little: it checks only the address of
the client, only at ports 80 and 443, and sends one request there. A client that asks too often gets 429.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from dnsrenew.acme.resources import one_line
from dnsrenew.base import host_port, x509
from dnsrenew.base.clients import ClientOrigin, plain_address
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import BoundedAnswer, HttpFailure
from dnsrenew.base.names import url_host
from dnsrenew.base.runtime import Context
from dnsrenew.base.small_server import SmallHandler, SmallServer, end
from dnsrenew.challenges.http01_server import PATH
from dnsrenew.challenges.tls_alpn01 import PROTOCOL
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.doctor.router import outside, texts
from dnsrenew.extensions.doctor.router.outside import MAX_ANSWER, PortSeen, server_name

PORTS: Final = (80, 443)
_AT_ONCE_EACH: Final = 4
"""The number of connections of one host: an IPv4 address, or the first 64 bits of an IPv6 address."""
_PERIOD: Final = 60.0
_MOST_IN_PERIOD: Final = 30
"""The number of requests of one host. An examination needs up to six."""


def serve(context: Context, host_and_port: str, ready: Callable[[str], None]) -> None:
    """Serve as the helper until the caller cancels.

    :param host_and_port: the address, such as ``":8090"`` for all addresses, IPv4 and IPv6.
    :param ready: called once with the address, when connections are accepted.
    :raises ConfigError: ``probe-address``: the text is not an address to listen on.
    """
    with ProbeServer.bind(host_and_port, context.clock.monotonic) as server:
        ready(server.address)
        server.timeout = 0.25
        while not context.cancel.is_set():
            server.handle_request()


class _ProbeHandler(SmallHandler):
    """Answers ``GET /?port=80&token=…``."""

    timeout = 3.0  # the check of the port takes four more
    server: ProbeServer

    def respond(self) -> None:
        """Check the address of the client."""
        address = plain_address(self.client_address[0])
        if any(name in self.headers for name in ("Forwarded", "X-Forwarded-For", "Via")):
            # This header is not trusted, because with another address in it we would check a third party.
            self._answer(400, {"error": "proxied"})
            return
        if not self.server.may_ask(address):
            self._answer(429, {"error": "too-many-requests"}, Retry_After=str(int(_PERIOD)))
            return
        query = parse_qs(urlsplit(self.path).query, max_num_fields=10)
        port, token = query.get("port", [""])[-1], query.get("token", [""])[-1]
        if not port:
            self._answer(200, {"address": address})
        elif port not in map(str, PORTS) or not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", token):
            self._answer(400, {"error": "port-or-token"})
        else:
            self._answer(200, {"port": int(port), **vars(check_port(address, int(port), token))})

    def refuse(self, status: int) -> None:
        """See :meth:`SmallHandler.refuse`."""
        self._answer(status, {"error": "request"})

    def _answer(self, status: int, value: dict[str, Any], **headers: str) -> None:
        body = json.dumps({"version": outside.VERSION, **value}).encode("ascii")
        self.answer(status, body, "application/json", **headers)


class ProbeServer(SmallServer):
    """Answers each connection in a thread, and refuses too many of one host."""

    handler = _ProbeHandler
    most = 32

    def __init__(self, address: tuple[Any, ...], family: socket.AddressFamily, monotonic: Callable[[], float]) -> None:
        self._requests: Counter[str] = Counter()
        self._period_ends = monotonic() + _PERIOD
        super().__init__(address, family, monotonic)

    @classmethod
    def bind(cls, listen: str, monotonic: Callable[[], float]) -> Self:
        """Return a listening server.

        :raises ConfigError: ``probe-address``.
        """
        try:
            if not host_port.split(listen)[1]:
                raise ValueError(listen)
            return super().bind(listen, monotonic)
        except ValueError:
            raise ConfigError.of(texts.PROBE_ADDRESS, value=listen) from None
        except OSError as error:
            raise ConfigError.of(texts.PROBE_PORT, value=listen, cause=error.strerror or str(error)) from None

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection, unless its host has too many."""
        if self.connections(client_address[0]) >= _AT_ONCE_EACH:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def may_ask(self, address: str) -> bool:
        """Count a request, and return whether the host may ask now."""
        with self.lock:
            now = self.monotonic()
            if now >= self._period_ends:
                self._requests.clear()
                self._period_ends = now + _PERIOD
            host = ClientOrigin.of(address).host
            self._requests[host] += 1
            return self._requests[host] <= _MOST_IN_PERIOD


# ── port check ─────────────────────────────────────────────────────────────────────────

# Checks a port as a CA would: connects, and sends one request of http-01 or tls-alpn-01.

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 2.0


def check_port(address: str, port: int, token: str, at: int | None = None) -> PortSeen:
    """Return the answer of a port: of port 80 to an HTTP request, of port 443 to a TLS handshake.

    :param at: the port to connect to instead.
    """
    began = SystemClock.monotonic()
    try:
        connection = socket.create_connection((address, at or port), timeout=CONNECT_SECONDS)
    except OSError as error:
        kinds = {TimeoutError: "timeout", ConnectionRefusedError: "refused"}
        unknown = "unreachable" if error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH} else "failed"
        return PortSeen(address, False, kinds.get(type(error), unknown), seconds=SystemClock.monotonic() - began)
    seconds = SystemClock.monotonic() - began
    answer, banner = "", ""
    timer = threading.Timer(ANSWER_SECONDS, partial(end, connection))  # regardless of how slowly it answers
    timer.daemon = True
    timer.start()
    try:
        with connection, contextlib.suppress(OSError, http.client.HTTPException, HttpFailure, ValueError):
            answer, banner = (_ask_http if port == 80 else _ask_tls)(connection, address, token)
    finally:
        timer.cancel()
    return PortSeen(address, True, None, answer, banner, seconds)


def _ask_http(connection: socket.socket, address: str, token: str) -> tuple[str, str]:
    """Return the body for the token, and the name of the server."""
    lines = [f"GET {PATH}{token} HTTP/1.1", f"Host: {url_host(address)}", "User-Agent: dnsrenew", "Connection: close"]
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    response = BoundedAnswer(connection)
    response.begin()
    body = response.read(MAX_ANSWER) if response.status == 200 else b""
    said = body.decode("ascii", "replace"), response.getheader("Server") or ""
    return one_line(said[0], MAX_ANSWER), one_line(said[1], MAX_ANSWER)


def _ask_tls(connection: socket.socket, _address: str, token: str) -> tuple[str, str]:
    """Return the SHA-256 fingerprint of the certificate that is presented for tls-alpn-01."""
    context = x509.comparing_context()
    context.set_alpn_protocols([PROTOCOL])
    with context.wrap_socket(connection, server_hostname=server_name(token)) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest(), ""
