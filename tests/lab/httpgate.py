"""A plain HTTP server with a hook for every answer: a DNS host's API, or something else in its place."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from .acmemessages import Raw, Request, Response
from .acmeproxy import play

if TYPE_CHECKING:
    from collections.abc import Callable


class HttpGate:
    """Listens on loopback while it is entered; `url` is its address, without a path."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        """`answer` runs in the connection's thread; a `Raw` answer ends it."""
        self.answer = answer
        self._number = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gate = self

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """Answer one request."""
        self._number += 1
        return self.answer(Request(method, path, headers, body, self._number))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def forwarded(port: int, request: Request) -> Response:
    """Return the answer of a server on another port of loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(request.method, request.path, request.body, dict(request.headers))
        answer = connection.getresponse()
        kept = tuple((key, value) for key, value in answer.getheaders() if key.lower() in {"content-type", "location"})
        return Response(answer.status, answer.read(), kept)
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    gate: HttpGate

    def shutdown_request(self, request: Any) -> None:
        """Close the connection at once, because an orderly end before that would prevent a reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore that a client left."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # any method
            return self._answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's signature
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        response = self.server.gate.handle(self.command, self.path, dict(self.headers.items()), body)
        if isinstance(response, Raw):
            self.close_connection = True
            play(self.connection, response)
            return
        self.send_response_only(response.status)
        for key, value in response.headers:
            self.send_header(key, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)
