"""Many queries to many name servers at once, in one thread: UDP, then TCP (RFC 1035 section 4.2, RFC 7766).

Each query has its own socket, connected to its server. So the kernel picks a random source port, drops packets from
other addresses, and reports a missing route or a closed port at once.
"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Self

import dns.rcode
import dns.rdatatype

from dnsrenew.base.runtime import Context
from dnsrenew.dns import texts, wire
from dnsrenew.dns.wire import Address, DnsQuestion, PendingQuery, Reply, read_datagram

if sys.platform != "win32":
    import resource

PER_ADDRESS: Final = 100
"""Queries in flight to one address. Queries for 100 names, the limit of most CAs, take one round trip."""

_SLICE: Final = 0.25  # seconds; a cancel is noticed at least this often
_NO_SOCKET_PAUSE: Final = 0.05
_NO_SOCKET_LIMIT: Final = 5.0  # seconds to wait for a free socket; no query keeps its socket longer
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # the others need a handle of their own

_AGAIN_BY_TCP: Final = 1.5
"""Seconds for TCP after an unusable answer over UDP, which shows that the server is alive."""

SocketMaker = Callable[[socket.AddressFamily, socket.SocketKind], socket.socket]


class QueryEngine:
    """Sends queries and collects replies. Not thread-safe: each waiting thread has its own engine.

    :param case: the servers of the run that change the letter case.
    :param per_address: the number of queries in flight to one address.
    :param make_socket: lets tests simulate a machine without an address family.
    """

    def __init__(
        self,
        context: Context,
        case: LetterCase | None = None,
        *,
        per_address: int = PER_ADDRESS,
        make_socket: SocketMaker = socket.socket,
    ) -> None:
        self._context = context
        self._case = case or LetterCase()
        self._per_address = per_address
        self._make_socket = make_socket
        self._selector = _Selector()
        self._queued: dict[Address, deque[PendingQuery]] = {}
        self._open: dict[Address, int] = {}
        self._in_flight: dict[int, PendingQuery] = {}
        self._replies: list[Reply] = []
        self._tcp_only: set[Address] = set()  # servers that answered only over TCP
        self._lacks_sockets = False
        self._lacks_sockets_since: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close every socket and drop the queries in flight."""
        for query in list(self._in_flight.values()):
            self._close(query)
        self._selector.close()

    def submit(self, address: Address, question: DnsQuestion, *, udp: float, tcp: float) -> None:
        """Queue a query. :meth:`receive` returns its reply, even if the query fails.

        :param udp: seconds to wait for a datagram; 0: query over TCP only.
        :param tcp: seconds to wait for an answer over TCP, after a missing or truncated answer over UDP.
        """
        self._queued.setdefault(address, deque()).append(PendingQuery(address, question, udp, tcp))

    def receive(self, wait: float) -> list[Reply]:
        """Return replies as soon as some have arrived, or an empty list after ``wait`` seconds.

        :raises Cancelled: the caller cancelled; noticed within 0.25 s.
        """
        clock = self._context.clock
        end = clock.monotonic() + wait
        while True:
            self._context.check()
            self._send_queued()
            if self._replies:
                replies, self._replies = self._replies, []
                return replies
            now = clock.monotonic()
            if now >= end:
                return []
            if not self._in_flight:
                self._context.wait(min(end - now, _NO_SOCKET_PAUSE) if self._queued else end - now)
                continue
            nearest = min(query.deadline for query in self._in_flight.values())
            for key, _ in self._selector.select(max(min(nearest, end, now + _SLICE) - now, 0.0)):
                self._advance(key.data)
            now = clock.monotonic()
            for query in [query for query in self._in_flight.values() if query.deadline <= now]:
                query.timed_out = True
                self._retry_or_fail(query, TimeoutError(errno.ETIMEDOUT, "late"))

    # ── sending ─────────────────────────────────────────────────────────────────────────

    def _send_queued(self) -> None:
        self._lacks_sockets = False
        for address in list(self._queued):
            queue = self._queued[address]
            while queue and self._can_send(address):
                self._send(queue.popleft())
            if not queue:
                del self._queued[address]

    def _can_send(self, address: Address) -> bool:
        count = self._open.get(address, 0)
        return not self._lacks_sockets and count < self._per_address and SHARED.allows(len(self._in_flight))

    def _send(self, query: PendingQuery) -> None:
        query.is_mixed = query.address not in self._case.without_tcp
        if query.udp > 0 and query.is_mixed and query.address in self._case.changing:
            query.is_doubted, query.tcp = True, max(query.tcp, _AGAIN_BY_TCP)
        silent_by_udp = query.address in self._tcp_only and query.tcp > 0
        self._start(query, is_tcp=query.is_tcp or query.is_doubted or silent_by_udp or query.udp <= 0)

    def _start(self, query: PendingQuery, *, is_tcp: bool) -> None:
        query.is_tcp = is_tcp
        message = query.encode(self._context.random)
        query.unsent, query.received = len(message).to_bytes(2, "big") + message, b""
        kind, seconds = (socket.SOCK_STREAM, query.tcp) if is_tcp else (socket.SOCK_DGRAM, query.udp)
        try:
            query.socket = sock = self._open_socket(query.address, kind)
            query.deadline = self._context.clock.monotonic() + seconds
            self._in_flight[id(query)] = query
            SHARED.append(None)
            self._open[query.address] = self._open.get(query.address, 0) + 1
            self._selector.register(sock, selectors.EVENT_WRITE if is_tcp else selectors.EVENT_READ, query)
            if not is_tcp:
                sock.send(message)
            self._lacks_sockets_since = None
        except OSError as error:
            self._send_failed(query, error)

    def _open_socket(self, address: Address, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = None
        try:
            sock = self._make_socket(family, kind)
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code not in {0, errno.EINPROGRESS, errno.EWOULDBLOCK}:
                raise OSError(code, "connect")
        except OSError as error:
            if sock is not None:
                sock.close()
            if error.errno in NO_ROUTE:  # this includes a system without that address family
                raise NoRouteError(error.errno, "no route") from None
            raise
        return sock

    # ── receiving ───────────────────────────────────────────────────────────────────────

    def _advance(self, query: PendingQuery) -> None:
        if query.socket is None:
            return
        try:
            data = self._read_tcp(query, query.socket) if query.is_tcp else read_datagram(query, query.socket)
        except BlockingIOError:
            return
        except OSError as error:
            self._retry_or_fail(query, error)
            return
        if data is not None:
            self._close(query)
            self._handle(query, data)

    def _read_tcp(self, query: PendingQuery, sock: socket.socket) -> bytes | None:
        if query.unsent:
            if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "connect")
            query.unsent = query.unsent[sock.send(query.unsent) :]
            if not query.unsent:
                self._selector.modify(sock, selectors.EVENT_READ, query)
            return None
        chunk = sock.recv(65537)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        query.received += chunk
        size = int.from_bytes(query.received[:2], "big") + 2
        if len(query.received) < max(size, 3):
            return None
        data = query.received[2:size]
        if not wire.belongs(data, query.message):
            raise OSError(errno.EBADMSG, "not an answer to the question")
        return data

    def _handle(self, query: PendingQuery, data: bytes) -> None:
        if not query.accepts(data):
            self._case.changing.add(query.address)
            self._send(query)
            return
        if not query.is_tcp and wire.is_truncated(data):
            query.tcp = max(query.tcp, _AGAIN_BY_TCP)
            self._start(query, is_tcp=True)
            return
        authority = wire.needs_authority(query.question.type, data)
        needed = {"authority": authority, "additional": query.question.with_additional}
        answer = wire.parse(data, **needed)
        if answer is None:
            reason = texts.EXCESSIVE if wire.is_excessive(data, **needed) else texts.NOT_DNS
            self._replies.append(Reply(query.address, query.question, None, reason))
        elif answer.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP} and query.edns:
            query.edns, query.is_tcp = False, False  # a server without EDNS support (RFC 6891 section 7)
            self._send(query)
        else:
            if query.is_tcp and query.timed_out:
                self._tcp_only.add(query.address)
            self._replies.append(Reply(query.address, query.question, answer, is_tcp=query.is_tcp))

    # ── failing ─────────────────────────────────────────────────────────────────────────

    def _send_failed(self, query: PendingQuery, error: OSError) -> None:
        """Queue the query again if there is no free socket. Fail if this lasts too long."""
        if error.errno not in NO_RESOURCES:
            self._retry_or_fail(query, error)
            return
        self._close(query)
        now = self._context.clock.monotonic()
        self._lacks_sockets_since = now if self._lacks_sockets_since is None else self._lacks_sockets_since
        if now - self._lacks_sockets_since >= _NO_SOCKET_LIMIT:
            self._fail(query, error)
            return
        self._lacks_sockets = True
        self._queued.setdefault(query.address, deque()).appendleft(query)

    def _retry_or_fail(self, query: PendingQuery, error: OSError) -> None:
        """Try TCP if UDP failed. If TCP failed at a server that changes the case, try UDP in lower case."""
        self._close(query)
        if query.is_doubted:
            self._case.without_tcp.add(query.address)
            query.is_doubted, query.is_mixed, query.tcp = False, False, 0.0
            self._start(query, is_tcp=False)
        elif not query.is_tcp and query.tcp > 0 and not isinstance(error, NoRouteError):
            self._start(query, is_tcp=True)
        else:
            self._fail(query, error)

    def _fail(self, query: PendingQuery, error: OSError) -> None:
        no_route, no_socket = isinstance(error, NoRouteError), error.errno in NO_RESOURCES
        self._replies.append(Reply(query.address, query.question, None, reason(error), no_route, no_socket))

    def _close(self, query: PendingQuery) -> None:
        sock, query.socket = query.socket, None
        if sock is not None:
            self._selector.unregister(sock)
            sock.close()
            SHARED.pop()
            self._open[query.address] -= 1
            self._in_flight.pop(id(query), None)


