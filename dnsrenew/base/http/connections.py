"""Connections of urllib3 whose answers have a deadline, and their trusted roots."""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urljoin, urlsplit

from urllib3 import connection, connectionpool
from urllib3 import exceptions as urllib3_errors

from dnsrenew.base import texts
from dnsrenew.base.clock import SystemClock
from dnsrenew.errors import CAError

TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and seconds for the whole answer."""
_MIN_TIMEOUT: Final = 0.001
MAX_HEAD: Final = 128 << 10
"""Maximum bytes of the status line and the headers, with all interim answers.

Python allows 6 MB, any number of times.
"""
_MAX_BODY: Final = 8 << 20
"""Maximum bytes of a body on the wire: in chunks of one byte, it is six times as long."""


def tls_context(trust: Path | str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts only the roots in a file, or the roots of the operating system.

    :raises CAError: ``trust-unreadable``: the file has changed since the configuration was checked.
    """
    if trust is None:
        return _system_trust()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=trust)
    except OSError as error:  # ssl.SSLError is one
        if isinstance(error, ssl.SSLError):
            raise CAError.of(texts.TRUST_EMPTY, path=str(trust)) from None
        raise CAError.of(texts.TRUST_UNREADABLE, path=str(trust), cause=str(error.strerror)) from None
    return context


def shared_tls_context() -> ssl.SSLContext:
    """Return the shared TLS context that trusts the roots of the operating system. Do not change it.

    Reading the roots takes longer than a request, so they are read again only after a change of their file or folder.
    """
    paths = ssl.get_default_verify_paths()
    places = tuple(path for path in (paths.cafile, paths.capath) if path)
    try:
        seen = tuple((path, os.stat(path).st_mtime_ns) for path in places)
    except OSError:
        return _system_trust()
    return _shared_trust(seen) if seen else _system_trust()


@lru_cache(maxsize=1)
def _shared_trust(_seen: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    return _system_trust()


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath or context.get_ca_certs()):
        # Python from python.org on macOS does not find the system's roots; requests includes certifi's.
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    return context


class _AnswerLimits(io.RawIOBase):
    """Reads from a socket until a deadline, and at most ``most`` bytes.

    The socket's own time-out restarts with every byte.
    """

    def __init__(self, raw: Any, sock: Any) -> None:
        self.most = MAX_HEAD
        self._count = 0
        self._raw = raw
        self._sock = sock
        self._timeout: float | None = sock.gettimeout()
        self._end = SystemClock.monotonic() + (TIMEOUT[1] if self._timeout is None else self._timeout)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - SystemClock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._count >= self.most:
            raise HttpFailure("too-large", texts.TOO_LARGE.format(limit=self.most))
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        self._count += count or 0
        return count

    def close(self) -> None:
        if not self.closed:
            if self._sock.fileno() >= 0:
                self._sock.settimeout(self._timeout)  # the connection is reused
            self._raw.close()
        super().close()


class BoundedAnswer(http.client.HTTPResponse):
    """An answer with a limited head, whose status line, headers and body share one deadline.

    Reading more raises :class:`HttpFailure`.
    """

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._limits = _AnswerLimits(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._limits)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._limits.most += _MAX_BODY


class _SharedConnectTimeout:
    """Connects within one time-out for all addresses of a host; urllib3 applies the time-out to each address.

    It ignores ``http.client.HTTPConnection.debuglevel``, which prints every request, with its credentials.
    """

    debuglevel = 0
    _dns_host: str
    port: int
    timeout: Any

    def _new_conn(self) -> socket.socket:
        host, seconds = self._dns_host, self.timeout
        addresses = _addresses(host, self.port)
        if not addresses or not isinstance(seconds, int | float):
            return self._connect_one()
        end = SystemClock.monotonic() + seconds
        failed: Exception | None = None
        try:
            for number, address in enumerate(addresses):
                # Each address gets its share of the remaining time, so that the last one is tried too.
                self._dns_host = address
                self.timeout = max((end - SystemClock.monotonic()) / (len(addresses) - number), _MIN_TIMEOUT)
                try:
                    connected = self._connect_one()
                except urllib3_errors.HTTPError as error:
                    failed = error
                    continue
                connected.settimeout(max(end - SystemClock.monotonic(), _MIN_TIMEOUT))  # for the TLS handshake
                return connected
        finally:
            self._dns_host, self.timeout = host, seconds
        assert failed is not None  # noqa: S101  # there is at least one address
        raise failed

    def _connect_one(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]  # from urllib3's connection, the other base class
        return connected


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host; empty on failure, so that urllib3 raises the error."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


