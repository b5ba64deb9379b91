"""Which certificate a port serves: two certificates, several addresses, names, versions, STARTTLS."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from dnsrenew import Certificate
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.deploy import verify
from dnsrenew.errors import DeployError
from tests.kit.deployments import make_certificate
from tests.kit.tls_stand_in import Greet, script, serving
from tests.lab import ports

LDAP = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
LDAP_OK = bytes.fromhex("300c02010178070a010004000400")
STARTTLS: dict[str, Greet] = {
    "smtp": script(
        (b"220-mail.example.test\r\n220 ready\r\n", b"EHLO localhost\r\n"),
        (b"250-mail.example.test\r\n250 STARTTLS\r\n", b"STARTTLS\r\n"),
        (b"220 go ahead\r\n", b""),
    ),
    "imap": script((b"* OK ready\r\n", b"a STARTTLS\r\n"), (b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n", b"")),
    "pop3": script((b"+OK ready\r\n", b"STLS\r\n"), (b"+OK begin\r\n", b"")),
    "ldap": script((b"", LDAP), (LDAP_OK, b"")),
    "postgresql": script((b"", bytes.fromhex("0000000804d2162f")), (b"S", b"")),
}
REFUSED: dict[str, Greet] = {
    "smtp": script(
        (b"220 ready\r\n", b"EHLO localhost\r\n"), (b"250 hello\r\n", b"STARTTLS\r\n"), (b"502 no\r\n", b"x")
    ),
    "imap": script((b"* OK ready\r\n", b"a STARTTLS\r\n"), (b"a BAD no such thing\r\n", b"x")),
    "pop3": script((b"+OK ready\r\n", b"STLS\r\n"), (b"-ERR no\r\n", b"x")),
    "ldap": script((b"", LDAP), (LDAP_OK.replace(b"\x0a\x01\x00", b"\x0a\x01\x02"), b"x")),
    "postgresql": script((b"", bytes.fromhex("0000000804d2162f")), (b"N", b"x")),
}


def is_served(certificate: Certificate, *addresses: str, **options: Any) -> bool:
    """Ask once."""
    return verify.is_served(Context(), verify.wanted(certificate, options, addresses))


def error(certificate: Certificate, *addresses: str, **options: Any) -> DeployError:
    """Return the error of a wait that fails."""
    with pytest.raises(DeployError) as raised:
        verify.wait_served(Context(), verify.wanted(certificate, options, addresses), 0.1)
    return raised.value


def self_signed(subject: x509.Name) -> tuple[bytes, bytes]:
    """Return a certificate with no alternative name, and its key."""
    key, begin = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, begin, begin + timedelta(days=9))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM), pem


# ── two certificates ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa2048"])
def test_a_server_with_two_certificates(tmp_path: Path, key: str) -> None:
    """The server is asked for a certificate of the deployed key type. The other one does not matter."""
    other = make_certificate(tmp_path, key="rsa2048" if key == "ecdsa-p256" else "ecdsa-p256")
    old, new = make_certificate(tmp_path, key=key), make_certificate(tmp_path, key=key)
    with serving(new, other) as port:
        assert is_served(new, f"127.0.0.1:{port}")
    with serving(old, other) as port:
        assert not is_served(new, f"127.0.0.1:{port}")


def test_a_server_with_two_certificates_and_tls_1_3_only(tmp_path: Path) -> None:
    """With TLS 1.3 only, a server with two certificates serves ECDSA. For RSA the error names the types and TLS 1.2."""
    rsa, ecdsa = make_certificate(tmp_path, key="rsa2048"), make_certificate(tmp_path)
    with serving(rsa, ecdsa, only=ssl.TLSVersion.TLSv1_3) as port:
        assert is_served(ecdsa, f"127.0.0.1:{port}")
        failed = error(rsa, f"127.0.0.1:{port}")
    assert (failed.code, failed.evidence["key"], failed.evidence["expected"]) == ("deploy-not-served", "ECDSA", "RSA")
    assert "TLS 1.2" in (failed.fix or "")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa2048"])
def test_a_server_with_one_version(tmp_path: Path, version: ssl.TLSVersion, key: str) -> None:
    """A server with only TLS 1.2 or TLS 1.3 is verified. The error names the subject of another certificate."""
    new, old = make_certificate(tmp_path, key=key), make_certificate(tmp_path, domains=["old.test"])
    with serving(new, only=version) as port:
        assert is_served(new, f"127.0.0.1:{port}")
    with serving(old, only=version) as port:
        failed = error(new, f"127.0.0.1:{port}")
    assert (failed.code, failed.evidence["subject"]) == ("deploy-not-served", "old.test")


def test_a_certificate_without_names(tmp_path: Path) -> None:
    """The error has the subject of a certificate without alternative names, or says that it has no name."""
    new = make_certificate(tmp_path)
    for subject, told in (
        ([x509.NameAttribute(NameOID.COMMON_NAME, "router")], "router"),
        ([], "a certificate without a name"),
    ):
        pem, key = self_signed(x509.Name(subject))
        served = replace(new, fullchain_path=tmp_path / "c.pem", private_key_path=tmp_path / "k.pem")
        (tmp_path / "c.pem").write_bytes(pem)
        (tmp_path / "k.pem").write_bytes(key)
        with serving(served) as port:
            failed = error(new, f"127.0.0.1:{port}")
        assert f" 0 s: {told}, valid until" in failed.message


# ── addresses ───────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not ports.has_ipv6(), reason="this machine has no IPv6")
def test_every_address_that_accepts_must_serve_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address of a host that accepts must serve the certificate. A refused one matters only if all refuse."""
    old, new = make_certificate(tmp_path), make_certificate(tmp_path)
    real = socket.getaddrinfo

    def both(_: str, port: int, **options: Any) -> list[Any]:
        return [one for host in ("127.0.0.1", "::1") for one in real(host, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with ports.reserve("127.0.0.1", "::1") as port:
        where = f"host.test:{port.number}"
        with serving(new, port=port.number):
            assert is_served(new, where)
            with serving(new, host="::1", port=port.number):
                assert is_served(new, where)
        with serving(new, port=port.number), serving(old, host="::1", port=port.number):
            assert error(new, where).code == "deploy-not-served"
        assert error(new, where).code == "deploy-unreachable"


def test_every_port_must_serve_it(tmp_path: Path) -> None:
    """The error names the port that does not serve the certificate."""
    old, new = make_certificate(tmp_path), make_certificate(tmp_path)
    with serving(new) as right, serving(old) as wrong:
        assert is_served(new, f"127.0.0.1:{right}")
        failed = error(new, f"127.0.0.1:{right}", f"127.0.0.1:{wrong}")
    assert failed.evidence["address"] == f"127.0.0.1:{wrong}"


def test_a_name_that_has_no_address(tmp_path: Path) -> None:
    """A name without an address is unreachable. The error has the resolver's reason."""
    failed = error(make_certificate(tmp_path), "no-such-host.invalid:443")
    assert (failed.code, bool(failed.evidence["reason"])) == ("deploy-unreachable", True)


# ── names ───────────────────────────────────────────────────────────────────────────────

NAMES = {
    ("example.test", "www.example.test"): "example.test",
    ("*.example.test", "example.test"): "example.test",
    ("*.example.test",): "www.example.test",
    ("192.0.2.1", "example.test"): "example.test",
    ("192.0.2.1",): None,
    ("2001:db8::1",): None,
}


@pytest.mark.parametrize("domains", NAMES)
def test_the_name_that_is_asked_for(tmp_path: Path, domains: tuple[str, ...]) -> None:
    """SNI is the first domain that is no wildcard. A certificate for IP addresses needs none."""
    asked: list[str | None] = []
    new = make_certificate(tmp_path, domains=domains)
    with serving(new, asked=asked) as port:
        assert is_served(new, f"127.0.0.1:{port}")
    assert asked == [NAMES[domains]]


def test_a_server_with_several_names(tmp_path: Path) -> None:
    """Without SNI, or for an unknown name, the server's default certificate is compared."""
    new, default = make_certificate(tmp_path), make_certificate(tmp_path, domains=["default.test"])
    with serving(default, names={"example.test": new}) as port:
        where = f"127.0.0.1:{port}"
        assert is_served(new, where, verify_name="example.test")
        failed = error(new, where)
        assert (failed.code, failed.evidence["name"]) == ("deploy-not-served", "www.example.test")
        assert error(new, where, verify_name=".example.test").code == "deploy-not-served"


# ── STARTTLS ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", STARTTLS)
def test_starttls(tmp_path: Path, protocol: str) -> None:
    """The certificate is verified after STARTTLS."""
    old, new = make_certificate(tmp_path), make_certificate(tmp_path)
    with serving(new, greet=STARTTLS[protocol]) as port:
        assert is_served(new, f"127.0.0.1:{port}", starttls=protocol)
        assert not is_served(old, f"127.0.0.1:{port}", starttls=protocol)


@pytest.mark.parametrize("protocol", STARTTLS)
def test_starttls_that_is_refused(tmp_path: Path, protocol: str) -> None:
    """If STARTTLS is refused, the error has the server's reason."""
    new = make_certificate(tmp_path)
    with serving(new, greet=REFUSED[protocol]) as port:
        failed = error(new, f"127.0.0.1:{port}", starttls=protocol)
    assert (failed.code, bool(failed.evidence["reason"])) == ("deploy-not-served", True)
    assert "Error" not in failed.evidence["reason"]


def test_a_port_without_tls(tmp_path: Path) -> None:
    """A port without TLS gives `deploy-not-served`."""
    new = make_certificate(tmp_path)
    with serving(new, greet=script((b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x"))) as port:
        assert error(new, f"127.0.0.1:{port}").code == "deploy-not-served"
