"""The value of a dns-persist-01 record (draft-ietf-acme-dns-persist-02 section 4.1). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

from dnsrenew.acme import Challenge
from dnsrenew.acme.resources import base64url
from dnsrenew.acme.session import AccountIdentity
from dnsrenew.base import names
from dnsrenew.base.checks.caa import parse_issuer
from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns_persist01 import texts
from dnsrenew.dns import DnsView
from dnsrenew.errors import CAError, DnsError, Message

LABEL: Final = "_validation-persist"
"""The record stands at this label before the domain."""
ANY_DOMAIN: Final = "*"
"""Stands for the domain in a hash that is valid for all domains of an account."""
_WILDCARD: Final = "wildcard"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_URI: Final = re.compile(r"[!-:<-~]+")
_ISSUERS: Final = {
    "acme-v02.api.letsencrypt.org": "letsencrypt.org",
    "acme-staging-v02.api.letsencrypt.org": "letsencrypt.org",
    "dv.acme-v02.api.pki.goog": "pki.goog",
    "dv.acme-v02.test-api.pki.goog": "pki.goog",
}
"""The issuer domain name of a CA, by the host of its directory, for directories that do not say it."""


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
        """Return whether the record has not expired at a time."""
        return self.until is None or time.timestamp() < self.until


def is_uri(text: str) -> bool:
    """Return whether a record can hold the URI: visible ASCII without a semicolon (RFC 8659 section 4.2)."""
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


# ── pins ───────────────────────────────────────────────────────────────────────────────

# Finds the records that pin a lost account: they allow only this one to validate a name.


class LostIdentity(Frozen):
    """How records may name a lost account.

    :ivar issuers: the issuer domain names of the CA; empty: it publishes none, and any may be its own.
    :ivar hash_prefix: the CA's ``accountHashPrefix``, if it has one.
    :ivar thumbprints: of the keys of the account; empty: they are unknown, and any hash may be of it.
    """

    url: str
    issuers: tuple[str, ...]
    hash_prefix: str | None
    thumbprints: tuple[str, ...]

    def is_named_by(self, record: PersistRecord, domain: str) -> bool:
        """Return whether a record for a domain names the account."""
        if self.issuers and record.issuer not in self.issuers:
            return False
        prefix = self.hash_prefix
        if prefix is None or not record.account_uri.startswith(prefix):
            return record.account_uri == self.url
        return not self.thumbprints or record.account_uri in hashed_uris(prefix, domain, self.thumbprints, self.url)


def pinned(context: Context, dns: DnsView, identifiers: Collection[str], lost: LostIdentity) -> dict[str, str]:
    """Return the record that pins the account for each identifier that has one, as a line of a zone file."""
    found: dict[str, str] = {}
    now = context.clock.now()
    for domain in dict.fromkeys(base_domain(each) for each in identifiers if not is_ip(each)):
        try:
            name = dns.challenge_targets(context, [domain], check="none", label=LABEL)[domain].name
        except DnsError:  # without DNS the CA could not see a record either
            continue
        for text in sorted(dns.known_values(context, name) or ()):
            record = PersistRecord.parse(text)
            if record is not None and record.is_valid_at(now) and lost.is_named_by(record, domain):
                found |= {each: line(name, text) for each in identifiers if base_domain(each) == domain}
    return found


# ── offer ──────────────────────────────────────────────────────────────────────────────

# What a CA accepts in a dns-persist-01 record: from its challenge and its directory, in the dialect of either draft.
#
# Drafts 00 and 01 have ``issuer-domain-names``, and the account URL in the record; draft 01 also ``accounturi`` in
# the challenge. Draft 02 has ``issuerDomainNames``, and a hash of account and domain in the record.


class PersistOffer(Frozen):
    """What the CA accepts for one domain.

    :ivar issuers: its issuer domain names; a new record has the first one.
    :ivar account_uris: the URIs of our account; a new record has the first one.
    """

    ca: str
    account_url: str
    issuers: tuple[str, ...]
    account_uris: tuple[str, ...]


def read_offer(challenge: Challenge, account: AccountIdentity, domain: str) -> PersistOffer:
    """Return what the CA accepts.

    A record is an authorization for a CA, and it is the CA that says which account it names. So that no CA can have us
    write a record for an account elsewhere, the account must be at the host of the directory; in a hash it is bound to
    our own key.

    :param domain: without ``*.``.
    :raises CAError: ``ca-dns-persist-malformed``.
    """
    reason = _issuer_problem(challenge, account)
    if reason is not None:
        raise _malformed(challenge, account, domain, reason)
    prefix = account.directory.account_hash_prefix
    if challenge.hashes_account:
        if prefix is None:
            raise _malformed(challenge, account, domain, texts.NO_PREFIX)
        uris = hashed_uris(prefix, domain, account.thumbprints, account.url)
    else:
        uris = tuple(dict.fromkeys([challenge.account_uri or account.url, account.url]))
        host = urlsplit(account.directory.url).hostname
        for uri in uris:
            if urlsplit(uri).hostname != host:
                raise _malformed(challenge, account, domain, texts.FOREIGN_ACCOUNT.format(uri=uri))
    for uri in uris:
        if not is_uri(uri):
            raise _malformed(challenge, account, domain, texts.ODD_URI.format(uri=uri))
    return PersistOffer(account.ca, account.url, challenge.issuer_names, uris)


def expected_offer(account: AccountIdentity, domain: str) -> PersistOffer | None:
    """Return what the CA will probably accept, known without an order; None if only a challenge can tell.

    Directories of draft 02 have the issuer names. For those before, it is the one name of the CA in CAA records, or the
    one in a built-in table.

    :param domain: without ``*.``.
    """
    directory = account.directory
    if directory.issuer_names and directory.account_hash_prefix is not None:
        uris = hashed_uris(directory.account_hash_prefix, domain, account.thumbprints, account.url)
        return PersistOffer(account.ca, account.url, directory.issuer_names, uris)
    known = _ISSUERS.get(urlsplit(directory.url).hostname or "")
    issuers = directory.issuer_names or directory.caa_identities or ((known,) if known else ())
    return PersistOffer(account.ca, account.url, issuers, (account.url,)) if len(issuers) == 1 else None


def _issuer_problem(challenge: Challenge, account: AccountIdentity) -> Message | None:
    """Return what is wrong with the issuer domain names (draft-ietf-acme-dns-persist-02 sections 3.1 and 3.2)."""
    offered, directory = challenge.issuer_names, account.directory
    if challenge.hashes_account is None:
        return texts.UNKNOWN_FORM
    if not offered:
        return texts.NO_ISSUER
    if not challenge.hashes_account:  # older drafts have no further rule
        return None
    left_out = [issuer for issuer in directory.issuer_names if issuer not in offered]
    if left_out:
        return texts.LEFT_OUT.format(issuer=left_out[0])
    identities = {identity.removesuffix(".") for identity in directory.caa_identities}
    unknown = [issuer for issuer in offered if identities and issuer not in identities]
    return texts.NOT_IN_CAA.format(issuer=unknown[0]) if unknown else None


def _malformed(challenge: Challenge, account: AccountIdentity, domain: str, reason: Any) -> CAError:
    evidence = {"ca": account.ca, "identifier": domain, "issuers": list(challenge.issuer_names), "reason": reason}
    return CAError.of(texts.MALFORMED, **evidence)
