"""Every HTTPS request: time-outs, proxies, trust, user agent, size limit. The only user of requests.

One :class:`HttpClient` may be shared by all threads; it keeps connections open. A request ends
within its time-outs, whatever the other side does: the time for an answer is counted from when the
request was sent to the last byte of the body, so that a server that drips is a time-out too.
"""

from __future__ import annotations

import http.client
import io
import json as json_module
import re
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests import adapters
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy, should_bypass_proxies
from urllib3 import connection, connectionpool
from urllib3 import exceptions as urllib3_errors

from dnsrenew import __version__
from dnsrenew.clock import SystemClock
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["dns", "connect", "tls", "timeout", "reset", "too-large", "redirect", "proxy"]

USER_AGENT: Final = f"dnsrenew/{__version__} (+https://pypi.org/project/dnsrenew/)"
TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and seconds for the whole answer."""
MAX_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECONDS: Final = re.compile(r"\s*(\d{1,9})\s*")


class HttpFailure(Exception):
    """There is no answer to a request, or none that we take.

    :ivar kind: where it failed.
    :ivar detail: what was seen, as the end of a sentence. It names no URL; the caller redacts it.
    :ivar untrusted: of kind ``tls``: the other side's certificate is not to be trusted.
    """

    def __init__(self, kind: Kind, detail: str, *, untrusted: bool = False) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.untrusted = untrusted


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end.

    :ivar headers: case-insensitive; several of one name are joined by a comma.
    :ivar url: the URL that answered, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        """Return the body as JSON.

        :raises ValueError: when it is none.
        """
        try:
            return json_module.loads(self.body)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


class HttpClient:
    """Makes requests; thread-safe, keeps connections open.

    :param trust: a PEM file with the only roots; default: the operating system's.
    :param user_agent: the ``User-Agent`` header; default: :data:`USER_AGENT`.
    :param pool: connections kept open to a host.
    :param headers: sent with every request.
    :raises ConfigError: ``trust-unreadable``, when there are no roots in the file.
    """

    def __init__(
        self,
        *,
        trust: Path | str | None = None,
        user_agent: str | None = None,
        pool: int = 16,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._headers = {"User-Agent": user_agent or USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
        self._adapter = _Adapter(_tls(trust), pool)
        # Once: asking the environment for every request, as requests does, costs more than the request's own work.
        self._proxies = urllib.request.getproxies()
        self._proxies_for: dict[str, dict[str, str]] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes | str | Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        auth: tuple[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        redirects: bool = False,
    ) -> Response:
        """Send a request and read the answer, of whatever status.

        :param timeout: seconds to connect, and seconds for the whole answer.
        :param auth: user and password for HTTP basic authentication.
        :param max_bytes: a longer body is refused.
        :param redirects: follow them, where the method is GET or HEAD; otherwise one is a failure.
        :raises HttpFailure: there is no answer, or none that we take.
        """
        wanted = requests.Request(
            method,
            url,
            headers={**self._headers, **(headers or {})},
            data=data,
            params=params,
            json=json,
            auth=auth,
        )
        response = self._send(wanted, timeout, max_bytes)
        followed = _MAX_REDIRECTS if redirects and method.upper() in {"GET", "HEAD"} else 0
        while response.status in _REDIRECTS and (location := response.headers.get("Location")):
            if not followed:
                host = urlsplit(urljoin(response.url, location)).hostname or "nowhere"
                raise HttpFailure("redirect", f"it redirects to {host}, which is not followed")
            followed -= 1
            wanted = _redirected(wanted, response.url, location)
            response = self._send(wanted, timeout, max_bytes)
        return response

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._adapter.close()

    def _send(self, wanted: requests.Request, timeout: tuple[float, float], max_bytes: int) -> Response:
        try:
            # Not through a Session: it keeps cookies, and reads the bodies of redirects without a limit.
            prepared = wanted.prepare()
            url = prepared.url or ""
            answer = self._adapter.send(prepared, stream=True, timeout=timeout, proxies=self._proxies_to(url))
            return Response(answer.status_code, answer.headers, _body(answer, max_bytes), url)
        except (requests.RequestException, urllib3_errors.HTTPError, OSError) as error:
            raise _failure(error, timeout) from None

    def _proxies_to(self, url: str) -> dict[str, str]:
        if not self._proxies:
            return {}
        host = urlsplit(url).netloc
        if host not in self._proxies_for:
            bypass = should_bypass_proxies(url, no_proxy=self._proxies.get("no"))
            proxy = None if bypass else select_proxy(url, self._proxies)
            self._proxies_for[host] = {urlsplit(url).scheme: proxy} if proxy else {}
        return self._proxies_for[host]


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for (RFC 9110 section 10.2.3), as it stands.

    :param now: the time, in UTC, for the form that is a date (of any zone).
    :return: None when it is absent or malformed; 0 for a date that is over.
    """
    text = headers.get("Retry-After")
    if text is None:
        return None
    if seconds := _SECONDS.fullmatch(text):
        return float(seconds[1])
    try:
        date = parsedate_to_datetime(text)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
        return max(0.0, (date - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _tls(trust: Path | str | None) -> ssl.SSLContext:
    if trust is None:
        return _system_trust()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=trust)
    except OSError as error:  # ssl.SSLError is one
        why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else str(error.strerror)
        raise ConfigError(
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


def _redirected(wanted: requests.Request, base: str, location: str) -> requests.Request:
    """Return the request for the next hop; credentials do not go to another host, nor anything without TLS."""
    url = urljoin(base, location)
    here, there = urlsplit(base), urlsplit(url)
    if here.scheme == "https" and there.scheme != "https":
        raise HttpFailure("redirect", "it redirects to an address without TLS, which is not followed")
    same = here.netloc == there.netloc
    headers = {key: value for key, value in wanted.headers.items() if same or key.lower() != "authorization"}
    return requests.Request(wanted.method, url, headers=headers, auth=wanted.auth if same else None)


def _body(answer: requests.Response, max_bytes: int) -> bytes:
    raw: urllib3.HTTPResponse = answer.raw
    body = raw.read(max_bytes + 1, decode_content=True)
    if len(body) > max_bytes:
        raw.close()
        raise HttpFailure("too-large", f"its answer is longer than {max_bytes} bytes")
    return body


# ── the answer has a deadline ───────────────────────────────────────────────────────────


class _Deadline(io.RawIOBase):
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


class _Answer(http.client.HTTPResponse):
    """An answer whose status line, headers and body all come before one deadline."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Deadline(self.fp.detach(), sock))


class _Http(connection.HTTPConnection):
    response_class = _Answer


class _Https(connection.HTTPSConnection):
    response_class = _Answer


class _HttpPool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(adapters.HTTPAdapter):
    """requests' way to urllib3, with our connections and our trust (not certifi's)."""

    def __init__(self, tls: ssl.SSLContext, pool: int) -> None:
        self._tls = tls
        super().__init__(pool_connections=pool, pool_maxsize=pool)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: it would add certifi's roots to ours."""


# ── what went wrong ─────────────────────────────────────────────────────────────────────


def _failure(error: Exception, timeout: tuple[float, float]) -> HttpFailure:
    """Translate what requests and urllib3 raise; no text of theirs that holds a URL is kept."""
    if isinstance(error, HttpFailure):
        return error
    cause = _cause(error)
    if isinstance(error, requests.exceptions.ProxyError) or isinstance(cause, urllib3_errors.ProxyError):
        inner = getattr(cause, "original_error", cause)
        return HttpFailure("proxy", f"the proxy does not work ({_words(inner)})")
    if isinstance(cause, urllib3_errors.NameResolutionError):
        return HttpFailure("dns", "its name cannot be resolved")
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return HttpFailure("connect", f"no connection can be made ({_words(cause)})")
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return HttpFailure("timeout", f"no connection was made within {timeout[0]:g} s")
    if isinstance(cause, urllib3_errors.SSLError | ssl.SSLError):
        return _tls_failure(cause)
    if isinstance(cause, urllib3_errors.ReadTimeoutError | TimeoutError):
        return HttpFailure("timeout", f"no whole answer came within {timeout[1]:g} s")
    if isinstance(
        cause,
        urllib3_errors.LocationValueError
        | requests.exceptions.InvalidURL
        | requests.exceptions.InvalidSchema
        | requests.exceptions.MissingSchema,
    ):
        return HttpFailure("connect", "its address is not a URL that can be used")
    return HttpFailure("reset", f"the connection ended before the answer did ({type(cause).__name__})")


def _cause(error: BaseException) -> BaseException:
    """Return what is inside requests' exception and urllib3's MaxRetryError and ProtocolError."""
    while True:
        inner = getattr(error, "reason", None) or next((arg for arg in error.args if _is_wrapped(error, arg)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _is_wrapped(error: BaseException, argument: object) -> bool:
    wrapper = isinstance(error, requests.RequestException | urllib3_errors.ProtocolError | urllib3_errors.SSLError)
    return wrapper and isinstance(argument, BaseException)


def _tls_failure(cause: BaseException) -> HttpFailure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HttpFailure("tls", f"its certificate is not trusted ({cause.verify_message})", untrusted=True)
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return HttpFailure("tls", f"no TLS connection can be made ({str(reason).lower().replace('_', ' ')})")


def _words(error: BaseException) -> str:
    """Return the operating system's words for an error, or the name of its type."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
