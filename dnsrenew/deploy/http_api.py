"""The common part of targets with an HTTP API: requests with a time limit, and each failure as a ``DeployError``."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.http import HttpClient, HttpFailure, Response, texts_of
from dnsrenew.base.http.connections import failure, tls_context
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.protocol import DeployerContext, TargetOption, late
from dnsrenew.errors import CAError, DeployError, Text, printable, system_reason

ANSWER_SECONDS: Final = 60.0
API_OPTIONS: Final[Mapping[str, TargetOption]] = {
    "url": TargetOption("url", required=True),
    "token": TargetOption("secret"),
    "user": TargetOption("text"),
    "password": TargetOption("secret"),
    "trust": TargetOption("trust"),
    "timeout": TargetOption("limit", default=ANSWER_SECONDS),
}
"""The options of a target whose API takes a token, or a user and a password."""
_CONNECT_SECONDS: Final = 10.0


class Payload(Frozen, hidden=("content",)):
    """The body of a request.

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


Roots = Sequence[str | None]
Pair = tuple[str, str] | None


class HttpApi:
    """One HTTP API.

    The roots of ``trust`` are used in addition to the operating system's roots, because a server's API shows its own
    certificate at first, and the deployed one afterwards.

    :ivar url: its address, without a final slash.
    :ivar headers: headers of every request; the redactor has their secrets.
    :param name: the name of the API, for errors.
    :param context: the context of an entry. Its ``timeout`` is the time limit of an answer, and long by default,
        because an API may restart its web server first.
    :param roots: PEM files with roots, tried one after the other; None for the roots of the operating system.
    :param pair: files with a client certificate and its key.
    :raises DeployError: the address is not encrypted, or a file has no roots.
    """

    def __init__(self, context: DeployerContext, name: str, url: str, roots: Roots, pair: Pair = None) -> None:
        if not is_safe(url):
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=url)
        self.url = url.rstrip("/")
        self.headers: dict[str, str] = {}
        self._run = context.run
        self._name = name
        self._timeout = time_limit(context.options.get("timeout", ANSWER_SECONDS))
        self._clients = self._make_clients(roots, pair)

    @classmethod
    def of(cls, context: DeployerContext, name: str, path: str) -> Self:
        """Return the API below the ``url`` of an entry, with its ``trust``."""
        url, trust = context.options["url"].rstrip("/"), context.options.get("trust")
        return cls(context, name, f"{url}{path}", (None,) if trust is None else (trust, None))

    def ask(self, method: str, path: str, payload: Payload | None = None, *, missing: Sequence[int] = ()) -> Any:
        """Send a request; return the JSON of its answer, or None if it is empty or has a status of ``missing``.

        :param missing: statuses which mean that the requested object does not exist.
        :raises DeployError: ``deploy-unreachable``, ``deploy-timeout``, ``deploy-refused`` or ``deploy-unsupported``.
        """
        response = self._send(method, path, payload)
        if response.status in missing:
            return None
        if response.status in {401, 403}:
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
        """Return the text of an answer as one printable line without secrets."""
        text = " ".join(body.decode("utf-8", "replace").split())
        if text.startswith("<"):
            return "an HTML page"
        if "PRIVATE KEY" in text:
            return "an answer with a private key, which is not shown"
        with contextlib.suppress(ValueError, RecursionError):
            found = (each.strip() for each in texts_of(json.loads(text), _meant))
            text = "; ".join(dict.fromkeys(filter(None, found))) or text
        return printable(self._run.redactor.redact(text))[:300].rstrip(". ") or "no reason"

    def _send(self, method: str, path: str, payload: Payload | None) -> Response:
        failed = None
        for client in self._clients:
            try:
                return self._run.call(partial(self._request, client, method, path, payload))
            except HttpFailure as failure:
                failed = failure
            if not failed.untrusted:  # otherwise the request was not sent, and other roots may work
                break
        # Outside an `except`: the original error, whose traceback has the headers, must not stay attached to this one.
        assert failed is not None  # noqa: S101  # there is a client
        raise self.failure(failed.with_traceback(None))

    def _request(self, client: HttpClient, method: str, path: str, payload: Payload | None) -> Response:
        """Send the request. Only this frame has all headers, which are secret."""
        headers = {"Accept": "application/json", **self.headers}
        if payload is not None:
            headers["Content-Type"] = payload.kind
        data = None if payload is None else payload.content
        url = f"{self.url}{path}"
        return client.request(method, url, data=data, headers=headers, timeout=self._timeout)

    def failure(self, failure: HttpFailure) -> DeployError:
        """Return the error for a server that could not be reached."""
        text = texts.API_LATE if failure.kind == "timeout" else texts.NO_ANSWER
        text = texts.API_UNTRUSTED if failure.untrusted else text
        return self.error(text, reason=self._run.redactor.redact(failure.detail), shown=late(self._timeout[1]))

    def _make_clients(self, roots: Roots, pair: Pair) -> list[HttpClient]:
        try:
            return [HttpClient(trust=one, pair=pair) for one in roots]
        except CAError:
            raise self.error(texts.API_TRUST, path=roots[0]) from None
        except OSError as error:
            raise self.error(texts.API_PAIR, reason=system_reason(error)) from None


