"""The HTTPS client: time-outs, proxies, trust, user agent, size limit. Only this folder imports urllib3.

All threads share one :class:`HttpClient`, which keeps connections open. A request always ends within its time-outs. The
time for an answer runs from the end of the request to the last byte of the body, so that a server that sends byte by
byte times out too.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, urlencode, urljoin, urlsplit

import urllib3
from urllib3 import exceptions as urllib3_errors

from dnsrenew import __version__
from dnsrenew.base import texts
from dnsrenew.base.host_port import is_here
from dnsrenew.base.http import connections
from dnsrenew.base.http.connections import POOLS, TIMEOUT, BoundedAnswer, HttpFailure
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    import ssl

__all__ = ["BoundedAnswer", "HttpClient", "HttpFailure", "Response", "date_of", "retry_after", "texts_of"]

_HEADERS: Final = {
    "User-Agent": f"dnsrenew/{__version__} urllib3/{urllib3.__version__}",  # type: ignore[attr-defined]  # public, but not in its __all__
    "Accept-Encoding": "identity",
    "Accept-Language": "en",  # RFC 8555 section 6.1: texts of a CA appear in English messages
}
_HEADER: Final = re.compile(r"[\t\x20-\x7e\xa1-\xac\xae-\xff]*")
_POOL: Final = 34
"""The number of connections to one host that are kept open."""
MAX_BYTES: Final = 1 << 20
_PIECE: Final = 65_536
_MAX_REDIRECTS: Final = 5
_NO_RETRIES: Final = urllib3.Retry(False, redirect=False)
_ONCE: Final[Mapping[str, Any]] = {"retries": _NO_RETRIES, "redirect": False, "preload_content": False}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_Data: TypeAlias = bytes | str | Mapping[str, Any] | None
_Params: TypeAlias = Mapping[str, Any] | None


class Response(Frozen):
    """A complete answer.

    :ivar headers: case-insensitive; repeated headers are joined by a comma.
    :ivar url: the URL that answered, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        """Return the body as JSON.

        :raises ValueError: the body is not JSON.
        """
        text = self.body.decode("utf-8-sig")
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair can be parsed, but not printed or sent
            json.dumps(value, ensure_ascii=False).encode()
        return value

    def fields(self) -> dict[str, Any]:
        """Return the fields of a JSON object in the body, or an empty dict for any other body."""
        with contextlib.suppress(ValueError):
            found = self.json()
            return found if isinstance(found, dict) else {}
        return {}


def texts_of(document: Any, meant: Callable[[dict[str, Any]], Iterable[Any]], deepest: int = sys.maxsize) -> list[str]:
    """Return the texts in the JSON of an API that are meant for people, in order and without duplicates.

    :param meant: returns the values of an object that hold such texts.
    :param deepest: the deepest level that is searched.
    """
    found: dict[str, None] = {}
    waiting = [(document, 0)]
    while waiting:  # a generator in a generator would take a time that grows with the depth for each text
        value, depth = waiting.pop()
        value = meant(value) if isinstance(value, dict) else value
        if isinstance(value, str):
            found[value] = None
        elif isinstance(value, list) and depth < deepest:
            waiting += [(each, depth + 1) for each in reversed(value)]
    return list(found)


