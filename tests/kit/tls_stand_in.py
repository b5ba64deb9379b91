"""A TLS server on loopback with options of a test: two certificates, names, a version, STARTTLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dnsrenew import Certificate
from tests.kit.folders import here

Greet = Callable[[socket.socket], None]


def context_of(certificates: Sequence[Certificate]) -> ssl.SSLContext:
    """Return a context with a certificate for each type of key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for certificate in certificates:
        context.load_cert_chain(here(certificate.fullchain_path), here(certificate.private_key_path))
    return context


@contextmanager
def serving(
    *certificates: Certificate,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Mapping[str | None, Certificate] | None = None,
    asked: list[str | None] | None = None,
    greet: Greet | None = None,
    only: ssl.TLSVersion | None = None,
) -> Iterator[int]:
    """Serve during the block; yield the port.

    :param certificates: one for each type of key.
    :param names: other certificates, by SNI.
    :param asked: gets the SNI of each client.
    :param greet: speaks with a client before TLS begins.
    :param only: the one version of TLS.
    """
    context = context_of(certificates)
    others = {name: context_of([certificate]) for name, certificate in (names or {}).items()}
    if only is not None:
        context.minimum_version = context.maximum_version = only

    def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        if asked is not None:
            asked.append(name)
        connection.context = others.get(name, context)

    context.sni_callback = choose
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        threading.Thread(target=_accept, args=[listener, context, greet], daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, greet: Greet | None) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=[connection, context, greet], daemon=True).start()


def _serve(connection: socket.socket, context: ssl.SSLContext, greet: Greet | None) -> None:
    with contextlib.suppress(OSError), connection:
        if greet is not None:
            greet(connection)
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)


def script(*lines: tuple[bytes, bytes]) -> Greet:
    """Return a function that sends and then awaits bytes, line by line; ``b""`` sends or awaits nothing."""

    def greet(connection: socket.socket) -> None:
        for sent, awaited in lines:
            connection.sendall(sent)
            got = b""
            while len(got) < len(awaited):
                piece = connection.recv(len(awaited) - len(got))
                if not piece:
                    raise ConnectionError
                got += piece
            if got != awaited:
                raise ConnectionError(got)

    return greet
