"""Many questions to many name servers at once, in one thread: UDP, then TCP (RFC 1035 section 4.2, RFC 7766).

A question gets a socket of its own, connected to the one server it is for: the kernel then picks a random source
port, drops what comes from elsewhere, and says at once when there is no route or nobody listens.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Self

import dns.rcode
import dns.rdatatype

from dnsrenew.context import Context
from dnsrenew.dns import wire
from dnsrenew.dns.wire import Message, Question

PER_ADDRESS: Final = 50
"""Questions under way to one address of somebody else's, so that its limits on rate are not run into."""

_DATAGRAMS: Final = 16
_IN_ALL: Final = 128  # sockets; a macOS process may have 256
_SLICE: Final = 0.25  # seconds; a set cancel event is seen at least this often
_NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN}
)

Address = tuple[str, int]
SocketMaker = Callable[[socket.AddressFamily, socket.SocketKind], socket.socket]


class Reply(NamedTuple):
    """What came of one question to one address.

    :ivar answer: the message, or None.
    :ivar reason: why there is none, in words that continue "the server …".
    :ivar no_route: this machine has no way to addresses of that family.
    """

    address: Address
    question: Question
    answer: Message | None
    reason: str = ""
    no_route: bool = False


class _NoRouteError(OSError):
    """Said by the kernel at once, before a packet is sent (later it may be one host that is down)."""


class _Job:
    def __init__(self, address: Address, question: Question, udp: float, tcp: float) -> None:
        self.address = address
        self.question = question
        self.udp = udp
        self.tcp = tcp
        self.edns = True
        self.query = b""
        self.deadline = 0.0
        self.link: socket.socket | None = None
        self.stream = False
        self.late = False
        self.unsent = b""
        self.received = b""


