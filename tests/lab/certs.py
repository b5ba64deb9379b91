"""A certificate authority for the lab's own HTTPS endpoints: `trust` in a dnsrenew.toml names its root."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LIFETIME = dt.timedelta(days=30)


class LabCA:
    """A fresh root and one server certificate for localhost, 127.0.0.1 and ::1, as PEM files in `folder`.

    A second one is what a test needs for an endpoint whose certificate is not trusted.
    """

    def __init__(self, folder: Path) -> None:
        """Create the root and the certificate (some milliseconds)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.trust_pem = folder / "lab-ca.pem"
        self.certificate_pem = folder / "localhost.pem"
        self.key_pem = folder / "localhost.key"
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name = _name("dnsrenew lab root")
        self._root_key, self._folder = root_key, folder
        root = (
            _builder(root_name, root_name, root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        self.trust_pem.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self._write_leaf("localhost", ("localhost", "127.0.0.1", "::1"), key)

    def _write_leaf(
        self, file: str, names: Iterable[str], key: ec.EllipticCurvePrivateKey, *, expired: bool = False
    ) -> None:
        """Certify a key, and write both."""
        root_name = _name("dnsrenew lab root")
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key())
        age = _LIFETIME * 2 if expired else dt.timedelta()
        leaf = (
            _builder(root_name, _name("localhost"), key.public_key(), age)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._root_key, hashes.SHA256())
        )
        (self._folder / f"{file}.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (self._folder / f"{file}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def another_context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Return a context with a wrong certificate from this CA: for other names, or expired for a month."""
        file = f"another-{secrets.token_hex(8)}"  # several threads ask for one
        self._write_leaf(file, names, ec.generate_private_key(ec.SECP256R1()), expired=expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        return context

    def server_context(self) -> ssl.SSLContext:
        """Return a context for a server of the lab."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_pem, self.key_pem)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context for a client that trusts only this CA."""
        return ssl.create_default_context(cafile=str(self.trust_pem))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def general_name(name: str) -> x509.GeneralName:
    """A name in a certificate: an IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, age: dt.timedelta = dt.timedelta()
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC) - age
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
