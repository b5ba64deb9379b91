"""The listening addresses of ``dnsrenew serve``: opened here, or by systemd."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base import host_port
from dnsrenew.base.small_server import PLAIN, SmallHandler, SmallServer
from dnsrenew.base.users import user_name
from dnsrenew.challenges.listeners import PortTexts, bound_all, endpoints_of, port_fault
from dnsrenew.errors import DnsRenewError, system_reason
from dnsrenew.extensions.serve import texts

_BACKLOG: Final = 2048
_TEXTS: Final = PortTexts(
    texts.PORT_TAKEN, texts.PORT_TAKEN_UNKNOWN, texts.PORT_FORBIDDEN, texts.ADDRESS_MISSING, texts.PORT_FAILED
)
_FIRST: Final = 3
"""The first file descriptor that systemd passes (sd_listen_fds(3))."""
_HTTP: Final = "http"
"""The name of a socket of systemd that is for HTTP (FileDescriptorName=)."""


def passed(environ: Mapping[str, str] = os.environ) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return the sockets that systemd has opened for this process: first for the app, then for the redirect."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return [], []
    names = [*environ.get("LISTEN_FDNAMES", "").split(":"), *[""] * int(count)]
    found = [(names[index], socket.socket(fileno=_FIRST + index)) for index in range(int(count))]
    return [each for name, each in found if name != _HTTP], [each for name, each in found if name == _HTTP]


def opened(address: str, option: str) -> list[socket.socket]:
    """Bind an address, which listens later. ``:PORT`` means all IPv4 and IPv6 addresses.

    :param address: ``HOST:PORT``.
    :param option: the option that named it.
    :raises DnsRenewError: ``serve-port-taken``, ``serve-port-forbidden``, ``serve-address-missing``,
        ``serve-port-failed``.
    """
    try:
        return list(bound_all(endpoints_of(address)).values())
    except OSError as error:
        raise _failure(address, option, error) from None


def listen_all(opened: Sequence[socket.socket], option: str) -> None:
    """Accept connections, which wait for the process that answers them.

    :raises DnsRenewError: ``serve-port-taken``: another program was bound too, and began to listen first.
    """
    for each in opened:
        try:
            each.listen(_BACKLOG)
        except OSError as error:
            raise _failure(host_port.join(*each.getsockname()[:2]), option, error) from None


def close_all(opened: Sequence[socket.socket]) -> None:
    """Close sockets."""
    for each in opened:
        each.close()


def shown(scheme: str, opened: Sequence[socket.socket]) -> list[str]:
    """Return the URL of each address. All addresses of both families are one URL, without a host."""
    places = [each.getsockname()[:2] for each in opened]
    hosts = [("" if host in {"0.0.0.0", "::"} else host, port) for host, port in places]  # noqa: S104  # compared only
    return list(dict.fromkeys(f"{scheme}://{host_port.join(host, port)}" for host, port in hosts))


def _failure(address: str, option: str, error: OSError) -> DnsRenewError:
    _, port = host_port.split(address)
    text, owner = port_fault(_TEXTS, port, error)
    evidence: dict[str, Any] = {"address": address, "port": port, "option": option, "errno": error.errno}
    evidence["other"] = port + 8000 if port < 1024 else port + 1
    if text is texts.PORT_TAKEN:
        evidence |= owner
    elif text is texts.PORT_FORBIDDEN:
        user = user_name(os.geteuid()) if hasattr(os, "geteuid") else ""
        python = shlex.quote(os.path.realpath(sys.executable))
        evidence |= {"user": user, "command": f"sudo setcap cap_net_bind_service=+ep {python}"}
    elif text is texts.PORT_FAILED:
        evidence["reason"] = system_reason(error)
    return DnsRenewError.of(text, **evidence)


# ── redirect ───────────────────────────────────────────────────────────────────────────

# The server at port 80 of ``dnsrenew serve``: it answers http-01, and redirects everything else to HTTPS.

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)


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
        self.answer(status, body, PLAIN, **location)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815  # the names in http.server


class RedirectServer(SmallServer):
    """Serves a WSGI app, using its status, ``Location`` and body.

    :param opened: a bound socket; the server owns it from now on.
    """

    most: ClassVar[int] = 128
    handler: ClassVar[type[SmallHandler]] = _RedirectHandler

    def __init__(self, opened: socket.socket, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self._opened = opened
        super().__init__(opened.getsockname(), opened.family, time.monotonic)
        self.start()

    def server_bind(self) -> None:
        """Take the socket that is already bound."""
        self.socket.close()
        self.socket = self._opened
        self.server_address = self.socket.getsockname()


def to_https(port: int, default: str) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI app that redirects every request to HTTPS.

    :param port: the port of HTTPS.
    :param default: the host for requests that do not name one.
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
    """Return the path and the query of a request target. A proxy's request has the whole address."""
    if not target.startswith("/"):
        _, _, target = target.partition("//")
        _, slash, rest = target.partition("/")
        target = slash + rest
    return target if target.isascii() and target else "/"
