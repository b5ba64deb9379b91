"""Asks ports for their certificate. Only its fingerprint is compared; trust is not checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dnsrenew.base import host_port, x509
from dnsrenew.base.model import Certificate
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.protocol import late
from dnsrenew.errors import DeployError

_TOLD_AFTER: Final = 1.0
"""Seconds of waiting before a message says so; most waits are shorter."""
_PAUSE: Final = 0.2
"""Seconds between two rounds, because a server may serve the old certificate a moment longer."""


class Wanted(Frozen):
    """The certificate that the ports must serve.

    :ivar addresses: the ports, each as ``HOST:PORT``.
    :ivar name: the server name to send (SNI); None for a certificate of IP addresses.
    :ivar starttls: the protocol that starts TLS; None for TLS from the first byte.
    :ivar leaf: the certificate, DER.
    :ivar is_ecdsa: whether its key is an ECDSA key, otherwise RSA.
    :ivar has_reload: whether the entry has a command that loads the files.
    """

    addresses: Sequence[str]
    name: str | None
    starttls: str | None
    leaf: bytes
    is_ecdsa: bool
    has_reload: bool = False


class SeenPort(Frozen):
    """The state of one port.

    :ivar leaf: the certificate that it serves, DER; None if it serves no certificate.
    :ivar error: why it serves no certificate.
    :ivar accepts: whether it accepts connections.
    """

    address: str
    leaf: bytes | None = None
    error: str = ""
    accepts: bool = False


def wanted(certificate: Certificate, options: Mapping[str, Any], addresses: Sequence[str]) -> Wanted:
    """Return what the ports must serve for a certificate and the options of its entry."""
    names = [one for one in certificate.domains if not one.startswith("*.") and not host_port.is_ip(one)]
    name = options.get("verify_name") or next(iter(names), certificate.domains[0].replace("*", "www", 1))
    name, pem = None if host_port.is_ip(name) else name, certificate.fullchain_pem
    leaf, is_ecdsa = x509.to_der(pem), x509.has_ecdsa_key(pem)
    return Wanted(addresses, name, options.get("starttls"), leaf, is_ecdsa, bool(options.get("reload")))


def is_served(context: Context, wanted: Wanted) -> bool:
    """Ask every port once; return whether all serve the certificate now.

    :raises Cancelled: the run was cancelled.
    """
    seen = inspect_ports(context, wanted)
    return bool(seen) and all(one.leaf == wanted.leaf for one in seen)


def wait_served(context: Context, wanted: Wanted, seconds: float, tell: Callable[[str], None] | None = None) -> None:
    """Wait until every port serves the certificate.

    :param seconds: the time limit.
    :param tell: called once with the address that does not serve it, if the wait takes longer than usual.
    :raises DeployError: ``deploy-unreachable``: no program accepts connections; ``deploy-not-served``.
    :raises Cancelled: the run was cancelled.
    """
    clock = context.clock
    start = clock.monotonic()
    end = start + seconds
    while True:
        seen = inspect_ports(context, wanted)
        wrong = next((one for one in seen if one.leaf != wanted.leaf), None)
        if wrong is None:
            return
        if clock.monotonic() + _PAUSE >= end:
            raise _error(wrong, wanted, seconds)
        if tell is not None and clock.monotonic() - start >= _TOLD_AFTER:
            tell(wrong.address)
            tell = None
        context.wait(_PAUSE)


def inspect_ports(context: Context, wanted: Wanted) -> list[SeenPort]:
    """Ask every port at each of its addresses. A refusing address counts only if all addresses of its host refuse.

    :raises Cancelled: the run was cancelled.
    """
    tasks = context.call_all([partial(_ask_host, wanted, address) for address in wanted.addresses], 8)
    return [one for task in tasks for one in task.result()]


def _ask_host(wanted: Wanted, address: str) -> list[SeenPort]:
    host, port = host_port.split(address)
    try:
        found = socket.getaddrinfo(host or "localhost", port, type=socket.SOCK_STREAM)
    except OSError as error:
        return [SeenPort(address, error=_reason(error))]
    seen = [_ask(wanted, address, family, where) for family, _, _, _, where in dict.fromkeys(found)]
    accepting = [one for one in seen if one.accepts]
    return accepting or seen[:1]


def _ask(wanted: Wanted, address: str, family: int, where: Any) -> SeenPort:  # Any: a socket address
    error = ""
    for context in _contexts(is_ecdsa=wanted.is_ecdsa):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            try:
                connection.connect(where)
            except OSError as refused:
                return SeenPort(address, error=_reason(refused))
            try:
                if wanted.starttls is not None:
                    start(connection, wanted.starttls)
                with context.wrap_socket(connection, server_hostname=wanted.name) as secure:
                    return SeenPort(address, secure.getpeercert(binary_form=True) or b"", accepts=True)
            except (OSError, ValueError) as failed:  # ValueError: the name cannot be sent
                error = _reason(failed)
    return SeenPort(address, error=error, accepts=True)


def _contexts(*, is_ecdsa: bool) -> list[ssl.SSLContext]:
    """Return the contexts to try.

    A server may have two certificates, and choose one by the signatures that the client offers. Python cannot select
    these for TLS 1.3, so TLS 1.2 is tried first, with ciphers for only one type of key. A server with only TLS 1.3 may
    then serve its other certificate. This is a separate error, because it is unknown whether the server has ours.
    """
    narrow = x509.comparing_context()
    narrow.maximum_version = ssl.TLSVersion.TLSv1_2
    narrow.set_ciphers("ECDHE+ECDSA" if is_ecdsa else "ECDHE+aRSA:DHE+aRSA:kRSA")
    return [narrow, x509.comparing_context()]


def _error(wrong: SeenPort, wanted: Wanted, seconds: float) -> DeployError:
    if not wrong.accepts:
        return DeployError.of(texts.NOT_REACHED, address=wrong.address, reason=wrong.error)
    if wrong.leaf is None:
        return DeployError.of(texts.NO_TLS, address=wrong.address, reason=wrong.error)
    evidence = {"address": wrong.address, "name": wanted.name or wrong.address, **late(seconds)}
    try:
        pem = ssl.DER_cert_to_PEM_cert(wrong.leaf)
        facts, is_ecdsa = x509.read_certificate(pem), x509.has_ecdsa_key(pem)
    except ValueError:
        return DeployError.of(texts.NOT_SERVED, **evidence, subject="unreadable", not_after="unknown")
    subject = ", ".join(facts.names[:3]) or x509.subject_of(pem) or texts.NO_NAME
    evidence |= {"subject": subject, "not_after": facts.not_after.strftime("%Y-%m-%d")}
    if is_ecdsa == wanted.is_ecdsa:
        return DeployError.of(texts.NOT_SERVED if wanted.has_reload else texts.NOT_LOADED, **evidence)
    found, expected = ("ECDSA", "RSA") if is_ecdsa else ("RSA", "ECDSA")
    return DeployError.of(texts.OTHER_KEY_SERVED, **evidence, key=found, expected=expected)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the handshake failed").replace("_", " ").lower()
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__


# ── starttls ───────────────────────────────────────────────────────────────────────────

# Starts TLS on a connection that begins in plain text: SMTP, IMAP, POP3, LDAP, PostgreSQL.

_LINE: Final = 2048
"""The maximum number of bytes of a line."""
_LINES: Final = 100


class Refused(OSError):
    """The server does not start TLS; ``strerror`` has its answer."""


def start(connection: socket.socket, protocol: str) -> None:
    """Ask the server to start TLS, so that the handshake can begin.

    :raises Refused: the server does not start TLS.
    :raises OSError: the connection broke, or the server did not answer in time.
    """
    if protocol == "ldap":
        connection.sendall(_LDAP)
        if bytes.fromhex("0a0100") not in connection.recv(_LINE):
            raise Refused(0, "it refused StartTLS")
    elif protocol == "postgresql":
        connection.sendall(bytes.fromhex("0000000804d2162f"))
        if connection.recv(1) != b"S":
            raise Refused(0, "it has TLS switched off")
    for order, accepted, before in _DIALOGUES.get(protocol, ()):
        connection.sendall(order)
        _expect(connection, accepted, before)


_LDAP: Final = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""An ExtendedRequest with the OID of StartTLS (RFC 4511 section 4.14)."""
_DIALOGUES: Final = {
    # RFC 3207; a reply may have several lines (RFC 5321 section 4.2.1).
    "smtp": ((b"", "220", "220-"), (b"EHLO localhost\r\n", "250", "250-"), (b"STARTTLS\r\n", "220", "220-")),
    "imap": ((b"", "* OK", ""), (b"a STARTTLS\r\n", "A OK", "* ")),  # RFC 3501 section 6.2.1
    "pop3": ((b"", "+OK", ""), (b"STLS\r\n", "+OK", "")),  # RFC 2595 section 4
}
"""For each protocol: the text to send, the beginning of the line that accepts it, and of lines before that one."""


def _expect(connection: socket.socket, accepted: str, before: str) -> None:
    for _ in range(_LINES):
        line = _line(connection)
        if not (before and line.startswith(before)):
            if not line.upper().startswith(accepted):
                raise Refused(0, line or "it closed the connection")
            return
    raise Refused(0, "its answer does not end")


def _line(connection: socket.socket) -> str:
    """Read one line a byte at a time, because the bytes after it belong to the TLS handshake."""
    data = bytearray()
    while len(data) < _LINE and not data.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            break
        data += byte
    text = data.decode("ascii", "replace").strip()
    return "".join(character for character in text if character.isprintable())