def send(method: str, url: str, data: bytes | None, headers: Mapping[str, str] | None, seconds: float) -> Response:
    """Send one request with a client of its own.

    :raises HttpFailure: there is no answer.
    """
    with contextlib.closing(HttpClient()) as client:
        return client.request(method, url, data=data, headers=headers, timeout=time_limit(seconds))


def response_to(
    context: DeployerContext, request: Callable[[], Response], url: str, seconds: float, silent: Text = texts.NO_ANSWER
) -> Response:
    """Return the answer to a request.

    :param url: its address as it is shown.
    :param silent: the text of the error where nothing has arrived.
    :raises DeployError: there is none.
    """
    run = context.run
    try:
        return run.call(request)
    except HttpFailure as failure:
        kind, reason = failure.kind, run.redactor.redact(failure.detail)
    # Outside the `except`: the original error, whose traceback has what was sent, is not kept.
    text = texts.ANSWER_CUT if kind == "reset" and silent is texts.NO_ANSWER else silent
    text = texts.ANSWER_LATE if kind == "timeout" else text
    raise DeployError.of(text, url=url, reason=reason, shown=late(seconds))


def basic_login(context: DeployerContext) -> str:
    """Return the value of the header ``Authorization`` for the ``user`` and the ``password`` of an entry."""
    options = context.options
    password = context.reveal(options["password"]) if "password" in options else ""
    login = base64.b64encode(f"{options['user']}:{password}".encode()).decode("ascii")
    return f"Basic {context.run.redactor.add(login)}"


def time_limit(seconds: float) -> tuple[float, float]:
    """Return the seconds for a connection and for the answer."""
    return min(max(_CONNECT_SECONDS, seconds / 6), seconds), seconds  # where an answer may take long, a connection may


def _meant(value: dict[str, Any]) -> list[Any]:
    return [value[key] for key in ("message", "errors", "error") if value.get(key)] or list(value.values())


def is_safe(url: str) -> bool:
    """Return whether data sent to an address cannot be read on the way: over HTTPS, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or host_port.is_here(parts.hostname or "")


# ── json rpc ───────────────────────────────────────────────────────────────────────────

# JSON-RPC 2.0 over WebSocket (RFC 6455): a client that makes one call at a time, without extensions.

METHOD_MISSING: Final = -32601
"""The error code for a missing method (JSON-RPC 2.0 section 5.1)."""
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LAST, _MASKED, _SHORT, _LONG = 0x80, 0x80, 126, 127
_LARGEST: Final = 16 << 20
"""The maximum size of a message in octets."""


class RpcError(Exception):
    """An answer that is an error.

    :ivar code: the code of the error.
    :ivar error: the error object.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__()
        self.error = error
        self.code = error.get("code")


