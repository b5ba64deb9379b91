"""How far a connection to an HTTPS server gets: its name, TCP, TLS, one after the other. No request is sent.

Behind a proxy, the name and TCP stages are the proxy's, and TLS goes through it.
"""

from __future__ import annotations

import base64
import errno
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from dnsrenew.base import x509
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http.connections import tls_context
from dnsrenew.base.names import url_host
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Cancelled

SECONDS: Final = 3.0
"""The time limit of each stage in seconds. After that, the other side counts as silent."""
_NO_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_UNTRUSTED: Final = {
    **dict.fromkeys((9, 10), "dates"),  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
    **dict.fromkeys((62, 64), "other-name"),  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
}

_End = tuple[Any, ...]
"""Why a stage ended the connection: the last fields of a :class:`Stage`; empty if it did not."""


class Stage(Frozen):
    """One stage of a connection.

    :ivar name: ``dns``, ``tcp`` or ``tls``.
    :ivar fault: why the stage ended the connection: ``silent`` (no answer in time), ``no-name``, ``no-answer``,
        ``refused``, ``unreachable``, ``proxy``, ``untrusted``, ``dates``, ``other-name`` or ``no-tls``; empty if it did
        not.
    :ivar detail: the name of the system's error, OpenSSL's reason or the status of the proxy, or empty.
    :ivar certificate: the certificate that is not trusted, DER.
    """

    name: str
    seconds: float
    fault: str = ""
    detail: str = ""
    certificate: bytes = b""


class ConnectionStages(Frozen):
    """The stages of a connection up to the first that failed.

    :ivar host: the host of the connection: the URL's host, or the proxy; empty if the proxy has no valid address.
    """

    host: str
    port: int
    through_proxy: bool
    stages: tuple[Stage, ...]

    @property
    def last(self) -> Stage:
        """The stage that failed, or the last one."""
        return self.stages[-1]


def connect_by_stages(
    context: Context, url: str, *, trust: Path | str | None = None, proxy: str | None = None
) -> ConnectionStages:
    """Connect to the server of a URL, close the connection, and return how far it got.

    :param trust: a PEM file with the only trusted roots; default: the roots of the operating system.
    :param proxy: the URL of the proxy on the connection.
    :raises CAError: ``trust-unreadable``.
    :raises Cancelled: the caller cancelled.
    """
    target = first = urlsplit(url)
    host, port = "", 0
    with suppress(ValueError):  # of a proxy, which a person wrote into the environment
        if proxy is not None:
            first = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = first.hostname or "", port_of(first)
    if not host:
        return ConnectionStages("", 0, through_proxy=True, stages=(Stage("dns", 0.0, "proxy"),))
    connection = _StagedConnection(target, first, tls_context(trust))
    steps = {"dns": connection.resolve, "tcp": connection.connect}
    if target.scheme == "https" and (proxy is None or first.scheme == "http"):  # not inside the TLS of a proxy
        steps["tls"] = connection.shake_hands
    stages: list[Stage] = []
    try:
        for name, step in steps.items():
            started = context.clock.monotonic()
            try:
                end = context.within(SECONDS).call(step)
            except Cancelled:
                context.check()
                end = ("silent",)
            stages.append(Stage(name, round(context.clock.monotonic() - started, 3), *end))
            if end:
                break
    finally:
        connection.close()
    return ConnectionStages(host, port, proxy is not None, tuple(stages))


def port_of(parts: SplitResult) -> int:
    """Return the port of a URL."""
    return parts.port or (443 if parts.scheme == "https" else 80)


class _StagedConnection:
    """The connection up to its current stage.

    :param first: the proxy, or the target.
    """

    def __init__(self, target: SplitResult, first: SplitResult, tls: ssl.SSLContext) -> None:
        self._target, self._first, self._tls = target, first, tls
        self._addresses: list[Any] = []
        self._socket: Any = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def resolve(self) -> _End:
        try:
            found = socket.getaddrinfo(self._first.hostname, port_of(self._first), type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            return ("no-name" if error.errno in _NO_NAME else "no-answer",)
        except (OSError, UnicodeError):
            return ("no-name",)
        self._addresses = list(dict.fromkeys((family, where) for family, _, _, _, where in found))[:8]
        return ()

    def connect(self) -> _End:
        """Connect to the server, through the proxy if there is one."""
        errors: list[OSError] = []
        end = SystemClock.monotonic() + SECONDS
        for number, (family, where) in enumerate(self._addresses):
            tried = socket.socket(family, socket.SOCK_STREAM)
            left = (end - SystemClock.monotonic()) / (len(self._addresses) - number)
            tried.settimeout(max(left, 0.1))
            try:
                tried.connect(where)
            except OSError as error:
                tried.close()
                errors.append(error)
                continue
            tried.settimeout(SECONDS)
            self._socket = tried
            through = self._first is not self._target and self._first.scheme != "https"
            return self._ask_proxy() if through and self._target.scheme == "https" else ()
        if any(isinstance(error, TimeoutError) for error in errors):
            return ("silent",)
        refused = all(error.errno == errno.ECONNREFUSED for error in errors)
        return "refused" if refused else "unreachable", _name(errors[-1])

    def _ask_proxy(self) -> _End:
        """Make the proxy connect to the server (RFC 9110 section 9.3.6)."""
        host, proxy = url_host(self._target.hostname or ""), self._first
        lines = [f"CONNECT {host}:{port_of(self._target)} HTTP/1.1", f"Host: {host}:{port_of(self._target)}"]
        if proxy.username:
            user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
        answer = b""
        try:
            self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
            while b"\r\n\r\n" not in answer and len(answer) < 8192:
                received = self._socket.recv(1)  # byte by byte, because the bytes after it belong to the next reader
                if not received:
                    break
                answer += received
        except TimeoutError:
            return ("silent",)
        except OSError as error:
            return "proxy", _name(error)
        status = answer[9:12].decode("latin-1")
        if answer.startswith(b"HTTP/1.") and status.isdecimal() and status.startswith("2"):
            return ()
        return "proxy", status if status.isdecimal() else ""

    def shake_hands(self) -> _End:
        try:
            self._socket = self._tls.wrap_socket(self._socket, server_hostname=self._target.hostname)
        except ssl.SSLCertVerificationError as error:
            return _UNTRUSTED.get(error.verify_code, "untrusted"), error.verify_message, self._presented()
        except TimeoutError:
            return ("silent",)
        except ssl.SSLError as error:
            return "no-tls", error.reason or type(error).__name__
        except OSError as error:
            return "no-tls", _name(error)
        return ()

    def _presented(self) -> bytes:
        """Return the untrusted certificate, from a second connection; empty if that fails."""
        self.close()
        try:
            if self.connect():
                return b""
            with x509.comparing_context().wrap_socket(self._socket, server_hostname=self._target.hostname) as seen:
                return seen.getpeercert(binary_form=True) or b""
        except OSError:
            return b""


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
