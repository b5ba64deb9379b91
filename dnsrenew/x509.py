"""Private keys, signing requests, reading and checking certificates: the only user of cryptography."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError
from dnsrenew.model import rfc3339

if TYPE_CHECKING:
    from dnsrenew.model import KeyKind

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = TypeVar("Extension", bound=x509.ExtensionType)

_CURVES: Final[dict[KeyKind, type[ec.EllipticCurve]]] = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1}
_SIZES: Final[dict[KeyKind, int]] = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}
SKEW: Final = timedelta(hours=1)
"""A clock may be so much behind: a certificate that is not valid yet by it is kept all the same."""
_END: Final = "-----END CERTIFICATE-----"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


class Facts(Frozen, kw_only=True):
    """What a certificate says of itself.

    :ivar issuer: the issuer's common name, else its organisation, else its whole name (RFC 4514).
    :ivar serial: hexadecimal, lower case, as short as it can be.
    :ivar not_before: when it begins to be valid, in UTC.
    :ivar not_after: when it ends to be valid, in UTC.
    :ivar names: its DNS names (A-labels, lower case), as they stand in it.
    """

    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


# ── keys ────────────────────────────────────────────────────────────────────────────────


def new_key(kind: KeyKind) -> PrivateKey:
    """Make a private key. RSA takes up to a second."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(65537, _SIZES[kind])


def key_to_pem(key: PrivateKey) -> bytes:
    """Return the key as PEM: PKCS#8 (RFC 5208), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> PrivateKey:
    """Read a private key of ours.

    :raises ValueError: when it is no unencrypted ECDSA or RSA key; its text says nothing of the content.
    """
    try:
        # Our own file, made by new_key: the check of an RSA key's primes would take 36 ms.
        key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not an unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("neither an ECDSA nor an RSA key")
    return key


def key_kind(key: PrivateKey) -> KeyKind | None:
    """Return the kind of a key; None for one that the configuration cannot name."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(key.curve, curve)), None)
    return next((kind for kind, size in _SIZES.items() if key.key_size == size), None)


def make_csr(key: PrivateKey, identifiers: Sequence[str]) -> bytes:
    """Return a signing request (PKCS#10, DER) for A-label names: all in the SAN, the subject empty.

    The common name is obsolete, and too short for a long domain (RFC 8555 section 7.4, RFC 5280 appendix A).
    """
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in identifiers])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def self_signed_pem(name: str, oid: str, extension: bytes) -> bytes:
    """Return a new key and a certificate that it signs for itself, as one PEM text.

    The certificate has one DNS name and one critical extension (RFC 8737 section 3). It is valid at any time: the
    CA does not look at its dates, and the clock of this host may be wrong.

    :param oid: of the extension, dotted.
    :param extension: its value, as DER.
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
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), extension), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key_to_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


# ── certificates ────────────────────────────────────────────────────────────────────────


def split_chain(fullchain_pem: str) -> tuple[str, str]:
    """Return the leaf and the rest of a chain, each as PEM; the rest may be empty.

    :raises ValueError: when there is no certificate in it.
    """
    leaf, *rest = _blocks(fullchain_pem)
    return leaf, "".join(rest)


def _blocks(pem: str) -> list[str]:
    """Return each certificate's PEM, without what may stand between them."""
    blocks = [_BEGIN + part.split(_BEGIN, 1)[1] + _END + "\n" for part in pem.split(_END) if _BEGIN in part]
    if not blocks:
        raise ValueError("there is no certificate in it")
    return blocks


def read_certificate(pem: str | bytes) -> Facts:
    """Read the first certificate.

    :raises ValueError: when there is none, or it cannot be read.
    """
    return _facts(_first(pem))


def _first(pem: str | bytes) -> x509.Certificate:
    return _load(_blocks(pem if isinstance(pem, str) else pem.decode("ascii", "replace"))[0])


def to_der(pem: str | bytes) -> bytes:
    """Return the first certificate in a PEM text as DER.

    :raises ValueError: when there is none, or it cannot be read.
    """
    return _first(pem).public_bytes(serialization.Encoding.DER)


