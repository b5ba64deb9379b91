"""A web server that knows one kind of page: the answers to a CA's http-01 challenges (RFC 8555 section 8.3).

It stands in the open Internet, if only for seconds: one thread, no request waits for another, nobody is
waited for longer than some seconds, and nothing is told about this host, not even what time it is.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

from dnsrenew.challenges.http01.tokens import TokenContents

PATH: Final = "/.well-known/acme-challenge/"

_REQUEST: Final = re.compile(
    rb"(?P<method>GET|HEAD) (?:http://[^/ ]+)?/\.well-known/acme-challenge/(?P<token>[A-Za-z0-9_-]+) HTTP/1\.[0-9]\r?\n"
)
_END: Final = re.compile(rb"\r?\n\r?\n")
_MOST_BYTES: Final = 8192
_PATIENCE: Final = 10.0
"""Seconds for a client to make its request; a CA's takes as long as one round trip."""
_FAREWELL: Final = 2.0
"""Seconds for a client to hang up after its answer: hanging up first could take the answer from it."""
_MOST_CLIENTS: Final = 128
_TICK: Final = 0.5
_BREATH: Final = 0.05


class _Client:
    __slots__ = ("answered", "received", "socket", "until")

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.socket = connection
        self.until = until
        self.received = b""
        self.answered = False


class AnsweringServer:
    """Serves ``contents`` on one socket, in a daemon thread, until it is stopped.

    :param listening: bound and listening; it belongs to the server from now on.
    :param monotonic: seconds, for its time-outs: of real time, as its clients are real.
    """

    def __init__(self, listening: socket.socket, monotonic: Callable[[], float]) -> None:
        self.contents = TokenContents()
        self.address: tuple[str, int] = listening.getsockname()[:2]
        self._listening = listening
        self._monotonic = monotonic
        self._clients: dict[socket.socket, _Client] = {}  # in the order of their coming
        self._selector = selectors.DefaultSelector()
        self._bell, self._heard = socket.socketpair()
        self._stopped = threading.Event()
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._heard, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="dnsrenew-http-01", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port; it is free again when this returns."""
        self._stopped.set()
        self._bell.send(b"\0")
        self._thread.join()
        self._bell.close()
        self._heard.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                for key, _ in self._selector.select(_TICK if self._clients else None):
                    client = self._clients.get(key.fileobj)  # type: ignore[call-overload]  # typed as int too
                    if client is not None:
                        self._hear(client)
                    elif key.fileobj is self._listening:
                        self._welcome()
                self._drop_late()
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listening.close()

    def _welcome(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionError):
            return  # gone before we came
        except OSError:  # no handle is left: the one who waits longest makes room
            self._drop_oldest()
            self._stopped.wait(_BREATH)  # nobody there to make room: the next look would come at once
            return
        connection.setblocking(False)
        if len(self._clients) >= _MOST_CLIENTS:
            self._drop_oldest()
        self._clients[connection] = _Client(connection, self._monotonic() + _PATIENCE)
        self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, client: _Client) -> None:
        try:
            data = client.socket.recv(_MOST_BYTES)
            if not data:
                self._drop(client)
            elif not client.answered:
                client.received += data
                if _END.search(client.received) or len(client.received) >= _MOST_BYTES:
                    self._answer(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _answer(self, client: _Client) -> None:
        client.answered = True
        client.until = min(client.until, self._monotonic() + _FAREWELL)
        client.socket.send(self._response(client.received))  # some hundred bytes: every send buffer takes them
        client.socket.shutdown(socket.SHUT_WR)

    def _response(self, request: bytes) -> bytes:
        match = _REQUEST.match(request)
        content = None if match is None else self.contents.get(match["token"].decode("ascii"))
        if match is None or content is None:
            return _message("404 Not Found", b"")
        return _message("200 OK", content, body=match["method"] == b"GET")

    def _drop_late(self) -> None:
        now = self._monotonic()
        for client in [client for client in self._clients.values() if now >= client.until]:
            self._drop(client)

    def _drop_oldest(self) -> None:
        for client in self._clients.values():
            self._drop(client)
            return

    def _drop(self, client: _Client) -> None:
        del self._clients[client.socket]
        self._selector.unregister(client.socket)
        client.socket.close()


def _message(status: str, content: bytes, *, body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(content)}\r\n"
        # A cache in between must not keep a 404 that was right a second ago.
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if body else b"")