class Exchange:
    """The questions under way. Not thread-safe: each waiting thread has its own.

    :param per_address: questions under way to one address.
    :param make_socket: for tests of machines that lack a family of addresses.
    """

    def __init__(
        self, context: Context, *, per_address: int = PER_ADDRESS, make_socket: SocketMaker = socket.socket
    ) -> None:
        self._context = context
        self._per_address = per_address
        self._make_socket = make_socket
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[Address, deque[_Job]] = {}
        self._open: dict[Address, int] = {}
        self._jobs: dict[int, _Job] = {}
        self._replies: list[Reply] = []
        self._only_stream: set[Address] = set()  # was silent by UDP and answered by TCP

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close every socket; what is under way is forgotten."""
        for job in list(self._jobs.values()):
            self._close(job)
        self._selector.close()

    def ask(self, address: Address, question: Question, *, udp: float, tcp: float) -> None:
        """Put a question; its reply comes out of :meth:`receive`, whatever happens.

        :param udp: seconds to wait for a datagram.
        :param tcp: seconds to wait for an answer by TCP, after silence or a truncated answer.
        """
        self._waiting.setdefault(address, deque()).append(_Job(address, question, udp, tcp))

    def receive(self, wait: float) -> list[Reply]:
        """Return replies as soon as there are any, or none after ``wait`` seconds.

        :raises Cancelled: when the caller asked to stop; seen within a quarter of a second.
        """
        clock = self._context.clock
        end = clock.monotonic() + wait
        while True:
            self._context.check()
            self._launch()
            if self._replies:
                replies, self._replies = self._replies, []
                return replies
            now = clock.monotonic()
            if now >= end:
                return []
            if not self._jobs:
                self._context.wait(end - now)
                return []
            nearest = min(job.deadline for job in self._jobs.values())
            for key, _ in self._selector.select(max(min(nearest, end, now + _SLICE) - now, 0.0)):
                self._advance(key.data)
            self._expire()

    # ── starting ────────────────────────────────────────────────────────────────────────

    def _launch(self) -> None:
        for address in list(self._waiting):
            queue = self._waiting[address]
            while queue and self._open.get(address, 0) < self._per_address and len(self._jobs) < _IN_ALL:
                job = queue.popleft()
                if address in self._only_stream and job.tcp > 0:
                    self._send_stream(job)
                else:
                    self._send_datagram(job)
            if not queue:
                del self._waiting[address]

    def _send_datagram(self, job: _Job) -> None:
        job.query = job.question.to_wire(self._context.random.getrandbits(16), edns=job.edns)
        try:
            self._connect(job, socket.SOCK_DGRAM, job.udp)
            if job.link is not None:
                job.link.send(job.query)
        except OSError as error:
            self._no_datagram(job, error)

    def _send_stream(self, job: _Job) -> None:
        job.stream = True
        job.query = job.question.to_wire(self._context.random.getrandbits(16), edns=job.edns)
        job.unsent = len(job.query).to_bytes(2, "big") + job.query
        job.received = b""
        try:
            self._connect(job, socket.SOCK_STREAM, job.tcp)
        except OSError as error:
            self._fail(job, error)

    def _connect(self, job: _Job, kind: socket.SocketKind, seconds: float) -> None:
        link = self._open_socket(job.address, kind)
        job.link = link
        job.deadline = self._context.clock.monotonic() + seconds
        self._jobs[id(job)] = job
        self._open[job.address] = self._open.get(job.address, 0) + 1
        self._selector.register(link, selectors.EVENT_WRITE if job.stream else selectors.EVENT_READ, job)

    def _open_socket(self, address: Address, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            link = self._make_socket(family, kind)
            link.setblocking(False)
            code = link.connect_ex(address)
        except OSError as error:  # a system without that family
            raise _NoRouteError(error.errno, "no route") from None
        if code in {0, errno.EINPROGRESS, errno.EWOULDBLOCK}:
            return link
        link.close()
        raise _NoRouteError(code, "no route") if code in _NO_ROUTE else OSError(code, "connect")

    # ── going on ────────────────────────────────────────────────────────────────────────

    def _advance(self, job: _Job) -> None:
        if job.link is None:
            return
        try:
            data = self._read_stream(job, job.link) if job.stream else _read_datagram(job, job.link)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(job)
            self._fail(job, error) if job.stream else self._no_datagram(job, error)
            return
        if data is not None:
            self._close(job)
            self._take(job, data)

    def _read_stream(self, job: _Job, link: socket.socket) -> bytes | None:
        if job.unsent:
            if code := link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "connect")
            job.unsent = job.unsent[link.send(job.unsent) :]
            if not job.unsent:
                self._selector.modify(link, selectors.EVENT_READ, job)
            return None
        chunk = link.recv(65537)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        job.received += chunk
        size = int.from_bytes(job.received[:2], "big") + 2
        if len(job.received) < max(size, 3):
            return None
        data = job.received[2:size]
        if not wire.belongs(data, job.query):
            raise OSError(errno.EBADMSG, "not an answer to the question")
        return data

    def _take(self, job: _Job, data: bytes) -> None:
        if not job.stream and wire.is_truncated(data):
            self._send_stream(job)
            return
        answer = wire.parse(data, whole=job.question.type != dns.rdatatype.TXT)
        if answer is None:
            self._reply(job, reason="sent something that is not a DNS message")
        elif answer.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP} and job.edns:
            job.edns, job.stream = False, False  # a server from before 1999: RFC 6891 section 7
            self._send_datagram(job)
        else:
            if job.stream and job.late:
                self._only_stream.add(job.address)
            self._replies.append(Reply(job.address, job.question, answer))

    # ── ending ──────────────────────────────────────────────────────────────────────────

    def _expire(self) -> None:
        now = self._context.clock.monotonic()
        for job in [job for job in self._jobs.values() if job.deadline <= now]:
            self._close(job)
            job.late = True
            late = TimeoutError(errno.ETIMEDOUT, "late")
            self._fail(job, late) if job.stream else self._no_datagram(job, late)

    def _no_datagram(self, job: _Job, error: OSError) -> None:
        self._close(job)
        if job.tcp > 0 and not isinstance(error, _NoRouteError):
            self._send_stream(job)
        else:
            self._fail(job, error)

    def _fail(self, job: _Job, error: OSError) -> None:
        self._close(job)
        self._reply(job, reason=_reason(error), no_route=isinstance(error, _NoRouteError))

    def _reply(self, job: _Job, *, reason: str, no_route: bool = False) -> None:
        self._replies.append(Reply(job.address, job.question, None, reason, no_route))

    def _close(self, job: _Job) -> None:
        link, job.link = job.link, None
        if link is not None:
            self._selector.unregister(link)
            link.close()
            self._open[job.address] -= 1
            self._jobs.pop(id(job), None)


def _read_datagram(job: _Job, link: socket.socket) -> bytes | None:
    """Return the first datagram that answers the question; forged and late ones are dropped.

    Some at a time, so that a flood of them holds up neither the deadline nor other questions.
    """
    for _ in range(_DATAGRAMS):
        data = link.recv(65535)
        if wire.belongs(data, job.query):
            return data
    return None


def _reason(error: OSError) -> str:
    if isinstance(error, _NoRouteError):
        return "cannot be reached: this machine has no route to it"
    if isinstance(error, TimeoutError):
        return "did not answer"
    if isinstance(error, ConnectionRefusedError):
        return "does not listen there (connection refused)"
    if error.errno in _NO_ROUTE:
        return "cannot be reached: the network says that no way leads to it"
    if error.errno in {errno.EPERM, errno.EACCES}:
        return "cannot be reached: this machine forbids it (a firewall?)"
    return "broke the connection off"
