"""Shims for the modules that lexicon imports: the same interface, with time-outs and without hidden downloads.

Each wraps the real module, which lexicon has imported already.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0

_seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left", default=lambda: READ_SECONDS)


@contextlib.contextmanager
def limited(seconds_left: Callable[[], float]) -> Iterator[None]:
    """Limit every request of this thread to ``seconds_left``."""
    token = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(token)


def left() -> float:
    """Return the seconds until the deadline of the call in this thread."""
    return _seconds_left.get()()


def shim_for(module: ModuleType) -> Any:
    """Return the shim of a module, or the module itself."""
    make = _SHIMS.get(module.__name__)
    return module if make is None else make(module)


class _ModuleProxy(ModuleType):
    """A module with some names replaced; the rest come from the real module."""

    def __init__(self, real: ModuleType, **replaced: Any) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(replaced, _real=real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# ── requests ────────────────────────────────────────────────────────────────────────────


@cache
def _requests(real: Any) -> ModuleType:
    from dnsrenew.http import third_party  # it imports requests, which is imported already

    class TimedSession(real.Session):  # type: ignore[misc]
        """Adds time-outs and a size limit, always verifies TLS, and follows no redirect to another host."""

        def send(self, request: Any, **arguments: Any) -> Any:
            seconds = left()
            if seconds <= 0:
                raise real.exceptions.Timeout("the deadline of the call has passed")
            arguments["timeout"] = (min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds))
            arguments["verify"] = arguments.get("verify") or True
            return super().send(request, **arguments)

        def mount(self, prefix: str, adapter: Any) -> None:
            """Mount an adapter of the provider; its retries must not sleep past the deadline of the call."""
            retries = getattr(adapter, "max_retries", None)
            if retries is not None and retries.total:
                kind: Any = type(retries)
                retries.__class__ = _bounded(kind)
            third_party.bound(adapter)
            super().mount(prefix, adapter)

        def get_redirect_target(self, resp: Any) -> str | None:
            """Return the absolute URL of a redirect: requests parses some relative ones differently."""
            if not 300 <= resp.status_code < 400:
                return None
            # A redirect without a Location is refused too: lexicon would take it for success.
            location = resp.headers.get("Location") if resp.is_redirect else None
            return third_party.redirected(resp.request.method, resp.url, location)

        def resolve_redirects(self, *arguments: Any, yield_requests: bool = False, **more: Any) -> Any:
            """Follow redirects, except for a provider that handles them itself."""
            return iter(()) if yield_requests else super().resolve_redirects(*arguments, **more)

    def request(method: str, url: str, **arguments: Any) -> Any:
        with TimedSession() as session:
            return session.request(method=method, url=url, **arguments)

    def of(method: str) -> Callable[..., Any]:
        return lambda url, *data, **more: request(
            method, url, **dict(zip(_POSITIONAL[method], data, strict=False)), **more
        )

    return _ModuleProxy(
        real, Session=TimedSession, session=TimedSession, request=request, **{name: of(name) for name in _POSITIONAL}
    )


_POSITIONAL: Final[dict[str, tuple[str, ...]]] = {
    "get": ("params",),
    "options": (),
    "head": (),
    "post": ("data", "json"),
    "put": ("data",),
    "patch": ("data",),
    "delete": (),
}


@cache
def _bounded(retry: Any) -> Any:
    class BoundedRetry(retry):  # type: ignore[misc]
        """Never waits past the deadline of the call."""

        def get_retry_after(self, response: Any) -> Any:
            seconds = super().get_retry_after(response)
            return seconds if seconds is None else min(seconds, left())

        def get_backoff_time(self) -> Any:
            return min(super().get_backoff_time(), left())

        def is_retry(self, *arguments: Any, **more: Any) -> bool:
            return left() > 0 and bool(super().is_retry(*arguments, **more))

    return BoundedRetry


# ── tldextract, requests_unixsocket, boto3 ──────────────────────────────────────────────


class _Parts(NamedTuple):
    subdomain: str
    domain: str
    suffix: str


def _split(domain: str, *_: Any, **__: Any) -> _Parts:
    """Split a zone at its first dot: it is the domain at the host, so no public suffix list is needed."""
    name, _dot, suffix = domain.rstrip(".").partition(".")
    return _Parts("", name, suffix)


def _tldextract(real: ModuleType) -> ModuleType:
    return _ModuleProxy(real, extract=_split, TLDExtract=lambda *_, **__: _split)


def _requests_unixsocket(real: ModuleType) -> ModuleType:
    # Its monkeypatch() changes requests for the whole process, and two threads restore it too early.
    return _ModuleProxy(real, monkeypatch=contextlib.nullcontext)


def _boto3(real: Any) -> ModuleType:
    def client(service: str, **arguments: Any) -> Any:
        config = __import__("botocore.config", fromlist=["Config"]).Config(
            connect_timeout=min(CONNECT_SECONDS, left()),
            read_timeout=min(READ_SECONDS, left()),
            retries={"mode": "standard", "max_attempts": 2},
        )
        arguments.setdefault("region_name", "us-east-1")  # Route 53 is global; requests are signed for this region
        # A new session: the default one is shared with all threads and the calling program.
        return real.session.Session().client(service, config=config, **arguments)

    return _ModuleProxy(real, client=client)


_SHIMS: Final[dict[str, Callable[[Any], ModuleType]]] = {
    "boto3": _boto3,
    "requests": _requests,
    "requests_unixsocket": _requests_unixsocket,
    "tldextract": _tldextract,
}


# ── patches ─────────────────────────────────────────────────────────────────────────────


def patch(name: str, module: Any) -> None:
    """Fix the bugs in a module of lexicon that was loaded for dnsrenew."""
    if name == "aliyun":
        _patch_aliyun(module.Provider)
    if name == "valuedomain":
        _patch_valuedomain(module)


def _patch_aliyun(provider: Any) -> None:
    """Send the time in the format of Alibaba Cloud: lexicon 3.25 appends "Z" to a time that ends with "+00:00"."""
    build = provider._build_signature_parameters  # noqa: SLF001  # a private copy of the class

    def patched(self: Any) -> Any:
        parameters = build(self)
        parameters["Timestamp"] = parameters["Timestamp"].replace("+00:00Z", "Z")
        return parameters

    provider._build_signature_parameters = patched  # noqa: SLF001  # a private copy of the class


def _patch_valuedomain(module: Any) -> None:
    """Never send the token to another host: urllib, which only this module uses, forwards headers on redirects."""
    from dnsrenew.http import third_party

    request: Any = module.request
    kind: Any = request.HTTPRedirectHandler

    class Redirects(kind):  # type: ignore[misc]
        def redirect_request(self, req: Any, *answer: Any) -> Any:
            third_party.redirected(req.get_method(), req.full_url, answer[-1])  # the last is the new URL
            return super().redirect_request(req, *answer)

    module.restapi_build_opener = lambda: request.build_opener(Redirects(), request.HTTPCookieProcessor())