class HttpClient:
    """Sends requests; thread-safe, keeps connections open.

    :param trust: a PEM file with the only trusted roots; default: the roots of the operating system.
    :param pair: files with a client certificate and its key.
    :param source: the local address to connect from, without a proxy. ``0.0.0.0`` allows only IPv4, ``::`` only IPv6.
    :raises CAError: ``trust-unreadable``: the file contains no roots, or cannot be read.
    :raises OSError: the client certificate cannot be used.
    """

    def __init__(
        self, *, trust: Path | str | None = None, pair: tuple[str, str] | None = None, source: str | None = None
    ) -> None:
        tls = connections.shared_tls_context() if trust is None and pair is None else connections.tls_context(trust)
        if pair is not None:
            tls.load_cert_chain(*pair)
        self._tls = tls
        address = None if source is None else (source, 0)
        self._direct = urllib3.PoolManager(_POOL, maxsize=_POOL, ssl_context=tls, source_address=address)
        self._direct.pool_classes_by_scheme = POOLS
        self._through: dict[str, urllib3.ProxyManager] = {}
        self._lock = threading.Lock()
        self._proxies = urllib.request.getproxies() if source is None else {}
        self._proxy_of: dict[tuple[str, str], str | None] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        data: _Data = None,
        params: _Params = None,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
        max_bytes: int = MAX_BYTES,
        redirects: bool = False,
    ) -> Response:
        """Send a request and return the answer, regardless of its status.

        :param timeout: seconds to connect, and seconds for the whole answer; default: :data:`TIMEOUT`.
        :param max_bytes: a longer body is a failure.
        :param redirects: follow redirects of GET and HEAD; otherwise a redirect is a failure.
        :raises HttpFailure: there is no answer, or it is too large or a redirect.
        """
        outgoing = _Outgoing.of(method, url, headers or {}, data, params)
        timeout = timeout or TIMEOUT
        response = self._send(outgoing, timeout, max_bytes)
        followed = _MAX_REDIRECTS if redirects and method.upper() in {"GET", "HEAD"} else 0
        while response.status in _REDIRECTS and (location := response.headers.get("Location")):
            url = _target(response.url, location)
            if not followed:
                host = urlsplit(url).hostname or "nowhere"
                raise HttpFailure("redirect", texts.REDIRECT.format(host=host), leads_to=host)
            followed -= 1
            outgoing = _redirected(outgoing, response.url, url)
            response = self._send(outgoing, timeout, max_bytes)
        return response

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a URL, from the environment or the system, or None."""
        if not self._proxies or _stays_here(url):
            return None
        parts = urlsplit(url)
        server = parts.scheme, parts.netloc
        if server not in self._proxy_of:
            from requests.utils import select_proxy, should_bypass_proxies  # slow to load; few hosts need a proxy

            bypass = should_bypass_proxies(url, no_proxy=self._proxies.get("no"))
            self._proxy_of[server] = None if bypass else select_proxy(url, self._proxies)
        return self._proxy_of[server]

    def close(self) -> None:
        """Close the open connections."""
        with self._lock:
            for manager in (self._direct, *self._through.values()):
                manager.clear()

    def _send(self, outgoing: _Outgoing, timeout: tuple[float, float], max_bytes: int) -> Response:
        try:
            limit = urllib3.Timeout(connect=timeout[0], read=timeout[1])
            how = {"body": outgoing.body, "headers": outgoing.headers, "timeout": limit, **_ONCE}
            answer = self._manager(outgoing.url).urlopen(outgoing.method, outgoing.url, **how)
            return Response(answer.status, answer.headers, _body(answer, max_bytes), outgoing.url)
        except (urllib3_errors.HTTPError, OSError, ValueError) as error:
            # ValueError: a negative chunk size, which http.client accepts
            raise connections.failure(error, timeout) from None

    def _manager(self, url: str) -> urllib3.PoolManager:
        """Return the pool of connections for a URL."""
        proxy = self.proxy_for(url)
        if proxy is None:
            return self._direct
        with self._lock:
            if proxy not in self._through:
                self._through[proxy] = _proxy_manager(proxy, self._tls)
            return self._through[proxy]


def _proxy_manager(proxy: str, tls: ssl.SSLContext) -> urllib3.ProxyManager:
    """Return the pool of connections through a proxy.

    :raises HttpFailure: the proxy has an invalid address or an unknown kind.
    """
    try:
        address = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
        login = None if address.auth is None else {"Proxy-Authorization": _basic(address.auth)}
        server = address._replace(auth=None).url
        manager = urllib3.ProxyManager(server, _POOL, maxsize=_POOL, ssl_context=tls, proxy_headers=login)
    except urllib3_errors.ProxySchemeUnknown:
        raise HttpFailure("proxy", texts.PROXY_UNSUPPORTED) from None
    except urllib3_errors.LocationValueError:
        raise HttpFailure("proxy", texts.PROXY_INVALID) from None
    manager.pool_classes_by_scheme = POOLS
    return manager


def _basic(login: str) -> str:
    """Return the credentials of HTTP Basic for the user and the password of a URL (RFC 7617 section 2: in UTF-8)."""
    user, _, password = login.partition(":")
    return f"Basic {base64.b64encode(f'{unquote(user)}:{unquote(password)}'.encode()).decode()}"


class _Outgoing(Frozen):
    """A request in the form in which it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    @classmethod
    def of(
        cls, method: str, url: str, headers: Mapping[str, str], data: _Data = None, params: _Params = None
    ) -> _Outgoing:
        """Return the request; a user and a password in the URL become its Authorization.

        :raises HttpFailure: the URL is not a valid HTTP URL.
        """
        own: dict[str, str] = {**_HEADERS, **headers}
        parts = _parsed(url)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        if given:
            query = urlencode(given, doseq=True)
            parts = parts._replace(query=f"{parts.query}&{query}" if parts.query else query)
        if parts.auth is not None:
            own = {name: value for name, value in own.items() if name.lower() != "authorization"}
            own["Authorization"] = _basic(parts.auth)
        for name, value in own.items():
            if not _HEADER.fullmatch(value):  # such as a token with a letter of a web page in it
                raise HttpFailure("connect", texts.INVALID_HEADER.format(name=name))
        if isinstance(data, Mapping):
            own.setdefault("Content-Type", "application/x-www-form-urlencoded")
            data = urlencode(data, doseq=True)
        body = data.encode() if isinstance(data, str) else data
        return cls(method.upper(), parts._replace(auth=None, fragment=None).url, own, body)


