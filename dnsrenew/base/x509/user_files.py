"""Certificates, keys and requests in files that a person provides, in any form and any order."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from dnsrenew.base import x509 as certificates
from dnsrenew.base.model.spec import blocks
from dnsrenew.base.names import covers
from dnsrenew.base.values import Frozen, grouped
from dnsrenew.base.x509 import texts
from dnsrenew.errors import CAError, ConfigError

_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]{0,40}PRIVATE KEY-----)")
_LARGEST_KEY: Final = 1 << 14
"""Maximum bytes of a private key. An RSA key with 8,192 bits has 7 KB."""
_MOST_KEYS: Final = 100
"""The number of key beginnings that are checked in a file."""
_MOST_BITS: Final = 8192
_MOST_CHECKED_BITS: Final = 4096
"""The maximum bits of an RSA key whose primes are checked, which takes 3 s for 8,192 bits."""
_BySubject: TypeAlias = dict[x509.Name | None, list[x509.Certificate]]
_LONGEST_CHAIN: Final = 10
_MOST_ISSUERS: Final = 20
"""The number of certificates with an issuer's name whose keys are tried."""
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_WHOLE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
"""A complete block, because base64 has no hyphen."""
_PKCS7: Final = b"-----BEGIN PKCS7-----"
_PKCS12: Final = b"\x02\x01\x03\x30"
"""Version 3 and the start of the content, at the beginning of a PKCS#12 file (RFC 7292 section 4)."""


def has_both(data: bytes) -> bool:
    """Return whether a PEM file has a certificate and a private key."""
    return _CERTIFICATE in data and _key_in(data) is not None


def _key_in(data: bytes) -> bytes | None:
    """Return the first private key in a PEM file, or None."""
    for begin in islice(_KEY.finditer(data), _MOST_KEYS):
        label = b"-----END " + begin[1]
        end = data.find(label, begin.end(), begin.end() + _LARGEST_KEY)
        if end >= 0:
            return data[begin.start() : end + len(label)]
    return None


