"""Presents challenge certificates to clients that negotiate ``acme-tls/1`` (RFC 8737 section 3), and nothing else."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base import x509
from dnsrenew.challenges.server import ChallengeServer, Client

if TYPE_CHECKING:
    import socket

PROTOCOL: Final = "acme-tls/1"
ACME_IDENTIFIER: Final = "1.3.6.1.5.5.7.1.31"
"""The extension id-pe-acmeIdentifier (RFC 8737 section 3)."""


class ChallengeCertificate:
    """The certificate for one challenge, and the context that presents it.

    :ivar der: the certificate.
    """

    __slots__ = ("context", "der")

    def __init__(self, der: bytes, context: ssl.SSLContext) -> None:
        self.der = der
        self.context = context

    @classmethod
    def make(cls, identifier: str, digest: bytes) -> Self:
        """Return a self-signed certificate for a DNS name or an IP address.

        :param digest: the 32 octets of the SHA-256 digest of the key authorization.
        """
        extension = b"\x04\x20" + digest  # a DER OCTET STRING
        pem = x509.self_signed_pem(identifier, ACME_IDENTIFIER, extension)
        context = _context()
        # The ssl module reads certificates only from files. The folder is private; the key is used nowhere else.
        with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
            path = os.path.join(folder, "challenge.pem")
            with open(path, "wb") as file:
                file.write(pem)
            context.load_cert_chain(path)
        return cls(x509.to_der(pem), context)


class TlsAlpnServer(ChallengeServer[ChallengeCertificate]):
    """Presents certificates by server name (SNI)."""

    def __init__(self, listening: socket.socket, monotonic: Callable[[], float]) -> None:
        self._context = _context()
        self._context.sni_callback = self._choose
        super().__init__(listening, monotonic)

    def wrap(self, connection: socket.socket) -> socket.socket:
        """Return the TLS side of a connection; its handshake comes later."""
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def read(self, client: Client) -> bool:
        """Continue the handshake; wait for the client to close once it is complete."""
        tls = client.socket
        assert isinstance(tls, ssl.SSLSocket)  # noqa: S101  # by wrap()
        try:
            if client.answered:
                return bool(tls.recv(1))
            tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):  # some hundred bytes: the send buffer takes them
            return True
        self.farewell(client)
        return tls.selected_alpn_protocol() == PROTOCOL

    def _choose(self, tls: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        """Select the certificate for a server name, or refuse the connection."""
        certificate = self.contents.get((name or "").lower())
        if certificate is None:
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        tls.context = certificate.context
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    return context
