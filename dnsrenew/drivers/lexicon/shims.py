"""Stand-ins for what lexicon's modules import: the same face, with time-outs, and offline where it should be.

They are made from the real module, which is handed in: lexicon has imported it anyway.
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
    """Have every request of this thread end within ``seconds_left``."""
    token = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(token)


def left() -> float:
    """Return the seconds that this thread's call has left."""
    return _seconds_left.get()()


def stand_in(module: ModuleType) -> Any:
    """Return what one of lexicon's modules gets instead of a module it imports."""
    make = _STAND_INS.get(module.__name__)
    return module if make is None else make(module)


class _ModuleProxy(ModuleType):
    """A module of which some names are ours and the rest are the real one's."""

    def __init__(self, real: ModuleType, **ours: Any) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(ours, _real=real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# ── requests ────────────────────────────────────────────────────────────────────────────


@cache
def _requests(real: Any) -> ModuleType:
    from dnsrenew.http import third_party  # brings requests, which is here by now

    class TimedSession(real.Session):  # type: ignore[misc]
        """Gives every request time-outs, every answer an end, lets none be unverified, and none be led elsewhere."""

        def send(self, request: Any, **arguments: Any) -> Any:
            seconds = left()
            if seconds <= 0:
                raise real.exceptions.Timeout("the call's time is over")
            arguments["timeout"] = (min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds))
            arguments["verify"] = arguments.get("verify") or True
            return super().send(request, **arguments)

        def mount(self, prefix: str, adapter: Any) -> None:
            """Take an adapter of the provider's own, whose retries must not sleep past the end of the call."""
            retries = getattr(adapter, "max_retries", None)
            if retries is not None and retries.total:
                kind: Any = type(retries)
                retries.__class__ = _bounded(kind)
            third_party.bound(adapter)
            super().mount(prefix, adapter)

        def get_redirect_target(self, resp: Any) -> str | None:
            """Return where an answer leads: the whole URL, for requests would not read some as we do."""
            if not 300 <= resp.status_code < 400:
                return None
            # Without a place to go it is refused too: to lexicon it would be no failure.
            location = resp.headers.get("Location") if resp.is_redirect else None
            return third_party.redirected(resp.request.method, resp.url, location)

        def resolve_redirects(self, *arguments: Any, yield_requests: bool = False, **more: Any) -> Any:
            """Follow redirects; what a provider asked not to have followed, it looks at itself."""
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
        """Ends with the call, whatever Retry-After and back-off say."""

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
    """Split a zone at its first dot: it is what the host calls a domain, so no list of suffixes is needed."""
    name, _dot, suffix = domain.rstrip(".").partition(".")
    return _Parts("", name, suffix)


def _tldextract(real: ModuleType) -> ModuleType:
    return _ModuleProxy(real, extract=_split, TLDExtract=lambda *_, **__: _split)


def _requests_unixsocket(real: ModuleType) -> ModuleType:
    # Its monkeypatch() changes requests for the whole process, and it is back too early when two threads do it.
    return _ModuleProxy(real, monkeypatch=contextlib.nullcontext)


def _boto3(real: Any) -> ModuleType:
    def client(service: str, **arguments: Any) -> Any:
        config = __import__("botocore.config", fromlist=["Config"]).Config(
            connect_timeout=min(CONNECT_SECONDS, left()),
            read_timeout=min(READ_SECONDS, left()),
            retries={"mode": "standard", "max_attempts": 2},
        )
        arguments.setdefault("region_name", "us-east-1")  # Route 53 is everywhere, and signed for as if it were there
        # A session of our own: the default one is shared by all threads, and by the host program.
        return real.session.Session().client(service, config=config, **arguments)

    return _ModuleProxy(real, client=client)


_STAND_INS: Final[dict[str, Callable[[Any], ModuleType]]] = {
    "boto3": _boto3,
    "requests": _requests,
    "requests_unixsocket": _requests_unixsocket,
    "tldextract": _tldextract,
}


# ── mended ──────────────────────────────────────────────────────────────────────────────


def patch(name: str, module: Any) -> None:
    """Correct what is wrong in our copy of one of lexicon's modules."""
    if name == "aliyun":
        _patch_aliyun(module.Provider)
    if name == "valuedomain":
        _patch_valuedomain(module)


def _patch_aliyun(provider: Any) -> None:
    """Write the time as Alibaba Cloud wants it: lexicon 3.25 appends "Z" to a time that ends with "+00:00"."""
    build = provider._build_signature_parameters  # noqa: SLF001  # our own copy of the class

    def mended(self: Any) -> Any:
        parameters = build(self)
        parameters["Timestamp"] = parameters["Timestamp"].replace("+00:00Z", "Z")
        return parameters

    provider._build_signature_parameters = mended  # noqa: SLF001  # our own copy of the class


def _patch_valuedomain(module: Any) -> None:
    """Keep the token with the host: it is the one module that sends by urllib, which takes all along to any host."""
    from dnsrenew.http import third_party

    request: Any = module.request
    kind: Any = request.HTTPRedirectHandler

    class Redirects(kind):  # type: ignore[misc]
        def redirect_request(self, req: Any, *answer: Any) -> Any:
            third_party.redirected(req.get_method(), req.full_url, answer[-1])  # the last is where it leads
            return super().redirect_request(req, *answer)

    module.restapi_build_opener = lambda: request.build_opener(Redirects(), request.HTTPCookieProcessor())
