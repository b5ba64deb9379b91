"""A CA that misbehaves: each fault at each request of a renewal, through a proxy before a CA that is sound.

The CA has done what it was asked for when its answer is spoilt: that is the harder case of the two.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, Final

from tests.faults.network import Place, Prepare, Run
from tests.lab import Lab, Raw, Request, Response, badports

ANSWERS, CONNECTIONS, POLLS, CLOCK = "The CA's answers", "Connections to the CA", "Waiting for the CA", "The clock"
SIDES: Final = (ANSWERS, CONNECTIONS, POLLS, CLOCK)
REQUESTS: Final = (
    "directory",
    "newNonce",
    "newAccount",
    "newOrder",
    "authorization",
    "challenge",
    "finalize",
    "order",
    "certificate",
    "renewalInfo",
)
Spoil = Callable[[Request, Response], Response]
HTML: Final = (("Content-Type", "text/html"),)
_TEN_MB: Final = 10 * 1024 * 1024
_DRIP: Final = 0.05


# ── answers ─────────────────────────────────────────────────────────────────────────────


def _raw(ending: Any, parts: Callable[[bytes], Iterable[bytes]], pause: float = 0.0) -> Spoil:
    """The true answer's bytes, spoilt."""

    def spoil(request: Request, response: Response) -> Response:
        return Raw(parts=lambda: parts(_bytes(request, response)), ending=ending, pause=pause)

    return spoil


def _bytes(request: Request, response: Response) -> bytes:
    """The answer, of which something is missing: a part of its body; of its head, where it has no body."""
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


def _always(response: Response) -> Spoil:
    return lambda _request, _response: response


