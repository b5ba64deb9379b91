"""One query and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.dns import wire

if TYPE_CHECKING:
    import random
    import socket

    from dnsrenew.dns.wire import DnsQuestion, Message

Address = tuple[str, int]

_DATAGRAMS: Final = 16  # read from one socket in a row


class Reply(Frozen):
    """The result of one query.

    :ivar answer: the message, or None.
    :ivar reason: why there is no answer, as a clause that continues "the server …".
    :ivar no_route: this machine has no route to addresses of that family.
    :ivar no_socket: this machine had no socket left for the query, which says nothing about the server.
    :ivar is_tcp: whether the answer came over TCP.
    """

    address: Address
    question: DnsQuestion
    answer: Message | None
    reason: str = ""
    no_route: bool = False
    no_socket: bool = False
    is_tcp: bool = False


class PendingQuery:
    """A query in flight or queued.

    :ivar udp: seconds for an answer over UDP; 0: it is never sent over UDP.
    :ivar tcp: seconds for an answer over TCP; 0: only a truncated answer leads to TCP.
    :ivar is_mixed: whether the question has random case, which an answer over UDP must repeat.
    :ivar is_doubted: whether it goes over TCP because the server changes the case.
    """

    def __init__(self, address: Address, question: DnsQuestion, udp: float, tcp: float) -> None:
        self.address = address
        self.question = question
        self.udp = udp
        self.tcp = tcp
        self.edns = True
        self.is_mixed = True
        self.is_doubted = False
        self.message = b""
        self.deadline = 0.0
        self.socket: socket.socket | None = None
        self.is_tcp = False
        self.timed_out = False
        self.unsent = b""
        self.received = b""

    def encode(self, chance: random.Random) -> bytes:
        """Return the message, with a new id and case."""
        case = chance.getrandbits(wire.MAX_NAME) if self.is_mixed else 0
        self.message = self.question.to_wire(chance.getrandbits(16), edns=self.edns, case=case)
        return self.message

    def accepts(self, data: bytes) -> bool:
        """Return whether a message that belongs to the query can be used; over UDP it must repeat the case."""
        return self.is_tcp or not self.is_mixed or wire.repeats_question(data, self.message)


def read_datagram(query: PendingQuery, sock: socket.socket) -> bytes | None:
    """Return the first datagram that answers the query; forged and late ones are dropped.

    It reads a limited number, so that a flood delays neither the deadline nor other queries.
    """
    for _ in range(_DATAGRAMS):
        data = sock.recv(65535)
        if wire.belongs(data, query.message):
            return data
    return None
