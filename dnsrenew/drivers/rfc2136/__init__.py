"""Dynamic update (RFC 2136), signed with TSIG (RFC 8945), for BIND, Knot and other name servers."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from dnsrenew.base import host_port, names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import grouped
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.drivers.rfc2136 import texts
from dnsrenew.errors import ConfigError, ProviderError, Text

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0


class Rfc2136Driver:
    """Sends one UPDATE message for all records of a zone."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._host, self._port = address(context)
        self._server = host_port.join(self._host, self._port)
        self._key = tsig_key(context)
        self._has_sent = False

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add each value to its RRset (RFC 2136 section 2.5.1)."""
        self._update(records, lambda update, name, ttl, value: update.add(name, ttl, value))

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Delete each value from its RRset (RFC 2136 section 2.5.4). A missing value is not an error."""
        self._update(records, lambda update, name, _ttl, value: update.delete(name, value))

    def _update(self, records: Sequence[TxtRecord], change: Callable[..., None]) -> None:
        for zone, group in grouped(records, lambda record: record.zone).items():
            update = dns.update.UpdateMessage(zone, keyring=self._key)
            for record in group:
                change(update, dns.name.from_text(record.name), record.ttl, _txt(record.value))
            self._send(update, zone)

    def _send(self, update: dns.update.UpdateMessage, zone: str) -> None:
        self._context.check()
        evidence: Any = {"server": self._server, "zone": names.relative(zone), "account": self._context.account}
        try:
            rcode = read(self._exchange(update.to_wire()), update)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            if not self._has_sent:
                evidence["sent"] = False
            evidence |= {"cause": f"{type(error).__name__}: {error}", "reason": getattr(error, "strerror", None)}
            raise ProviderError.of(explain(error), **evidence) from None
        if rcode != dns.rcode.NOERROR:
            evidence["rcode"] = dns.rcode.to_text(rcode)
            raise ProviderError.of(REFUSALS.get(rcode, texts.UPDATE_REFUSED), **evidence)

    def _exchange(self, message: bytes) -> bytes:
        """Send a message and return the response (RFC 1035 section 4.2.2), within :data:`REQUEST_SECONDS`.

        TCP only, because an update of many names does not fit a datagram, and a lost datagram would be sent twice.
        """
        seconds = max(min(CONNECT_SECONDS, self._context.seconds_left()), 0.001)
        with socket.create_connection((self._host, self._port), timeout=seconds) as connection:
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
        """Set the time-out to the time left for the exchange, because a slow server may send one byte at a time.

        :param until: the seconds of the call that must be left at the end.
        """
        seconds = self._context.seconds_left() - until
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)


def _txt(value: str) -> dns.rdata.Rdata:
    # From wire format, because the text format would need escapes. One string of at most 255 bytes.
    raw = value.encode()
    wire = bytes([len(raw)]) + raw
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))


# ── options ────────────────────────────────────────────────────────────────────────────

# The options of an account: the primary server and the key.

PORT: Final = 53
ALGORITHMS: Final = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}


def address(context: DriverContext) -> tuple[str, int]:
    """Return host and port of the primary server.

    :raises ConfigError: ``option-invalid``.
    """
    text = context.text("server")
    try:
        host, port = host_port.split(text, PORT)
    except ValueError:
        host, port = "", PORT
    if not host:
        raise ConfigError.of(texts.NOT_AN_ADDRESS, account=context.account, key="server", found=text)
    return host, port


def tsig_key(context: DriverContext) -> dns.tsig.Key | None:
    """Return the key for signing updates, or None if there is no key.

    :raises ConfigError: ``option-invalid``.
    """
    # No variable holds the secret while an error is raised, because tools can show the variables of a traceback.
    name, has_secret = context.text("tsig_name"), bool(context.text("tsig_secret"))
    if not name and not has_secret:
        return None
    if not name or not has_secret:
        given, missing = ("tsig_name", "tsig_secret") if name else ("tsig_secret", "tsig_name")
        raise ConfigError.of(texts.KEY_INCOMPLETE, account=context.account, key=missing, given=given)
    algorithm = (context.text("tsig_algorithm") or "hmac-sha256").lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        known = list(ALGORITHMS)
        raise ConfigError.of(texts.ALGORITHM_UNKNOWN, account=context.account, key="tsig_algorithm", algorithms=known)
    try:
        key_name = dns.name.from_text(name)
    except (dns.exception.DNSException, ValueError):
        raise ConfigError.of(texts.KEY_NAME_INVALID, account=context.account, key="tsig_name") from None
    try:
        raw = base64.b64decode(context.text("tsig_secret"), validate=True)
    except ValueError:
        raw = None
    if raw is None:
        raise ConfigError.of(texts.SECRET_NOT_BASE64, account=context.account, key="tsig_secret")
    return dns.tsig.Key(key_name, raw, algorithm=ALGORITHMS[algorithm])


# ── answers ────────────────────────────────────────────────────────────────────────────

# Read the response of a name server to an update, and explain a missing or wrong one.

REFUSALS: Final = {
    dns.rcode.REFUSED: texts.KEY_NOT_ALLOWED,
    dns.rcode.NOTAUTH: texts.NOT_AUTHORIZED,
    dns.rcode.NOTZONE: texts.NOT_IN_ZONE,
    dns.rcode.NXDOMAIN: texts.NO_SUCH_ZONE,
    dns.rcode.SERVFAIL: texts.SERVER_FAILED,
    dns.rcode.NOTIMP: texts.NO_DYNAMIC_UPDATE,
}
"""The text of each RCODE; for any other it is :data:`texts.UPDATE_REFUSED`."""


_SIGNATURE: Final = (
    *(dns.tsig.PeerError, dns.tsig.BadKey, dns.tsig.BadAlgorithm),
    *(dns.message.BadTSIG, dns.message.UnknownTSIGKey),
)


class UnsignedError(dns.exception.DNSException):
    """The response to a signed update reports success but is not signed."""


def read(answer: bytes, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Return the RCODE of a response.

    An error needs no signature, because it changes no record, and a server without keys or updates cannot sign it.

    :raises DNSException: the message is not a response to this update, or its signature is invalid.
    """
    unchecked = dns.message.from_wire(answer, keyring=False)
    if not update.is_response(unchecked):
        raise dns.exception.FormError
    if update.keyring and not unchecked.had_tsig:
        if unchecked.rcode() == dns.rcode.NOERROR:
            raise UnsignedError
        return unchecked.rcode()
    return dns.message.from_wire(answer, keyring=update.keyring, request_mac=update.mac).rcode()


def explain(error: Exception) -> Text:
    """Return the text for an update that got no usable response."""
    if isinstance(error, dns.tsig.PeerBadKey):
        return texts.KEY_UNKNOWN
    if isinstance(error, dns.tsig.PeerBadSignature | dns.tsig.BadSignature):
        return texts.SECRET_WRONG
    if isinstance(error, dns.tsig.PeerBadTime | dns.tsig.BadTime):
        return texts.CLOCK_SKEW
    if isinstance(error, _SIGNATURE):
        return texts.SIGNATURE_WRONG
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return texts.TIMED_OUT
    if isinstance(error, socket.gaierror):
        return texts.SERVER_NAME_UNKNOWN
    if isinstance(error, OSError | EOFError):
        return texts.UNREACHABLE if getattr(error, "strerror", None) else texts.CONNECTION_LOST
    if isinstance(error, UnsignedError):
        return texts.NOT_SIGNED
    return texts.NO_DNS_ANSWER
