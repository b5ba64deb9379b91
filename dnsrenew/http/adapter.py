"""requests' way to urllib3, with a deadline for every answer, and trust of our own."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from requests import adapters
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import connection, connectionpool
from urllib3 import exceptions as urllib3_errors

from dnsrenew.base.clock import SystemClock
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and seconds for the whole answer."""
_LEAST: Final = 0.001


def tls_context(trust: Path | str | None) -> ssl.SSLContext:
    """Return what is trusted: the roots in a file alone, or the operating system's.

    :raises CAError: ``trust-unreadable``: a configuration was right when it was read, so the file is another by now.
    """
    if trust is None:
        return _system_trust()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=trust)
    except OSError as error:  # ssl.SSLError is one
        why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else str(error.strerror)
        raise CAError(
            "trust-unreadable",
            f"The roots in {trust} cannot be used: {why}.",
            fix="Name a file with root certificates in PEM form as `trust`.",
            evidence={"path": str(trust)},
        ) from None
    return context


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath or context.get_ca_certs()):
        # Python from python.org on a Mac knows no store of the system's: requests brings one.
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    return context


class _AnswerDeadline(io.RawIOBase):
    """Reads from a socket until a moment; a time-out of the socket's own begins anew with every byte."""

    def __init__(self, raw: Any, sock: Any) -> None:
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
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            if self._sock.fileno() >= 0:
                self._sock.settimeout(self._timeout)  # the connection is used again
            self._raw.close()
        super().close()


class _BoundedAnswer(http.client.HTTPResponse):
    """An answer whose status line, headers and body all come before one deadline."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_AnswerDeadline(self.fp.detach(), sock))


class _Connecting:
    """Connects within its time-out however many addresses a name has; urllib3 gives the whole of it to each."""

    _dns_host: str
    port: int
    timeout: Any

    def _new_conn(self) -> socket.socket:
        host, seconds = self._dns_host, self.timeout
        addresses = _addresses(host, self.port)
        if not addresses or not isinstance(seconds, int | float):
            return self._connected()
        end = SystemClock.monotonic() + seconds
        failed: Exception | None = None
        try:
            for number, address in enumerate(addresses):
                # Each gets its share of what is left, so that the last is tried too.
                self._dns_host = address
                self.timeout = max((end - SystemClock.monotonic()) / (len(addresses) - number), _LEAST)
                try:
                    link = self._connected()
                except urllib3_errors.HTTPError as error:
                    failed = error
                    continue
                link.settimeout(max(end - SystemClock.monotonic(), _LEAST))  # for the TLS handshake
                return link
        finally:
            self._dns_host, self.timeout = host, seconds
        assert failed is not None  # noqa: S101  # there was an address at least
        raise failed

    def _connected(self) -> socket.socket:
        link: socket.socket = super()._new_conn()  # type: ignore[misc]  # of urllib3's connection, the other base
        return link


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host; none where there are none: urllib3 then says why."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


class _Http(_Connecting, connection.HTTPConnection):
    response_class = _BoundedAnswer


class _Https(_Connecting, connection.HTTPSConnection):
    response_class = _BoundedAnswer


class _HttpPool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS: Final = {"http": _HttpPool, "https": _HttpsPool}
"""For the ``pool_classes_by_scheme`` of urllib3's pool managers: connections whose answers have a deadline."""


class Adapter(adapters.HTTPAdapter):
    """requests' way to urllib3, with our connections and our trust (not certifi's)."""

    def __init__(self, tls: ssl.SSLContext, pool: int) -> None:
        self._tls = tls
        super().__init__(pool_connections=pool, pool_maxsize=pool)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pool of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: it would add certifi's roots to ours."""
