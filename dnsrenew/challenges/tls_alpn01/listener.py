"""The listeners for tls-alpn-01."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from dnsrenew.challenges.listeners import TIMEOUT, Listeners, PortTexts
from dnsrenew.challenges.tls_alpn01 import texts
from dnsrenew.challenges.tls_alpn01.server import PROTOCOL, ChallengeCertificate, TlsAlpnServer

DEFAULT: Final = ":443"
"""The port that every CA uses (RFC 8737 section 3); another one needs a forwarding from port 443."""


class TlsAlpnListeners(Listeners[ChallengeCertificate]):
    """The listeners for tls-alpn-01; a response is the presented certificate as DER."""

    texts = PortTexts(
        texts.PORT_TAKEN,
        texts.PORT_TAKEN_UNKNOWN,
        texts.PORT_FORBIDDEN,
        texts.ADDRESS_MISSING,
        texts.PORT_FAILED,
    )

    def start(self, listening: socket.socket) -> TlsAlpnServer:
        """Return a running server on a listening socket."""
        return TlsAlpnServer(listening, self.monotonic)

    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Return the certificate that is presented for a name, as DER; never use a proxy."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # it is self-signed, and is compared byte by byte
        context.set_alpn_protocols([PROTOCOL])
        with (
            socket.create_connection((host, port), timeout=TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=key) as tls,
        ):
            agreed = tls.selected_alpn_protocol() == PROTOCOL
            return tls.getpeercert(binary_form=True) or b"" if agreed else b""


SHARED: Final = TlsAlpnListeners()
"""Shared by all runs in a process, since a port belongs to the process."""
