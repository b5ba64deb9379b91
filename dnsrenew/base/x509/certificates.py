"""Certificates as facts: reading PEM, names, dates, identifiers."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import texts
from dnsrenew.base.x509.keys import public_key_hash

Extension = TypeVar("Extension", bound=x509.ExtensionType)
SKEW: Final = timedelta(hours=1)
"""How far this machine's clock may be behind: a certificate that is not valid yet by less than this is accepted."""
_MAX_SHOWN: Final = 200
"""Characters of a name of an issuer that are kept."""
_MAX_NAME: Final = 255
"""No DNS name is longer; a longer one is ignored (RFC 1035 section 2.3.4)."""
_MAX_SERIAL: Final = 1 << 512
"""RFC 5280 allows 160 bits; it is kept, and shown."""
_END: Final = "-----END CERTIFICATE-----"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


class CertificateFacts(Frozen, kw_only=True):
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


def split_chain(fullchain_pem: str) -> tuple[str, str]:
    """Return the leaf and the rest of a chain, each as PEM; the rest may be empty.

    :raises ValueError: it contains no certificate.
    """
    leaf, *rest = blocks(fullchain_pem)
    return leaf, "".join(rest)


def blocks(pem: str) -> list[str]:
    """Return the PEM of each certificate, without any text between them."""
    blocks = [_BEGIN + part.split(_BEGIN, 1)[1] + _END + "\n" for part in pem.split(_END) if _BEGIN in part]
    if not blocks:
        raise ValueError(texts.EMPTY)
    return blocks


def read_certificate(pem: str | bytes) -> CertificateFacts:
    """Read the first certificate.

    :raises ValueError: there is none, or it cannot be read.
    """
    return facts_of(first(pem))


def first(pem: str | bytes) -> x509.Certificate:
    """Return the first certificate of a PEM text; ``ValueError`` if there is none."""
    return load(blocks(pem if isinstance(pem, str) else pem.decode("ascii", "replace"))[0])


def to_der(pem: str | bytes) -> bytes:
    """Return the first certificate in a PEM text as DER.

    :raises ValueError: there is none, or it cannot be read.
    """
    return first(pem).public_bytes(serialization.Encoding.DER)


def key_hash_of_certificate(pem: str) -> str:
    """Return the :func:`key_hash` of the first certificate.

    :raises ValueError: there is none, or it cannot be read.
    """
    return public_key_hash(first(pem).public_key())


def has_ecdsa_key(pem: str | bytes) -> bool:
    """Return whether the key of the first certificate is an ECDSA key.

    :raises ValueError: there is none, or it cannot be read.
    """
    return isinstance(first(pem).public_key(), ec.EllipticCurvePublicKey)


def top_issuer(fullchain_pem: str) -> str:
    """Return the issuer of the last certificate of a chain: its root.

    :raises ValueError: it contains no certificate, or one that cannot be read.
    """
    return issuer_name(load(blocks(fullchain_pem)[-1]).issuer)


def authority_and_serial(pem: str | bytes) -> tuple[bytes, bytes]:
    """Return the two parts of the first certificate's ARI identifier (RFC 9773 section 4.1).

    :return: the authority key identifier, and the octets of the serial number as in DER (with a leading 00 if the
        first bit is set).
    :raises ValueError: it cannot be read, or has no authority key identifier.
    """
    certificate = first(pem)
    identifier = extension(certificate, x509.AuthorityKeyIdentifier)
    authority = identifier.key_identifier if identifier is not None else None
    if authority is None:
        raise ValueError(texts.NO_KEY_IDENTIFIER)
    serial = certificate.serial_number
    return authority, serial.to_bytes(serial.bit_length() // 8 + 1, "big")


def is_valid_at(fullchain_pem: str, now: datetime) -> bool:
    """Return whether a chain is valid at a time (in UTC) by its dates; an unreadable chain is not."""
    try:
        return all(is_valid(load(block), now) for block in blocks(fullchain_pem))
    except ValueError:
        return False


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether a certificate is valid at a time, as a clock that is a little behind sees it."""
    return certificate.not_valid_before_utc - SKEW <= now < certificate.not_valid_after_utc


def load(pem: str) -> x509.Certificate:
    """Parse one PEM block; ``ValueError`` if it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii", "replace"))
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError(texts.NOT_PEM) from None
    if not 0 < certificate.serial_number < _MAX_SERIAL:
        raise ValueError(texts.SERIAL)
    return certificate


def extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """Return an extension, or None if it is absent or cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None  # ValueError: a name that is not ASCII, or a malformed extension


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Return the fields of a certificate."""
    return CertificateFacts(
        issuer=issuer_name(certificate.issuer),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        names=_names(certificate),
    )


def issuer_name(name: x509.Name) -> str:
    """Return a name as people know it: the common name, else the organisation, else all of it."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return _line(str(attribute.value))
    return _line(name.rfc4514_string())


def subject_of(pem: str) -> str:
    """Return the name of the subject of a certificate as people know it; "" if it has none.

    :raises ValueError: it cannot be read.
    """
    return issuer_name(load(pem).subject)


def _line(text: str) -> str:
    """Return a text as one short line without control characters: it is shown on terminals and kept in the state."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_SHOWN])


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = extension(certificate, x509.SubjectAlternativeName)
    return () if names is None else names_of(names)


def names_of(names: x509.SubjectAlternativeName) -> tuple[str, ...]:
    """Return the DNS names (lower case) and IP addresses of an extension, in order."""
    found = [_name(name) for name in names]
    # Names are shown. One with control characters is invalid.
    return tuple(name for name in found if name and name.isprintable() and len(name) <= _MAX_NAME)


def _name(name: x509.GeneralName) -> str | None:
    """Return a DNS name or an IP address as an identifier; None for names of other kinds."""
    if isinstance(name, x509.DNSName):  # clients compare an address only with an iPAddress
        return None if is_ip(name.value) else name.value.lower()
    if isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Address | IPv6Address):
        return str(name.value)
    return None
