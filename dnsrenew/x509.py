"""Private keys, certificate signing requests and certificates: the only module that uses cryptography."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Text
from dnsrenew.model import rfc3339

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from dnsrenew.model import KeyKind

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = TypeVar("Extension", bound=x509.ExtensionType)

_CURVES: Final[dict[KeyKind, type[ec.EllipticCurve]]] = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1}
_SIZES: Final[dict[KeyKind, int]] = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}
SKEW: Final = timedelta(hours=1)
"""How far this host's clock may be behind: a certificate that is not valid yet by less than this is accepted."""
_MAX_SHOWN: Final = 200
"""Characters of a name of an issuer that are kept."""
_MAX_NAME: Final = 255
"""No DNS name is longer; a longer one is ignored (RFC 1035 section 2.3.4)."""
_MAX_NAMES: Final = 100
"""Names of a wrong certificate that its error lists."""
_END: Final = "-----END CERTIFICATE-----"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"

_FIX: Final = "Run dnsrenew again, and ask the CA if it happens again; the certificate was not kept."

WRONG_PEM: Final = Text("certificate-wrong", "The certificate from the CA cannot be read: {reason}.", _FIX)
WRONG_KEY: Final = Text("certificate-wrong", "The certificate from the CA is for another key than requested.", _FIX)
WRONG_NAMES: Final = Text(
    "certificate-wrong", "The certificate from the CA is not for {missing}; its names: {names}.", _FIX
)
NO_NAMES: Final = Text("certificate-wrong", "The certificate from the CA is not for {missing}: it has no names.", _FIX)
WRONG_CA: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is one of a CA (basicConstraints CA:TRUE): TLS clients refuse it as a server's.",
    _FIX,
)
WRONG_USAGE: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is not for TLS servers: its extended key usage lacks serverAuth.",
    _FIX,
)
WRONG_DATES: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is valid from {not_before} to {not_after}, and this host's clock says {now}.",
    _FIX,
)
WRONG_CHAIN_DATES: Final = Text(
    "certificate-wrong",
    "A certificate in the chain from the CA is valid from {not_before} to {not_after}, and this host's clock says "
    "{now}.",
    _FIX,
)
WRONG_CHAIN: Final = Text(
    "certificate-wrong",
    "The chain from the CA is broken: certificate {place} was not issued by the next one.",
    _FIX,
)


class Facts(Frozen, kw_only=True):
    """The fields of a certificate.

    :ivar issuer: the issuer's common name, else its organisation, else its full name (RFC 4514).
    :ivar serial: hexadecimal, lower case, without leading zeros.
    :ivar not_before: the start of its validity, in UTC.
    :ivar not_after: the end of its validity, in UTC.
    :ivar names: its DNS names (A-labels, lower case) and IP addresses, in order.
    """

    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


