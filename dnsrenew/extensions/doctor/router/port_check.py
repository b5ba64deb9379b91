"""Looks at a port as a CA would: connects, and sends one request of http-01 or tls-alpn-01."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import socket
import ssl
import threading
from functools import partial
from typing import Final

from dnsrenew.acme.clean import one_line
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import BoundedAnswer, HttpFailure
from dnsrenew.base.names import url_host
from dnsrenew.base.small_server import end
from dnsrenew.challenges.http01.server import PATH
from dnsrenew.challenges.tls_alpn01.server import PROTOCOL
from dnsrenew.extensions.doctor.router.helper import MAX_ANSWER, PortSeen, server_name

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 2.0
_UNREACHABLE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH}


def check_port(address: str, port: int, token: str, at: int | None = None) -> PortSeen:
    """Return what a port says: 80 to a request of HTTP, 443 to one of TLS.

    :param at: the port to connect to instead.
    """
    began = SystemClock.monotonic()
    try:
        connection = socket.create_connection((address, at or port), timeout=CONNECT_SECONDS)
    except TimeoutError:
        return PortSeen(address, False, "timeout", seconds=SystemClock.monotonic() - began)
    except ConnectionRefusedError:
        return PortSeen(address, False, "refused", seconds=SystemClock.monotonic() - began)
    except OSError as error:
        kind = "unreachable" if error.errno in _UNREACHABLE else "failed"
        return PortSeen(address, False, kind, seconds=SystemClock.monotonic() - began)
    seconds = SystemClock.monotonic() - began
    answer, banner = "", ""
    timer = threading.Timer(ANSWER_SECONDS, partial(end, connection))  # however slowly it answers
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
    head = (
        f"GET {PATH}{token} HTTP/1.1\r\nHost: {url_host(address)}\r\nUser-Agent: dnsrenew\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(head.encode("ascii"))
    response = BoundedAnswer(connection)
    response.begin()
    body = response.read(MAX_ANSWER) if response.status == 200 else b""
    return (
        one_line(body.decode("ascii", "replace"), MAX_ANSWER),
        one_line(response.getheader("Server") or "", MAX_ANSWER),
    )


def _ask_tls(connection: socket.socket, _address: str, token: str) -> tuple[str, str]:
    """Return the SHA-256 fingerprint of the certificate that is presented for tls-alpn-01."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is only compared
    context.set_alpn_protocols([PROTOCOL])
    with context.wrap_socket(connection, server_hostname=server_name(token)) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest(), ""
