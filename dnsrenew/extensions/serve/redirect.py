"""The server at port 80 of ``dnsrenew serve``: it answers http-01, and sends everything else to HTTPS."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dnsrenew.base import host_port
from dnsrenew.base.small_server import SmallHandler, SmallServer

if TYPE_CHECKING:
    import socket

_POLL: Final = 0.2
"""Seconds in which the end is noticed."""
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
_PLAIN: Final = "text/plain; charset=utf-8"


class _RedirectHandler(SmallHandler):
    """Answers one request of a connection."""

    timeout: ClassVar[float] = 10.0
    server: RedirectServer

    def respond(self) -> None:
        """Let the WSGI app answer."""
        started: list[tuple[int, dict[str, str]]] = []

        def start_response(status: str, headers: Sequence[tuple[str, str]]) -> None:
            started.append((int(status[:3]), {name.replace("-", "_"): value for name, value in headers}))

        path = _path(self.path)
        environ = {"REQUEST_METHOD": self.command, "PATH_INFO": path.partition("?")[0], "dnsrenew.path": path}
        body = b"".join(self.server.app({**environ, "HTTP_HOST": self.headers.get("Host", "")}, start_response))
        status, headers = started[0]
        location = {"Location": headers["Location"]} if "Location" in headers else {}
        self.answer(status, body, _PLAIN, **location)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815  # the names in http.server

    def refuse(self, status: int) -> None:
        """See :meth:`SmallHandler.refuse`."""
        self.answer(status, b"bad request\n", _PLAIN)


class RedirectServer(SmallServer):
    """Serves a WSGI app, of which it uses the status, ``Location`` and the body.

    :param opened: a bound socket; the server owns it from now on.
    """

    most: ClassVar[int] = 128
    handler: ClassVar[type[SmallHandler]] = _RedirectHandler

    def __init__(self, opened: socket.socket, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self._opened = opened
        super().__init__(opened.getsockname(), opened.family, time.monotonic)
        threading.Thread(target=self.serve_forever, args=(_POLL,), name="dnsrenew-redirect", daemon=True).start()

    def server_bind(self) -> None:
        """Take the socket that is bound already."""
        self.socket.close()
        self.socket = self._opened
        self.server_address = self.socket.getsockname()

    def stop(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()


def to_https(port: int, default: str) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI app that sends every request to HTTPS.

    :param port: of HTTPS.
    :param default: the host for requests that name none.
    """

    def redirect(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        host = _host(environ["HTTP_HOST"]) or default
        place = host_port.join(host, port) if port != 443 else f"[{host}]" if ":" in host else host
        start_response("308 Permanent Redirect", [("Location", f"https://{place}{environ['dnsrenew.path']}")])
        return []

    return redirect


def _host(header: str) -> str:
    try:
        host, _ = host_port.split(header.strip(), 80)
    except ValueError:
        return ""
    return host if host_port.is_ip(host) or _HOST.fullmatch(host) else ""


def _path(target: str) -> str:
    """Return the path and the query of a request target; a proxy's request has the whole address."""
    if not target.startswith("/"):
        _, _, target = target.partition("//")
        _, slash, rest = target.partition("/")
        target = slash + rest
    return target if target.isascii() and target else "/"