# ── keys ────────────────────────────────────────────────────────────────────────────────


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
        raise ValueError("not an unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("neither an ECDSA nor an RSA key")
    return key


def key_kind(key: PrivateKey) -> KeyKind | None:
    """Return the kind of a key, or None if the configuration has no name for it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(key.curve, curve)), None)
    return next((kind for kind, size in _SIZES.items() if key.key_size == size), None)


def key_hash(key: PrivateKey) -> str:
    """Return the SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal."""
    return _key_hash(key.public_key())


def _key_hash(key: CertificatePublicKeyTypes) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def make_csr(key: PrivateKey, identifiers: Sequence[str]) -> bytes:
    """Return a signing request (PKCS#10, DER) for names and IP addresses, all in the SAN; the subject is empty.

    A common name is obsolete, and too short for long domains (RFC 8555 section 7.4, RFC 5280 appendix A).
    """
    names = _alternative_names(identifiers)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _alternative_names(identifiers: Sequence[str]) -> x509.SubjectAlternativeName:
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
        .add_extension(_alternative_names([identifier]), critical=False)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), extension), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_to_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


# ── certificates ────────────────────────────────────────────────────────────────────────


def split_chain(fullchain_pem: str) -> tuple[str, str]:
    """Return the leaf and the rest of a chain, each as PEM; the rest may be empty.

    :raises ValueError: it contains no certificate.
    """
    leaf, *rest = _blocks(fullchain_pem)
    return leaf, "".join(rest)


def _blocks(pem: str) -> list[str]:
    """Return the PEM of each certificate, without any text between them."""
    blocks = [_BEGIN + part.split(_BEGIN, 1)[1] + _END + "\n" for part in pem.split(_END) if _BEGIN in part]
    if not blocks:
        raise ValueError("it contains no certificate")
    return blocks


def read_certificate(pem: str | bytes) -> Facts:
    """Read the first certificate.

    :raises ValueError: there is none, or it cannot be read.
    """
    return _facts(_first(pem))


def _first(pem: str | bytes) -> x509.Certificate:
    return _load(_blocks(pem if isinstance(pem, str) else pem.decode("ascii", "replace"))[0])


def to_der(pem: str | bytes) -> bytes:
    """Return the first certificate in a PEM text as DER.

    :raises ValueError: there is none, or it cannot be read.
    """
    return _first(pem).public_bytes(serialization.Encoding.DER)


def key_hash_of_certificate(pem: str) -> str:
    """Return the :func:`key_hash` of the first certificate.

    :raises ValueError: there is none, or it cannot be read.
    """
    return _key_hash(_first(pem).public_key())


def top_issuer(fullchain_pem: str) -> str:
    """Return the issuer of the last certificate of a chain: its root.

    :raises ValueError: it contains no certificate, or one that cannot be read.
    """
    return _issuer(_load(_blocks(fullchain_pem)[-1]).issuer)


def have_same_root(fullchain_pem: str, other_pem: str) -> bool:
    """Tell whether two chains name the same issuer, by name and key identifier, of their last certificates.

    A chain that cannot be read has no root.
    """
    try:
        return _root_id(fullchain_pem) == _root_id(other_pem)
    except ValueError:
        return False


def _root_id(fullchain_pem: str) -> tuple[bytes, bytes | None]:
    last = _load(_blocks(fullchain_pem)[-1])
    authority = _extension(last, x509.AuthorityKeyIdentifier)
    return last.issuer.public_bytes(), None if authority is None else authority.key_identifier


def is_issued_under(fullchain_pem: str, roots: Sequence[bytes]) -> bool:
    """Tell whether one of some roots (DER) issued a certificate of a chain: the last one, or one below a cross-sign.

    :raises ValueError: the chain cannot be read.
    """
    for certificate in map(_load, _blocks(fullchain_pem)):
        name = certificate.issuer.public_bytes()
        if any(_is_issued_by_der(certificate, root) for root in roots if name in root):
            return True  # only a root with this name is parsed
    return False


def _is_issued_by_der(certificate: x509.Certificate, issuer: bytes) -> bool:
    try:
        return _is_issued_by(certificate, x509.load_der_x509_certificate(issuer))
    except ValueError:
        return False


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def authority_and_serial(pem: str | bytes) -> tuple[bytes, bytes]:
    """Return the two parts of the first certificate's ARI identifier (RFC 9773 section 4.1).

    :return: the authority key identifier, and the octets of the serial number as in DER (with a leading 00 if the
        first bit is set).
    :raises ValueError: it cannot be read, or has no authority key identifier.
    """
    certificate = _first(pem)
    extension = _extension(certificate, x509.AuthorityKeyIdentifier)
    authority = extension.key_identifier if extension is not None else None
    if authority is None:
        raise ValueError("it has no authority key identifier")
    serial = certificate.serial_number
    return authority, serial.to_bytes(serial.bit_length() // 8 + 1, "big")


def _load(pem: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii", "replace"))
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("it is not a certificate in PEM form") from None
    if certificate.serial_number < 1:
        raise ValueError("its serial number is not positive (RFC 5280 section 4.1.2.2)")
    return certificate


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """Return an extension, or None if it is absent or cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None  # ValueError: a name that is not ASCII, or a malformed extension


def _facts(certificate: x509.Certificate) -> Facts:
    return Facts(
        issuer=_issuer(certificate.issuer),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        names=_names(certificate),
    )


def _issuer(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return _line(str(attribute.value))
    return _line(name.rfc4514_string())


def _line(text: str) -> str:
    """Return a text as one short line without control characters: it is shown on terminals and kept in the state."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_SHOWN])


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    found = [] if names is None else [_name(name) for name in names]
    # Names are shown. One with control characters is invalid.
    return tuple(name for name in found if name and name.isprintable() and len(name) <= _MAX_NAME)


def _name(name: x509.GeneralName) -> str | None:
    """Return a DNS name or an IP address as an identifier; None for names of other kinds."""
    if isinstance(name, x509.DNSName):  # clients compare an address only with an iPAddress
        return None if is_ip(name.value) else name.value.lower()
    if isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Address | IPv6Address):
        return str(name.value)
    return None


# ── checks of a certificate from the CA ─────────────────────────────────────────────────


def check_chain(fullchain_pem: str, key: PrivateKey, identifiers: Sequence[str], now: datetime) -> Facts:
    """Check that a chain from the CA is the requested one, leaf first.

    The root is not part of the chain, so each certificate is only checked against the next. This host's clock may be an
    hour behind, and the certificate may have more names than requested (some CAs add ``www``).

    :param identifiers: A-label names, wildcards with their ``*.``, and IP addresses.
    :param now: the current time, in UTC.
    :raises CAError: ``certificate-wrong``; its ``evidence["wrong"]`` is ``pem``, ``key``, ``names``, ``usage``,
        ``dates`` or ``chain``.
    """
    try:
        chain = [_load(block) for block in _blocks(fullchain_pem)]
        facts = _facts(chain[0])
    except ValueError as error:
        code, message, fix = WRONG_PEM.fill(reason=str(error))
        raise CAError(code, message, fix=fix, evidence={"wrong": "pem"}) from None
    _check_key(chain[0], key)
    _check_names(facts, identifiers)
    _check_usage(chain[0])
    _check_dates(chain, now)
    _check_links(chain)
    return facts


def _check_key(leaf: x509.Certificate, key: PrivateKey) -> None:
    try:
        fits = leaf.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    if not fits:
        raise CAError.of(WRONG_KEY, wrong="key")


def _check_names(facts: Facts, identifiers: Sequence[str]) -> None:
    missing = [name for name in identifiers if name.lower() not in facts.names]
    if missing:
        text = WRONG_NAMES if facts.names else NO_NAMES
        raise CAError.of(text, wrong="names", missing=missing, names=list(facts.names[:_MAX_NAMES]))


def _check_usage(leaf: x509.Certificate) -> None:
    """Refuse a certificate that clients do not accept from a server (RFC 5280 sections 4.2.1.9 and 4.2.1.12)."""
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CAError.of(WRONG_CA, wrong="usage")
    usage = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CAError.of(WRONG_USAGE, wrong="usage")


def _check_dates(chain: Sequence[x509.Certificate], now: datetime) -> None:
    for number, certificate in enumerate(chain):
        if not _is_valid(certificate, now):
            begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            raise CAError.of(
                WRONG_DATES if number == 0 else WRONG_CHAIN_DATES,
                wrong="dates",
                not_before=rfc3339(begin),
                not_after=rfc3339(end),
                now=rfc3339(now),
            )


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc - SKEW <= now < certificate.not_valid_after_utc


def is_valid_at(fullchain_pem: str, now: datetime) -> bool:
    """Tell whether a chain is valid at a time (in UTC) by its dates; an unreadable chain is not."""
    try:
        return all(_is_valid(_load(block), now) for block in _blocks(fullchain_pem))
    except ValueError:
        return False


def _check_links(chain: Sequence[x509.Certificate]) -> None:
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        if not _is_issued_by(lower, upper):
            raise CAError.of(WRONG_CHAIN, wrong="chain", place=place)


# ── PKCS#12 (RFC 7292) ──────────────────────────────────────────────────────────────────


def to_pkcs12(fullchain_pem: str, key_pem: bytes, *, password: str, alias: str, legacy: bool) -> bytes:
    """Return a PKCS#12 file with a certificate, its chain and its key.

    :param password: empty: the file is not encrypted.
    :param alias: the friendly name of the entry.
    :param legacy: encrypt with 3DES and SHA-1, for programs that read nothing newer.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    encryption: KeySerializationEncryption = NoEncryption()
    if password and legacy:
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(50_000)
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303
        encryption = builder.build(password.encode())
    elif password:
        encryption = BestAvailableEncryption(password.encode())
    leaf, *chain = (_load(block) for block in _blocks(fullchain_pem))
    return pkcs12.serialize_key_and_certificates(alias.encode(), key_from_pem(key_pem), leaf, chain or None, encryption)


def pkcs12_holds(data: bytes, password: str, fullchain_pem: str, key_pem: bytes) -> bool:
    """Tell whether a PKCS#12 file opens with a password and has this certificate, its chain and this key."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        key, leaf, chain = pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    except ValueError:
        return False
    if key is None or leaf is None:
        return False
    same_key = key.public_key() == key_from_pem(key_pem).public_key()
    return same_key and [leaf, *chain] == [_load(block) for block in _blocks(fullchain_pem)]
