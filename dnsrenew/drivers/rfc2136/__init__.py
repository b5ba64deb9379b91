"""Dynamic update (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, Windows DNS and others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.update

from dnsrenew.base import host_port, names
from dnsrenew.drivers.rfc2136 import options
from dnsrenew.drivers.rfc2136.answers import REFUSALS, explain, read
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.model import TxtRecord

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0


class Rfc2136Driver:
    """One UPDATE message for all records of a zone."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._host, self._port = options.address(context)
        self._where = host_port.join(self._host, self._port)
        self._key = options.tsig_key(context)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add each value to the set that stands (RFC 2136 section 2.5.1)."""
        self._update(records, lambda update, name, ttl, value: update.add(name, ttl, value))

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Delete each value from its set (RFC 2136 section 2.5.4); a missing one is no error."""
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
        where = {"server": self._where, "zone": names.relative(zone)}
        try:
            # By TCP at once: an update of many names does not fit a datagram, and a lost one would be sent twice.
            with _connect(self._addresses(), seconds) as connection:
                answer = self._exchange(connection, update.to_wire())
            rcode = read(answer, update)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise self._failure(error, where) from None
        if rcode != dns.rcode.NOERROR:
            raise self._refusal(rcode, where)

    def _exchange(self, connection: socket.socket, message: bytes) -> bytes:
        """Send a message and return the answer (RFC 1035 section 4.2.2), all of it within :data:`REQUEST_SECONDS`."""
        until = max(self._context.seconds_left() - REQUEST_SECONDS, 0.0)
        self._limit(connection, until)
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
        """Let the next step take what is left, and not begin anew: a server may send one octet now and then.

        :param until: how many seconds of the call are to be left.
        """
        seconds = self._context.seconds_left() - until
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)

    def _addresses(self) -> list[Any]:
        return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)

    def _refusal(self, rcode: dns.rcode.Rcode, where: dict[str, Any]) -> ProviderError:
        word = dns.rcode.to_text(rcode)
        code, what, fix = REFUSALS.get(
            rcode,
            ("provider-refused", "refused the change of the zone {zone}", "Read the server's log, which says why."),
        )
        return ProviderError(
            code,
            f"The name server {self._where} of the account {self._context.account} "
            f"{what.format(zone=where['zone'])} (it answered {word}).",
            fix=fix,
            evidence={**where, "rcode": word},
        )

    def _failure(self, error: Exception, where: dict[str, Any]) -> ProviderError:
        code, what, fix = explain(error)
        return ProviderError(
            code,
            f"The update of {where['zone']} at the name server {self._where} of the account "
            f"{self._context.account} failed: {what}.",
            fix=fix,
            evidence={**where, "cause": f"{type(error).__name__}: {error}"},
        )


def _connect(addresses: list[Any], seconds: float) -> socket.socket:
    """Return a connection to the first address that takes one.

    :raises OSError: what the last address said.
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
    # From the wire form: text would need escapes. One string of at most 255 octets.
    raw = value.encode()
    wire = bytes([len(raw)]) + raw
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))
