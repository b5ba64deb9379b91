"""The root of a box, and the certificates that it signs: real ones, which TLS accepts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ROOT_LIFETIME: Final = timedelta(days=3650)


class BoxIssuer:
    """A root that signs certificates for servers.

    :param now: the time at which the root is made.
    :ivar root_pem: its certificate.
    """

    def __init__(self, now: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dnsrenew test CA")])
        key = self._key.public_key()
        builder = _builder(self._name, self._name, key, now - _ROOT_LIFETIME, now + _ROOT_LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(is_ca=True), critical=True)
        self._authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
        root = builder.sign(self._key, hashes.SHA256())
        self.root_pem: str = root.public_bytes(Encoding.PEM).decode()

    def sign(self, key: Any, names: Sequence[str], begin: datetime, end: datetime) -> str:
        """Return a certificate for DNS names and IP addresses, with the root, as PEM.

        :param key: the public key.
        """
        builder = _builder(self._name, x509.Name([]), key, begin, end)
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(is_ca=False), True),
            (purposes, False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), True),
            (self._authority, False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        leaf: x509.Certificate = builder.sign(self._key, hashes.SHA256())
        return leaf.public_bytes(Encoding.PEM).decode() + self.root_pem

    def server_pem(self, now: datetime) -> str:
        """Return a new key with its certificate for loopback, for the server of the box itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        chain = self.sign(key.public_key(), ("localhost", "127.0.0.1"), now - timedelta(days=1), now + _ROOT_LIFETIME)
        return pem + chain


def _builder(issuer: x509.Name, subject: x509.Name, key: Any, begin: datetime, end: datetime) -> Any:
    serial, identifier = x509.random_serial_number(), x509.SubjectKeyIdentifier.from_public_key(key)
    builder = x509.CertificateBuilder(issuer, subject, key, serial, begin, end)
    return builder.add_extension(identifier, critical=False)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, **never)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
