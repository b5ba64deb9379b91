"""Certificates as facts, chains, private keys and requests. Only this folder of the core uses cryptography."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew.base.model import KeyKind, rfc3339
from dnsrenew.base.model.spec import blocks
from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import texts
from dnsrenew.base.x509.texts import ChainTexts
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

Extension = TypeVar("Extension", bound=x509.ExtensionType)
SKEW: Final = timedelta(hours=1)
"""The maximum time by which this machine's clock may be behind when a new certificate is accepted."""
_MAX_SHOWN: Final = 200
"""The number of characters that are kept of an issuer's name."""
_MAX_NAME: Final = 255
"""No DNS name is longer, and a longer one is ignored (RFC 1035 section 2.3.4)."""
_MAX_SERIAL: Final = 1 << 512
"""RFC 5280 allows 160 bits. The serial number is stored and shown."""


class CertificateFacts(Frozen, kw_only=True):
    """The fields of a certificate.

    :ivar issuer: the issuer's common name, or its organisation, or its full name (RFC 4514).
    :ivar serial: the serial number, hexadecimal, lower case, without leading zeros.
    :ivar not_before: the start of its validity, in UTC.
    :ivar not_after: the end of its validity, in UTC.
    :ivar names: its DNS names (A-labels, lower case) and IP addresses, in order.
    """

    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]

    @property
    def dated(self) -> dict[str, Any]:
        """The fields without the names, by name, because a version has its own names."""
        return {name: value for name, value in vars(self).items() if name != "names"}


def comparing_context() -> ssl.SSLContext:
    """Return a TLS context that trusts any certificate, because it is compared with another one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def read_certificate(pem: str | bytes) -> CertificateFacts:
    """Read the first certificate.

    :raises ValueError: there is no certificate, or it cannot be read.
    """
    return facts_of(first(pem))


def first(pem: str | bytes) -> x509.Certificate:
    """Return the first certificate of a PEM text, or raise ``ValueError`` without one."""
    return load(blocks(pem if isinstance(pem, str) else pem.decode("ascii", "replace"))[0])


def to_der(pem: str | bytes) -> bytes:
    """Return the first certificate in a PEM text as DER.

    :raises ValueError: there is no certificate, or it cannot be read.
    """
    return first(pem).public_bytes(serialization.Encoding.DER)


def key_hash_of_certificate(pem: str) -> str:
    """Return the :func:`key_hash` of the first certificate.

    :raises ValueError: there is no certificate, or it cannot be read.
    """
    return public_key_hash(first(pem).public_key())


def has_ecdsa_key(pem: str | bytes) -> bool:
    """Return whether the key of the first certificate is an ECDSA key.

    :raises ValueError: there is no certificate, or it cannot be read.
    """
    return isinstance(first(pem).public_key(), ec.EllipticCurvePublicKey)


def top_issuer(fullchain_pem: str) -> str:
    """Return the issuer of the last certificate of a chain, which is its root.

    :raises ValueError: the chain has no certificate, or an unreadable one.
    """
    return issuer_name(load(blocks(fullchain_pem)[-1]).issuer)


def authority_and_serial(pem: str | bytes) -> tuple[bytes, bytes]:
    """Return the two parts of the first certificate's ARI identifier (RFC 9773 section 4.1).

    :return: the authority key identifier, and the octets of the serial number as in DER (with a leading 00 if the first
        bit is set).
    :raises ValueError: the certificate cannot be read, or has no authority key identifier.
    """
    certificate = first(pem)
    identifier = extension(certificate, x509.AuthorityKeyIdentifier)
    authority = identifier.key_identifier if identifier is not None else None
    if authority is None:
        raise ValueError(texts.NO_KEY_IDENTIFIER)
    serial = certificate.serial_number
    return authority, serial.to_bytes(serial.bit_length() // 8 + 1, "big")


def is_valid_at(fullchain_pem: str, now: datetime) -> bool:
    """Return whether a chain is valid at a time (in UTC) by its dates. An unreadable chain is not valid."""
    try:
        return all(is_valid(load(block), now) for block in blocks(fullchain_pem))
    except ValueError:
        return False


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether a certificate is valid at a time, even for a clock that is a little behind."""
    return certificate.not_valid_before_utc - SKEW <= now < certificate.not_valid_after_utc