def _json(change: Callable[[Any], Any]) -> Spoil:
    """The true answer with another body; what is not JSON is cut in the middle."""

    def spoil(_request: Request, response: Response) -> Response:
        try:
            body = response.json()
        except ValueError:
            return replace(response, body=response.body[: len(response.body) // 2]).with_header("Replay-Nonce", "?")
        return response.with_json(change(body))

    return spoil


def _numbers(body: Any) -> Any:
    """Each value in it a number."""
    if isinstance(body, dict):
        return dict.fromkeys(body, 7)
    return 7


def _inner_numbers(body: Any) -> Any:
    """Each text in it a number, however deep."""
    if isinstance(body, dict):
        return {key: _inner_numbers(value) for key, value in body.items()}
    if isinstance(body, list):
        return [_inner_numbers(value) for value in body]
    return 7 if isinstance(body, str) and body not in {"dns", "dns-01", "pending"} else body


def _without_fields(_request: Request, response: Response) -> Response:
    return Response(response.status, b"{}", (("Content-Type", "application/json"),))


def _addresses(bad: str) -> Spoil:
    """Whatever should be a URL is something else."""

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
    """To the same resource, which is then known by another name."""
    return Response(302, b"", (("Location", f"{request.path}?again"),))


def _redirect_round(request: Request, _response: Response) -> Response:
    """To where it came from."""
    return Response(302, b"", (("Location", request.path),))


def _cut_in_half(_request: Request, response: Response) -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


def _header(name: str, value: str) -> Spoil:
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
    "compressed, and it is not": _header("Content-Encoding", "gzip"),
    "HTML, status 200": _always(Response(200, b"<html>Welcome to nginx!</html>", HTML)),
    "HTML, status 404": _always(Response(404, b"<html>Not Found</html>", HTML)),
    "HTML, status 500": _always(Response(500, b"<html>Oops</html>", HTML)),
    "status 503, Retry-After of a year": _always(Response(503, b"{}", (("Retry-After", "31536000"),))),
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
    "a redirect away from TLS": _always(Response(302, b"", (("Location", "http://127.0.0.1/"),))),
    "a redirect to no address": _always(Response(302, b"", (("Location", "https://[::"),))),
}


# ── ports ───────────────────────────────────────────────────────────────────────────────

Opening = Callable[[Lab], contextlib.AbstractContextManager[Any]]
PORTS: Final[dict[str, Opening]] = {
    "connection refused": lambda _: badports.NobodyThere(),
    "no connection comes about": lambda _: badports.NoWay(),
    "the TLS handshake is not answered": lambda _: badports.Silence(),
    "HTTP without TLS": lambda _: badports.plain_http(),
    "a TLS certificate for another name": lambda lab: badports.with_certificate(lab.ca.another_context("other.test")),
    "a TLS certificate that is over": lambda lab: badports.with_certificate(
        lab.ca.another_context("127.0.0.1", expired=True)
    ),
    "a TLS certificate of its own making": lambda lab: badports.with_certificate(lab.another_ca().server_context()),
}


@dataclass(frozen=True)
class Lead:
    """Answers in which the address of one resource leads to another port."""

    where: str
    url: str

    def __call__(self, request: Request, response: Response) -> Response:
        """Change the answer, if the address is in it."""
        if response.status >= 400:
            return response
        where, kind = self.where, request.kind
        if kind == "directory" and where in {"newNonce", "newAccount", "newOrder", "renewalInfo"}:
            return response.with_json({**response.json(), where: self.url})
        if kind in {"newOrder", "order", "finalize"}:
            return self._order(kind, response)
        if kind == "authorization" and where == "challenge":
            body = response.json()
            body["challenges"] = [{**each, "url": self.url} for each in body["challenges"]]
            return response.with_json(body)
        return response

    def _order(self, kind: str, response: Response) -> Response:
        if self.where == "order":
            return response.with_header("Location", self.url) if kind == "newOrder" else response
        body = response.json()
        if self.where == "authorization":
            body["authorizations"] = [self.url] * len(body["authorizations"])
        elif self.where in body:
            body[self.where] = self.url
        return response.with_json(body)


# ── polls without an end ────────────────────────────────────────────────────────────────


def _status(status: str, *headers: tuple[str, str]) -> Spoil:
    """The CA never comes to an end."""

    def spoil(_request: Request, response: Response) -> Response:
        response = response.with_json({**response.json(), "status": status})
        return replace(response, headers=(*response.with_header("Retry-After", None).headers, *headers))

    return spoil


def _never_ready(request: Request, response: Response) -> Response:
    """Too early to finalize, for ever."""
    if request.kind == "finalize":
        return Response.problem(403, "orderNotReady", "The order is pending.", ("Replay-Nonce", _nonce(response)))
    return _status("pending")(request, response)


def _nonce(response: Response) -> str:
    return response.header("Replay-Nonce") or ""


def _bad_nonce(_request: Request, response: Response) -> Response:
    return Response.problem(400, "badNonce", "Not this one.", ("Replay-Nonce", _nonce(response)))


POSTS: Final = REQUESTS[2:9]
ENDLESS: Final[dict[str, tuple[Spoil, dict[str, tuple[str, ...]]]]] = {
    "no nonce is good": (_bad_nonce, {kind: (kind,) for kind in POSTS}),
    "the CA is busy, Retry-After 1": (
        _always(Response(503, b"", (("Retry-After", "1"),))),
        {kind: (kind,) for kind in POSTS},
    ),
    "the order is pending for ever": (_never_ready, {"order": ("finalize", "order")}),
    "the order is processing for ever": (_status("processing"), {"order": ("finalize", "order")}),
    "the order is processing, Retry-After 0": (
        _status("processing", ("Retry-After", "0")),
        {"order": ("finalize", "order")},
    ),
    "the order is processing, Retry-After of an hour": (
        _status("processing", ("Retry-After", "3600")),
        {"order": ("finalize", "order")},
    ),
    "the order has a status that is none": (_status("thinking"), {"order": ("finalize", "order")}),
    "the authorization is pending for ever": (_status("pending"), {"authorization": ("authorization",)}),
    "the authorization has a status that is none": (_status("thinking"), {"authorization": ("authorization",)}),
}


# ── clocks ──────────────────────────────────────────────────────────────────────────────


def _a_year_ahead(_request: Request, response: Response) -> Response:
    return response.with_header("Date", format_datetime(datetime.now(UTC) + timedelta(days=365)))


DATES: Final[dict[str, Spoil]] = {
    "the CA's Date is a year ahead": _a_year_ahead,
    "the CA's Date is none": _header("Date", "soon"),
}
CLOCKS: Final = {
    "the clock is 400 days behind": -400,
    "the clock is 3 days behind": -3,
    "the clock is 3 days ahead": 3,
    "the clock is 400 days ahead": 400,
}


def cells() -> dict[Place, Prepare]:
    """All cells."""
    found: dict[Place, Prepare] = {}
    for where in REQUESTS:
        found |= {Place(ANSWERS, fault, where): partial(_spoil, spoil, (where,)) for fault, spoil in SPOILT.items()}
        found |= {Place(CONNECTIONS, fault, where): partial(_lead, port, where) for fault, port in PORTS.items()}
    for fault, (spoil, places) in ENDLESS.items():
        found |= {Place(POLLS, fault, where): partial(_spoil, spoil, kinds) for where, kinds in places.items()}
    found |= {Place(CLOCK, fault, "the whole run"): partial(_shift, days) for fault, days in CLOCKS.items()}
    found |= {Place(CLOCK, fault, "the whole run"): partial(_spoil, date, REQUESTS) for fault, date in DATES.items()}
    return found


def _spoil(spoil: Spoil, kinds: tuple[str, ...], run: Run, stack: contextlib.ExitStack) -> None:
    def respond(request: Request, response: Response) -> Response:
        return spoil(request, response) if request.kind in kinds else response

    proxy = stack.enter_context(run.lab.acme_proxy(on_response=respond))
    run.changes["ca.lab.directory"] = proxy.directory_url


def _lead(opening: Opening, where: str, run: Run, stack: contextlib.ExitStack) -> None:
    port = stack.enter_context(opening(run.lab)).port
    url = f"https://127.0.0.1:{port}/{where}"
    proxy = stack.enter_context(run.lab.acme_proxy(on_response=Lead(where, url)))
    run.changes["ca.lab.directory"] = url if where == "directory" else proxy.directory_url


def _shift(days: int, run: Run, stack: contextlib.ExitStack) -> None:
    proxy = stack.enter_context(run.lab.acme_proxy())
    run.changes["ca.lab.directory"] = proxy.directory_url
    run.later = timedelta(days=days)
