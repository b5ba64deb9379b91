"""A small server for challenge responses: one thread, with limits on clients, bytes and time.

It is open to the Internet for seconds. No request blocks another, each client has a deadline of seconds, and a
response reveals nothing about this machine, not even its time. When there are too many clients, the oldest one of the
network with the most clients is dropped, so that one host cannot push out the others.
"""

from __future__ import annotations

import selectors
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from dnsrenew.base.clients import Clients

T = TypeVar("T")

MAX_BYTES: Final = 8192
"""Maximum size of a request in bytes."""
_PATIENCE: Final = 10.0
"""Seconds for a client to send its request; a CA needs one round trip."""
_FAREWELL: Final = 2.0
"""Seconds for a client to close after its response; to close first could lose the response."""
_MAX_CLIENTS: Final = 128
_TICK: Final = 0.5
_RETRY_ACCEPT: Final = 0.05


class Client:
    """One connection and its deadline."""

    __slots__ = ("answered", "received", "socket", "until")

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.socket = connection
        self.until = until
        self.received = b""
        self.answered = False


class ChallengeServer(ABC, Generic[T]):
    """Serves ``contents`` on one socket, in a daemon thread, until it is stopped.

    A challenge type implements :meth:`read`.

    :param listening: a listening socket; the server owns it from now on.
    :param monotonic: a clock in seconds, for time-outs.
    """

    def __init__(self, listening: socket.socket, monotonic: Callable[[], float]) -> None:
        self.contents: Contents[T] = Contents()
        self.address: tuple[str, int] = listening.getsockname()[:2]
        self._listening = listening
        self._monotonic = monotonic
        self._clients: dict[socket.socket, Client] = {}
        self._places: Clients[socket.socket] = Clients(_MAX_CLIENTS)
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._stopped = threading.Event()
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="dnsrenew-challenge", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port; it is free when this returns."""
        self._stopped.set()
        self._waker.send(b"\0")
        self._thread.join()
        self._waker.close()
        self._woken.close()

    # ── what a challenge type overrides ─────────────────────────────────────────────────

    def wrap(self, connection: socket.socket) -> socket.socket:
        """Return the socket to read from; ``connection`` does not block."""
        return connection

    @abstractmethod
    def read(self, client: Client) -> bool:
        """Read from a client and respond to a complete request; return False to close the connection.

        :raises BlockingIOError: nothing can be read now.
        :raises OSError: the connection failed; it is closed.
        """

    def farewell(self, client: Client) -> None:
        """Record that the client has its response; it now has two seconds to close."""
        client.answered = True
        client.until = min(client.until, self._monotonic() + _FAREWELL)

    # ── the loop ────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                for key, _ in self._selector.select(_TICK if self._clients else None):
                    client = self._clients.get(key.fileobj)  # type: ignore[call-overload]  # typed as int too
                    if client is not None:
                        self._serve(client)
                    elif key.fileobj is self._listening:
                        self._accept()
                self._drop_late()
        finally:
            for connection in list(self._clients):
                self._drop(connection)
            self._selector.close()
            self._listening.close()

    def _accept(self) -> None:
        try:
            connection, address = self._listening.accept()
        except (BlockingIOError, ConnectionError):
            return  # the client has gone
        except OSError:  # no file descriptor is left
            self._drop(self._places.evict())
            self._stopped.wait(_RETRY_ACCEPT)  # without a client to drop, the loop would spin
            return
        connection.setblocking(False)
        try:
            wrapped = self.wrap(connection)
        except OSError:
            connection.close()
            return
        self._drop(self._places.add(wrapped, address[0]))
        self._clients[wrapped] = Client(wrapped, self._monotonic() + _PATIENCE)
        self._selector.register(wrapped, selectors.EVENT_READ)

    def _serve(self, client: Client) -> None:
        try:
            keep = self.read(client)
        except BlockingIOError:
            return
        except OSError:
            keep = False
        if not keep:
            self._drop(client.socket)

    def _drop_late(self) -> None:
        now = self._monotonic()
        for client in [client for client in self._clients.values() if now >= client.until]:
            self._drop(client.socket)

    def _drop(self, connection: socket.socket | None) -> None:
        if connection is not None:
            self._places.remove(connection)
            del self._clients[connection]
            self._selector.unregister(connection)
            connection.close()


# ── contents ───────────────────────────────────────────────────────────────────────────

# The challenge responses that a server or a webroot serves; several certificates may need the same one.


class Contents(Generic[T]):
    """Responses by key (a token, a server name); each stays until every :meth:`add` of it is undone.

    A CA may give one pending authorization, and so one token, to two certificates that share a name. Writers hold a
    lock. The server's thread reads without one, because every entry is replaced as a whole.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[T, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def get(self, key: str) -> T | None:
        """Return the newest response for a key, or None."""
        held = self._by_key.get(key)
        return held[-1] if held else None

    def all(self) -> list[T]:
        """Return the responses for all keys."""
        return [content for held in list(self._by_key.values()) for content in held]

    def add(self, key: str, content: T) -> None:
        """Add a response."""
        self._by_key[key] = (*self._by_key.get(key, ()), content)

    def remove(self, key: str, content: T) -> None:
        """Undo one :meth:`add`."""
        held = list(self._by_key.get(key, ()))
        if content in held:
            held.remove(content)
        if held:
            self._by_key[key] = tuple(held)
        else:
            self._by_key.pop(key, None)
