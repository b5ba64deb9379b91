"""Ports for challenge responses: opened with the first response, closed with the last."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from dnsrenew.base import host_port
from dnsrenew.base.clients import Clients
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.found import listening_processes, printable
from dnsrenew.base.users import user_name
from dnsrenew.base.values import Frozen
from dnsrenew.errors import ChallengeError, Text

T = TypeVar("T")

TIMEOUT: Final = 5.0
"""Seconds for our own listener to respond."""
_BACKLOG: Final = 128
_NO_FAMILY: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_NO_ROUTE: Final = _NO_FAMILY | {errno.ENETUNREACH, errno.EHOSTUNREACH}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not bound: the address to connect to for each wildcard address


class PortTexts(Frozen):
    """The texts of the errors of a port."""

    taken: Text
    taken_unknown: Text
    forbidden: Text
    address_missing: Text
    failed: Text


class Endpoint(Frozen):
    """One socket address."""

    family: socket.AddressFamily
    address: tuple[Any, ...]


class Listeners(ABC, Generic[T]):
    """The listeners of a process for one challenge type, shared by all certificates. Thread-safe.

    An address is ``:PORT`` (all of IPv4 and IPv6), ``HOST:PORT`` or ``[IPV6]:PORT``. A challenge type sets ``texts``
    and overrides :meth:`start` and :meth:`fetch`.

    :param monotonic: a clock in seconds, for time-outs of clients.
    """

    texts: PortTexts

    def __init__(self, monotonic: Callable[[], float] = SystemClock.monotonic) -> None:
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._servers: dict[Endpoint, ChallengeServer[T]] = {}
        self._endpoints: dict[str, list[Endpoint]] = {}
        self._kept = Counter[Endpoint]()

    @abstractmethod
    def start(self, listening: socket.socket) -> ChallengeServer[T]:
        """Return a running server on a listening socket.

        :raises OSError: no file descriptor is left.
        """

    @abstractmethod
    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Request a response from one of our servers as a CA would; return all of it.

        :raises OSError: it does not respond.
        """

    def check(self, listen: str) -> None:
        """Check whether the port can be opened, by binding it for a moment. A port that is already served is fine.

        :raises ChallengeError: the port is taken or forbidden, or this machine does not have the address.
        """
        endpoints = self._resolve(listen)
        with self._lock:
            for opened in self._open(listen, endpoints, serve=False).values():
                opened.close()

    def add(self, listen: str, key: str, content: T) -> None:
        """Serve a response on an address; open its port for the first one.

        :raises ChallengeError: the port cannot be opened; no other port stays open.
        """
        resolved = self._resolve(listen)
        with self._lock:
            for server in self._running(self._opened(listen, resolved)):
                server.contents.add(key, content)

    def remove(self, listen: str, key: str, content: T) -> None:
        """Undo one :meth:`add`; the port is closed with its last response."""
        with self._lock:
            endpoints = self._endpoints.get(listen, [])
            for server in self._running(endpoints):
                server.contents.remove(key, content)
            self._close_unused(endpoints)

    @contextlib.contextmanager
    def kept_open(self, listens: Iterable[str]) -> Iterator[None]:
        """Keep ports open in this block, before and after their responses too: no other program takes them meanwhile.

        One that cannot be opened now is opened by its first response, or the error is raised there.
        """
        kept: list[Endpoint] = []
        try:
            for listen in listens:
                with contextlib.suppress(ChallengeError):
                    resolved = self._resolve(listen)
                    with self._lock:
                        opened = self._opened(listen, resolved)
                        self._kept.update(opened)
                        kept += opened
            yield
        finally:
            with self._lock:
                self._kept.subtract(kept)
                self._close_unused(kept)

    def ask(self, listen: str, key: str) -> dict[str, bytes]:
        """Request a response from our own listeners as a CA would; return each response by address.

        Skip an address family that can be bound but is not routed (IPv6 disabled), unless both are.

        :raises OSError: a listener does not respond.
        """
        with self._lock:
            addresses = [server.address for server in self._running(self._endpoints.get(listen, []))]
        answers: dict[str, bytes] = {}
        absent = None
        for host, port in addresses:
            try:
                answers[host_port.join(host, port)] = self.fetch(_ANY.get(host, host), port, key)
            except OSError as error:
                if error.errno not in _NO_ROUTE:
                    raise
                absent = error
        if absent is not None and not answers:
            raise absent
        return answers

    def _opened(self, listen: str, resolved: list[Endpoint]) -> list[Endpoint]:
        """Open the endpoints of a listen address that are not open yet; return all."""
        endpoints = self._endpoints.get(listen, resolved)
        self._start(listen, self._open(listen, endpoints, serve=True))
        self._endpoints[listen] = endpoints
        return endpoints

    def _close_unused(self, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            if endpoint in self._servers and not self._servers[endpoint].contents and not self._kept[endpoint]:
                self._servers.pop(endpoint).stop()
        self._endpoints = {each: its for each, its in self._endpoints.items() if self._running(its)}

    def _running(self, endpoints: Sequence[Endpoint]) -> list[ChallengeServer[T]]:
        return [self._servers[endpoint] for endpoint in endpoints if endpoint in self._servers]

    def _open(self, listen: str, endpoints: Sequence[Endpoint], *, serve: bool) -> dict[Endpoint, socket.socket]:
        """Open the endpoints that are not open yet. This machine may lack one address family, but not both."""
        new = [endpoint for endpoint in endpoints if endpoint not in self._servers]
        try:
            return bound_all(new, _BACKLOG if serve else None, may_lack_all=bool(self._running(endpoints)))
        except OSError as error:
            raise self._failure(listen, error) from None

    def _start(self, listen: str, opened: Mapping[Endpoint, socket.socket]) -> None:
        try:
            for endpoint, one in opened.items():
                self._servers[endpoint] = self.start(one)
        except OSError as error:  # no file descriptor is left
            for endpoint, one in opened.items():
                if endpoint in self._servers:
                    self._servers.pop(endpoint).stop()
                one.close()
            raise self._failure(listen, error) from None

    def _resolve(self, listen: str) -> list[Endpoint]:
        """Return the socket addresses of a listen address.

        :raises ChallengeError: its host cannot be resolved.
        """
        try:
            return endpoints_of(listen)
        except OSError as error:
            raise self._failure(listen, error) from None

    def _failure(self, listen: str, error: OSError) -> ChallengeError:
        """Translate an OSError into the error of this challenge type."""
        _, port = host_port.split(listen)
        text, owner = port_fault(self.texts, port, error)
        evidence = {"listen": listen, "port": port, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
        return ChallengeError.of(text, **evidence, **owner)


def endpoints_of(listen: str) -> list[Endpoint]:
    """Return the socket addresses of a listen address.

    :raises OSError: its host cannot be resolved.
    """
    host, port = host_port.split(listen)
    if not host:
        any4, any6 = "0.0.0.0", "::"  # noqa: S104  # everybody may connect from outside
        return [Endpoint(socket.AF_INET, (any4, port)), Endpoint(socket.AF_INET6, (any6, port, 0, 0))]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(Endpoint(family, address) for family, _, _, _, address in found))


def port_fault(texts: PortTexts, port: int, error: OSError) -> tuple[Text, dict[str, Any]]:
    """Return the text for a port that cannot be opened, and for one that is taken by which program."""
    if error.errno == errno.EADDRINUSE or (os.name == "nt" and error.errno in _FORBIDDEN):
        owner = owner_of(port)
        evidence = {"owner": owner and owner.name, "pid": owner and owner.pid, "user": owner and owner.user}
        return texts.taken if owner else texts.taken_unknown, evidence
    if error.errno in _FORBIDDEN:
        return texts.forbidden, {}
    is_missing = error.errno in _NO_FAMILY or isinstance(error, socket.gaierror)
    return texts.address_missing if is_missing else texts.failed, {}


def bound_all(
    endpoints: Iterable[Endpoint], backlog: int | None = None, *, may_lack_all: bool = False
) -> dict[Endpoint, socket.socket]:
    """Bind addresses, as :func:`bound`. This machine may lack one address family, but not both.

    :param may_lack_all: it may lack all of these.
    :raises OSError: one cannot be bound; then none is.
    """
    opened: dict[Endpoint, socket.socket] = {}
    absent = None
    try:
        for endpoint in endpoints:
            try:
                opened[endpoint] = bound(endpoint.family, endpoint.address, backlog)
            except OSError as error:
                if error.errno not in _NO_FAMILY:
                    raise
                absent = error
        if absent is not None and not opened and not may_lack_all:
            raise absent
    except OSError:
        for one in opened.values():
            one.close()
        raise
    return opened


def bound(family: socket.AddressFamily, place: tuple[Any, ...], backlog: int | None = None) -> socket.socket:
    """Bind an address.

    :param backlog: connections that may wait; None: do not listen, so that two checks at the same time do not conflict.
    """
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "nt":  # there, SO_REUSEADDR would share the port with its owner
            opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR), 1)
        else:  # ignore connections of the last renewal in TIME_WAIT
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(place)
        if backlog is not None:
            opened.listen(backlog)
    except BaseException:  # no other code can close this port
        opened.close()
        raise
    return opened


