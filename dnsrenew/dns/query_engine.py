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

from dnsrenew.dns import wire
from dnsrenew.dns.query_errors import NO_ROUTE, SHORTAGES, NoRouteError, reason
from dnsrenew.dns.socket_limit import SHARED
from dnsrenew.dns.wire import DnsQuestion, Message
from dnsrenew.runtime.context import Context

PER_ADDRESS: Final = 50
"""Questions under way to one address of somebody else's, so that its limits on rate are not run into."""

_DATAGRAMS: Final = 16
_SLICE: Final = 0.25  # seconds; a set cancel event is seen at least this often
_SHORT_PAUSE: Final = 0.05
_SHORT_PATIENCE: Final = 5.0  # seconds for a socket to come free; no question of ours keeps one for longer
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # the others want a handle for themselves

Address = tuple[str, int]
SocketMaker = Callable[[socket.AddressFamily, socket.SocketKind], socket.socket]


class Reply(NamedTuple):
    """What came of one question to one address.

    :ivar answer: the message, or None.
    :ivar reason: why there is none, in words that continue "the server …".
    :ivar no_route: this machine has no way to addresses of that family.
    :ivar unasked: there was no socket left to ask with, which says nothing about the server.
    """

    address: Address
    question: DnsQuestion
    answer: Message | None
    reason: str = ""
    no_route: bool = False
    unasked: bool = False


class _PendingQuery:
    def __init__(self, address: Address, question: DnsQuestion, udp: float, tcp: float) -> None:
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


