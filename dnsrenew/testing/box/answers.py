"""What the CA of a box answers, and what it refuses, as problem documents (RFC 8555 section 6.7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from dnsrenew.base.values import Frozen

_STATUSES: Final = {
    "rateLimited": 429,
    "serverInternal": 500,
    "unauthorized": 403,
    "orderNotReady": 403,
    "caa": 403,
    "notFound": 404,
    "conflict": 409,
}


class BoxAnswer(Frozen):
    """An answer to a request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class AcmeProblem(Exception):
    """A refusal of a request, or why an authorization or an order is invalid.

    :param kind: the word after ``urn:ietf:params:acme:error:``; or ``notFound`` or ``conflict``, which are sent as
        ``malformed`` with a status of their own.
    :param retry_after: seconds for the header Retry-After; None: there is none.
    :param subproblems: problem documents about single names.
    """

    def __init__(
        self, kind: str, detail: str, *, retry_after: int | None = None, subproblems: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail, self.retry_after, self.subproblems = kind, detail, retry_after, subproblems

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        kind = "malformed" if self.kind in {"notFound", "conflict"} else self.kind
        status = _STATUSES.get(self.kind, 400)
        body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": self.detail, "status": status}
        return body | ({"subproblems": list(self.subproblems)} if self.subproblems else {})

    def answer(self) -> BoxAnswer:
        """Return the answer that has it."""
        after = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        body, kind = self.document(), ("Content-Type", "application/problem+json")
        return BoxAnswer(body["status"], json.dumps(body).encode(), (kind, *after))


def json_answer(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> BoxAnswer:
    """Return an answer with JSON."""
    return BoxAnswer(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))
