"""Wraps a web app, so that it also answers http-01 challenges (RFC 8555 section 8.3)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from dnsrenew.base.validation import kind
from dnsrenew.challenges.http01_server import PATH
from dnsrenew.serving import texts

_Find = Callable[[str], "bytes | None"]
_METHODS: Final = {"GET", "HEAD"}
_HEADERS: Final = {"content-type": "text/plain", "cache-control": "no-store"}


def wrapped(app: Any, find: _Find) -> Any:
    """Return an app of the same interface, WSGI (PEP 3333) or ASGI 3.

    :param find: returns the response for a token, or None: then the request goes to ``app``.
    :raises TypeError: ``app`` has neither interface.
    """
    if not callable(app) or inspect.isclass(app):
        raise TypeError(texts.NO_SUCH_APP.format(found=kind(app)))
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return _asgi(app, find)
    return _wsgi(app, find)


def _wsgi(app: Callable[..., Iterable[bytes]], find: _Find) -> Callable[..., Iterable[bytes]]:
    def challenges(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        body = _response(environ.get("REQUEST_METHOD"), path, find)
        if body is None:
            return app(environ, start_response)
        headers = {**_HEADERS, "content-length": str(len(body))}
        start_response("200 OK", list(headers.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return challenges


def _asgi(app: Callable[..., Awaitable[None]], find: _Find) -> Callable[..., Awaitable[None]]:
    async def challenges(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        body = _response(scope.get("method"), scope.get("path", ""), find) if scope["type"] == "http" else None
        if body is None:
            await app(scope, receive, send)
            return
        headers = {**_HEADERS, "content-length": str(len(body))}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return challenges


def _response(method: str | None, path: str, find: _Find) -> bytes | None:
    if not path.startswith(PATH) or method not in _METHODS:
        return None
    return find(path.removeprefix(PATH))