def key_from_file(data: bytes) -> certificates.PrivateKey:
    """Read a private key, PEM (also beside a certificate) or DER.

    :raises ConfigError: ``key-wrong``: it is encrypted, neither ECDSA nor RSA, or missing.
    """
    found = _key_in(data)
    load = serialization.load_der_private_key if found is None else serialization.load_pem_private_key
    content = data[: _LARGEST_KEY + 1] if found is None else found + b"\n"
    try:
        key = load(content, None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey):
            _check_rsa(key, partial(load, content, None))
    except TypeError:
        raise ConfigError.of(texts.KEY_ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError.of(texts.KEY_UNREADABLE) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigError.of(texts.KEY_KIND)
    return key


def _check_rsa(key: rsa.RSAPrivateKey, load_checked: Callable[[], object]) -> None:
    """Check the numbers of an RSA key; ``ValueError`` if they do not belong together.

    :param load_checked: reads the key and checks its primes.
    """
    if key.key_size > _MOST_BITS:
        raise ValueError
    if key.key_size <= _MOST_CHECKED_BITS:
        load_checked()
        return
    try:
        key.public_key().verify(key.sign(b"", PKCS1v15(), SHA256()), b"", PKCS1v15(), SHA256())
    except InvalidSignature:
        raise ValueError from None


def chain_from_file(
    data: bytes, key: certificates.KeyHolder, identifiers: Sequence[str], now: datetime
) -> tuple[str, certificates.CertificateFacts]:
    """Return the checked chain in a file, leaf first, and the facts of the leaf.

    The file may be PEM, DER or PKCS#7, with the certificates in any order. Certificates outside the leaf's chain are
    left out. A wildcard of the certificate covers the names below it.

    :raises CAError: ``certificate-wrong``, as :func:`check_chain`.
    """
    try:
        chain = _in_order(_certificates(data), key)
        names = certificates.facts_of(chain[0]).names
    except ValueError as error:
        raise CAError.of(texts.FROM_FILE.pem, shown={"reason": error.args[0]}, wrong="pem") from None
    pem = "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)
    exact = [name for name in identifiers if name in names or not covers(names, [name])]
    return pem, certificates.check_chain(pem, key, exact, now, texts.FROM_FILE)


def _certificates(data: bytes) -> list[x509.Certificate]:
    """Return the certificates of a file, or raise a ``ValueError`` that says why there are none."""
    if _PKCS7 in data:
        return _from_pkcs7(data)
    if _CERTIFICATE in data:
        return [certificates.load(block) for block in blocks(data.decode("ascii", "replace"))]
    if b"PRIVATE KEY-----" in data:
        raise ValueError(texts.ONLY_A_KEY)
    if b"CERTIFICATE REQUEST-----" in data:
        raise ValueError(texts.IS_A_REQUEST)
    try:
        return [x509.load_der_x509_certificate(data)]
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        if _PKCS12 in data[:12]:
            raise CAError.of(texts.PKCS12, wrong="pem") from None
    return _from_pkcs7(data)


def _from_pkcs7(data: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PKCS#7 file (RFC 2315 section 9), PEM or DER, which has them in no order."""
    read = pkcs7.load_pem_pkcs7_certificates if _PKCS7 in data else pkcs7.load_der_pkcs7_certificates
    try:
        found = read(data)
    except (ValueError, UnsupportedAlgorithm):
        found = []
    if not found:
        raise ValueError(texts.NOT_A_CERTIFICATE)
    return found


def _in_order(found: Sequence[x509.Certificate], key: certificates.KeyHolder) -> list[x509.Certificate]:
    """Return the chain, leaf first, or all certificates if no other one issued the leaf."""
    leaf = _leaf(found, key)
    chain = _chain_up(leaf, _by_subject(found))
    rest = [each for each in found if each != leaf]
    return chain if len(chain) > 1 or _is_self_signed(leaf) else [leaf, *rest]


def _chain_up(leaf: x509.Certificate, issuers: _BySubject) -> list[x509.Certificate]:
    """Return a certificate and its issuers from a list, up to a length; of several issuers the newest."""
    chain = [leaf]
    while len(chain) < _LONGEST_CHAIN:
        named = [each for each in issuers.get(_name(chain[-1], "issuer"), ()) if each not in chain]
        found = [each for each in named[:_MOST_ISSUERS] if certificates.is_issued_by(chain[-1], each)]
        if not found:
            break
        chain.append(max(found, key=lambda each: each.not_valid_after_utc))
    return chain


def _by_subject(found: Sequence[x509.Certificate]) -> _BySubject:
    return grouped(found, lambda each: _name(each, "subject"))


def _name(certificate: x509.Certificate, which: str) -> x509.Name | None:
    """Return the subject or the issuer of a certificate; None if unreadable."""
    with contextlib.suppress(ValueError):
        name: x509.Name = getattr(certificate, which)
        return name
    return None


def _leaf(found: Sequence[x509.Certificate], key: certificates.KeyHolder) -> x509.Certificate:
    """Return the certificate of the key, or the only certificate that does not belong to a CA."""
    wanted = certificates.public_key_hash(key.public_key())
    fitting = [each for each in found if _key_hash(each) == wanted]
    return next(iter(fitting or [each for each in found if not _is_ca(each)]), found[0])


def _key_hash(certificate: x509.Certificate) -> str:
    with contextlib.suppress(ValueError, UnsupportedAlgorithm):
        return certificates.public_key_hash(certificate.public_key())
    return ""


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = certificates.extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _is_self_signed(certificate: x509.Certificate) -> bool:
    return certificates.is_issued_by(certificate, certificate)


class CertificatePool:
    """Certificates in any order, without unreadable blocks.

    :param pem: the PEM of the certificates.
    """

    def __init__(self, pem: str) -> None:
        found = []
        for block in _WHOLE.findall(pem):
            with contextlib.suppress(ValueError):
                found.append(certificates.load(block))
        self._by_subject = _by_subject(found)
        self._by_key = grouped(found, _key_hash)

    def chain_of(self, key: certificates.PrivateKey) -> str | None:
        """Return the chain of a key, leaf first, without its root, as PEM.

        The newest of several leaves is used. The only check is that each certificate issued the one before it.

        :return: None if no certificate belongs to the key.
        """
        leaves = self._by_key.get(certificates.public_key_hash(key.public_key()))
        if not leaves:
            return None
        chain = _chain_up(max(leaves, key=lambda each: each.not_valid_after_utc), self._by_subject)
        if len(chain) > 1 and _is_self_signed(chain[-1]):
            del chain[-1]
        return "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)


def ends_with_root(fullchain_pem: str) -> bool:
    """Return whether the last certificate of a chain was issued by itself."""
    return _is_self_signed(certificates.load(blocks(fullchain_pem)[-1]))


class RequestFacts(Frozen, kw_only=True):
    """The content of a certificate request (CSR).

    :ivar names: its DNS names and IP addresses, in order.
    :ivar kind: the kind of its key, or None if the configuration has no name for it.
    """

    names: tuple[str, ...]
    kind: str | None


def request_to_pem(der: bytes) -> str:
    """Return a request (DER) as PEM."""
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode("ascii")


def read_request(pem: str, key: certificates.PrivateKey) -> RequestFacts:
    """Read a request.

    :raises ValueError: it is not a request, or has another key.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii", "replace"))
        is_same = request.public_key() == key.public_key()
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        raise ValueError(texts.NOT_A_REQUEST) from None
    if not is_same:
        raise ValueError(texts.ANOTHER_KEY)
    return RequestFacts(names=certificates.names_of(names), kind=certificates.key_kind(key))


# ── pkcs12 ─────────────────────────────────────────────────────────────────────────────

# PKCS#12 files (RFC 7292).

_MOST_ROUNDS: Final = 500_000
"""The maximum rounds of all key derivations of a file, whose writer chooses them. 2,000,000,000 rounds take minutes."""
_DEEPEST: Final = 30
_LONGEST_SALT: Final = 64
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_CONSTRUCTED: Final = 0x20


def to_pkcs12(fullchain_pem: str, key_pem: bytes, *, password: str, alias: str, legacy: bool) -> bytes:
    """Return a PKCS#12 file with a certificate, its chain and its key.

    :param password: the password; if empty, the file is not encrypted.
    :param alias: the friendly name of the entry.
    :param legacy: encrypt with 3DES and SHA-1, for programs that do not support newer algorithms.
    """
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password and legacy:
        builder = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(50_000)
        # The only algorithms that the old programs of `legacy` can read.
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303
        encryption = builder.build(password.encode())
    elif password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    leaf, *chain = (certificates.load(block) for block in blocks(fullchain_pem))
    return pkcs12.serialize_key_and_certificates(
        alias.encode(), certificates.key_from_pem(key_pem), leaf, chain or None, encryption
    )


def pkcs12_holds(data: bytes, password: str, fullchain_pem: str, key_pem: bytes) -> bool:
    """Return whether a PKCS#12 file opens with a password and has this certificate, its chain and this key."""
    key, leaf, chain = _opened(data, password)
    if key is None or leaf is None:
        return False
    same_key = key.public_key() == certificates.key_from_pem(key_pem).public_key()
    return same_key and [leaf, *chain] == [certificates.load(block) for block in blocks(fullchain_pem)]


def pkcs12_leaf(data: bytes, password: str) -> str:
    """Return the certificate of a PKCS#12 file as PEM; empty without one, or if the password does not open the file."""
    leaf = _opened(data, password)[1]
    return "" if leaf is None else leaf.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _opened(data: bytes, password: str) -> tuple[Any, x509.Certificate | None, list[x509.Certificate]]:
    """Return the content of a file; nothing if it is not DER (as ours are) or requires many rounds of derivation."""
    try:
        if sum(_rounds(data, _DEEPEST)) <= _MOST_ROUNDS:
            return pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    except (IndexError, ValueError):
        pass
    return None, None, []


def _rounds(data: bytes, depth: int) -> Iterator[int]:
    """Yield the numbers of rounds in DER. Each follows a salt (RFC 7292 section 4, RFC 8018 appendix A).

    Octets that contain more DER are alone in their tag. After an algorithm, they are its encrypted data.

    :raises ValueError: the data is not DER, or nested too deeply.
    :raises IndexError: the data is cut off.
    """
    place, before = 0, 0
    while place < len(data):
        tag, length, place = data[place], data[place + 1], place + 2
        if length >= 0x80:
            octets = length & 0x7F
            length, place = int.from_bytes(data[place : place + octets], "big"), place + octets
            if not 0 < octets <= 4:  # no length, which is BER, or one that no file has
                raise ValueError
        content = data[place : place + length]
        if len(content) != length or not depth:
            raise ValueError
        is_nested = tag == _OCTETS and not before and content.startswith(b"\x30") and length > _LONGEST_SALT
        if tag & _CONSTRUCTED or is_nested:
            yield from _rounds(content, depth - 1)
        elif tag == _INTEGER and before == _OCTETS:
            yield int.from_bytes(content, "big")
        place, before = place + length, tag
