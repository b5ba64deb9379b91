"""Certificates, keys and requests in files: what a person gives, in any form and any order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from dnsrenew.base.names import covers
from dnsrenew.errors import CAError, ConfigError
from dnsrenew.x509 import texts
from dnsrenew.x509.certificates import Facts, blocks, extension, facts_of, load, names_in
from dnsrenew.x509.chain_check import check_chain
from dnsrenew.x509.keys import PrivateKey, public_key_hash
from dnsrenew.x509.roots import is_issued_by

if TYPE_CHECKING:
    from datetime import datetime

_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_PKCS12: Final = b"\x02\x01\x03\x30"
"""Version 3 and the start of the content, at the beginning of a PKCS#12 file (RFC 7292 section 4)."""


def has_key(data: bytes) -> bool:
    """Tell whether a PEM file has a private key."""
    return _KEY.search(data) is not None


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


def chain_from_file(data: bytes, key: PrivateKey, identifiers: Sequence[str], now: datetime) -> tuple[str, Facts]:
    """Return the checked chain in a file, leaf first, and what the leaf says.

    The file may be PEM, DER or PKCS#7, with the certificates in any order; those that are not in the chain of the leaf
    are left out. A wildcard of the certificate stands for the names below it.

    :raises CAError: ``certificate-wrong``, as :func:`check_chain`.
    """
    try:
        chain = _in_order(_certificates(data), key)
        names = facts_of(chain[0]).names
    except ValueError as error:
        code, message, fix = texts.FROM_FILE.pem.fill(reason=str(error))
        raise CAError(code, message, fix=fix, evidence={"wrong": "pem"}) from None
    pem = "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)
    exact = [name for name in identifiers if name in names or not covers(names, [name])]
    return pem, check_chain(pem, key, exact, now, texts.FROM_FILE)


def _certificates(data: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN PKCS7-----" in data:
        return _from_pkcs7(pkcs7.load_pem_pkcs7_certificates, data)
    if b"-----BEGIN CERTIFICATE-----" in data:
        return [load(block) for block in blocks(data.decode("ascii", "replace"))]
    if b"PRIVATE KEY-----" in data:
        raise ValueError(texts.ONLY_A_KEY)
    if b"CERTIFICATE REQUEST-----" in data:
        raise ValueError(texts.IS_A_REQUEST)
    try:
        return [x509.load_der_x509_certificate(data)]
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        if _PKCS12 in data[:12]:
            raise ValueError(texts.IS_PKCS12) from None
    return _from_pkcs7(pkcs7.load_der_pkcs7_certificates, data)
