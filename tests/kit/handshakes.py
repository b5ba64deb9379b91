"""TLS handshakes in memory, with a server's context."""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

from dnsrenew import Certificate
from dnsrenew.base import x509
from tests.kit.folders import here


def client_context(*, alpn: tuple[str, ...] = (), chain: Certificate | None = None, **settings: Any) -> ssl.SSLContext:
    """Return a client that trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    if chain is not None:
        context.load_cert_chain(here(chain.fullchain_path), here(chain.private_key_path))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def serial(connection: ssl.SSLObject | ssl.SSLSocket) -> str:
    """Return the serial number of the server's certificate."""
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.read_certificate(ssl.DER_cert_to_PEM_cert(der)).serial


def seen(
    server: ssl.SSLContext, name: str | None, *, session: ssl.SSLSession | None = None, **client: Any
) -> ssl.SSLObject:
    """Make a handshake with a client that has these settings; return its side."""
    return handshake(server, client_context(**client), name, session)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None = None
) -> ssl.SSLObject:
    """Make a handshake with a client; return its side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (theirs, ours) * 4:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    ours.write(b"x")  # raises unless the handshake is over: a client certificate may be refused after it
    assert theirs.read(1) == b"x"
    return theirs
