"""Starts TLS on a connection that begins in plain text: SMTP, IMAP, POP3, LDAP, PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

_LINE: Final = 2048
"""Bytes of the longest line that is read."""
_LINES: Final = 100
_LDAP_START_TLS: Final = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""An ExtendedRequest with the OID of StartTLS (RFC 4511 section 4.14)."""
_LDAP_SUCCESS: Final = bytes.fromhex("0a0100")
_POSTGRESQL_SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")


class Refused(OSError):
    """The server does not start TLS; ``strerror`` says what it answered."""


def start(connection: socket.socket, protocol: str) -> None:
    """Ask the server to start TLS; then the handshake may begin.

    :raises Refused: it does not.
    :raises OSError: the connection broke, or the server did not answer in time.
    """
    _PROTOCOLS[protocol](connection)


def _smtp(connection: socket.socket) -> None:  # RFC 3207
    _expect_code(connection, "220")
    connection.sendall(b"EHLO localhost\r\n")
    _expect_code(connection, "250")
    connection.sendall(b"STARTTLS\r\n")
    _expect_code(connection, "220")


def _imap(connection: socket.socket) -> None:  # RFC 3501 section 6.2.1
    _expect(connection, "* OK")
    connection.sendall(b"a STARTTLS\r\n")
    for _ in range(_LINES):
        line = _line(connection)
        if line.startswith("a "):
            if not line.upper().startswith("A OK"):
                raise Refused(0, line)
            return
    raise Refused(0, "it did not answer STARTTLS")


def _pop3(connection: socket.socket) -> None:  # RFC 2595 section 4
    _expect(connection, "+OK")
    connection.sendall(b"STLS\r\n")
    _expect(connection, "+OK")


def _ldap(connection: socket.socket) -> None:
    connection.sendall(_LDAP_START_TLS)
    answer = connection.recv(_LINE)
    if _LDAP_SUCCESS not in answer:
        raise Refused(0, "it refused StartTLS")


def _postgresql(connection: socket.socket) -> None:
    connection.sendall(_POSTGRESQL_SSL_REQUEST)
    if connection.recv(1) != b"S":
        raise Refused(0, "it has TLS switched off")


_PROTOCOLS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ldap": _ldap,
    "postgresql": _postgresql,
}


def _expect(connection: socket.socket, beginning: str) -> None:
    line = _line(connection)
    if not line.startswith(beginning):
        raise Refused(0, line or "it closed the connection")


def _expect_code(connection: socket.socket, code: str) -> None:
    """Read an SMTP reply, which may have several lines (RFC 5321 section 4.2.1)."""
    for _ in range(_LINES):
        line = _line(connection)
        if not line.startswith(code):
            raise Refused(0, line or "it closed the connection")
        if line[3:4] != "-":
            return
    raise Refused(0, "its answer does not end")


def _line(connection: socket.socket) -> str:
    """Read one line, a byte at a time: what follows it belongs to the TLS handshake."""
    data = bytearray()
    while len(data) < _LINE and not data.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            break
        data += byte
    text = data.decode("ascii", "replace").strip()
    return "".join(character for character in text if character.isprintable())