# ── query errors ───────────────────────────────────────────────────────────────────────

# Why a query got no answer, from the error of the operating system.

NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}
    | {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}  # a system without that address family
)
NO_RESOURCES: Final = {
    errno.EMFILE: texts.PROCESS_FILES,
    errno.ENFILE: texts.SYSTEM_FILES,
    errno.ENOBUFS: texts.NO_MEMORY,
    errno.ENOMEM: texts.NO_MEMORY,
}
"""Errors that say nothing about the server, because this machine cannot send any query."""


class NoRouteError(OSError):
    """The kernel reports at once that there is no route. A later report may be about one host that is down."""


def reason(error: OSError) -> str:
    """Return why there is no answer, as a clause that continues "the server …"."""
    if isinstance(error, NoRouteError):
        return texts.NO_ROUTE
    if isinstance(error, TimeoutError):
        return texts.NO_REPLY
    if isinstance(error, ConnectionRefusedError):
        return texts.REFUSED
    if error.errno in NO_ROUTE:
        return texts.NO_ROUTE_ON_PATH
    if error.errno in NO_RESOURCES:
        return texts.NO_SOCKET.format(cause=NO_RESOURCES[error.errno])
    if error.errno in {errno.EPERM, errno.EACCES}:
        return texts.FORBIDDEN
    return texts.CONNECTION_LOST


