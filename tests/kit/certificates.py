"""The certificates of the CAs in memory: real ones, so that what checks and reads them is the real code."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dnsrenew import x509
from tests.kit.clock import START
from tests.lab.certs import general_name

DAY: Final = timedelta(days=1)
LIFETIME: Final = 90 * DAY


class Issuer:
    """A root, or an intermediate below another issuer, that signs certificates.

    :ivar name: its common name.
    :ivar pem: its own certificate, and those above it.
    """

    def __init__(self, name: str, above: Issuer | None = None) -> None:
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = crypto.Name([crypto.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        own = crypto.CertificateBuilder(
            signer._subject, self._subject, self._key.public_key(), 1, START - 999 * DAY, START + 9999 * DAY
        )
        own = own.add_extension(crypto.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = own.sign(signer._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
        self.pem += above.pem if above else ""

    def sign(self, key: Any, identifiers: Sequence[str], begin: datetime, lifetime: timedelta = LIFETIME) -> str:
        """Return a certificate with its chain, as PEM.

        :param key: the public key.
        """
        names = crypto.SubjectAlternativeName([general_name(name) for name in identifiers])
        authority = crypto.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        serial, begin = crypto.random_serial_number(), begin.replace(microsecond=0)
        builder = crypto.CertificateBuilder(self._subject, crypto.Name([]), key, serial, begin, begin + lifetime)
        builder = builder.add_extension(names, critical=True).add_extension(authority, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode() + self.pem


@functools.cache
def issuer(name: str) -> Issuer:
    """Return the issuer of this name; each is made once."""
    return Issuer(name)


def issue(identifiers: Sequence[str], begin: datetime) -> tuple[str, bytes, x509.CertificateFacts]:
    """Return a chain, its key and what it says."""
    key = x509.new_key("ecdsa-p256")
    pem = issuer("Stage CA 1").sign(key.public_key(), identifiers, begin)
    return pem, x509.key_to_pem(key), x509.read_certificate(pem)
