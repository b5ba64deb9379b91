"""Bounds for what libraries that we drive do with requests: an end for every answer, in time and in size."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from dnsrenew.http.adapter import POOLS
from dnsrenew.http.failures import HttpFailure

MOST: Final = 16 << 20
"""Bytes of an answer: some hosts send a whole zone."""


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
    class Bounded(kind):  # type: ignore[misc]  # whatever it is
        def send(self, request: Any, stream: bool = False, **arguments: Any) -> Any:  # noqa: FBT001, FBT002  # as there
            response = super().send(request, stream=stream, **arguments)
            if not stream:
                response._content = _whole(response)  # noqa: SLF001  # where `content` keeps it
            return response

        def proxy_manager_for(self, proxy: str, **arguments: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **arguments)
            manager.pool_classes_by_scheme = POOLS
            return manager

    return Bounded


def _whole(response: Any) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MOST:
            response.close()
            raise HttpFailure("too-large", f"its answer is longer than {MOST} bytes")
    return bytes(body)