# ── socket limit ───────────────────────────────────────────────────────────────────────

# Limits the open sockets of the queries of all threads, because a process has few handles and the store needs some.

_FEW: Final = 128  # a macOS process may have 256 handles
_MANY: Final = 256
_MANY_HANDLES: Final = 1024  # the usual number on Linux
_RESERVED: Final = 8  # for each thread, so that it does not wait for the sockets of others


def _max_sockets() -> int:
    """Return the limit of open sockets for all queries together, from the handle limit of this process."""
    if sys.platform == "win32":
        return _FEW
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if handles >= _MANY_HANDLES or handles == resource.RLIM_INFINITY else _FEW


class SocketLimit(list[None]):
    """A counter with one item for each open socket. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._max = _max_sockets()

    def allows(self, own: int) -> bool:
        """Return whether a caller with ``own`` open sockets may open another one."""
        return own < _RESERVED or len(self) < self._max


SHARED: Final = SocketLimit()
"""Shared by all runs, because the handles belong to the process."""


# ── letter case ────────────────────────────────────────────────────────────────────────

# Random letter case in questions ("0x20"): a forger does not see the question, and must guess the case too.
#
# Nearly every server repeats the question letter by letter. An answer over UDP in another case is not used. The
# question is sent again over TCP, which cannot be forged from elsewhere, and over UDP in lower case where TCP is
# closed.


class LetterCase:
    """The servers of a run that do not repeat the case. Thread-safe.

    :ivar changing: servers that answered in another case.
    :ivar without_tcp: servers of ``changing`` that do not answer over TCP. Questions to them are in lower case.
    """

    def __init__(self) -> None:
        self.changing: set[Address] = set()
        self.without_tcp: set[Address] = set()
