"""Private keys, certificate signing requests, and the certificate of a tls-alpn-01 challenge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dnsrenew.base.names import is_ip
from dnsrenew.base.x509 import texts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from dnsrenew.base.model import KeyKind


PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_CURVES: Final[dict[KeyKind, type[ec.EllipticCurve]]] = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1}
_SIZES: Final[dict[KeyKind, int]] = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}


def new_key(kind: KeyKind) -> PrivateKey:
    """Return a new private key. An RSA key takes up to a second."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(65537, _SIZES[kind])


def key_to_pem(key: PrivateKey) -> bytes:
    """Return the key as PEM: PKCS#8 (RFC 5208), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> PrivateKey:
    """Read a private key that :func:`key_to_pem` wrote.

    :raises ValueError: it is not an unencrypted ECDSA or RSA key; the message never contains the key.
    """
    try:
        # dnsrenew wrote the file: checking the primes of an RSA key would take 36 ms.
        key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(texts.NOT_A_PRIVATE_KEY) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError(texts.UNSUPPORTED_KEY)
    return key


def key_kind(key: PrivateKey) -> KeyKind | None:
    """Return the kind of a key, or None if the configuration has no name for it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(key.curve, curve)), None)
    return next((kind for kind, size in _SIZES.items() if key.key_size == size), None)


def is_rsa(key: PrivateKey) -> bool:
    """Tell whether a key is an RSA key, of any size."""
    return isinstance(key, rsa.RSAPrivateKey)


def key_hash(key: PrivateKey) -> str:
    """Return the SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal."""
    return public_key_hash(key.public_key())


def public_key_hash(key: CertificatePublicKeyTypes) -> str:
    """Return the SHA-256 of a public key (SubjectPublicKeyInfo), hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def make_csr(key: PrivateKey, identifiers: Sequence[str]) -> bytes:
    """Return a signing request (PKCS#10, DER) for names and IP addresses, all in the SAN; the subject is empty.

    A common name is obsolete, and too short for long domains (RFC 8555 section 7.4, RFC 5280 appendix A).
    """
    names = alternative_names(identifiers)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def alternative_names(identifiers: Sequence[str]) -> x509.SubjectAlternativeName:
    """Return the names of a certificate as its extension (RFC 5280 section 4.2.1.6)."""
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address(each)) if is_ip(each) else x509.DNSName(each) for each in identifiers]
    )


def self_signed_pem(identifier: str, oid: str, extension: bytes) -> bytes:
    """Return a new key and its self-signed certificate, as one PEM text.

    The certificate has one name and one critical extension (RFC 8737 section 3, RFC 8738 section 6). It is valid at
    any time: the CA ignores its dates, and this host's clock may be wrong.

    :param oid: the extension's object identifier, dotted.
    :param extension: the extension's value, as DER.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dnsrenew challenge")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(alternative_names([identifier]), critical=False)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), extension), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_to_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)
