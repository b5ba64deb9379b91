"""Private keys, certificate signing requests, and the certificate of a tls-alpn-01 challenge."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias

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
KeyHolder: TypeAlias = PrivateKey | x509.CertificateSigningRequest
"""A private key, or a request of a key that is elsewhere."""
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


def holder_to_pem(holder: KeyHolder) -> bytes:
    """Return the key as :func:`key_to_pem`; nothing if it is elsewhere."""
    return b"" if isinstance(holder, x509.CertificateSigningRequest) else key_to_pem(holder)


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


def key_kind(key: KeyHolder) -> KeyKind | None:
    """Return the kind of a key, or None if the configuration has no name for it."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(public.curve, curve)), None)
    size = public.key_size if isinstance(public, rsa.RSAPublicKey) else None
    return next((kind for kind, bits in _SIZES.items() if bits == size), None)


def is_rsa(key: PrivateKey) -> bool:
    """Return whether a key is an RSA key, of any size."""
    return isinstance(key, rsa.RSAPrivateKey)


def key_hash(key: KeyHolder) -> str:
    """Return the SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal."""
    return public_key_hash(key.public_key())


def public_key_hash(key: CertificatePublicKeyTypes) -> str:
    """Return the SHA-256 of a public key (SubjectPublicKeyInfo), hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def make_csr(key: KeyHolder, identifiers: Sequence[str]) -> bytes:
    """Return a signing request (PKCS#10, DER) for names and IP addresses, all in the SAN; the subject is empty.

    A common name is obsolete, and too short for long domains (RFC 8555 section 7.4, RFC 5280 appendix A). A request
    that was given is returned as it is.
    """
    if isinstance(key, x509.CertificateSigningRequest):
        return key.public_bytes(serialization.Encoding.DER)
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
    any time: the CA ignores its dates, and this machine's clock may be wrong.

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


# ── jwk ────────────────────────────────────────────────────────────────────────────────

# Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6), in which other ACME clients keep account keys.

_JWK_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}

_MOST_BITS: Final = 4096
"""With more, the check of a key takes seconds."""
_BASES: Final = (2, 3, 5, 7, 11, 13, 17, 19)


def key_from_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """Return the private key of a JSON Web Key, RSA or ECDSA.

    :raises ValueError: it has none; the message never contains the key.
    """
    try:
        return _rsa(jwk) if jwk.get("kty") == "RSA" else _ecdsa(jwk)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ValueError(texts.NOT_A_PRIVATE_KEY) from None


def _rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    n, e, d = (_number(jwk[name]) for name in ("n", "e", "d"))
    if "p" in jwk and "q" in jwk:
        p, q = _number(jwk["p"]), _number(jwk["q"])
    else:  # RFC 7518 section 6.3.2: the primes are optional
        p, q = _primes(n, e, d)
    public = rsa.RSAPublicNumbers(e, n)
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *exponents, public).private_key()


def _primes(n: int, e: int, d: int) -> tuple[int, int]:
    """Return the prime factors of a modulus (FIPS 186-4, NIST SP 800-56B appendix C), with few tries.

    Each try fails for half of all keys at most. For numbers that belong to no key, the library's takes 500 tries.
    """
    odd = e * d - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for base in _BASES:
        root = pow(base, odd, n)
        for _ in range(twos):
            square = pow(root, 2, n)
            if square == 1 and root not in (1, n - 1):
                p = math.gcd(root - 1, n)
                return p, n // p
            root = square
    raise ValueError


def _ecdsa(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = _JWK_CURVES[jwk["crv"]]()
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _number(text: str) -> int:
    """Return a number in base64url without padding (RFC 7518 section 2); ``ValueError`` if it has too many bits."""
    number = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    if number.bit_length() > _MOST_BITS:
        raise ValueError
    return number
