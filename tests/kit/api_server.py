"""HTTP servers on loopback whose answers a test decides."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                octets = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = octets.decode("utf-8", "surrogateescape")
                asked = Asked(self.command, self.path, dict(self.headers.items()), body)
                outer.asked.append(asked)
                status, answer = outer.hook(asked)
                text = answer if isinstance(answer, str | bytes) else json.dumps(answer)
                raw = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                for key, value in outer.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self._answer
                raise AttributeError(name)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's signature
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        if self.tls is not None:
            wrapped = self.tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self._server.socket = wrapped
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing when a client closes its connection."""
