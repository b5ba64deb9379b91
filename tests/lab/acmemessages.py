"""The messages of the ACME proxy: requests that can be read, responses that can be changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

# Pebble's paths; what the directory calls them is what tests and people know (and the paths of tests/kit).
_KINDS: Final = {
    "dir": "directory",
    "nonce-plz": "newNonce",
    "sign-me-up": "newAccount",
    "my-account": "account",
    "list-orderz": "orders",
    "order-plz": "newOrder",
    "my-order": "order",
    "finalize-order": "finalize",
    "authZ": "authorization",
    "chalZ": "challenge",
    "certZ": "certificate",
    "revoke-cert": "revokeCert",
    "rollover-account-key": "keyChange",
    "draft-ietf-acme-ari-03": "renewalInfo",
}


@dataclass(frozen=True)
class Request:
    """A client's request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    number: int
    """How many of this kind there were, this one included."""

    @property
    def kind(self) -> str:
        """`newOrder`, `authorization`, `challenge`, `finalize`, `order`, `certificate`, …; else the path itself."""
        first = self.path.strip("/").split("/")[0]
        return first if first in _KINDS.values() else _KINDS.get(first, self.path)

    @property
    def header(self) -> dict[str, Any]:
        """The protected header of the JWS (not verified)."""
        return self._part("protected")

    @property
    def payload(self) -> dict[str, Any] | None:
        """The payload of the JWS; None for POST-as-GET."""
        return self._part("payload") or None

    def _part(self, name: str) -> dict[str, Any]:
        try:
            text = str(json.loads(self.body)[name])
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) or b"{}")
        except (ValueError, KeyError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Response:
    """The answer to a client. Header names are as sent; `header` finds them in any case."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def with_json(self, body: object) -> Response:
        """The same with another body."""
        return replace(self, body=json.dumps(body).encode())

    def with_header(self, name: str, value: str | None) -> Response:
        """The same with this header set, or with None without it."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=others if value is None else (*others, (name, value)))

    @classmethod
    def of_json(cls, status: int, body: object, *headers: tuple[str, str]) -> Response:
        """A JSON answer."""
        return cls(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))

    @classmethod
    def problem(cls, status: int, kind: str, detail: str, *headers: tuple[str, str]) -> Response:
        """A problem document; `kind` is the word after `urn:ietf:params:acme:error:`."""
        body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
        return cls(status, json.dumps(body).encode(), (("Content-Type", "application/problem+json"), *headers))


def _nothing() -> Iterable[bytes]:
    return ()


@dataclass(frozen=True)
class Raw(Response):
    """Bytes in place of an answer, with its head; then the connection ends as `hold` or `reset` says.

    `hold` sends nothing more and waits until the client leaves; `reset` is an RST, which loses what was sent before it.
    """

    status: int = 0
    parts: Callable[[], Iterable[bytes]] = field(default=_nothing)
    pause: float = 0.0
    """Seconds after each part."""
    ending: Literal["close", "hold", "reset"] = "close"


DROP: Final = Response(0)
"""From a hook: close the connection without an answer. From `on_response`: the CA has done it, the answer is lost."""