class JsonRpc:
    """One connection.

    :param url: ``https://…`` or ``http://…``, of the endpoint.
    :param trust: a PEM file with roots to trust in addition to the operating system's roots.
    :param seconds: the time limit for the connection, and for each part of an answer.
    """

    def __init__(self, url: str, trust: str | None, seconds: float) -> None:
        parts, self._ids = urlsplit(url), itertools.count(1)
        self._path, self._seconds, host = parts.path, seconds, parts.hostname or ""
        limit = time_limit(seconds)[0]
        self._http = http.client.HTTPConnection(host, parts.port, timeout=limit)
        if parts.scheme == "https":
            context = tls_context(None)
            if trust is not None:
                context.load_verify_locations(cafile=trust)
            self._http = http.client.HTTPSConnection(host, parts.port, timeout=limit, context=context)
        self._answer: http.client.HTTPResponse | None = None

    def open(self) -> bool:
        """Connect, and return whether the server speaks WebSocket there.

        :raises HttpFailure: the server cannot be reached.
        """
        key = base64.b64encode(os.urandom(16))
        head = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        with _as_failure(self._seconds):
            self._http.connect()
            self._http.sock.settimeout(self._seconds)
            self._http.request("GET", self._path, headers={**head, "Sec-WebSocket-Key": key.decode("ascii")})
            answer = self._http.getresponse()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode("ascii")
        if answer.status != 101 or answer.headers.get("Sec-WebSocket-Accept") != accept:
            self.close()
            return False
        self._answer = answer
        return True

    def close(self) -> None:
        """End the connection."""
        self._answer = None
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:
        """Call a method, and return its result.

        :raises RpcError: the answer is an error.
        :raises HttpFailure: there is no answer.
        """
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        with _as_failure(self._seconds):
            self._send(_TEXT, json.dumps(request).encode())
            # all other messages are notifications
            for _ in range(1000):
                answer = json.loads(self._message())
                if isinstance(answer, dict) and answer.get("id") == number:
                    break
            else:
                raise ValueError("no answer")
        if isinstance(answer.get("error"), dict):
            raise RpcError(answer["error"])
        return answer.get("result")

    def _message(self) -> bytes:
        """Read a message, and answer pings that come before it."""
        whole = b""
        while len(whole) <= _LARGEST:
            first, size = self._read(2)
            if size == _SHORT:
                size = int.from_bytes(self._read(2))
            elif size == _LONG:
                size = int.from_bytes(self._read(8))
            elif size > _LONG:  # masked, which only clients may do
                break
            if size > _LARGEST:
                break
            content, kind = self._read(size), first & 0xF
            if kind == _CLOSE:
                raise EOFError
            if kind == _PING:
                self._send(_PONG, content)
            elif kind < _CLOSE:
                whole += content
                if first & _LAST:
                    return whole
        raise ValueError("a frame that no server sends")

    def _read(self, count: int) -> bytes:
        content = b"" if self._answer is None else self._answer.fp.read(count)
        if len(content) < count:
            raise EOFError
        return content

    def _send(self, kind: int, content: bytes) -> None:
        if self._answer is None or self._http.sock is None:
            raise EOFError
        size, mask = len(content), os.urandom(4)
        if size < _SHORT:
            head = bytes([size | _MASKED])
        elif size < 1 << 16:
            head = bytes([_SHORT | _MASKED]) + size.to_bytes(2)
        else:
            head = bytes([_LONG | _MASKED]) + size.to_bytes(8)
        masked = bytes(octet ^ mask[index % 4] for index, octet in enumerate(content))
        self._http.sock.sendall(bytes([kind | _LAST]) + head + mask + masked)


@contextlib.contextmanager
def _as_failure(seconds: float) -> Iterator[None]:
    """Turn any exception of a connection into a failure without the sent data."""
    failed = None
    try:
        yield
    except (OSError, EOFError, ValueError, RecursionError, http.client.HTTPException) as error:
        failed = failure(error, (seconds, seconds))
    if failed is not None:  # outside the `except`: the first error holds the sent data
        raise failed
