"""Certificates, keys and requests in files: what a person gives, in any form and any order."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsrenew.base.names import covers
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, ConfigError
from dnsrenew.x509 import texts
from dnsrenew.x509.certificates import CertificateFacts, blocks, extension, facts_of, load, names_of
from dnsrenew.x509.chain_check import check_chain
from dnsrenew.x509.keys import PrivateKey, key_kind, public_key_hash
from dnsrenew.x509.roots import is_issued_by

if TYPE_CHECKING:
    from datetime import datetime

_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_WHOLE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
"""A block that is not cut off: base64 has no hyphen."""
_PKCS7: Final = b"-----BEGIN PKCS7-----"
_PKCS12: Final = b"\x02\x01\x03\x30"
"""Version 3 and the start of the content, at the beginning of a PKCS#12 file (RFC 7292 section 4)."""


def has_both(data: bytes) -> bool:
    """Tell whether a PEM file has a certificate and a private key."""
    return _CERTIFICATE in data and _KEY.search(data) is not None


def key_from_file(data: bytes) -> PrivateKey:
    """Read a private key, PEM (also beside a certificate) or DER.

    :raises ConfigError: ``key-wrong``: it is encrypted, of another kind than ECDSA and RSA, or none.
    """
    found = _KEY.search(data)
    try:
        if found is not None:
            key = serialization.load_pem_private_key(found[0] + b"\n", None)
        else:
            key = serialization.load_der_private_key(data, None)
    except TypeError:
        raise ConfigError.of(texts.KEY_ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError.of(texts.KEY_UNREADABLE) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigError.of(texts.KEY_KIND)
    return key


def chain_from_file(
    data: bytes, key: PrivateKey, identifiers: Sequence[str], now: datetime
) -> tuple[str, CertificateFacts]:
    """Return the checked chain in a file, leaf first, and what the leaf says.

    The file may be PEM, DER or PKCS#7, with the certificates in any order; those that are not in the chain of the leaf
    are left out. A wildcard of the certificate stands for the names below it.

    :raises CAError: ``certificate-wrong``, as :func:`check_chain`.
    """
    try:
        chain = _in_order(_certificates(data), key)
        names = facts_of(chain[0]).names
    except ValueError as error:
        code, message, fix = texts.FROM_FILE.pem.fill(reason=error.args[0])
        raise CAError(code, message, fix=fix, evidence={"wrong": "pem"}) from None
    pem = "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)
    exact = [name for name in identifiers if name in names or not covers(names, [name])]
    return pem, check_chain(pem, key, exact, now, texts.FROM_FILE)


def _certificates(data: bytes) -> list[x509.Certificate]:
    """Return the certificates of a file; a ``ValueError`` says why there are none."""
    if _PKCS7 in data:
        return _from_pkcs7(data)
    if _CERTIFICATE in data:
        return [load(block) for block in blocks(data.decode("ascii", "replace"))]
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
    from cryptography.hazmat.primitives.serialization import pkcs7  # slow to load: it can also write mail

    read = pkcs7.load_pem_pkcs7_certificates if _PKCS7 in data else pkcs7.load_der_pkcs7_certificates
    try:
        found = read(data)
    except (ValueError, UnsupportedAlgorithm):
        found = []
    if not found:
        raise ValueError(texts.NOT_A_CERTIFICATE)
    return found


def _in_order(found: Sequence[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    """Return the chain, leaf first; all of the certificates if none of the others issued the leaf."""
    chain = [_leaf(found, key)]
    rest = [each for each in found if each != chain[0]]
    while issuers := [each for each in rest if each not in chain and is_issued_by(chain[-1], each)]:
        chain.append(issuers[0])
    return chain if len(chain) > 1 or _is_self_signed(chain[0]) else [*chain, *rest]


def _leaf(found: Sequence[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    """Return the certificate of the key; if there is none, that of no CA."""
    wanted = public_key_hash(key.public_key())
    fitting = [each for each in found if _key_hash(each) == wanted]
    return next(iter(fitting or [each for each in found if not _is_ca(each)]), found[0])


def _key_hash(certificate: x509.Certificate) -> str:
    try:
        return public_key_hash(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return ""


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _is_self_signed(certificate: x509.Certificate) -> bool:
    return is_issued_by(certificate, certificate)


def chain_among(pem: str, key: PrivateKey) -> str | None:
    """Return the chain of a key among certificates in any order, leaf first, without its root, as PEM.

    The newest of several leaves is taken. Nothing is checked but that each certificate issued the one before it; blocks
    that cannot be read are left out.

    :return: None if no certificate is that of the key.
    """
    found = []
    for block in _WHOLE.findall(pem):
        with contextlib.suppress(ValueError):
            found.append(load(block))
    wanted = public_key_hash(key.public_key())
    leaves = [each for each in found if _key_hash(each) == wanted]
    if not leaves:
        return None
    chain = [max(leaves, key=lambda each: each.not_valid_after_utc)]
    while issuers := [each for each in found if each not in chain and is_issued_by(chain[-1], each)]:
        chain.append(max(issuers, key=lambda each: each.not_valid_after_utc))
    if len(chain) > 1 and _is_self_signed(chain[-1]):
        del chain[-1]
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)


def ends_with_root(fullchain_pem: str) -> bool:
    """Tell whether the last certificate of a chain was issued by itself."""
    return _is_self_signed(load(blocks(fullchain_pem)[-1]))


class RequestFacts(Frozen, kw_only=True):
    """What a certificate request (CSR) asks for.

    :ivar names: its DNS names and IP addresses, in order.
    :ivar kind: the kind of its key, or None if the configuration has no name for it.
    """

    names: tuple[str, ...]
    kind: str | None


def request_to_pem(der: bytes) -> str:
    """Return a request (DER) as PEM."""
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode("ascii")


def read_request(pem: str, key: PrivateKey) -> RequestFacts:
    """Read a request.

    :raises ValueError: it is none, or that of another key.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii", "replace"))
        is_same = request.public_key() == key.public_key()
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        raise ValueError(texts.NOT_A_REQUEST) from None
    if not is_same:
        raise ValueError(texts.ANOTHER_KEY)
    return RequestFacts(names=names_of(names), kind=key_kind(key))
