"""A CA that misbehaves: each fault at each request of a renewal, through a proxy in front of a sound CA.

The CA has executed the request when its answer is changed, because that is the harder case.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, Final

from tests.kit.network import Place, Prepare, Run
from tests.kit.network_answers import SPOILT, Spoil, always, header
from tests.lab import Lab, Request, Response, badports

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
class Redirected:
    """Answers in which the URL of one resource leads to another port."""

    where: str
    url: str

    def __call__(self, request: Request, response: Response) -> Response:
        """Change the answer, if it has the URL."""
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
    """Set a status that never ends."""

    def spoil(_request: Request, response: Response) -> Response:
        response = response.with_json({**response.json(), "status": status})
        return replace(response, headers=(*response.with_header("Retry-After", None).headers, *headers))

    return spoil


def _never_ready(request: Request, response: Response) -> Response:
    """Answer that the order is not ready to be finalized, always."""
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
        always(Response(503, b"", (("Retry-After", "1"),))),
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
    "the CA's Date is none": header("Date", "soon"),
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
        found |= {Place(CONNECTIONS, fault, where): partial(_redirect, port, where) for fault, port in PORTS.items()}
    for fault, (spoil, places) in ENDLESS.items():
        found |= {Place(POLLS, fault, where): partial(_spoil, spoil, kinds) for where, kinds in places.items()}
    found |= {Place(CLOCK, fault, "the whole run"): partial(_shift, days) for fault, days in CLOCKS.items()}
    found |= {Place(CLOCK, fault, "the whole run"): partial(_spoil, date, REQUESTS) for fault, date in DATES.items()}
    return found


def _spoil(spoil: Spoil, kinds: tuple[str, ...], run: Run, stack: contextlib.ExitStack) -> None:
    def respond(request: Request, response: Response) -> Response:
        return spoil(request, response) if request.kind in kinds else response

    proxy = stack.enter_context(run.lab.acme_proxy(on_response=respond, pebble=run.pebble))
    run.changes["ca.lab.directory"] = proxy.directory_url


def _redirect(opening: Opening, where: str, run: Run, stack: contextlib.ExitStack) -> None:
    port = stack.enter_context(opening(run.lab)).port
    url = f"https://127.0.0.1:{port}/{where}"
    proxy = stack.enter_context(run.lab.acme_proxy(on_response=Redirected(where, url), pebble=run.pebble))
    run.changes["ca.lab.directory"] = url if where == "directory" else proxy.directory_url


def _shift(days: int, run: Run, stack: contextlib.ExitStack) -> None:
    proxy = stack.enter_context(run.lab.acme_proxy(pebble=run.pebble))
    run.changes["ca.lab.directory"] = proxy.directory_url
    run.later = timedelta(days=days)
