"""Bounds for what libraries that we drive do with requests: no way to another host, and an end for every answer."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from dnsrenew.http.adapter import POOLS
from dnsrenew.http.failures import HttpFailure

MOST: Final = 16 << 20
"""Bytes of an answer: some hosts send a whole zone."""
_READING: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None


def redirected(method: str, here: str, location: str | None) -> str:
    """Return the URL that a redirect leads to: of a question only, and only within the place that was asked.

    Keys travel in headers of any name, in bodies and in addresses, so nothing at all is sent to another place. And a
    change that is led on would be sent on, or turn into a question whose answer looks like success.

    :param here: the URL that answered.
    :raises HttpFailure: ``redirect``; it names the host, for the rest of the address may hold a key.
    """
    if location is None:
        raise HttpFailure("redirect", "it redirects, and does not say where to")
    try:
        there = urljoin(here, location)
        asked, wanted = _origin(here), _origin(there)
    except ValueError:
        raise HttpFailure("redirect", "it redirects to something that is no address") from None
    if wanted != asked or method not in _READING:
        raise HttpFailure("redirect", f"it redirects to {_place(asked, wanted)}, which is not followed")
    return there


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    return _Origin(parts.scheme, parts.hostname or "nowhere", parts.port or _PORTS.get(parts.scheme))


def _place(asked: _Origin, wanted: _Origin) -> str:
    if wanted.host != asked.host:
        return wanted.host
    tls = "with" if wanted.scheme == "https" else "without"
    return f"{wanted.host} itself, port {wanted.port}, {tls} TLS"


def bound(adapter: Any) -> None:
    """Let an adapter of requests, of whatever class, take no answer that drips or does not end.

    Its time-out for reading is from then on the time for the whole answer.
    """
    if getattr(adapter, "poolmanager", None) is None:
        return  # none of requests' own kind: a stand-in of a test, or a local socket
    adapter.poolmanager.pool_classes_by_scheme = POOLS
    kind: Any = type(adapter)
    adapter.__class__ = _bounded(kind)


@cache
def _bounded(kind: Any) -> Any:
    class BoundedSession(kind):  # type: ignore[misc]  # whatever it is
        def send(self, request: Any, stream: bool = False, **arguments: Any) -> Any:  # noqa: FBT001, FBT002  # as there
            response = super().send(request, stream=stream, **arguments)
            if not stream:
                response._content = _whole(response)  # noqa: SLF001  # where `content` keeps it
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
            raise HttpFailure("too-large", f"its answer is longer than {MOST} bytes")
    return bytes(body)
