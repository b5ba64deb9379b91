"""Dynamic update (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, Windows DNS and others."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from dnsrenew import names
from dnsrenew.errors import ConfigError, ProviderError
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.model import TxtRecord

PORT: Final = 53
CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0
ALGORITHMS: Final = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}

# What a server answers, and what a person does about it; {zone} is filled in. A missing one is "provider-refused".
_REFUSALS: Final = {
    dns.rcode.REFUSED: (
        "provider-unauthorized",
        "does not let this key change the zone {zone}",
        "Allow the key in the zone's update-policy (or allow-update) on the server.",
    ),
    dns.rcode.NOTAUTH: (
        "provider-unauthorized",
        "does not accept the key for the zone {zone}, or is not its primary server",
        "Compare server, tsig_name, tsig_algorithm and tsig_secret with the primary server's configuration.",
    ),
    dns.rcode.NOTZONE: (
        "provider-zone-unknown",
        "says that a name is outside the zone {zone}",
        "State the right zone in the account's `zones`.",
    ),
    dns.rcode.NXDOMAIN: (
        "provider-zone-unknown",
        "does not have the zone {zone}",
        "State the primary server of the zone in `server`, and the zone in `zones`.",
    ),
    dns.rcode.SERVFAIL: (
        "provider-server-error",
        "could not write the change of the zone {zone}",
        "Read the server's log: often its zone file or journal is not writable.",
    ),
    dns.rcode.NOTIMP: (
        "provider-refused",
        "does not do dynamic updates of the zone {zone}",
        "Switch dynamic updates on there, or use another provider.",
    ),
}


class Rfc2136Driver:
    """One UPDATE message for all records of a zone."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._host, self._port = _split_address(context.account, _text(context, "server"))
        self._key = _tsig_key(context)

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
            rcode = _read(answer, update)
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

    @property
    def _where(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def _addresses(self) -> list[Any]:
        return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)

    def _refusal(self, rcode: dns.rcode.Rcode, where: dict[str, Any]) -> ProviderError:
        word = dns.rcode.to_text(rcode)
        code, what, fix = _REFUSALS.get(
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
        code, what, fix = _explain(error)
        return ProviderError(
            code,
            f"The update of {where['zone']} at the name server {self._where} of the account "
            f"{self._context.account} failed: {what}.",
            fix=fix,
            evidence={**where, "cause": f"{type(error).__name__}: {error}"},
        )


class _UnsignedError(dns.exception.DNSException):
    """A server says that it has done what a key of ours has signed, and does not sign that itself."""


def _read(answer: bytes, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Return what the server says.

    A refusal is believed without a signature, for nothing is done on it: a server that knows nothing of keys or of
    updates can do no better.

    :raises DNSException: it is no answer to this update, or its signature is not right.
    """
    read = dns.message.from_wire(answer, keyring=False)
    if not update.is_response(read):
        raise dns.query.BadResponse
    if update.keyring and not read.had_tsig:
        if read.rcode() == dns.rcode.NOERROR:
            raise _UnsignedError
        return read.rcode()
    return dns.message.from_wire(answer, keyring=update.keyring, request_mac=update.mac).rcode()


def _explain(error: Exception) -> tuple[str, str, str]:
    """Return code, what was seen, what to do."""
    key = "Compare tsig_name, tsig_algorithm and tsig_secret with the server's key."
    if isinstance(error, dns.tsig.PeerBadKey):
        return "provider-unauthorized", "the server does not know the key", key
    if isinstance(error, dns.tsig.PeerBadSignature | dns.tsig.BadSignature):
        return "provider-unauthorized", "the key's secret is not the server's", key
    if isinstance(error, dns.tsig.PeerBadTime | dns.tsig.BadTime):
        return (
            "provider-unauthorized",
            "the clocks of this machine and of the server are too far apart",
            "Set the clock of this machine and of the server (with NTP).",
        )
    if isinstance(error, dns.tsig.PeerError | dns.message.UnknownTSIGKey | dns.exception.DNSException) and (
        "tsig" in type(error).__module__ or "TSIG" in type(error).__name__
    ):
        return "provider-unauthorized", "the server's signature is not right", key
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return (
            "provider-timeout",
            "it did not answer in time",
            "See whether the server runs, and whether a firewall drops TCP to its port.",
        )
    if isinstance(error, socket.gaierror):
        return "provider-unreachable", "its name was not found in DNS", "Correct `server`, or state an address there."
    if isinstance(error, OSError | EOFError):
        what = (
            f"it cannot be reached ({error.strerror or 'the connection broke'})" if isinstance(error, OSError) else ""
        )
        return (
            "provider-unreachable",
            what or "the connection broke",
            "See whether the server runs, and whether `server` names its address and port.",
        )
    if isinstance(error, _UnsignedError):
        return (
            "provider-refused",
            "its answer is not signed with the key",
            "See whether something between here and the server answers in its place, and what listens at `server`.",
        )
    return "provider-refused", "its answer is not a DNS answer to this update", "See what listens at `server`."


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


def _text(context: DriverContext, key: str) -> str:
    value = context.options.get(key, "")
    return (value.reveal() if isinstance(value, Secret) else value).strip()


def _wrong(context: DriverContext, key: str, what: str, fix: str) -> ConfigError:
    return ConfigError(
        "option-invalid",
        f"The option {key} of the account {context.account} {what}.",
        fix=fix,
        evidence={"account": context.account, "key": key},
    )


def _split_address(account: str, text: str) -> tuple[str, int]:
    host, port = text, str(PORT)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        host = host if bracket and _is_ipv6(host) and rest[:1] in {"", ":"} else ""
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    elif ":" in text:
        host = text if _is_ipv6(text) else ""
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(
            "option-invalid",
            f"The option server of the account {account} is not an address.",
            fix="State it as HOST or HOST:PORT, an IPv6 address in brackets.",
            evidence={"account": account, "key": "server", "found": text},
        )
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _tsig_key(context: DriverContext) -> dns.tsig.Key | None:
    name, secret = _text(context, "tsig_name"), _text(context, "tsig_secret")
    if not name and not secret:
        return None
    if not name or not secret:
        given, missing = ("tsig_name", "tsig_secret") if name else ("tsig_secret", "tsig_name")
        raise _wrong(context, missing, f"is missing, though {given} is there", f"State both, or neither: {missing}.")
    algorithm = (_text(context, "tsig_algorithm") or "hmac-sha256").lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise _wrong(context, "tsig_algorithm", "is not known", f"State one of {', '.join(ALGORITHMS)}.")
    try:
        raw = base64.b64decode(secret, validate=True)
        key_name = dns.name.from_text(name)
    except (binascii.Error, ValueError):
        raise _wrong(
            context, "tsig_secret", "is not base64", "Copy the secret from the server's key, without the quotes."
        ) from None
    except dns.exception.DNSException:
        raise _wrong(
            context, "tsig_name", "is not a domain name", "Copy the name from the server's key statement."
        ) from None
    return dns.tsig.Key(key_name, raw, algorithm=ALGORITHMS[algorithm])
