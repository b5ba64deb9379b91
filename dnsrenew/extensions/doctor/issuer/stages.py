"""How far a connection to an HTTPS server gets: its name, TCP, TLS, one after the other. No request is sent.

Behind a proxy, name and TCP are those of the proxy, and TLS goes through it.
"""

from __future__ import annotations

import base64
import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http.connections import tls_context
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Cancelled

SECONDS: Final = 3.0
"""For each stage; after that the other side is silent."""
_MAX_ADDRESSES: Final = 8
_MAX_ANSWER: Final = 8192
_NO_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_DATES: Final = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

StageName = Literal["dns", "tcp", "tls"]
StageFault = Literal[
    "",
    "silent",
    "no-name",
    "no-answer",
    "refused",
    "unreachable",
    "proxy",
    "untrusted",
    "dates",
    "other-name",
    "no-tls",
]
"""Why a stage ended the connection; ``""``: it did not. ``silent``: there was no answer in time."""


class Stage(Frozen):
    """One stage of a connection.

    :ivar detail: the name of the system's error, OpenSSL's reason or the status of the proxy; empty if there is none.
    :ivar certificate: the certificate that is not trusted, DER.
    """

    name: StageName
    seconds: float
    fault: StageFault = ""
    detail: str = ""
    certificate: bytes = b""


class ConnectionStages(Frozen):
    """The stages of a connection up to the first that failed.

    :ivar host: the host that was connected to: that of the URL, or the proxy; empty if the proxy has no valid address.
    """

    host: str
    port: int
    through_proxy: bool
    stages: tuple[Stage, ...]

    @property
    def last(self) -> Stage:
        """The stage that failed, or the last one."""
        return self.stages[-1]


class _Ended(Exception):  # control flow inside this module
    def __init__(self, fault: StageFault, detail: str = "", certificate: bytes = b"") -> None:
        super().__init__(fault)
        self.fault = fault
        self.detail = detail
        self.certificate = certificate


def connect_by_stages(
    context: Context, url: str, *, trust: Path | str | None = None, proxy: str | None = None
) -> ConnectionStages:
    """Connect to the server of a URL and close the connection; say how far it got.

    :param trust: a PEM file with the only trusted roots; default: those of the operating system.
    :param proxy: the URL of the proxy on the connection.
    :raises CAError: ``trust-unreadable``.
    :raises Cancelled: the caller cancelled.
    """
    target = urlsplit(url)
    first = target if proxy is None else _proxy_parts(proxy)
    if first is None:
        return ConnectionStages("", 0, through_proxy=True, stages=(Stage("dns", 0.0, "proxy"),))
    connection = _StagedConnection(target, None if proxy is None else first, tls_context(trust))
    stages: list[Stage] = []
    steps: list[tuple[StageName, Callable[[], None]]] = [("dns", connection.resolve), ("tcp", connection.connect)]
    if target.scheme == "https" and (proxy is None or first.scheme == "http"):  # not inside the TLS of a proxy
        steps.append(("tls", connection.shake_hands))
    try:
        for name, step in steps:
            stages.append(_stage(context, name, step))
            if stages[-1].fault:
                break
    finally:
        connection.close()
    return ConnectionStages(first.hostname or "", _port(first), proxy is not None, tuple(stages))


def _proxy_parts(proxy: str) -> SplitResult | None:
    """Return the parts of the address of a proxy; None if it is not valid: a person wrote it into the environment."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        _ = parts.port  # checked only when it is read
    except ValueError:
        return None
    return parts if parts.hostname else None


def _stage(context: Context, name: StageName, step: Callable[[], None]) -> Stage:
    started = context.clock.monotonic()
    fault: StageFault = ""
    detail, certificate = "", b""
    try:
        context.within(SECONDS).call(partial(_without_traceback, step))
    except _Ended as ended:
        fault, detail, certificate = ended.fault, ended.detail, ended.certificate
    except Cancelled:
        context.check()
        fault = "silent"
    return Stage(name, round(context.clock.monotonic() - started, 3), fault, detail, certificate)


def _without_traceback(step: Callable[[], None]) -> None:
    """Run a step; its frames hold sockets and the credentials of the proxy."""
    try:
        step()
    except _Ended as ended:
        raise ended.with_traceback(None) from None


class _StagedConnection:
    """The connection as far as it has got.

    :param proxy: the proxy on the way, or None.
    """

    def __init__(self, target: SplitResult, proxy: SplitResult | None, tls: ssl.SSLContext) -> None:
        self._target = target
        self._proxy = proxy
        self._tls = tls
        self._addresses: list[Any] = []
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def resolve(self) -> None:
        first = self._proxy or self._target
        try:
            found = socket.getaddrinfo(first.hostname, _port(first), type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise _Ended("no-name" if error.errno in _NO_NAME else "no-answer") from None
        except (OSError, UnicodeError):
            raise _Ended("no-name") from None
        self._addresses = list(dict.fromkeys((family, where) for family, _, _, _, where in found))[:_MAX_ADDRESSES]

    def connect(self) -> None:
        self._socket = self._connected()

    def shake_hands(self) -> None:
        assert self._socket is not None  # noqa: S101  # the stage before
        host = self._target.hostname
        try:
            self._socket = self._tls.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise _Ended(_untrusted(error.verify_code), error.verify_message, self._presented()) from None
        except TimeoutError:
            raise _Ended("silent") from None
        except ssl.SSLError as error:
            raise _Ended("no-tls", error.reason or type(error).__name__) from None
        except OSError as error:
            raise _Ended("no-tls", _name(error)) from None

    def _connected(self) -> socket.socket:
        """Return a socket that is connected to the server, through the proxy if there is one."""
        connected = self._to_first()
        if self._proxy is not None and self._target.scheme == "https" and self._proxy.scheme != "https":
            try:
                _ask_proxy(connected, self._target, self._proxy)
            except BaseException:
                connected.close()
                raise
        return connected

    def _to_first(self) -> socket.socket:
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
            return tried
        if any(isinstance(error, TimeoutError) for error in errors):
            raise _Ended("silent")
        refused = all(error.errno == errno.ECONNREFUSED for error in errors)
        raise _Ended("refused" if refused else "unreachable", _name(errors[-1]))

    def _presented(self) -> bytes:
        """Return the certificate that was not trusted, from a second connection; empty if that fails."""
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        try:
            with (
                self._connected() as connected,
                blind.wrap_socket(connected, server_hostname=self._target.hostname) as seen,
            ):
                return seen.getpeercert(binary_form=True) or b""
        except (OSError, _Ended):
            return b""


def _ask_proxy(connected: socket.socket, target: SplitResult, proxy: SplitResult) -> None:
    """Have a proxy connect to the server (RFC 9110 section 9.3.6)."""
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    lines = [f"CONNECT {host}:{_port(target)} HTTP/1.1", f"Host: {host}:{_port(target)}"]
    if proxy.username:
        user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
    try:
        connected.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < _MAX_ANSWER:
            received = connected.recv(1)  # byte by byte: what follows belongs to the next reader
            if not received:
                break
            answer += received
    except TimeoutError:
        raise _Ended("silent") from None
    except OSError as error:
        raise _Ended("proxy", _name(error)) from None
    status = answer[9:12].decode("latin-1")
    if not (answer.startswith(b"HTTP/1.") and status.isdecimal() and status.startswith("2")):
        raise _Ended("proxy", status if status.isdecimal() else "")


def _untrusted(code: int) -> StageFault:
    if code in _DATES:
        return "dates"
    return "other-name" if code in _OTHER_NAME else "untrusted"


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
