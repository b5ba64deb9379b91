"""Roots and intermediates of a box, and the certificates that they sign: real ones, which TLS accepts."""

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

LIFETIME: Final = timedelta(days=90)
_ROOT_LIFETIME: Final = timedelta(days=3650)


class BoxIssuer:
    """A root, or an intermediate below another issuer, that signs certificates.

    :param now: the time at which it is made.
    :param purposes: of the certificates that it signs.
    :ivar name: its common name.
    :ivar pem: its own certificate, and those above it.
    """

    def __init__(
        self,
        name: str,
        now: datetime,
        above: BoxIssuer | None = None,
        purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    ) -> None:
        self.name = name
        self._purposes = purposes
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        own = (above or self).certify(
            self._subject,
            self._key.public_key(),
            now - _ROOT_LIFETIME,
            now + _ROOT_LIFETIME,
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_usage(is_ca=True), True),
        )
        self.pem: str = own + (above.pem if above else "")

    def sign(self, key: Any, names: Sequence[str], begin: datetime, lifetime: timedelta = LIFETIME) -> str:
        """Return a certificate for DNS names and IP addresses, with its chain, as PEM.

        :param key: the public key.
        """
        begin = begin.replace(microsecond=0)
        leaf = self.certify(
            x509.Name([]),
            key,
            begin,
            begin + lifetime,
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(is_ca=False), True),
            (x509.ExtendedKeyUsage(self._purposes), False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), True),
        )
        return leaf + self.pem

    def server_pem(self, now: datetime) -> str:
        """Return a new key with its certificate for loopback, for the server of the box itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return pem + self.sign(key.public_key(), ("localhost", "127.0.0.1"), now - timedelta(days=1), _ROOT_LIFETIME)

    def certify(
        self, subject: x509.Name, key: Any, begin: datetime, end: datetime, *extensions: tuple[x509.ExtensionType, bool]
    ) -> str:
        """Return one certificate, as PEM.

        :param extensions: each with whether it is critical; those that identify the keys are added.
        """
        serial, identifier = x509.random_serial_number(), x509.SubjectKeyIdentifier.from_public_key(key)
        builder = x509.CertificateBuilder(self._subject, subject, key, serial, begin, end)
        for extension, critical in (*extensions, (identifier, False), (self._authority, False)):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, **never)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
