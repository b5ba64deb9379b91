"""The HTTPS of the CA of a box."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.testing.box.order_server import OrderServer

_POLL: Final = 0.02
"""Seconds until the server notices that it is to end."""
_LARGEST: Final = 1 << 20


class BoxHttpsServer(ThreadingHTTPServer):
    """Serves a CA on a free port of loopback.

    :param server_pem: a file with the key of the server and its certificate.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, ca: OrderServer, server_pem: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ca = ca
        self._open: set[socket.socket] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_pem)
        # Each connection makes its handshake in its own thread, at its first read.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        ca.base = f"https://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Answer requests from now on."""
        threading.Thread(target=self.serve_forever, args=(_POLL,), name="dnsrenew-box", daemon=True).start()

    def stop(self) -> None:
        """Answer no more, and close all connections."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that does not trust the server, or ends early, is no error of the box."""


class _Handler(BaseHTTPRequestHandler):
    server: BoxHttpsServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60.0

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self._answer(b"")

    do_HEAD = do_GET  # noqa: N815  # the name in http.server

    def do_POST(self) -> None:
        """Answer a signed request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self.send_error(413)
            return
        self._answer(self.rfile.read(int(length)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in http.server
        """Print nothing."""

    def _answer(self, body: bytes) -> None:
        ca = self.server.ca
        answer = ca.answer(self.command, self.path, body)
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Replay-Nonce", ca.nonce()), ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        if not self.path.startswith("/directory"):
            self.send_header("Link", f'<{ca.base}/directory>;rel="index"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
