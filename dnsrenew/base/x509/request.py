"""A certificate request (PKCS#10, RFC 2986) that a person gives, for a key that is elsewhere."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import texts
from dnsrenew.base.x509.certificates import names_of
from dnsrenew.base.x509.keys import key_kind

_LARGEST: Final = 64 << 10
_HASHES: Final = ("sha256", "sha384", "sha512")


class RequestContent(Frozen):
    """What a request asks for.

    :ivar names: its DNS names and IP addresses, in order.
    """

    der: bytes
    names: tuple[str, ...]
    kind: KeyKind


def read_given_request(data: bytes) -> RequestContent:
    """Read a request that a CA is to issue for: PEM or DER, well signed, with names, for servers.

    :raises ValueError: it is none, or no public CA would issue for it; the message says why.
    """
    if len(data) > _LARGEST:
        raise ValueError(texts.REQUEST_LARGE.format(size=len(data), most=_LARGEST))
    try:
        request = request_of(data)
        fault = _fault(request)
        kind, names = key_kind(request), _names(request)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise ValueError(texts.NOT_A_REQUEST) from None
    if fault or kind is None or not names:
        raise ValueError(fault or (texts.REQUEST_KEY if kind is None else texts.REQUEST_NO_NAMES))
    return RequestContent(request.public_bytes(serialization.Encoding.DER), names, kind)


def request_of(data: bytes) -> x509.CertificateSigningRequest:
    """Return a request, PEM or DER, which stands for its key.

    :raises ValueError: it is none.
    """
    return x509.load_pem_x509_csr(data) if b"-----BEGIN" in data else x509.load_der_x509_csr(data)


def _fault(request: x509.CertificateSigningRequest) -> str:
    """Return why no public CA would issue for a request, but for its names and the kind of its key; "" if it would."""
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


def _names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Return the names of a request; none if it has names of other kinds, or a common name that is none of them."""
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = tuple(dict.fromkeys(names_of(extension)))
    common = [str(each.value).lower() for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names if len(names) == len(list(extension)) and set(common) <= set(names) else ()
