"""What the CA of a box answers, and what it refuses, as problem documents (RFC 8555 section 6.7)."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

_STATUSES: Final = {
    "rateLimited": 429,
    "serverInternal": 500,
    "unauthorized": 403,
    "orderNotReady": 403,
    "caa": 403,
    "notFound": 404,
}


class BoxAnswer(NamedTuple):
    """An answer to a request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class AcmeProblem(Exception):
    """A refusal.

    :param kind: the word after ``urn:ietf:params:acme:error:``.
    :param retry_after: seconds for the header Retry-After; None: there is none.
    """

    def __init__(self, kind: str, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(kind)
        self.kind, self.detail, self.retry_after = kind, detail, retry_after
        self.status = _STATUSES.get(kind, 400)

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        kind = "malformed" if self.kind == "notFound" else self.kind
        return {"type": f"urn:ietf:params:acme:error:{kind}", "detail": self.detail, "status": self.status}

    def answer(self) -> BoxAnswer:
        """Return the answer that has it."""
        after = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        kind = ("Content-Type", "application/problem+json")
        return BoxAnswer(self.status, json.dumps(self.document()).encode(), (kind, *after))


def json_answer(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> BoxAnswer:
    """Return an answer with JSON."""
    return BoxAnswer(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))
