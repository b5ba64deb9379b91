"""Checks of a certificate that a CA has issued, before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from dnsrenew.errors import CAError
from dnsrenew.model import rfc3339
from dnsrenew.x509 import texts
from dnsrenew.x509.certificates import Facts, blocks, extension, facts_of, is_valid, load
from dnsrenew.x509.keys import PrivateKey
from dnsrenew.x509.roots import is_issued_by

if TYPE_CHECKING:
    from datetime import datetime

_MAX_NAMES: Final = 100
"""Names of a wrong certificate that its error lists."""


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
        chain = [load(block) for block in blocks(fullchain_pem)]
        facts = facts_of(chain[0])
    except ValueError as error:
        code, message, fix = texts.WRONG_PEM.fill(reason=str(error))
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
        raise CAError.of(texts.WRONG_KEY, wrong="key")


def _check_names(facts: Facts, identifiers: Sequence[str]) -> None:
    missing = [name for name in identifiers if name.lower() not in facts.names]
    if missing:
        text = texts.WRONG_NAMES if facts.names else texts.NO_NAMES
        raise CAError.of(text, wrong="names", missing=missing, names=list(facts.names[:_MAX_NAMES]))


def _check_usage(leaf: x509.Certificate) -> None:
    """Refuse a certificate that clients do not accept from a server (RFC 5280 sections 4.2.1.9 and 4.2.1.12)."""
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CAError.of(texts.WRONG_CA, wrong="usage")
    usage = extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CAError.of(texts.WRONG_USAGE, wrong="usage")


def _check_dates(chain: Sequence[x509.Certificate], now: datetime) -> None:
    for number, certificate in enumerate(chain):
        if not is_valid(certificate, now):
            begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            raise CAError.of(
                texts.WRONG_DATES if number == 0 else texts.WRONG_CHAIN_DATES,
                wrong="dates",
                not_before=rfc3339(begin),
                not_after=rfc3339(end),
                now=rfc3339(now),
            )


def _check_links(chain: Sequence[x509.Certificate]) -> None:
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        if not is_issued_by(lower, upper):
            raise CAError.of(texts.WRONG_CHAIN, wrong="chain", place=place)
