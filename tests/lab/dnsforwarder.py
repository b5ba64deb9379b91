"""A name server that forwards everything to a good one, except where a hook makes it misbehave."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from .ports import family

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Query:
    """One query as it arrived. `forward` sends it to the good server by the same transport."""

    wire: bytes
    transport: str
    """`udp` or `tcp`."""
    number: int
    _upstream: tuple[str, int]

    @property
    def message(self) -> dns.message.Message:
        """The parsed question (a TSIG signature is not checked)."""
        return dns.message.from_wire(self.wire, keyring=False)

    @property
    def name(self) -> str:
        """The name asked for, in lower case, without a final dot."""
        return self.message.question[0].name.to_text(omit_final_dot=True).lower()

    @property
    def rdtype(self) -> str:
        """The type asked for; `SOA` in an update."""
        return dns.rdatatype.to_text(self.message.question[0].rdtype)

    def forward(self) -> bytes:
        """The good server's answer, on the wire: signatures survive."""
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        with socket.socket(family(self._upstream[0]), kind) as upstream:
            upstream.settimeout(_TIMEOUT)
            upstream.connect(self._upstream)
            if self.transport == "udp":
                upstream.send(self.wire)
                return upstream.recv(65535)
            upstream.sendall(framed(self.wire))
            return _read_framed(upstream) or b""


@dataclass(frozen=True)
class Wire:
    """Octets that are sent as they are, in place of an answer."""

    datagrams: tuple[bytes, ...] = ()
    """Over UDP, in this order; a question that came by TCP gets none of them."""
    elsewhere: tuple[bytes, ...] = ()
    """Over UDP, before the others, from another port."""
    stream: tuple[bytes, ...] = ()
    """Over TCP, lengths and all."""
    pause: float = 0.0
    """Seconds after each part of the stream."""
    ending: Literal["close", "hold", "reset"] = "close"
    """How the connection ends; `hold` waits until the client leaves."""


Answer = bytes | dns.message.Message | Wire | None


class DnsForwarder:
    """Listens on `listen` (UDP and TCP), forwards to `upstream`; use it as a context manager.

    `hook` gives the answer; None is silence. The ready ones: `drop`, `delay`, `rcode`, `strip_aa`, `truncate`,
    `udp_is_silent`, `Stale`. It may be replaced at any time.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        upstream: tuple[str, int],
        hook: Callable[[Query], Answer] | None = None,
    ) -> None:
        """Listens when started."""
        self.listen = listen
        self.upstream = upstream
        self.hook = hook or Query.forward
        self.queries: list[Query] = []
        self._servers: list[socketserver.BaseServer] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        """Listen on both transports."""
        for kind, handler in ((_UdpServer, _UdpHandler), (_TcpServer, _TcpHandler)):
            server = kind(self.listen, handler)
            server.forwarder = self
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            self._servers.append(server)
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Close the port."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(5)
        self._servers, self._threads = [], []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, wire: bytes, transport: str) -> bytes | Wire | None:
        """What to send back, None for silence."""
        query = Query(wire, transport, len(self.queries) + 1, self.upstream)
        self.queries.append(query)
        try:
            answer = self.hook(query)
        except (OSError, dns.exception.DNSException):
            return None  # the good server does not answer either
        return answer.to_wire() if isinstance(answer, dns.message.Message) else answer


def drop(query: Query) -> None:
    """Never answer."""
    del query


def delay(seconds: float) -> Callable[[Query], bytes]:
    """Answer late."""

    def hook(query: Query) -> bytes:
        time.sleep(seconds)
        return query.forward()

    return hook


def rcode(code: dns.rcode.Rcode) -> Callable[[Query], dns.message.Message]:
    """Return a hook that answers only with this code (SERVFAIL, REFUSED or another)."""

    def hook(query: Query) -> dns.message.Message:
        answer = dns.message.make_response(query.message)
        answer.set_rcode(code)
        return answer

    return hook


def strip_aa(query: Query) -> bytes:
    """Give the right answer without authority: a lame server."""
    return _set_flags(query.forward(), clear=dns.flags.AA)


def truncate(query: Query) -> bytes | dns.message.Message:
    """Give an empty truncated answer over UDP."""
    if query.transport == "tcp":
        return query.forward()
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.TC | dns.flags.AA
    return answer


def udp_is_silent(query: Query) -> bytes | None:
    """Answer over TCP only."""
    return query.forward() if query.transport == "tcp" else None


class Stale:
    """A server that no longer follows its primary: the first answer to a query is its answer for ever."""

    def __init__(self) -> None:
        """Nothing remembered yet."""
        self._answers: dict[tuple[dns.name.Name, int], bytes] = {}

    def __call__(self, query: Query) -> bytes:
        """The remembered answer, under the id of this question."""
        question = query.message.question[0]
        key = (question.name, question.rdtype)
        if key not in self._answers:
            self._answers[key] = query.forward()
        return query.wire[:2] + self._answers[key][2:]


def _set_flags(wire: bytes, *, clear: int) -> bytes:
    (flags,) = struct.unpack("!H", wire[2:4])
    return wire[:2] + struct.pack("!H", flags & ~clear) + wire[4:]


def framed(wire: bytes) -> bytes:
    """Return the message in the form for TCP (RFC 1035 section 4.2.2)."""
    return struct.pack("!H", len(wire)) + wire


def _read_framed(connection: socket.socket) -> bytes | None:
    head = _read(connection, 2)
    return _read(connection, struct.unpack("!H", head)[0]) if head else None


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False
    max_packet_size = 65535
    forwarder: DnsForwarder


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    forwarder: DnsForwarder


class _UdpHandler(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        wire, back = self.request
        answer = self.server.forwarder.answer(wire, "udp")
        if isinstance(answer, bytes):
            answer = Wire((answer,))
        if answer is None:
            return
        with socket.socket(back.family, socket.SOCK_DGRAM) as other:
            for datagram in answer.elsewhere:
                other.sendto(datagram, self.client_address)
        for datagram in answer.datagrams:
            back.sendto(datagram, self.client_address)


class _TcpHandler(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        self.request.settimeout(_TIMEOUT)
        try:
            while (wire := _read_framed(self.request)) is not None:
                answer = self.server.forwarder.answer(wire, "tcp")
                if answer is None:
                    _read(self.request, 1)  # silence: the client closes, or the time-out does
                    return
                if isinstance(answer, Wire):
                    self._play(answer)
                    return
                self.request.sendall(framed(answer))
        except OSError:
            return

    def _play(self, wire: Wire) -> None:
        for part in wire.stream:
            self.request.sendall(part)
            time.sleep(wire.pause)
        if wire.ending == "reset":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif wire.ending == "hold":
            self.request.settimeout(60)
            self.request.recv(1)