def top_issuer(fullchain_pem: str) -> str:
    """Return who issued the last certificate of a chain: the root that it leads to.

    :raises ValueError: when there is no certificate in it, or it cannot be read.
    """
    return _issuer(_load(_blocks(fullchain_pem)[-1]).issuer)


def authority_and_serial(pem: str | bytes) -> tuple[bytes, bytes]:
    """Return what names a certificate for ARI (RFC 9773 section 4.1), of the first one.

    :return: the identifier of the key that signed it, and the octets of its serial number as DER has them (one that
        begins with a bit set has a leading 00).
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
        raise ValueError("its serial number is not one (RFC 5280 section 4.1.2.2)")
    return certificate


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """Return an extension; None where it is not there, or cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None  # ValueError: a name that is not ASCII, or octets that are none of its kind


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
    """Return a text as one line that steers no terminal: it is shown."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    found = () if names is None else names.get_values_for_type(x509.DNSName)
    return tuple(name.lower() for name in found if name.isprintable())  # another is none, and is shown


# ── is it the one that was asked for? ───────────────────────────────────────────────────


def check_chain(fullchain_pem: str, key: PrivateKey, identifiers: Sequence[str], now: datetime) -> Facts:
    """Check that a chain from the CA is the one that was asked for, leaf first.

    There is no root to end at, so each certificate is checked against the next. A clock that is an
    hour behind is forgiven; more names than were asked for are, too (some CAs add ``www``).

    :param identifiers: A-label names, wildcards with their ``*.``.
    :param now: the time, in UTC.
    :raises CAError: ``certificate-wrong``; its ``evidence["wrong"]`` is ``pem``, ``key``, ``names``,
        ``dates`` or ``chain``.
    """
    try:
        chain = [_load(block) for block in _blocks(fullchain_pem)]
        facts = _facts(chain[0])
    except ValueError as error:
        _wrong("pem", f"What the CA sent as the certificate cannot be read: {error}.")
    _check_key(chain[0], key)
    _check_names(facts, identifiers)
    _check_dates(chain, now)
    _check_links(chain)
    return facts


def _wrong(what: str, message: str, **evidence: object) -> NoReturn:
    raise CAError(
        "certificate-wrong",
        message,
        fix="Run dnsrenew again, and ask the CA if the same happens; the certificate was not kept.",
        evidence={"wrong": what, **evidence},
    )


def _check_key(leaf: x509.Certificate, key: PrivateKey) -> None:
    try:
        fits = leaf.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    if not fits:
        _wrong("key", "The certificate from the CA is for another key than the one in the request.")


def _check_names(facts: Facts, identifiers: Sequence[str]) -> None:
    missing = [name for name in identifiers if name.lower() not in facts.names]
    if missing:
        has = ", ".join(facts.names) or "none"
        _wrong(
            "names",
            f"The certificate from the CA is not for {', '.join(missing)}; its names: {has}.",
            missing=missing,
            names=list(facts.names),
        )


def _check_dates(chain: Sequence[x509.Certificate], now: datetime) -> None:
    for place, certificate in enumerate(chain):
        if not _is_valid(certificate, now):
            begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            which = "The certificate from the CA" if place == 0 else "A certificate in the chain from the CA"
            _wrong(
                "dates",
                f"{which} is valid from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC,"
                f" and now it is {now:%Y-%m-%d %H:%M} UTC here.",
                not_before=rfc3339(begin),
                not_after=rfc3339(end),
                now=rfc3339(now),
            )


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc - SKEW <= now < certificate.not_valid_after_utc


def is_valid_at(fullchain_pem: str, now: datetime) -> bool:
    """Tell whether a chain is valid at a time (in UTC), as far as its dates go; one that cannot be read is not."""
    try:
        return all(_is_valid(_load(block), now) for block in _blocks(fullchain_pem))
    except ValueError:
        return False


def _check_links(chain: Sequence[x509.Certificate]) -> None:
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            _wrong(
                "chain",
                f"The chain from the CA is broken: certificate {place} was not issued by certificate {place + 1}.",
                place=place,
            )
