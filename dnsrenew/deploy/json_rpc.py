"""JSON-RPC 2.0 over WebSocket (RFC 6455): a client that makes one call at a time, without extensions."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base.http.connections import failure, tls_context
from dnsrenew.deploy.http_api import time_limit

METHOD_MISSING: Final = -32601
"""The code of an error: there is no such method (JSON-RPC 2.0 section 5.1)."""
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SWITCHING: Final = 101
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LAST: Final = 0x80
_MASKED: Final = 0x80
_SHORT: Final = 126
_LONG: Final = 127
_LARGEST: Final = 16 << 20
"""Octets of a message."""
_MOST: Final = 1000
"""Messages that are read for one answer: the others are notifications."""


class RpcError(Exception):
    """An answer that is an error.

    :ivar code: of the error.
    :ivar error: the error object.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__()
        self.error = error
        self.code = error.get("code")


class JsonRpc:
    """One connection.

    :param url: ``https://…`` or ``http://…``, of the endpoint.
    :param trust: a PEM file with roots to trust besides those of the operating system.
    :param seconds: to connect, and for each part of an answer.
    """

    def __init__(self, url: str, trust: str | None, seconds: float) -> None:
        parts, self._ids = urlsplit(url), itertools.count(1)
        self._path, self._seconds, host = parts.path, seconds, parts.hostname or ""
        if parts.scheme == "https":
            context = tls_context(None)
            if trust is not None:
                context.load_verify_locations(cafile=trust)
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=time_limit(seconds)[0], context=context
            )
        else:
            self._http = http.client.HTTPConnection(host, parts.port, timeout=time_limit(seconds)[0])
        self._answer: http.client.HTTPResponse | None = None

    def open(self) -> bool:
        """Connect, and return whether the server speaks WebSocket there.

        :raises HttpFailure: it cannot be reached.
        """
        key = base64.b64encode(os.urandom(16))
        head = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        with _as_failure(self._seconds):
            self._http.connect()
            self._http.sock.settimeout(self._seconds)
            self._http.request("GET", self._path, headers={**head, "Sec-WebSocket-Key": key.decode("ascii")})
            answer = self._http.getresponse()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode("ascii")
        if answer.status != _SWITCHING or answer.headers.get("Sec-WebSocket-Accept") != accept:
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
            for _ in range(_MOST):
                answer = json.loads(self._message())
                if isinstance(answer, dict) and answer.get("id") == number:
                    break
            else:
                raise ValueError("no answer")
        if isinstance(answer.get("error"), dict):
            raise RpcError(answer["error"])
        return answer.get("result")

    def _message(self) -> bytes:
        """Read a message; answer pings meanwhile."""
        whole = b""
        while len(whole) <= _LARGEST:
            first, size = self._read(2)
            if size == _SHORT:
                size = int.from_bytes(self._read(2))
            elif size == _LONG:
                size = int.from_bytes(self._read(8))
            elif size > _LONG:  # masked, which is for clients
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
    """Turn what a connection may raise into a failure without what was sent."""
    failed = None
    try:
        yield
    except (OSError, EOFError, ValueError, RecursionError, http.client.HTTPException) as error:
        failed = failure(error, (seconds, seconds))
    if failed is not None:  # outside the `except`: the first error holds what was sent
        raise failed
