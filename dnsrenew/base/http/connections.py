"""Connections of urllib3 whose answers have a deadline, and what they trust."""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from urllib3 import connection, connectionpool
from urllib3 import exceptions as urllib3_errors

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import texts
from dnsrenew.base.http.failures import HttpFailure
from dnsrenew.errors import CAError

TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and seconds for the whole answer."""
_MIN_TIMEOUT: Final = 0.001
MAX_HEAD: Final = 128 << 10
"""Bytes of the status line and the headers, with all answers before the final one; Python allows 6 MB and no end."""
_MAX_BODY: Final = 8 << 20
"""Bytes of a body as it is sent: in chunks of one byte, it is six times as long."""


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
    """Return the one TLS context that trusts the roots of the operating system; do not change it.

    Reading the roots takes longer than a request: it is done again when their file or folder has changed.
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
    """Reads from a socket until a deadline, and at most ``most`` bytes; its own time-out restarts with every byte."""

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
    """Return the addresses of a host; empty on failure: urllib3 then raises the error."""
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
            # A proxy was silent, or the server in the TLS handshake. For urllib3 that is a time-out of the answer.
            raise urllib3_errors.ConnectTimeoutError(self, "the connection timed out") from None


class _HttpPool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS: Final = {"http": _HttpPool, "https": _HttpsPool}
"""For the ``pool_classes_by_scheme`` of urllib3's pool managers: connections whose answers have a deadline."""