# ── port owner ─────────────────────────────────────────────────────────────────────────

# Finds the program that listens on a port (Linux only); used when the port is taken.


class PortOwner(Frozen):
    """A process, the name of its program, and the name of the user that opened the port."""

    pid: int
    name: str
    user: str


def owner_of(port: int, proc: str = "/proc") -> PortOwner | None:
    """Return the process that listens on a TCP port, or None if it cannot be found out.

    Only root sees the processes of other users. Systems other than Linux have no /proc.
    """
    for pid, _, uid in listening_processes(port, proc):
        name = ""
        with contextlib.suppress(OSError):  # it may have just ended
            name = Path(f"{proc}/{pid}/comm").read_text("ascii", "replace")
        return PortOwner(pid, printable(name) or "a program", user_name(uid))
    return None


# ── server ─────────────────────────────────────────────────────────────────────────────

# A small server for challenge responses: one thread, with limits on clients, bytes and time.
#
# It is open to the Internet for seconds. No request blocks another, each client has a deadline of seconds, and a
# response reveals nothing about this machine, not even its time. When there are too many clients, the oldest one of
# the network with the most clients is dropped, so that one host cannot push out the others.

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
                now = self._monotonic()
                for late in [client for client in self._clients.values() if now >= client.until]:
                    self._drop(late.socket)
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
