"""Changes to the libraries of lexicon's own process: time-outs, no key on a redirect, no downloads.

:func:`patch_libraries` is called once, before lexicon is imported.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import math
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, Never

import requests

from dnsrenew.base.http import BoundedAnswer, connections
from dnsrenew.base.values import Frozen


class RequestLimits(Frozen):
    """Seconds to connect, and seconds for an answer."""

    connect: float
    read: float


class CallEnd:
    """The end of a call, which another thread may bring forward.

    :ivar at: the end in monotonic seconds.
    """

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds


_end: ContextVar[CallEnd | None] = ContextVar("end", default=None)
"""The end of the call in this thread."""


def begin_call(end: CallEnd) -> None:
    """Limit every request of this thread to the time until the given end."""
    _end.set(end)


def left() -> float:
    """Return the seconds until the end of the call in this thread; negative after it."""
    end = _end.get()
    return math.inf if end is None else end.at - time.monotonic()


def check() -> None:
    """Raise if the caller no longer waits.

    :raises TimeoutError: the deadline has passed, or the caller cancelled.
    """
    if left() <= 0:
        raise TimeoutError("the deadline of the call has passed")


def patch_libraries(limits: RequestLimits) -> None:
    """Patch all libraries with which lexicon's providers send."""
    # For the two modules that use xmlrpc and the one that uses urllib: limits for the size and the time of an answer.
    socket.setdefaulttimeout(limits.read)
    http.client.HTTPConnection.response_class = BoundedAnswer
    _patch_urllib()
    session = _timed_session(requests, limits)
    vars(requests)["Session"] = vars(requests.sessions)["Session"] = session
    sys.modules["tldextract"] = _tldextract()
    # For a way to find the zone that dnsrenew never uses. Slow to import.
    sys.modules["dns.resolver"] = _imported_later("dns.resolver")


# ── requests ────────────────────────────────────────────────────────────────────────────


def _timed_session(real: Any, limits: RequestLimits) -> type:
    class TimedSession(real.Session):  # type: ignore[misc]
        """Adds time-outs and a size limit, always verifies TLS, and follows no redirect to another host."""

        def send(self, request: Any, **arguments: Any) -> Any:
            check()
            arguments["timeout"] = (min(limits.connect, left()), min(limits.read, left()))
            arguments["verify"] = arguments.get("verify") or True
            return super().send(request, **arguments)

        def mount(self, prefix: str, adapter: Any) -> None:
            """Mount an adapter of the provider. Its retries must not sleep past the deadline of the call."""
            retries = getattr(adapter, "max_retries", None)
            if retries is not None and retries.total:
                kind: Any = type(retries)
                retries.__class__ = _bounded(kind)
            connections.bound(adapter)
            super().mount(prefix, adapter)

        def get_redirect_target(self, resp: Any) -> str | None:
            """Return the absolute URL of a redirect, because requests parses some relative ones differently."""
            if not 300 <= resp.status_code < 400:
                return None
            # A redirect without a Location is refused too, because lexicon would take it for success.
            location = resp.headers.get("Location") if resp.is_redirect else None
            return connections.redirected(resp.request.method, resp.url, location)

        def resolve_redirects(self, *arguments: Any, yield_requests: bool = False, **more: Any) -> Any:
            """Follow redirects, except for a provider that handles them itself."""
            return iter(()) if yield_requests else super().resolve_redirects(*arguments, **more)

    return TimedSession


def http_error() -> type[Exception]:
    """Return the exception of requests for an error status."""
    return requests.HTTPError


@cache
def _bounded(retry: Any) -> Any:
    class BoundedRetry(retry):  # type: ignore[misc]
        """Never waits past the deadline of the call."""

        def get_retry_after(self, response: Any) -> Any:
            seconds = super().get_retry_after(response)
            return seconds if seconds is None else min(seconds, max(left(), 0.0))

        def get_backoff_time(self) -> Any:
            return min(super().get_backoff_time(), max(left(), 0.0))

        def is_retry(self, *arguments: Any, **more: Any) -> bool:
            return left() > 0 and bool(super().is_retry(*arguments, **more))

    return BoundedRetry


# ── other libraries ─────────────────────────────────────────────────────────────────────


def _patch_urllib() -> None:
    """Never send the token to another host, because urllib forwards headers on redirects."""
    handler: Any = urllib.request.HTTPRedirectHandler
    follow = handler.redirect_request

    def redirect_request(self: Any, req: Any, *answer: Any) -> Any:
        connections.redirected(req.get_method(), req.full_url, answer[-1])  # the last is the new URL
        return follow(self, req, *answer)

    handler.redirect_request = redirect_request


def _split(domain: str, *_: Any, **__: Any) -> SimpleNamespace:
    """Split a zone at its first dot. It is the domain at the host, so no public suffix list is needed."""
    name, _dot, suffix = domain.rstrip(".").partition(".")
    return SimpleNamespace(subdomain="", domain=name, suffix=suffix)


def _tldextract() -> ModuleType:
    """Return a replacement for the module that downloads the public suffix list."""
    module: Any = ModuleType("tldextract")
    module.extract, module.TLDExtract = _split, lambda *_, **__: _split
    return module  # type: ignore[no-any-return]


def _imported_later(name: str) -> ModuleType:
    """Return a replacement that imports the real module on first use (PEP 562)."""
    module: Any = ModuleType(name)

    def get(attribute: str) -> Any:
        sys.modules.pop(name, None)
        return getattr(importlib.import_module(name), attribute)

    module.__getattr__ = get
    return module  # type: ignore[no-any-return]


def patch_boto3(limits: RequestLimits) -> None:
    """Set time-outs and few retries in boto3. It sends without requests, and botocore follows no redirect."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    def client(service: str, **arguments: Any) -> Any:
        config = Config(
            connect_timeout=min(limits.connect, left()),
            read_timeout=min(limits.read, left()),
            retries={"mode": "standard", "max_attempts": 2},
        )
        arguments.setdefault("region_name", "us-east-1")  # Route 53 is global; requests are signed for this region
        # A new session, because the default one cannot be shared by threads.
        return boto3.session.Session().client(service, config=config, **arguments)

    vars(boto3)["client"] = client


@contextlib.contextmanager
def without_metadata() -> Iterator[None]:
    """Let lexicon find no package metadata, which it would read 90 times to find missing packages."""
    name = "importlib.metadata"
    module: Any = ModuleType(name)
    module.PackageNotFoundError = LookupError
    module.Distribution = SimpleNamespace(from_name=_no_package)
    real = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if real is not None:
            sys.modules[name] = real


def _no_package(name: str) -> Never:
    raise LookupError(name)