def load(pem: str) -> x509.Certificate:
    """Parse one PEM block, or raise ``ValueError``."""
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
    issuer, serial = issuer_name(certificate.issuer), f"{certificate.serial_number:x}"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    names = names_of(extension(certificate, x509.SubjectAlternativeName) or x509.SubjectAlternativeName([]))
    return CertificateFacts(issuer=issuer, serial=serial, not_before=begin, not_after=end, names=names)


def issuer_name(name: x509.Name) -> str:
    """Return a name as people know it: the common name, or the organisation, or the full name."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return _line(str(attribute.value))
    return _line(name.rfc4514_string())


def subject_of(pem: str) -> str:
    """Return the name of the subject of a certificate as people know it; "" without a name.

    :raises ValueError: the certificate cannot be read.
    """
    return issuer_name(load(pem).subject)


def _line(text: str) -> str:
    """Return a text as one short line without control characters, because terminals show it and the state keeps it."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_SHOWN])


def names_of(names: x509.SubjectAlternativeName) -> tuple[str, ...]:
    """Return the DNS names (lower case) and IP addresses of an extension, in order."""
    found = [_name(name) for name in names]
    # Names are shown. A name with control characters is invalid.
    return tuple(name for name in found if name and name.isprintable() and len(name) <= _MAX_NAME)


def _name(name: x509.GeneralName) -> str | None:
    """Return a DNS name or an IP address as an identifier; None for other kinds of names."""
    if isinstance(name, x509.DNSName):  # clients compare an address only with an iPAddress
        return None if is_ip(name.value) else name.value.lower()
    if isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Address | IPv6Address):
        return str(name.value)
    return None


# ── keys ───────────────────────────────────────────────────────────────────────────────

# Private keys, certificate signing requests, and the certificate of a tls-alpn-01 challenge.

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyHolder: TypeAlias = PrivateKey | x509.CertificateSigningRequest
"""A private key, or a request for a key that is elsewhere."""
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
    """Return the key as :func:`key_to_pem` does, or nothing if the key is elsewhere."""
    return b"" if isinstance(holder, x509.CertificateSigningRequest) else key_to_pem(holder)


def key_from_pem(pem: bytes) -> PrivateKey:
    """Read a private key that :func:`key_to_pem` wrote.

    :raises ValueError: the text is not an unencrypted ECDSA or RSA key; the message never contains the key.
    """
    try:
        # dnsrenew wrote the file, so the primes of an RSA key are not checked, which would take 36 ms.
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

    A common name is obsolete, and too short for long domains (RFC 8555 section 7.4, RFC 5280 appendix A). A given
    request is returned unchanged.
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

    The certificate has one name and one critical extension (RFC 8737 section 3, RFC 8738 section 6). It is valid at any
    time, because the CA ignores its dates and this machine's clock may be wrong.

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
"""With more bits, the check of a key takes seconds."""


def key_from_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """Return the private key of a JSON Web Key, RSA or ECDSA.

    :raises ValueError: there is no such key; the message never contains the key.
    """
    try:
        return _rsa(jwk) if jwk.get("kty") == "RSA" else _ecdsa(jwk)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ValueError(texts.NOT_A_PRIVATE_KEY) from None


def _rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    n, e, d = (_number(jwk[name]) for name in ("n", "e", "d"))
    if "p" in jwk and "q" in jwk:
        p, q = _number(jwk["p"]), _number(jwk["q"])
    elif pow(2, n - 1, n) == 1:  # a prime, whose factors the library would search for minutes
        raise ValueError
    else:  # RFC 7518 section 6.3.2: the primes are optional
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
    public = rsa.RSAPublicNumbers(e, n)
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *exponents, public).private_key()