def _parsed(url: str) -> urllib3.util.Url:
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3_errors.LocationParseError:
        raise HttpFailure("connect", texts.INVALID_URL) from None
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise HttpFailure("connect", texts.INVALID_URL)
    return parts


def _stays_here(url: str) -> bool:
    """Return whether a request without TLS stays on this machine. A proxy would read it."""
    parts = urlsplit(url)
    return parts.scheme == "http" and is_here(parts.hostname or "")


def _target(base: str, location: str) -> str:
    """Return the absolute URL of a redirect."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise HttpFailure("redirect", texts.REDIRECT_INVALID) from None


def _redirected(outgoing: _Outgoing, base: str, url: str) -> _Outgoing:
    """Return the request for the target of a redirect, without credentials for another host, and always with TLS."""
    source, target = urlsplit(base), urlsplit(url)
    if source.scheme == "https" and target.scheme != "https":
        raise HttpFailure("redirect", texts.REDIRECT_NO_TLS)
    same = source.netloc == target.netloc
    headers = {key: value for key, value in outgoing.headers.items() if same or key.lower() != "authorization"}
    return _Outgoing.of(outgoing.method, url, headers)


def _body(answer: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    received = bytearray()
    # Read in pieces: each chunk of an answer becomes an object. The read at the end shows whether one is missing.
    while more := answer.read(min(_PIECE, max_bytes + 1 - len(received)), decode_content=False):
        received += more
    body = bytes(received)
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding != "identity" and 0 < len(body) <= max_bytes:
        body = _decompressed(body, coding, max_bytes + 1)
    if len(body) > max_bytes:
        answer.close()
        raise HttpFailure("too-large", texts.TOO_LARGE.format(limit=max_bytes))
    return body


def _decompressed(body: bytes, coding: str, most: int) -> bytes:
    """Return a limited number of bytes of an answer that a server has compressed against our request.

    urllib3 before 2.6 first decompresses all of it, to a thousand times its size.
    """
    found, is_whole = b"", False
    if coding in _CODINGS:
        unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        with contextlib.suppress(zlib.error):
            found = unpacker.decompress(body, most)
            is_whole = unpacker.eof or len(found) == most
    if not is_whole:
        raise HttpFailure("reset", texts.NOT_DECOMPRESSED)
    return found


# ── headers ────────────────────────────────────────────────────────────────────────────

# The times in the headers of answers.

_SECONDS: Final = re.compile(r"\s*(\d{1,9})\s*")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` (RFC 9110 section 10.2.3).

    :param now: the time in UTC, for a ``Retry-After`` that is a date.
    :return: None if the header is absent or malformed; 0 for a date in the past.
    """
    text = headers.get("Retry-After", "")
    if seconds := _SECONDS.fullmatch(text):
        return float(seconds[1])
    date = _date(text)
    return None if date is None else max(0.0, (date - now).total_seconds())


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's time of an answer in UTC, from its ``Date`` (RFC 9110 section 6.6.1).

    A cache sends the original ``Date`` with an ``Age`` (RFC 9111 section 5.1), which is added.

    :return: None if the header is absent or malformed.
    """
    date, age = _date(headers.get("Date", "")), _SECONDS.fullmatch(headers.get("Age", ""))
    with contextlib.suppress(OverflowError):
        return date if date is None or age is None else date + timedelta(seconds=int(age[1]))
    return None


def _date(text: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    return None
