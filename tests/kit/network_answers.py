"""Faulty HTTP answers of a CA or a DNS host."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from tests.lab import Raw, Request, Response

Spoil = Callable[[Request, Response], Response]
"""Changes the sound answer to a request."""
HTML: Final = (("Content-Type", "text/html"),)
_TEN_MB: Final = 10 * 1024 * 1024
_DRIP: Final = 0.05


def _raw(ending: Any, parts: Callable[[bytes], Iterable[bytes]], pause: float = 0.0) -> Spoil:
    """Change the octets of the sound answer."""

    def spoil(request: Request, response: Response) -> Response:
        return Raw(parts=lambda: parts(_bytes(request, response)), ending=ending, pause=pause)

    return spoil


def _bytes(request: Request, response: Response) -> bytes:
    """The sound answer as octets, with a part of its body missing; for HEAD, a part of its head."""
    if request.method == "HEAD":
        return f"HTTP/1.1 {response.status} X\r\nContent-Type: ".encode()
    lines = [f"HTTP/1.1 {response.status} X", *(f"{key}: {value}" for key, value in response.headers)]
    return "\r\n".join([*lines, f"Content-Length: {len(response.body) + 100}", "", ""]).encode() + response.body


def _endless_body(_sound: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def _endless_head(_sound: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in itertools.count())


def always(response: Response) -> Spoil:
    """Always give this answer."""
    return lambda _request, _response: response


def _json(change: Callable[[Any], Any]) -> Spoil:
    """Change the JSON of the sound answer; other bodies are cut in half."""

    def spoil(_request: Request, response: Response) -> Response:
        try:
            body = response.json()
        except ValueError:
            return replace(response, body=response.body[: len(response.body) // 2]).with_header("Replay-Nonce", "?")
        return response.with_json(change(body))

    return spoil


def _numbers(body: Any) -> Any:
    """Replace each value with a number."""
    if isinstance(body, dict):
        return dict.fromkeys(body, 7)
    return 7


def _inner_numbers(body: Any) -> Any:
    """Replace each text with a number, at any depth."""
    if isinstance(body, dict):
        return {key: _inner_numbers(value) for key, value in body.items()}
    if isinstance(body, list):
        return [_inner_numbers(value) for value in body]
    return 7 if isinstance(body, str) and body not in {"dns", "dns-01", "pending"} else body


def _without_fields(_request: Request, response: Response) -> Response:
    return Response(response.status, b"{}", (("Content-Type", "application/json"),))


def _addresses(bad: str) -> Spoil:
    """Replace each URL with another text."""

    def change(body: Any) -> Any:
        if isinstance(body, dict):
            return {key: change(value) for key, value in body.items()}
        if isinstance(body, list):
            return [change(value) for value in body]
        return bad if isinstance(body, str) and body.startswith("https://") else body

    def spoil(_request: Request, response: Response) -> Response:
        if response.header("Location"):
            response = response.with_header("Location", bad)
        with contextlib.suppress(ValueError):
            return response.with_json(change(response.json()))
        return response

    return spoil


def _redirect_once(request: Request, _response: Response) -> Response:
    """Redirect to the same resource under another path."""
    return Response(302, b"", (("Location", f"{request.path}?again"),))


def _redirect_round(request: Request, _response: Response) -> Response:
    """Redirect to the same path."""
    return Response(302, b"", (("Location", request.path),))


def _cut_in_half(_request: Request, response: Response) -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


def header(name: str, value: str) -> Spoil:
    """Change a header of the sound answer."""
    return lambda _request, response: response.with_header(name, value)


SPOILT: Final[dict[str, Spoil]] = {
    "the connection is reset": _raw("reset", lambda sound: (sound[:20],)),
    "no answer": _raw("hold", lambda _: ()),
    "the answer is cut off": _raw("close", lambda sound: (sound,)),
    "the answer stops in the middle": _raw("hold", lambda sound: (sound,)),
    "a byte of the answer now and then": _raw("hold", lambda sound: (bytes([byte]) for byte in sound), _DRIP),
    "a body without an end": _raw("close", _endless_body),
    "a head without an end": _raw("close", _endless_head),
    "a body of 10 MB": lambda _request, response: replace(response, body=response.body + b" " * _TEN_MB),
    "something that is not HTTP": _raw("close", lambda _: (b"220 mail.example.test ESMTP\r\n",)),
    "compressed, and it is not": header("Content-Encoding", "gzip"),
    "HTML, status 200": always(Response(200, b"<html>Welcome to nginx!</html>", HTML)),
    "HTML, status 404": always(Response(404, b"<html>Not Found</html>", HTML)),
    "HTML, status 500": always(Response(500, b"<html>Oops</html>", HTML)),
    "status 503, Retry-After of a year": always(Response(503, b"{}", (("Retry-After", "31536000"),))),
    "half of the content": _cut_in_half,
    "JSON: a list": _json(lambda _: []),
    "JSON: numbers for fields": _json(_numbers),
    "JSON: numbers for texts": _json(_inner_numbers),
    "JSON without the fields": _without_fields,
    "JSON, very deep": lambda _request, response: replace(response, body=b"[" * 100_000),
    "not UTF-8": lambda _request, response: replace(response, body=b'{"a": "\xff\xfe"}'),
    "addresses that are no URL": _addresses("no address"),
    "addresses with half an IPv6 address": _addresses("https://[::"),
    "addresses with a port that is none": _addresses("https://127.0.0.1:99999/x"),
    "a redirect": _redirect_once,
    "a redirect in a circle": _redirect_round,
    "a redirect away from TLS": always(Response(302, b"", (("Location", "http://127.0.0.1/"),))),
    "a redirect to no address": always(Response(302, b"", (("Location", "https://[::"),))),
}
