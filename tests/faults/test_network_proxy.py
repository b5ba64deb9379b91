"""A proxy from the environment that misbehaves, in front of a sound server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from dnsrenew.base.http import HttpClient, HttpFailure
from tests.kit.load import allowed
from tests.lab import LabCA, badports

SECRET: Final = "canary-of-the-proxy"
PATIENCE: Final = 1.0
ANSWER: Final = 9.0
ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

Talk = Callable[[socket.socket], object]


def answers_with(answer: bytes) -> Talk:
    """Return a proxy that sends an answer and closes."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # unread data would reset the connection, perhaps before the answer is read
            pass

    return talk


def drips(parts: Iterable[bytes]) -> Talk:
    """Return a proxy that sends one part after the other, with pauses, until the client leaves."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05)  # the proxy's own slowness

    return talk


def silent(connection: socket.socket) -> None:
    """Read the request, and send nothing."""
    connection.recv(65536)
    connection.recv(1)


def endless(connection: socket.socket) -> None:
    """Send a head that does not end."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-H: " + b"y" * 1000 + b"\r\n")


@pytest.fixture
def ca(tmp_path: Path) -> LabCA:
    """The issuer of the server's certificate."""
    return LabCA(tmp_path / "tls")


@pytest.fixture
def server(ca: LabCA) -> Iterator[int]:
    """The port of a sound HTTPS server."""
    with badports.with_certificate(ca.server_context()) as running:
        yield running.port


def through(talk: Talk, ca: LabCA, port: int) -> int:
    """Request a page through a proxy; return the status."""
    with badports.Talker(talk) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("https_proxy", f"http://user:{SECRET}@127.0.0.1:{proxy.port}")
        patch.setenv("no_proxy", "")
        patch.setenv("NO_PROXY", "")
        client = HttpClient(trust=ca.trust_pem)
        try:
            return client.request("GET", f"https://127.0.0.1:{port}/", timeout=(PATIENCE, ANSWER)).status
        finally:
            client.close()


def test_a_sound_proxy_is_used(ca: LabCA, server: int) -> None:
    """The request uses the proxy's tunnel, and the certificate of the server is checked."""

    def passes_on(connection: socket.socket) -> None:
        connection.recv(65536)
        with socket.create_connection(("127.0.0.1", server), timeout=30) as onward:
            connection.sendall(ESTABLISHED)
            threading.Thread(target=_pump, args=(connection, onward), daemon=True).start()
            _pump(onward, connection)

    assert through(passes_on, ca, server) == 200


@pytest.mark.parametrize(
    ("talk", "kind", "words"),
    [
        (silent, "timeout", "no connection was made within 1 s"),
        (
            drips(bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000),
            "timeout",
            "no connection was made within 1 s",
        ),
        (endless, "too-large", "its answer is longer than"),
        (answers_with(b""), "reset", "the connection ended"),
        (answers_with(b"SSH-2.0-x\r\n"), "reset", "its answer is not HTTP"),
        (answers_with(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"), "proxy", "it answers 407"),
        (answers_with(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno"), "proxy", "it answers 502"),
        (answers_with(ESTABLISHED + b"<html>"), "tls", "no TLS connection"),
        (drips([ESTABLISHED, *[b"\x16"] * 1000]), "tls", "no TLS connection"),
    ],
    ids=["silent", "drip", "endless", "closes", "no HTTP", "407", "502", "HTML in the tunnel", "a drip in the tunnel"],
)
def test_a_proxy_that_misbehaves_is_left_in_time(ca: LabCA, server: int, talk: Talk, kind: str, words: str) -> None:
    """A proxy that misbehaves is a failure of the right kind, and its password is in no text."""
    started = time.monotonic()
    with pytest.raises(HttpFailure) as caught:
        through(talk, ca, server)
    assert (caught.value.kind, words in caught.value.detail) == (kind, True), caught.value
    assert SECRET not in repr(caught.value)
    assert time.monotonic() - started < allowed(30 * PATIENCE)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has closed
