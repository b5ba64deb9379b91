"""Which root a chain leads to."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from dnsrenew.base.x509.certificates import blocks, extension, load


def have_same_root(fullchain_pem: str, other_pem: str) -> bool:
    """Tell whether two chains name the same issuer, by name and key identifier, of their last certificates.

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
    """Tell whether one of some roots (DER) issued a certificate of a chain: the last one, or one below a cross-sign.

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
    """Tell whether a certificate carries the signature and the name of an issuer."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
