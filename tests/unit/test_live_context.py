"""The context of a running server: certificates are replaced while it serves, and settings hold."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate
from dnsrenew.serving.recorded_context import LiveContext, ServedPair
from tests.kit.certificates import issuer
from tests.kit.deployments import make_certificate
from tests.kit.folders import here
from tests.kit.handshakes import client_context, handshake, serial


class Server:
    """A context, and certificates for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.context = LiveContext()

    def make(self, **options: Any) -> Certificate:
        """Return a new certificate."""
        return make_certificate(self._folder, **options)

    def serve(self, *certificates: Certificate) -> None:
        """Serve certificates."""
        self.context.serve([pair(one) for one in certificates])

    def connect(self, name: str | None = "example.test", **settings: Any) -> ssl.SSLObject:
        """Make a handshake with a client that has these attributes; return the client's side."""
        return self.handshake(client_context(**settings), name)

    def handshake(
        self, client: ssl.SSLContext, name: str | None = "example.test", session: ssl.SSLSession | None = None
    ) -> ssl.SSLObject:
        """Make a handshake with a client; return its side."""
        return handshake(self.context, client, name, session)

    def serial(self, name: str | None = "example.test") -> str:
        """Return the serial number of the certificate that is served for a name."""
        return serial(self.connect(name))


def pair(certificate: Certificate, domains: tuple[str, ...] = ()) -> ServedPair:
    """Return a certificate to serve."""
    files = here(certificate.fullchain_path), here(certificate.private_key_path)
    return ServedPair(domains or certificate.domains, *files)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A context without a certificate."""
    return Server(tmp_path)


@pytest.mark.parametrize("keys", [("ecdsa-p256", "ecdsa-p256"), ("ecdsa-p256", "rsa2048"), ("rsa2048", "ecdsa-p256")])
def test_new_handshakes_get_the_new_certificate(server: Server, keys: tuple[str, str]) -> None:
    """New handshakes get the new certificate, for all key types and after each switch."""
    old, new = (server.make(key=key) for key in keys)
    for certificate in (old, new, old, new):
        server.serve(certificate)
        assert server.serial() == certificate.serial
        assert server.serial(None) == certificate.serial


def test_the_lowest_version_does_not_depend_on_openssl(server: Server) -> None:
    """Some builds of Python leave it to OpenSSL; here it is TLS 1.2, until the program sets another one."""
    assert server.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_certificate_of_the_program_is_refused(server: Server) -> None:
    """load_cert_chain() raises TypeError, because no connection would get that certificate."""
    old, own = server.make(), server.make()
    server.serve(old)
    with pytest.raises(TypeError, match="sni_callback"):
        server.context.load_cert_chain(own.fullchain_path, keyfile=own.private_key_path)
    assert server.serial() == old.serial


def test_a_pair_that_does_not_fit_changes_nothing(server: Server) -> None:
    """A key that does not match raises SSLError, and the context in use stays."""
    old, broken = server.make(), server.make()
    server.serve(old)
    here(broken.private_key_path).write_text(old.private_key_pem)
    with pytest.raises(ssl.SSLError):
        server.serve(broken)
    assert server.serial() == old.serial


def test_certificates_are_told_apart_by_name(server: Server) -> None:
    """The exact name takes precedence over a wildcard. Unknown names get the first certificate."""
    first, second, third = server.make(), server.make(), server.make()
    server.context.serve(
        [pair(first), pair(second, ("*.other.test", "other.test")), pair(third, ("exact.other.test",))]
    )
    names = {"example.test": first, "a.other.test": second, "OTHER.test": second, "exact.other.test": third,
             "a.other.test.": second, "a.b.other.test": first, "unknown.test": first, None: first}  # fmt: skip
    assert {name: server.serial(name) for name in names} == {name: one.serial for name, one in names.items()}


@pytest.mark.parametrize("when", ["before", "after"])
def test_settings_hold_after_a_switch_of_the_key_type(server: Server, tmp_path: Path, when: str) -> None:
    """ALPN, versions, client certificates and the program's own SNI callback, set before or after the switch."""
    old, new, client = server.make(), server.make(key="rsa2048"), server.make()
    asked: list[str | None] = []
    trust = tmp_path / "trust.pem"
    trust.write_text(issuer("Stage CA 1").pem)

    def configure() -> None:
        context = server.context
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(trust)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_servername_callback(lambda _connection, name, _context: asked.append(name))

    server.serve(old)
    if when == "before":
        configure()
    server.serve(new)
    if when == "after":
        configure()
    connection = server.connect(alpn=("h2",), chain=client)
    assert serial(connection) == new.serial
    assert connection.selected_alpn_protocol() == "h2"
    assert connection.version() == "TLSv1.2"
    assert asked == ["example.test"]
    with pytest.raises(ssl.SSLError):  # no client certificate
        server.connect()


