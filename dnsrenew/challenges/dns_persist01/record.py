"""The value of a dns-persist-01 record (draft-ietf-acme-dns-persist-02 section 4.1). Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Self

from dnsrenew.acme.resources import base64url
from dnsrenew.base import names
from dnsrenew.base.checks.caa_value import parse_issuer
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from datetime import datetime

LABEL: Final = "_validation-persist"
"""The record stands at this label before the domain."""
ANY_DOMAIN: Final = "*"
"""Stands for the domain in a hash that is valid for all domains of an account."""
_WILDCARD: Final = "wildcard"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_URI: Final = re.compile(r"[!-:<-~]+")


class PersistRecord(Frozen):
    """One record: it allows an account of a CA to validate a domain.

    :ivar issuer: the issuer domain name of the CA, in lower case.
    :ivar account_uri: the URI of the account: its URL (drafts 00 and 01) or a hash (since draft 02).
    :ivar wildcard: whether it is valid for wildcards and subdomains too.
    :ivar until: the Unix time after which it is no longer valid; None: there is none.
    """

    issuer: str
    account_uri: str
    wildcard: bool = False
    until: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the record with this text, or None if it is malformed. It never raises."""
        issuer = parse_issuer(text)
        if issuer is None or not issuer.domain:
            return None
        uris, policies, ends = (issuer.all(tag) for tag in ("accounturi", "policy", "persistuntil"))
        if len(uris) != 1 or not uris[0] or len(policies) > 1 or len(ends) > 1:
            return None
        if ends and not _NUMBER.fullmatch(ends[0]):
            return None
        wildcard = bool(policies) and policies[0].lower() == _WILDCARD
        return cls(issuer.domain, uris[0], wildcard, int(ends[0]) if ends else None)

    def __str__(self) -> str:
        parts = [self.issuer, f"accounturi={self.account_uri}"]
        parts += [f"policy={_WILDCARD}"] if self.wildcard else []
        parts += [] if self.until is None else [f"persistUntil={self.until}"]
        return "; ".join(parts)

    def is_valid_at(self, time: datetime) -> bool:
        """Tell whether the record has not expired at a time."""
        return self.until is None or time.timestamp() < self.until


def is_uri(text: str) -> bool:
    """Tell whether a record can hold the URI: visible ASCII without a semicolon (RFC 8659 section 4.2)."""
    return _URI.fullmatch(text) is not None


def hashed_uri(prefix: str, domain: str, thumbprint: str, account_url: str) -> str:
    """Return the URI that binds an account to a domain (draft-ietf-acme-dns-persist-02 section 4.1).

    :param prefix: the CA's ``accountHashPrefix``.
    :param domain: the domain without ``*.``, or :data:`ANY_DOMAIN`.
    :param thumbprint: of a key of the account (RFC 7638), as base64url.
    """
    octets = domain.encode("ascii")
    digest = hashlib.sha256(bytes([len(octets)]) + octets + thumbprint.encode("ascii") + account_url.encode("ascii"))
    return f"{prefix}sha-256/{base64url(digest.digest())}"


def hashed_uris(prefix: str, domain: str, thumbprints: tuple[str, ...], account_url: str) -> tuple[str, ...]:
    """Return all hashes that a CA accepts for an account: of each key, for this domain and for any."""
    return tuple(
        hashed_uri(prefix, each, thumbprint, account_url) for thumbprint in thumbprints for each in (domain, ANY_DOMAIN)
    )


def line(name: str, value: object) -> str:
    """Return a record as in a zone file, for people."""
    return f'{names.relative(name)} TXT "{value}"'
