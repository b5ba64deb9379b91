"""The name server of a box: every domain exists, and the TXT values are those of a driver in memory."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_LOOPBACK: Final = "127.0.0.1"
_TTL: Final = 1
_ZONE_LABELS: Final = 2
"""A zone is the last two labels of a name: ``example.com`` and everything below it."""
_TRIES: Final = 20
_POLL: Final = 0.02
"""Seconds until a server notices that it is to end."""


class BoxNameServer:
    """Answers as a resolver and as the authoritative server of every zone, by UDP and TCP on one port.

    Every name has the address 127.0.0.1, except those that begin with an underscore: they have only TXT values.

    :param values: returns the TXT values at an absolute name, in lower case.
    :ivar address: ``127.0.0.1:PORT``.
    :ivar port: its port.
    """

    def __init__(self, values: Callable[[str], set[str]]) -> None:
        self._values = values
        self._udp, self._tcp = self._bind()
        self.port: int = self._udp.server_address[1]
        self.address = f"{_LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Answer queries from now on."""
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(_POLL,), name="dnsrenew-box", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes) -> bytes | None:
        """Return the answer to a query; None to what is none."""
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        answer.flags |= dns.flags.AA
        name, zone = question.name, _zone_of(question.name)
        records = self._records(name, zone, question.rdtype)
        if records:
            answer.answer.append(dns.rrset.from_text(name, _TTL, "IN", question.rdtype, *records))
        else:
            answer.authority.append(dns.rrset.from_text(zone, _TTL, "IN", "SOA", _soa(zone)))
            if not self._exists(name):
                answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()

    def _records(self, name: dns.name.Name, zone: dns.name.Name, kind: int) -> list[str]:
        if kind == dns.rdatatype.TXT:
            return [f'"{value}"' for value in sorted(self._values(name.to_text().lower()))]
        if kind == dns.rdatatype.A and not _is_underscored(name):
            return [_LOOPBACK]
        if name == zone and kind in {dns.rdatatype.SOA, dns.rdatatype.NS}:
            return [_soa(zone) if kind == dns.rdatatype.SOA else _server_of(zone)]
        return []

    def _exists(self, name: dns.name.Name) -> bool:
        return not _is_underscored(name) or bool(self._values(name.to_text().lower()))

    def _bind(self) -> tuple[_UdpServer, _TcpServer]:
        """Bind UDP and TCP to one port that is free for both."""
        for _ in range(_TRIES):
            udp = _UdpServer((_LOOPBACK, 0), _UdpHandler)
            udp.answer = self.answer
            try:
                tcp = _TcpServer((_LOOPBACK, udp.server_address[1]), _TcpHandler)
            except OSError:
                udp.server_close()
                continue
            tcp.answer = self.answer
            return udp, tcp
        raise OSError("no port is free for UDP and TCP")


class _UdpServer(socketserver.UDPServer):
    max_packet_size = 65_535
    answer: Callable[[bytes], bytes | None]


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    answer: Callable[[bytes], bytes | None]


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _UdpServer

    def handle(self) -> None:
        """Answer one packet."""
        wire, connection = self.request
        answer = self.server.answer(wire)
        if answer is not None:
            with contextlib.suppress(OSError):  # the client has gone
                connection.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _TcpServer
    timeout = 10.0
    request: Any

    def handle(self) -> None:
        """Answer the queries of one connection (RFC 7766)."""
        with contextlib.suppress(OSError):
            while len(head := self.rfile.read(2)) == 2:
                answer = self.server.answer(self.rfile.read(struct.unpack("!H", head)[0]))
                if answer is None:
                    return
                self.wfile.write(struct.pack("!H", len(answer)) + answer)
            self.request.shutdown(socket.SHUT_RDWR)


def _zone_of(name: dns.name.Name) -> dns.name.Name:
    """Return the last labels of a name, without those that begin with an underscore."""
    labels = name.labels[:-1]
    while len(labels) > 1 and (len(labels) > _ZONE_LABELS or labels[0].startswith(b"_")):
        labels = labels[1:]
    return dns.name.Name((*labels, b""))


def _is_underscored(name: dns.name.Name) -> bool:
    return any(label.startswith(b"_") for label in name.labels)


def _server_of(zone: dns.name.Name) -> str:
    return "ns1." if zone == dns.name.root else f"ns1.{zone}"


def _soa(zone: dns.name.Name) -> str:
    server = _server_of(zone)
    return f"{server} {server} 1 3600 600 86400 {_TTL}"
