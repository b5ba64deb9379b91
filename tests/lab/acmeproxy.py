"""A proxy in front of Pebble that counts, records, and misbehaves on demand.

It changes nothing by itself. Pebble builds every URL, and checks the URL in every signature, from the Host header, so
passing that header on is all it takes for a client to stay with the proxy.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from . import ports
from .acmemessages import DROP, Raw, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .certs import LabCA
    from .pebble import Pebble

_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Exchange:
    """One request and the client's answer (None: nothing)."""

    request: Request
    response: Response | None


@dataclass
class AcmeProxy:
    """A context manager. Hooks run in the connection's thread; an exception in one is raised at the end."""

    upstream: Pebble
    ca: LabCA
    on_request: Callable[[Request], Response | None] | None = None
    """Answers instead of the CA; None lets the request through."""
    on_response: Callable[[Request, Response], Response] | None = None
    """Gets the CA's answer, gives the client's."""
    endpoint: LabCA | None = None
    """Who made the certificate that clients see, if not the CA that Pebble's own is from."""
    exchanges: list[Exchange] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing listens yet."""
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = ports.reserve("127.0.0.1")

    @property
    def url(self) -> str:
        """The address of the proxy, without a path."""
        return f"https://127.0.0.1:{self._port.number}"

    @property
    def directory_url(self) -> str:
        """The directory, through the proxy."""
        return f"{self.url}/dir"

    @property
    def counts(self) -> Counter[str]:
        """Requests by kind."""
        with self._lock:
            return Counter(exchange.request.kind for exchange in self.exchanges)

    def of_kind(self, kind: str) -> list[Exchange]:
        """All exchanges of a kind, in the order of their answers."""
        with self._lock:
            return [exchange for exchange in self.exchanges if exchange.request.kind == kind]

    def start(self) -> Self:
        """Listen."""
        self._server = _Server(("127.0.0.1", self._port.number), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="lab-acme-proxy", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close it and every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.close_connections()
            server.server_close()
        if self._thread is not None:
            self._thread.join(5)
        self._port.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self.errors and kind is None:
            raise self.errors[0]

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Request, Response]:
        """Answer one request, hooks included."""
        request = Request(method, path, headers, body, 0)
        with self._lock:
            self._numbers[request.kind] += 1
            request = replace(request, number=self._numbers[request.kind])
        response: Response | None = None
        try:
            response = self.on_request(request) if self.on_request else None
            if response is None:
                response = self._ask_upstream(request)
                response = self.on_response(request, response) if self.on_response else response
        except Exception as error:  # noqa: BLE001 (kept, and raised in the test's own thread)
            self.errors.append(error)
            response = DROP
        with self._lock:
            answered = response is not DROP and not isinstance(response, Raw)
            self.exchanges.append(Exchange(request, response if answered else None))
        return request, response

    def _ask_upstream(self, request: Request) -> Response:
        local = self._server.local if self._server else threading.local()
        connection: http.client.HTTPSConnection | None = getattr(local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.upstream.port, timeout=30, context=self.ca.client_context()
            )
            local.connection = connection
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
        headers["Accept-Encoding"] = "identity"
        body = request.body if request.method == "POST" else None
        connection.request(request.method, request.path, body=body, headers=headers)
        answer = connection.getresponse()
        kept = tuple((key, value) for key, value in answer.getheaders() if key.lower() not in _HOP_BY_HOP)
        return Response(answer.status, answer.read(), kept)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], proxy: AcmeProxy) -> None:
        self.proxy = proxy
        self.local = threading.local()
        self.context = (proxy.endpoint or proxy.ca).server_context()
        self._open: set[Any] = set()
        super().__init__(address, _Handler)

    def close_connections(self) -> None:
        """Wake the handlers that wait for a next request, so that their threads end."""
        for connection in list(self._open):
            _shutdown(connection)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: the TLS handshake too, or one slow client would stop all others."""
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                self._open.add(wrapped)
                try:
                    super().finish_request(wrapped, client_address)
                finally:
                    self._open.discard(wrapped)
        except OSError:
            pass  # a client that left, or does not trust us
        finally:
            upstream = getattr(self.local, "connection", None)
            if upstream is not None:
                upstream.close()


def _shutdown(connection: Any) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def play(connection: Any, raw: Raw) -> None:
    """Send the bytes until they end or the client leaves; then hold, reset or close the connection."""
    with contextlib.suppress(OSError):  # the client has had enough
        for part in raw.parts():
            connection.sendall(part)
            time.sleep(raw.pause)
        if raw.ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif raw.ending == "hold":
            connection.recv(1)
        else:
            _shutdown(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one segment
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (as in the base class)
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        _, response = self.server.proxy.handle(self.command, self.path, headers, body)
        if response is DROP:
            self.close_connection = True
            _shutdown(self.connection)
            return
        if isinstance(response, Raw):
            self.close_connection = True
            play(self.connection, response)
            return
        self.send_response_only(response.status)
        for key, value in response.headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()