def _ecdsa(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = _JWK_CURVES[jwk["crv"]]()
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _number(text: str) -> int:
    """Return a number in base64url without padding (RFC 7518 section 2); ``ValueError`` above the limit of bits."""
    number = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    if number.bit_length() > _MOST_BITS:
        raise ValueError
    return number


# ── chain check ────────────────────────────────────────────────────────────────────────

# Checks of a certificate before it is stored.

_MAX_CHAIN: Final = 20
"""The maximum number of certificates in a chain, because each signature check may take milliseconds."""
_MAX_NAMES: Final = 100
"""The number of names of a wrong certificate that its error lists."""


def check_chain(
    fullchain_pem: str,
    key: KeyHolder | None,
    identifiers: Sequence[str],
    now: datetime,
    wording: ChainTexts | None = None,
) -> CertificateFacts:
    """Check that a chain is the requested one, leaf first.

    The root is not part of the chain, so each certificate is only checked against the next. Our clock may be an
    hour behind, and the certificate may have more names than requested (some CAs add ``www``).

    :param identifiers: A-label names, wildcards with their ``*.``, and IP addresses.
    :param key: None if the key is elsewhere.
    :param now: the current time, in UTC.
    :param wording: the texts of its errors; None for the texts for a certificate from a CA.
    :raises CAError: ``certificate-wrong``; its ``evidence["wrong"]`` is ``pem``, ``key``, ``names``, ``usage``,
        ``dates`` or ``chain``.
    """
    wording = wording or texts.FROM_CA
    try:
        found = blocks(fullchain_pem)
        if len(found) > _MAX_CHAIN:
            raise ValueError(texts.TOO_MANY.format(most=_MAX_CHAIN))
        chain = [load(block) for block in found]
        facts = facts_of(chain[0])
    except ValueError as error:
        raise CAError.of(wording.pem, shown={"reason": error.args[0]}, wrong="pem") from None
    if key is not None:
        _check_key(chain[0], key, wording)
    _check_names(facts, identifiers, wording)
    _check_usage(chain[0], wording)
    _check_dates(chain, now, wording)
    _check_links(chain, wording)
    return facts


def _check_key(leaf: x509.Certificate, key: KeyHolder, wording: ChainTexts) -> None:
    try:
        fits = leaf.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    if not fits:
        raise CAError.of(wording.key, wrong="key")


def _check_names(facts: CertificateFacts, identifiers: Sequence[str], wording: ChainTexts) -> None:
    missing = [name for name in identifiers if name.lower() not in facts.names]
    if missing:
        text = wording.names if facts.names else wording.no_names
        raise CAError.of(text, wrong="names", missing=missing, names=list(facts.names[:_MAX_NAMES]))


def _check_usage(leaf: x509.Certificate, wording: ChainTexts) -> None:
    """Refuse a certificate that clients do not accept from a server (RFC 5280 sections 4.2.1.9 and 4.2.1.12)."""
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CAError.of(wording.ca, wrong="usage")
    usage = extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CAError.of(wording.usage, wrong="usage")


def _check_dates(chain: Sequence[x509.Certificate], now: datetime, wording: ChainTexts) -> None:
    for number, certificate in enumerate(chain):
        if not is_valid(certificate, now):
            begin, end = rfc3339(certificate.not_valid_before_utc), rfc3339(certificate.not_valid_after_utc)
            text = wording.dates if number == 0 else wording.chain_dates
            raise CAError.of(text, wrong="dates", not_before=begin, not_after=end, now=rfc3339(now))


def _check_links(chain: Sequence[x509.Certificate], wording: ChainTexts) -> None:
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        if not is_issued_by(lower, upper):
            raise CAError.of(wording.chain, wrong="chain", place=place, issuer=issuer_name(lower.issuer))


# ── roots ──────────────────────────────────────────────────────────────────────────────

# The root that a chain leads to.


def have_same_root(fullchain_pem: str, other_pem: str) -> bool:
    """Return whether the last certificates of two chains have the same issuer, by name and key identifier.

    A chain that cannot be read has no root.
    """
    try:
        return _root_id(fullchain_pem) == _root_id(other_pem)
    except ValueError:
        return False


def _root_id(fullchain_pem: str) -> tuple[bytes, bytes | None]:
    last = load(blocks(fullchain_pem)[-1])
    authority = extension(last, x509.AuthorityKeyIdentifier)
    return last.issuer.public_bytes(), None if authority is None else authority.key_identifier


def is_issued_under(fullchain_pem: str, roots: Sequence[bytes]) -> bool:
    """Return whether one of the roots (DER) issued a chain's last certificate, or one below a cross-sign.

    :raises ValueError: the chain cannot be read.
    """
    for certificate in map(load, blocks(fullchain_pem)):
        name = certificate.issuer.public_bytes()
        if any(_is_issued_by_der(certificate, root) for root in roots if name in root):
            return True  # only a root with this name is parsed
    return False


def _is_issued_by_der(certificate: x509.Certificate, issuer: bytes) -> bool:
    try:
        return is_issued_by(certificate, x509.load_der_x509_certificate(issuer))
    except ValueError:
        return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether a certificate has the signature and the name of an issuer."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


# ── request ────────────────────────────────────────────────────────────────────────────

# A certificate request (PKCS#10, RFC 2986) that a person provides, for a key that is elsewhere.

_LARGEST: Final = 64 << 10
_HASHES: Final = ("sha256", "sha384", "sha512")


class RequestContent(Frozen):
    """The content of a request.

    :ivar names: its DNS names and IP addresses, in order.
    """

    der: bytes
    names: tuple[str, ...]
    kind: KeyKind


def read_given_request(data: bytes) -> RequestContent:
    """Read a request for a CA: PEM or DER, with a valid signature and names, for servers.

    :raises ValueError: it is not a request, or no public CA would issue for it; the message says why.
    """
    if len(data) > _LARGEST:
        raise ValueError(texts.REQUEST_LARGE.format(size=len(data), most=_LARGEST))
    try:
        request = request_of(data)
        fault = _fault(request)
        kind, names = key_kind(request), _request_names(request)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise ValueError(texts.NOT_A_REQUEST) from None
    if fault or kind is None or not names:
        raise ValueError(fault or (texts.REQUEST_KEY if kind is None else texts.REQUEST_NO_NAMES))
    return RequestContent(request.public_bytes(serialization.Encoding.DER), names, kind)


def request_of(data: bytes) -> x509.CertificateSigningRequest:
    """Return a PEM or DER request, which stands for its key.

    :raises ValueError: it is not a request.
    """
    return x509.load_pem_x509_csr(data) if b"-----BEGIN" in data else x509.load_der_x509_csr(data)


def _fault(request: x509.CertificateSigningRequest) -> str:
    """Return why no public CA would issue for a request, apart from its names and the kind of its key, or ""."""
    algorithm = request.signature_hash_algorithm
    if algorithm is None:  # Ed25519
        return texts.REQUEST_KEY
    if algorithm.name not in _HASHES:
        return texts.REQUEST_HASH.format(algorithm=algorithm.name.upper())
    if not request.is_signature_valid:
        return texts.REQUEST_SIGNATURE
    try:
        usages = list(request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return ""
    if ExtendedKeyUsageOID.CLIENT_AUTH in usages:
        return texts.REQUEST_CLIENT
    return "" if ExtendedKeyUsageOID.SERVER_AUTH in usages else texts.REQUEST_USAGE


def _request_names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Return the names of a request; empty if it has other kinds of names, or a common name that is not among them."""
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = tuple(dict.fromkeys(names_of(extension)))
    common = [str(each.value).lower() for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names if len(names) == len(list(extension)) and set(common) <= set(names) else ()
