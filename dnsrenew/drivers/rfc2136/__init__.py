"""Dynamic update (RFC 2136), signed with TSIG (RFC 8945), for BIND, Knot and other name servers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.update

from dnsrenew.base import host_port, names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.drivers.rfc2136 import options, texts
from dnsrenew.drivers.rfc2136.options import REFUSALS, explain, read
from dnsrenew.errors import ProviderError

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0


class Rfc2136Driver:
    """Sends one UPDATE message for all records of a zone."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._host, self._port = options.address(context)
        self._server = host_port.join(self._host, self._port)
        self._key = options.tsig_key(context)
        self._has_sent = False

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add each value to its RRset (RFC 2136 section 2.5.1)."""
        self._update(records, lambda update, name, ttl, value: update.add(name, ttl, value))

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Delete each value from its RRset (RFC 2136 section 2.5.4); a missing one is not an error."""
        self._update(records, lambda update, name, _ttl, value: update.delete(name, value))

    def _update(self, records: Sequence[TxtRecord], change: Callable[..., None]) -> None:
        for zone, group in groupby(sorted(records, key=attrgetter("zone")), key=attrgetter("zone")):
            update = dns.update.UpdateMessage(zone, keyring=self._key)
            for record in group:
                change(update, dns.name.from_text(record.name), record.ttl, _txt(record.value))
            self._send(update, zone)

    def _send(self, update: dns.update.UpdateMessage, zone: str) -> None:
        self._context.check()
        seconds = min(CONNECT_SECONDS, self._context.seconds_left())
        evidence: dict[str, Any] = {
            "server": self._server,
            "zone": names.relative(zone),
            "account": self._context.account,
        }
        try:
            # TCP only: an update of many names does not fit a datagram, and a lost datagram would be sent twice.
            with _connect(self._addresses(), seconds) as connection:
                answer = self._exchange(connection, update.to_wire())
            rcode = read(answer, update)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            if not self._has_sent:
                evidence["sent"] = False
            raise _failure(error, evidence) from None
        if rcode != dns.rcode.NOERROR:
            raise ProviderError.of(
                REFUSALS.get(rcode, texts.UPDATE_REFUSED), **evidence, rcode=dns.rcode.to_text(rcode)
            )

    def _exchange(self, connection: socket.socket, message: bytes) -> bytes:
        """Send a message and return the response (RFC 1035 section 4.2.2), within :data:`REQUEST_SECONDS`."""
        until = max(self._context.seconds_left() - REQUEST_SECONDS, 0.0)
        self._limit(connection, until)
        self._has_sent = True
        connection.sendall(len(message).to_bytes(2, "big") + message)
        size = int.from_bytes(self._receive(connection, 2, until), "big")
        return self._receive(connection, size, until)

    def _receive(self, connection: socket.socket, size: int, until: float) -> bytes:
        data = b""
        while len(data) < size:
            self._limit(connection, until)
            more = connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _limit(self, connection: socket.socket, until: float) -> None:
        """Set the time-out to the time left for the exchange: a slow server may send one byte at a time.

        :param until: the seconds of the call that must be left at the end.
        """
        seconds = self._context.seconds_left() - until
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)

    def _addresses(self) -> list[Any]:
        return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)


def _failure(error: Exception, evidence: dict[str, Any]) -> ProviderError:
    cause = f"{type(error).__name__}: {error}"
    return ProviderError.of(explain(error), **evidence, cause=cause, reason=getattr(error, "strerror", None))


def _connect(addresses: list[Any], seconds: float) -> socket.socket:
    """Return a connection to the first address that accepts one.

    :raises OSError: the error of the last address.
    """
    last: OSError = OSError("no address")
    for family, kind, protocol, _name, address in addresses:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(max(seconds / len(addresses), 0.001))
            connection.connect(address)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    raise last


def _txt(value: str) -> dns.rdata.Rdata:
    # From wire format: the text format would need escapes. One string of at most 255 bytes.
    raw = value.encode()
    wire = bytes([len(raw)]) + raw
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))
