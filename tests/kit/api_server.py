"""HTTP servers on loopback whose answers a test decides."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Asked:
    """A request that the server got; the body is text, and octets that are not UTF-8 are escaped."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def octets(self) -> bytes:
        """The body as it was sent."""
        return self.body.encode("utf-8", "surrogateescape")


Answer = tuple[int, Any]


@dataclass
class Api:
    """A server that answers with the result of `hook`: a status, and JSON, text or octets. It keeps every request.

    :ivar headers: of every answer.
    :ivar port: 0: any free port.
    :ivar tls: None: plain HTTP.
    """

    hook: Callable[[Asked], Answer]
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answered(self, asked: Asked) -> bytes:
        """Return the answer to a request as it is sent."""
        self.asked.append(asked)
        status, answer = self.hook(asked)
        text = answer if isinstance(answer, str | bytes) else json.dumps(answer)
        raw = text if isinstance(text, bytes) else text.encode()
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
        lines += ["Server: Api/1.0", f"Date: {email.utils.formatdate(usegmt=True)}"]
        lines += [f"{key}: {value}" for key, value in self.headers.items()]
        has_body = asked.method != "HEAD" and status != http.client.NO_CONTENT
        lines += [f"Content-Length: {len(raw)}"] if has_body else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (raw if has_body else b"")


class _Server(socketserver.ThreadingTCPServer):
    """Keeps connections open until it is closed itself."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, api: Api) -> None:
        self.api = api
        self.open = set[socket.socket]()
        super().__init__(("127.0.0.1", api.port), _Connection)
        self.server_port = int(self.server_address[1])
        if api.tls is not None:
            self.socket = api.tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_close(self) -> None:
        """Answer no more, in a connection that is open either."""
        super().server_close()
        for each in list(self.open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Print nothing when a client closes its connection."""


class _Connection(socketserver.StreamRequestHandler):
    """Reads one request after the other: http.server reads a head as an e-mail, which takes longer than the rest."""

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        self.server.open.add(self.connection)
        try:
            while line := self.rfile.readline():
                method, path, version = line.decode("latin-1").split()
                headers = dict[str, str]()
                while head := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
                    name, _, value = head.partition(":")
                    headers[name] = value.strip()
                if headers.get("Expect") == "100-continue":
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                sizes = {name.lower(): value for name, value in headers.items()}
                body = self.rfile.read(int(sizes.get("content-length") or 0)).decode("utf-8", "surrogateescape")
                self.wfile.write(self.server.api._answered(Asked(method, path, headers, body)))
                if version == "HTTP/1.0" or sizes.get("connection", "").lower() == "close":
                    break
        finally:
            self.server.open.discard(self.connection)
