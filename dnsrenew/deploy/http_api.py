"""What the targets with an HTTP API share: requests with a time limit, and each failure as a ``DeployError``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.http import HttpClient, HttpFailure, Response, texts_of
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import CAError, DeployError

ANSWER_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 10.0
_TIMEOUT: Final = (_CONNECT_SECONDS, ANSWER_SECONDS)
"""Seconds to connect, and for the answer: an API may restart its web server first."""
_LOGIN: Final = frozenset({401, 403})
_SHOWN: Final = 300
"""Characters of an answer in an error."""
_KEY: Final = "PRIVATE KEY"


class Payload(Frozen, hidden=("content",)):
    """What a request sends.

    :ivar kind: its content type.
    """

    kind: str
    content: bytes


def as_json(document: object) -> Payload:
    """Return a document as the payload of a request."""
    return Payload("application/json", json.dumps(document).encode())


def as_form(fields: Mapping[str, str]) -> Payload:
    """Return the fields of a form as the payload of a request."""
    return Payload("application/x-www-form-urlencoded", urlencode(fields).encode("ascii"))


class HttpApi:
    """One HTTP API.

    The roots of ``trust`` count besides those of the operating system: the API of a server shows its own certificate
    at first, and the deployed one afterwards.

    :ivar url: its address, without a final slash.
    :ivar headers: headers of every request; their secrets are known to the redactor.
    :param name: what it is, for errors.
    :param trust: a PEM file with more roots.
    :param only: whether the roots of ``trust`` are the only ones.
    :param pair: files with a client certificate and its key.
    :param seconds: that an answer may take; default: :data:`ANSWER_SECONDS`.
    :raises DeployError: the address is not encrypted, or ``trust`` has no roots.
    """

    def __init__(
        self,
        run: Context,
        name: str,
        url: str,
        *,
        trust: str | None = None,
        only: bool = False,
        pair: tuple[str, str] | None = None,
        seconds: float | None = None,
    ) -> None:
        if not is_safe(url):
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=url)
        self.url = url.rstrip("/")
        self.headers: dict[str, str] = {}
        self._run = run
        self._name = name
        self._timeout = _TIMEOUT if seconds is None else time_limit(seconds)
        roots = (trust,) if only or trust is None else (trust, None)
        self._clients = self._make_clients(roots, pair)

    def ask(self, method: str, path: str, payload: Payload | None = None, *, missing: Sequence[int] = ()) -> Any:
        """Send a request, and return the JSON of its answer; None if the answer is empty, or its status is missing.

        :param missing: statuses that tell that the thing asked for does not exist.
        :raises DeployError: ``deploy-unreachable``, ``deploy-timeout``, ``deploy-refused`` or ``deploy-unsupported``.
        """
        response = self._send(method, path, payload)
        if response.status in missing:
            return None
        if response.status in _LOGIN:
            raise self.error(texts.API_LOGIN, status=response.status)
        if not 200 <= response.status < 300:
            raise self.error(texts.API_REFUSED, status=response.status, reason=self.reason(response.body))
        if not response.body.strip():
            return None
        try:
            return response.json()
        except ValueError:
            raise self.error(texts.API_STRANGE, reason=self.reason(response.body)) from None

    def error(self, text: Any, **fields: Any) -> DeployError:
        """Return an error of this API."""
        return DeployError.of(text, name=self._name, url=self.url, certificate=self._run.certificate or "", **fields)

    def reason(self, body: bytes) -> str:
        """Return what an answer says, as one printable line without secrets."""
        text = " ".join(body.decode("utf-8", "replace").split())
        if text.startswith("<"):
            return "an HTML page"
        if _KEY in text:
            return "an answer with a private key, which is not shown"
        with contextlib.suppress(ValueError, RecursionError):
            found = (each.strip() for each in texts_of(json.loads(text), _meant))
            text = "; ".join(dict.fromkeys(filter(None, found))) or text
        printable = "".join(character for character in self._run.redactor.redact(text) if character.isprintable())
        return printable[:_SHOWN].rstrip(". ") or "no reason"

    def _send(self, method: str, path: str, payload: Payload | None) -> Response:
        failed = None
        for client in self._clients:
            try:
                return self._run.call(partial(self._request, client, method, path, payload))
            except HttpFailure as failure:
                failed = failure
            if not failed.untrusted:  # otherwise nothing was sent, and other roots may trust it
                break
        # Outside an `except`: the original error, whose traceback has the headers, must not hang on to this one.
        assert failed is not None  # noqa: S101  # there is a client
        raise self.failure(failed.with_traceback(None))

    def _request(self, client: HttpClient, method: str, path: str, payload: Payload | None) -> Response:
        """Send the request; only this frame has all headers, which are secret."""
        headers = {"Accept": "application/json", **self.headers}
        if payload is not None:
            headers["Content-Type"] = payload.kind
        data = None if payload is None else payload.content
        url = f"{self.url}{path}"
        return client.request(method, url, data=data, headers=headers, timeout=self._timeout)

    def failure(self, failure: HttpFailure) -> DeployError:
        """Return the error for a server that could not be asked."""
        reason = self._run.redactor.redact(failure.detail)
        if failure.untrusted:
            return self.error(texts.API_UNTRUSTED, reason=reason)
        if failure.kind == "timeout":
            return self.error(texts.API_LATE, reason=reason)
        return self.error(texts.NO_ANSWER, reason=reason)

    def _make_clients(self, roots: Sequence[str | None], pair: tuple[str, str] | None) -> list[HttpClient]:
        try:
            return [HttpClient(trust=one, pair=pair) for one in roots]
        except CAError:
            raise self.error(texts.API_TRUST, path=roots[0]) from None
        except OSError as error:
            raise self.error(texts.API_PAIR, reason=error.strerror or type(error).__name__) from None


def time_limit(seconds: float) -> tuple[float, float]:
    """Return the seconds for a connection and for the answer."""
    return min(_CONNECT_SECONDS, seconds), seconds


def _meant(value: dict[str, Any]) -> list[Any]:
    return [value[key] for key in ("message", "errors", "error") if value.get(key)] or list(value.values())


def is_safe(url: str) -> bool:
    """Return whether nobody on the way can read what is sent to an address: it is HTTPS, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or host_port.is_here(parts.hostname or "")