def test_a_callback_of_the_program_can_refuse(server: Server) -> None:
    """A refusal by the program's callback ends the handshake."""
    server.serve(server.make())
    refuse = ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    server.context.sni_callback = lambda *_: refuse
    with pytest.raises(ssl.SSLError):
        server.connect()


def test_switches_during_handshakes_are_safe(server: Server) -> None:
    """Switching certificates during handshakes neither crashes the process nor fails a handshake."""
    certificates = [server.make(), server.make()]
    files = [str(path) for one in certificates for path in (one.fullchain_path, one.private_key_path)]
    code = """
import ssl, sys, threading
from dnsrenew.serving.recorded_context import LiveContext, ServedPair
pairs = [ServedPair(["x.test"], *sys.argv[number : number + 2]) for number in (1, 3)]
live, done, failed = LiveContext(), [], []
live.serve(pairs[:1])
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

def handshakes():
    for _ in range(150):
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        sides = client.wrap_bio(down, up, server_hostname="x.test"), live.wrap_bio(up, down, server_side=True)
        try:
            for side in sides * 3:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
            sides[1].write(b"x")
            done.append(sides[0].read(1))
        except Exception as error:
            failed.append(repr(error))

threads = [threading.Thread(target=handshakes) for _ in range(3)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    pairs.reverse()
    live.serve(pairs[:1])
print(len(done), failed)
"""
    ran = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "450 []"), ran.stderr[-2000:]


def test_the_callback_of_the_program_can_be_read(server: Server) -> None:
    """The program's callback can be read, so that another one can wrap it."""
    assert server.context.sni_callback is None
    callback = lambda *_: None  # noqa: E731  # compared by identity
    server.context.sni_callback = callback
    assert server.context.sni_callback is callback


def test_a_session_is_resumed_after_a_switch(server: Server) -> None:
    """A session is resumed after a switch from an ECDSA to an RSA certificate."""
    client = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    server.serve(server.make())
    session = server.handshake(client).session
    server.serve(server.make(key="rsa2048"))
    assert server.handshake(client, session=session).session_reused


def test_an_address_gets_the_certificate_with_it(server: Server) -> None:
    """Clients of an IP address send no SNI, so the local address of the connection decides.

    Without a socket the first certificate is served. An IPv6 socket that takes IPv4 connections too reports a mapped
    address.
    """
    first, second = server.make(), server.make()
    server.context.serve([pair(first), pair(second, ("127.0.0.1",))])
    assert server.serial(None) == first.serial
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        with socket.create_server((host, 0), family=family, dualstack_ipv6=family is socket.AF_INET6) as listener:
            threading.Thread(target=accept, args=[listener, server.context], daemon=True).start()
            with (
                socket.create_connection(("127.0.0.1", listener.getsockname()[1])) as plain,
                client_context().wrap_socket(plain) as secure,
            ):
                assert serial(secure) == second.serial


def accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve one connection."""
    connection, _ = listener.accept()
    with (
        connection,
        context.wrap_socket(connection, server_side=True) as secure,
        contextlib.suppress(OSError),  # the client closes without reading what the server sent
    ):
        secure.recv(1)
