"""Every HTTPS request: time-outs, proxies, trust, user agent, size limit. The only user of requests.

One :class:`HttpClient` may be shared by all threads; it keeps connections open. A request ends
within its time-outs, whatever the other side does: the time for an answer is counted from when the
request was sent to the last byte of the body, so that a server that drips is a time-out too.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.utils import select_proxy, should_bypass_proxies
from urllib3 import exceptions as urllib3_errors

from dnsrenew import __version__
from dnsrenew.http.adapter import TIMEOUT, Adapter, tls_context
from dnsrenew.http.failures import HttpFailure, failure

if TYPE_CHECKING:
    from pathlib import Path


_HEADERS: Final = {
    "User-Agent": f"dnsrenew/{__version__} requests/{requests.__version__}",
    "Accept-Encoding": "identity",
    "Accept-Language": "en",  # RFC 8555 section 6.1: what a CA says is shown beside our own words
}
_POOL: Final = 24
"""Connections kept open to a host."""
MAX_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECONDS: Final = re.compile(r"\s*(\d{1,9})\s*")


class Response(NamedTuple):
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
        text = self.body.decode("utf-8-sig")
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair could be read, and never be printed or sent
            json.dumps(value, ensure_ascii=False).encode()
        return value


class HttpClient:
    """Makes requests; thread-safe, keeps connections open.

    :param trust: a PEM file with the only roots; default: the operating system's.
    :raises CAError: ``trust-unreadable``, when there are no roots in the file.
    """

    def __init__(self, *, trust: Path | str | None = None) -> None:
        self._adapter = Adapter(tls_context(trust), _POOL)
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
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
        max_bytes: int = MAX_BYTES,
        redirects: bool = False,
    ) -> Response:
        """Send a request and read the answer, of whatever status.

        :param timeout: seconds to connect, and seconds for the whole answer; default: :data:`TIMEOUT`.
        :param max_bytes: a longer body is refused.
        :param redirects: follow them, where the method is GET or HEAD; otherwise one is a failure.
        :raises HttpFailure: there is no answer, or none that we take.
        """
        wanted = requests.Request(method, url, headers={**_HEADERS, **(headers or {})}, data=data, params=params)
        timeout = timeout or TIMEOUT
        response = self._send(wanted, timeout, max_bytes)
        followed = _MAX_REDIRECTS if redirects and method.upper() in {"GET", "HEAD"} else 0
        while response.status in _REDIRECTS and (location := response.headers.get("Location")):
            url = _target(response.url, location)
            if not followed:
                host = urlsplit(url).hostname or "nowhere"
                raise HttpFailure("redirect", f"it redirects to {host}, which is not followed")
            followed -= 1
            wanted = _redirected(wanted, response.url, url)
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
        except (requests.RequestException, urllib3_errors.HTTPError, OSError, ValueError) as error:
            # ValueError: a chunk of less than nothing (http.client lets that through).
            raise failure(error, timeout) from None

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


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return what time it was for the other side when an answer came, by its ``Date`` (RFC 9110 section 6.6.1), in UTC.

    A cache in between sends the old one, and in ``Age`` how old it is (RFC 9111 section 5.1).

    :return: None when it is absent or malformed.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        age = _SECONDS.fullmatch(headers.get("Age", ""))
        return date + timedelta(seconds=int(age[1])) if age else date
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _target(base: str, location: str) -> str:
    """Return where a redirect leads."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise HttpFailure("redirect", "it redirects to something that is no address") from None


def _redirected(wanted: requests.Request, base: str, url: str) -> requests.Request:
    """Return the request for the next hop; credentials do not go to another host, nor anything without TLS."""
    here, there = urlsplit(base), urlsplit(url)
    if here.scheme == "https" and there.scheme != "https":
        raise HttpFailure("redirect", "it redirects to an address without TLS, which is not followed")
    same = here.netloc == there.netloc
    headers = {key: value for key, value in wanted.headers.items() if same or key.lower() != "authorization"}
    return requests.Request(wanted.method, url, headers=headers)


def _body(answer: requests.Response, max_bytes: int) -> bytes:
    raw: urllib3.HTTPResponse = answer.raw
    body = raw.read(max_bytes + 1, decode_content=True)
    if len(body) > max_bytes:
        raw.close()
        raise HttpFailure("too-large", f"its answer is longer than {max_bytes} bytes")
    return body
