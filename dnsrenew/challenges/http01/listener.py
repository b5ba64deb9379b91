"""The ports on which http-01 challenges are answered: opened with the first value, closed with the last."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dnsrenew.base import host_port
from dnsrenew.base.clock import SystemClock
from dnsrenew.challenges.http01.port_owner import owner_of
from dnsrenew.challenges.http01.server import PATH, AnsweringServer
from dnsrenew.errors import ChallengeError

DEFAULT: Final = ":80"
"""Where every CA looks (RFC 8555 section 8.3); another port only where something leads from there to it."""

_BACKLOG: Final = 128
_TIMEOUT: Final = 5.0
_MOST_BYTES: Final = 65_536
_NO_FAMILY: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_NO_WAY: Final = _NO_FAMILY | {errno.ENETUNREACH, errno.EHOSTUNREACH}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound here: where to ask oneself


class _Endpoint(NamedTuple):
    family: socket.AddressFamily
    address: tuple[Any, ...]


class Listeners:
    """The listeners of a process, shared by all certificates that are worked on. Thread-safe.

    An address is ``:PORT`` (all of IPv4 and IPv6), ``HOST:PORT`` or ``[IPV6]:PORT``.

    :param monotonic: seconds of real time, for time-outs of clients.
    """

    def __init__(self, monotonic: Callable[[], float] = SystemClock.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._servers: dict[_Endpoint, AnsweringServer] = {}
        self._endpoints: dict[str, list[_Endpoint]] = {}

    def check(self, listen: str) -> None:
        """Find out whether the port can be had, by taking it for a moment; ours already is fine.

        :raises ChallengeError: it cannot: taken, forbidden, or an address that is not here.
        """
        endpoints = _endpoints(listen)
        with self._lock:
            for opened in self._open(listen, endpoints, serve=False).values():
                opened.close()

    def add(self, listen: str, token: str, content: bytes) -> None:
        """Answer a token on an address, and open its port if it is the first.

        :raises ChallengeError: the port cannot be had; nothing is open that was not open before.
        """
        resolved = _endpoints(listen)
        with self._lock:
            endpoints = self._endpoints.get(listen, resolved)
            self._serve(listen, self._open(listen, endpoints, serve=True))
            self._endpoints[listen] = endpoints
            for server in self._standing(endpoints):
                server.contents.add(token, content)

    def remove(self, listen: str, token: str, content: bytes) -> None:
        """Take back one :meth:`add`; the port is closed with its last value."""
        with self._lock:
            endpoints = self._endpoints.get(listen, [])
            for server in self._standing(endpoints):
                server.contents.remove(token, content)
            for endpoint in endpoints:
                if endpoint in self._servers and not self._servers[endpoint].contents:
                    self._servers.pop(endpoint).stop()
            self._endpoints = {each: its for each, its in self._endpoints.items() if self._standing(its)}

    def ask(self, listen: str, token: str) -> dict[str, bytes]:
        """Ask our own listeners for a token as a CA would; return each one's answer, whole, by address.

        A family that can be listened on but has no address here (IPv6 switched off) is passed over, but not both.

        :raises OSError: one does not answer.
        """
        with self._lock:
            addresses = [server.address for server in self._standing(self._endpoints.get(listen, []))]
        answers: dict[str, bytes] = {}
        absent = None
        for host, port in addresses:
            try:
                answers[host_port.join(host, port)] = _fetch(_ANY.get(host, host), port, token)
            except OSError as error:
                if error.errno not in _NO_WAY:
                    raise
                absent = error
        if absent is not None and not answers:
            raise absent
        return answers

    def _standing(self, endpoints: Sequence[_Endpoint]) -> list[AnsweringServer]:
        return [self._servers[endpoint] for endpoint in endpoints if endpoint in self._servers]

    def _open(self, listen: str, endpoints: Sequence[_Endpoint], *, serve: bool) -> dict[_Endpoint, socket.socket]:
        """Open what is not open yet; a family that this host does not have may be absent, but not both."""
        opened: dict[_Endpoint, socket.socket] = {}
        absent = None
        try:
            for endpoint in endpoints:
                if endpoint in self._servers:
                    continue
                try:
                    opened[endpoint] = _bind(endpoint, serve=serve)
                except OSError as error:
                    if error.errno not in _NO_FAMILY:
                        raise
                    absent = error
            if absent is not None and not opened and not self._standing(endpoints):
                raise absent
        except OSError as error:
            for half in opened.values():
                half.close()
            raise _failure(listen, error) from None
        return opened

    def _serve(self, listen: str, opened: Mapping[_Endpoint, socket.socket]) -> None:
        try:
            for endpoint, one in opened.items():
                self._servers[endpoint] = AnsweringServer(one, self._monotonic)
        except OSError as error:  # no handle is left
            for endpoint, one in opened.items():
                if endpoint in self._servers:
                    self._servers.pop(endpoint).stop()
                one.close()
            raise _failure(listen, error) from None


SHARED: Final = Listeners()
"""A port belongs to the process: two runs in one program share it."""


class Port:
    """One listen address: a place where the CA's question is answered."""

    def __init__(self, listeners: Listeners, listen: str) -> None:
        self._listeners = listeners
        self._listen = listen

    def check(self, _probe: str) -> None:
        """Find out whether the port can be had.

        :raises ChallengeError: it cannot.
        """
        self._listeners.check(self._listen)

    def add(self, token: str, content: bytes) -> None:
        """Answer a token.

        :raises ChallengeError: the port cannot be had.
        """
        self._listeners.add(self._listen, token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Take back one :meth:`add`."""
        self._listeners.remove(self._listen, token, content)

    def problem(self, token: str, content: bytes) -> str | None:
        """Ask for a token as a CA would; return what is wrong with the answer, as the end of a sentence."""
        try:
            answers = self._listeners.ask(self._listen, token)
        except OSError as error:
            return f"the listener does not answer ({error.strerror or error})"
        for address, answer in answers.items():
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n" + content):
                return f"{address} answers something else"
        return None


def _endpoints(listen: str) -> list[_Endpoint]:
    """Return the socket addresses of a listen address.

    :raises ChallengeError: its host is not known.
    """
    host, port = host_port.split(listen)
    if not host:
        any4, any6 = "0.0.0.0", "::"  # noqa: S104  # the CA comes from outside
        return [
            _Endpoint(socket.AF_INET, (any4, port)),
            _Endpoint(socket.AF_INET6, (any6, port, 0, 0)),
        ]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _failure(listen, error) from None
    return list(dict.fromkeys(_Endpoint(family, address) for family, _, _, _, address in found))


def _bind(endpoint: _Endpoint, *, serve: bool) -> socket.socket:
    """Take an address; only when it is to ``serve`` do connections come in, and do two who look not see each other."""
    opened = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        if os.name == "nt":  # there, reuse would mean to share the port with whoever has it
            opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR), 1)
        else:  # connections of the last renewal that linger are no obstacle
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if endpoint.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(endpoint.address)
        if serve:
            opened.listen(_BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _fetch(host: str, port: int, token: str) -> bytes:
    """Return the whole answer of one GET, head and body; never by way of a proxy."""
    answer = b""
    with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
        connection.sendall(f"GET {PATH}{token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while len(answer) < _MOST_BYTES and (data := connection.recv(4096)):
            answer += data
    return answer


def _failure(listen: str, error: OSError) -> ChallengeError:
    """Translate: the only place that knows what a port can have against us."""
    _, port = host_port.split(listen)
    evidence = {"listen": listen, "port": port, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
    if error.errno == errno.EADDRINUSE or (os.name == "nt" and error.errno in _FORBIDDEN):
        owner = owner_of(port)
        who = "another program" if owner is None else f"{owner.name} (process {owner.pid})"
        return ChallengeError(
            "http-port-taken",
            f"Port {port}, where the CA's question would be answered, is in use by {who}.",
            fix="Give the route the folder that this program serves (webroot in place of listen), "
            "stop the program, or use dns-01, which needs no port.",
            evidence={**evidence, "owner": owner and owner.name, "pid": owner and owner.pid},
        )
    if error.errno in _FORBIDDEN:
        return ChallengeError(
            "http-port-forbidden",
            f"This program may not listen on port {port}, where the CA's question would be answered.",
            fix="Run it as root, give it CAP_NET_BIND_SERVICE, or use dns-01, which needs no port.",
            evidence=evidence,
        )
    if error.errno in _NO_FAMILY or isinstance(error, socket.gaierror):
        return ChallengeError(
            "http-address-missing",
            f"This host has no address for listen = {listen!r}.",
            fix=f'Listen on an address that this host has, or on all of them with listen = ":{port}".',
            evidence=evidence,
        )
    return ChallengeError(
        "http-port-failed",
        f"Port {port} cannot be opened: {error.strerror or error}.",
        fix="Mend what the system says, or use dns-01, which needs no port.",
        evidence=evidence,
    )
