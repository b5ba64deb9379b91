"""Limits for libraries that use requests themselves: no redirect to another host, a deadline for every answer."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from dnsrenew.base.http import texts
from dnsrenew.base.http.connections import POOLS
from dnsrenew.base.http.failures import HttpFailure
from dnsrenew.base.values import Frozen

MOST: Final = 3 << 19
"""Maximum bytes of an answer: some DNS hosts send a whole zone. JSON can take forty times as much memory."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}


class _Origin(Frozen):
    scheme: str
    host: str
    port: int | None


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
    return _Origin(parts.scheme, parts.hostname or "nowhere", parts.port or _PORTS.get(parts.scheme))


def _refusal(source: _Origin, destination: _Origin) -> str:
    host, port = destination.host, destination.port
    if host != source.host:
        return texts.REDIRECT.format(host=host)
    text = texts.REDIRECT_PORT_TLS if destination.scheme == "https" else texts.REDIRECT_PORT
    return text.format(host=host, port=port)


def bound(adapter: Any) -> None:
    """Set on an adapter of requests a deadline and a size limit for every answer.

    Its read time-out becomes the time for the whole answer.
    """
    if getattr(adapter, "poolmanager", None) is None:
        return  # not an HTTPAdapter: a fake in a test, or a local socket
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