class _Http(_SharedConnectTimeout, connection.HTTPConnection):
    response_class = BoundedAnswer


class _Https(_SharedConnectTimeout, connection.HTTPSConnection):
    response_class = BoundedAnswer

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError:
            # A silent proxy, or a silent server in the TLS handshake. For urllib3, that is a time-out of the answer.
            raise urllib3_errors.ConnectTimeoutError(self, "the connection timed out") from None


class _HttpPool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS: Final = {"http": _HttpPool, "https": _HttpsPool}
"""For the ``pool_classes_by_scheme`` of urllib3's pool managers: connections whose answers have a deadline."""


# ── failures ───────────────────────────────────────────────────────────────────────────

# Translates the exceptions of urllib3 to :class:`HttpFailure`.

FailureKind = Literal["dns", "connect", "tls", "timeout", "reset", "too-large", "redirect", "proxy"]


_TUNNEL: Final = "Tunnel connection failed: "
_ENDED = (http.client.RemoteDisconnected, http.client.IncompleteRead)


class HttpFailure(Exception):
    """A request without an acceptable answer.

    :ivar kind: the stage that failed.
    :ivar detail: the reason, as the end of a sentence. It contains no URL; the caller redacts it.
    :ivar untrusted: for ``tls``: the certificate of the server is not trusted.
    :ivar sent: False if no request of the caller has left this machine; set by the caller.
    :ivar leads_to: for ``redirect``: the host that the server redirects to; empty if unknown.
    """

    def __init__(self, kind: FailureKind, detail: str, *, untrusted: bool = False, leads_to: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.untrusted = untrusted
        self.leads_to = leads_to
        self.sent = True


def failure(error: Exception, timeout: tuple[float, float]) -> HttpFailure:
    """Translate an exception of urllib3, and drop texts that contain a URL."""
    if isinstance(error, HttpFailure):
        return error
    cause = _cause(error)
    if isinstance(cause, urllib3_errors.ProxyError):
        inner = getattr(cause, "original_error", cause)
        return HttpFailure("proxy", texts.PROXY_FAILED.format(cause=_reason(inner)))
    if isinstance(cause, urllib3_errors.NameResolutionError):
        return HttpFailure("dns", texts.NO_NAME)
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return HttpFailure("connect", texts.NO_CONNECTION.format(cause=_reason(cause)))
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return HttpFailure("timeout", texts.CONNECT_TIMEOUT.format(seconds=timeout[0]))
    if isinstance(cause, urllib3_errors.SSLError | ssl.SSLError):
        return _tls_failure(cause)
    if isinstance(cause, urllib3_errors.ReadTimeoutError | TimeoutError):
        return HttpFailure("timeout", texts.ANSWER_TIMEOUT.format(seconds=timeout[1]))
    if isinstance(cause, urllib3_errors.LocationValueError):
        return HttpFailure("connect", texts.INVALID_URL)
    if isinstance(cause, http.client.HTTPException | ValueError) and not isinstance(cause, _ENDED):
        return HttpFailure("reset", texts.NOT_HTTP)
    reason = cause.strerror if isinstance(cause, OSError) else None
    if reason:
        return HttpFailure("reset", texts.CONNECTION_ENDED_BECAUSE.format(cause=reason))
    return HttpFailure("reset", texts.CONNECTION_ENDED)


def _cause(error: BaseException) -> BaseException:
    """Return the exception inside urllib3's ProtocolError and SSLError."""
    while True:
        inner = getattr(error, "reason", None) or next((arg for arg in error.args if _is_wrapped(error, arg)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _is_wrapped(error: BaseException, argument: object) -> bool:
    wrapper = isinstance(error, urllib3_errors.ProtocolError | urllib3_errors.SSLError)
    return wrapper and isinstance(argument, BaseException)


def _tls_failure(cause: BaseException) -> HttpFailure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HttpFailure("tls", texts.NOT_TRUSTED.format(cause=cause.verify_message), untrusted=True)
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return HttpFailure("tls", texts.NO_TLS.format(cause=str(reason).lower().replace("_", " ")))


def _reason(error: BaseException) -> str:
    """Return the text of the operating system for an error, or the name of its class."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            return current.strerror
        if str(current).startswith(_TUNNEL):  # only the status, without the text of the proxy
            return texts.PROXY_ANSWER.format(status=str(current).removeprefix(_TUNNEL)[:3])
        current = current.__cause__ or current.__context__
    return type(error).__name__


# ── third party ────────────────────────────────────────────────────────────────────────

# Limits for libraries that use requests themselves: redirects stay at one host, and every answer has a deadline.

MOST: Final = 3 << 19
"""Maximum bytes of an answer, because some DNS hosts send a whole zone. JSON can take forty times as much memory."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}


_Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


def redirected(method: str, url: str, location: str | None) -> str:
    """Return the target of a redirect, which is followed only for GET and HEAD, and only within the same origin.

    Credentials may be in any header, in the body or in the URL, so nothing is sent to another origin. A redirected
    change would be sent twice, or become a GET whose answer looks like success.

    :param url: the URL that answered.
    :raises HttpFailure: ``redirect``; it names only the host, because the rest of the URL may contain credentials.
    """
    if location is None:
        raise HttpFailure("redirect", texts.REDIRECT_NOWHERE)
    try:
        target = urljoin(url, location)
        source, destination = _origin(url), _origin(target)
    except ValueError:
        raise HttpFailure("redirect", texts.REDIRECT_INVALID) from None
    if destination != source or method not in _SAFE_METHODS:
        raise HttpFailure("redirect", _refusal(source, destination))
    return target


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "nowhere", parts.port or _PORTS.get(parts.scheme)


def _refusal(source: _Origin, destination: _Origin) -> str:
    scheme, host, port = destination
    if host != source[1]:
        return texts.REDIRECT.format(host=host)
    text = texts.REDIRECT_PORT_TLS if scheme == "https" else texts.REDIRECT_PORT
    return text.format(host=host, port=port)


def bound(adapter: Any) -> None:
    """Set on an adapter of requests a deadline and a size limit for every answer.

    Its read time-out becomes the time for the whole answer.
    """
    if getattr(adapter, "poolmanager", None) is None:
        return  # not an HTTPAdapter, but a fake in a test or a local socket
    adapter.poolmanager.pool_classes_by_scheme = POOLS
    kind: Any = type(adapter)
    adapter.__class__ = _bounded(kind)


@cache
def _bounded(kind: Any) -> Any:
    class BoundedSession(kind):  # type: ignore[misc]  # a class that is known only at run time
        def send(self, request: Any, stream: bool = False, **arguments: Any) -> Any:  # noqa: FBT001, FBT002  # the inherited signature
            response = super().send(request, stream=stream, **arguments)
            if not stream:
                response._content = _whole(response)  # noqa: SLF001  # the cache of `content`
            return response

        def proxy_manager_for(self, proxy: str, **arguments: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **arguments)
            manager.pool_classes_by_scheme = POOLS
            return manager

    return BoundedSession


def _whole(response: Any) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MOST:
            response.close()
            raise HttpFailure("too-large", texts.TOO_LARGE.format(limit=MOST))
    return bytes(body)