class QueryEngine:
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
        self._selector = _Selector()
        self._waiting: dict[Address, deque[_PendingQuery]] = {}
        self._open: dict[Address, int] = {}
        self._jobs: dict[int, _PendingQuery] = {}
        self._replies: list[Reply] = []
        self._only_stream: set[Address] = set()  # was silent by UDP and answered by TCP
        self._is_short = False  # no socket can be had just now
        self._short_since: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close every socket; what is under way is forgotten."""
        for job in list(self._jobs.values()):
            self._close(job)
        self._selector.close()

    def ask(self, address: Address, question: DnsQuestion, *, udp: float, tcp: float) -> None:
        """Put a question; its reply comes out of :meth:`receive`, whatever happens.

        :param udp: seconds to wait for a datagram.
        :param tcp: seconds to wait for an answer by TCP, after silence or a truncated answer.
        """
        self._waiting.setdefault(address, deque()).append(_PendingQuery(address, question, udp, tcp))

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
                self._context.wait(min(end - now, _SHORT_PAUSE) if self._waiting else end - now)
                continue
            nearest = min(job.deadline for job in self._jobs.values())
            for key, _ in self._selector.select(max(min(nearest, end, now + _SLICE) - now, 0.0)):
                self._advance(key.data)
            self._expire()

    # ── starting ────────────────────────────────────────────────────────────────────────

    def _launch(self) -> None:
        self._is_short = False
        for address in list(self._waiting):
            queue = self._waiting[address]
            while queue and self._has_room(address):
                job = queue.popleft()
                if job.stream or (address in self._only_stream and job.tcp > 0):
                    self._send_stream(job)
                else:
                    self._send_datagram(job)
            if not queue:
                del self._waiting[address]

    def _has_room(self, address: Address) -> bool:
        mine = self._open.get(address, 0)
        return not self._is_short and mine < self._per_address and SHARED.is_for(len(self._jobs))

    def _send_datagram(self, job: _PendingQuery) -> None:
        job.query = job.question.to_wire(self._context.random.getrandbits(16), edns=job.edns)
        try:
            self._connect(job, socket.SOCK_DGRAM, job.udp)
            if job.link is not None:
                job.link.send(job.query)
            self._short_since = None
        except OSError as error:
            self._not_sent(job, error)

    def _send_stream(self, job: _PendingQuery) -> None:
        job.stream = True
        job.query = job.question.to_wire(self._context.random.getrandbits(16), edns=job.edns)
        job.unsent = len(job.query).to_bytes(2, "big") + job.query
        job.received = b""
        try:
            self._connect(job, socket.SOCK_STREAM, job.tcp)
            self._short_since = None
        except OSError as error:
            self._not_sent(job, error)

    def _connect(self, job: _PendingQuery, kind: socket.SocketKind, seconds: float) -> None:
        link = self._open_socket(job.address, kind)
        job.link = link
        job.deadline = self._context.clock.monotonic() + seconds
        self._jobs[id(job)] = job
        SHARED.opened()
        self._open[job.address] = self._open.get(job.address, 0) + 1
        self._selector.register(link, selectors.EVENT_WRITE if job.stream else selectors.EVENT_READ, job)

    def _open_socket(self, address: Address, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        link = None
        try:
            link = self._make_socket(family, kind)
            link.setblocking(False)
            code = link.connect_ex(address)
            if code not in {0, errno.EINPROGRESS, errno.EWOULDBLOCK}:
                raise OSError(code, "connect")
        except OSError as error:
            if link is not None:
                link.close()
            if error.errno in NO_ROUTE:  # also a system without that family
                raise NoRouteError(error.errno, "no route") from None
            raise
        return link

    # ── going on ────────────────────────────────────────────────────────────────────────

    def _advance(self, job: _PendingQuery) -> None:
        if job.link is None:
            return
        try:
            data = self._read_stream(job, job.link) if job.stream else _read_datagram(job, job.link)
        except BlockingIOError:
            return
        except OSError as error:
            self._no_answer(job, error)
            return
        if data is not None:
            self._close(job)
            self._take(job, data)

    def _read_stream(self, job: _PendingQuery, link: socket.socket) -> bytes | None:
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

    def _take(self, job: _PendingQuery, data: bytes) -> None:
        if not job.stream and wire.is_truncated(data):
            self._send_stream(job)
            return
        answer = wire.parse(data, whole=job.question.type != dns.rdatatype.TXT)
        if answer is None:
            self._replies.append(Reply(job.address, job.question, None, "sent something that is not a DNS message"))
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
            job.late = True
            self._no_answer(job, TimeoutError(errno.ETIMEDOUT, "late"))

    def _not_sent(self, job: _PendingQuery, error: OSError) -> None:
        """Where no socket is left, go on with those there are, and try again; give up if none ever comes free."""
        if error.errno not in SHORTAGES:
            self._no_answer(job, error)
            return
        self._close(job)
        now = self._context.clock.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        if now - self._short_since >= _SHORT_PATIENCE:
            self._fail(job, error)
            return
        self._is_short = True
        self._waiting.setdefault(job.address, deque()).appendleft(job)

    def _no_answer(self, job: _PendingQuery, error: OSError) -> None:
        """Go on by TCP where a datagram was in vain."""
        self._close(job)
        if not job.stream and job.tcp > 0 and not isinstance(error, NoRouteError):
            self._send_stream(job)
        else:
            self._fail(job, error)

    def _fail(self, job: _PendingQuery, error: OSError) -> None:
        no_route, unasked = isinstance(error, NoRouteError), error.errno in SHORTAGES
        self._replies.append(Reply(job.address, job.question, None, reason(error), no_route, unasked))

    def _close(self, job: _PendingQuery) -> None:
        link, job.link = job.link, None
        if link is not None:
            self._selector.unregister(link)
            link.close()
            SHARED.closed()
            self._open[job.address] -= 1
            self._jobs.pop(id(job), None)


def _read_datagram(job: _PendingQuery, link: socket.socket) -> bytes | None:
    """Return the first datagram that answers the question; forged and late ones are dropped.

    Some at a time, so that a flood of them holds up neither the deadline nor other questions.
    """
    for _ in range(_DATAGRAMS):
        data = link.recv(65535)
        if wire.belongs(data, job.query):
            return data
    return None
