"""Checks of a certificate, before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from dnsrenew.base.model import rfc3339
from dnsrenew.base.x509 import texts
from dnsrenew.base.x509.certificates import CertificateFacts, blocks, extension, facts_of, is_valid, issuer_name, load
from dnsrenew.base.x509.keys import KeyHolder
from dnsrenew.base.x509.texts import ChainTexts
from dnsrenew.errors import CAError

_MAX_CHAIN: Final = 20
"""Certificates of a chain: each has a signature to check, which may take milliseconds."""
_MAX_NAMES: Final = 100
"""Names of a wrong certificate that its error lists."""


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
    :param key: None: it is elsewhere.
    :param now: the current time, in UTC.
    :param wording: what is said of it; None: what is said of one from a CA.
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
        code, message, fix = wording.pem.fill(reason=error.args[0])
        raise CAError(code, message, fix=fix, evidence={"wrong": "pem"}) from None
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
            begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            raise CAError.of(
                wording.dates if number == 0 else wording.chain_dates,
                wrong="dates",
                not_before=rfc3339(begin),
                not_after=rfc3339(end),
                now=rfc3339(now),
            )


def _check_links(chain: Sequence[x509.Certificate], wording: ChainTexts) -> None:
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        if not is_issued_by(lower, upper):
            raise CAError.of(wording.chain, wrong="chain", place=place, issuer=issuer_name(lower.issuer))


# ── roots ──────────────────────────────────────────────────────────────────────────────

# Which root a chain leads to.


def have_same_root(fullchain_pem: str, other_pem: str) -> bool:
    """Return whether two chains name the same issuer, by name and key identifier, of their last certificates.

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
    """Return whether one of some roots (DER) issued a certificate of a chain: the last one, or one below a cross-sign.

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
    """Return whether a certificate carries the signature and the name of an issuer."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
