"""The value of a dns-persist-01 record (draft-ietf-acme-dns-persist-02 section 4.1). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from dnsrenew.acme import Challenge
from dnsrenew.acme.resources import base64url
from dnsrenew.acme.session import AccountIdentity
from dnsrenew.base import names
from dnsrenew.base.checks import parse_issuer
from dnsrenew.base.model import TxtRecord, rfc3339
from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, grouped
from dnsrenew.challenges import texts
from dnsrenew.challenges.records import RecordWriter, TxtValue
from dnsrenew.dns import DnsView
from dnsrenew.errors import CAError, DnsError, Message

LABEL: Final = "_validation-persist"
"""The record is at this label before the domain."""
ANY_DOMAIN: Final = "*"
"""Replaces the domain in a hash that is valid for all domains of an account."""
_WILDCARD: Final = "wildcard"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_URI: Final = re.compile(r"[!-:<-~]+")
_ISSUERS: Final = {
    "acme-v02.api.letsencrypt.org": "letsencrypt.org",
    "acme-staging-v02.api.letsencrypt.org": "letsencrypt.org",
    "dv.acme-v02.api.pki.goog": "pki.goog",
    "dv.acme-v02.test-api.pki.goog": "pki.goog",
}
"""The issuer domain name of a CA, by the host of its directory, for directories without it."""


class PersistRecord(Frozen):
    """One record: it allows an account of a CA to validate a domain.

    :ivar issuer: the issuer domain name of the CA, in lower case.
    :ivar account_uri: the URI of the account: its URL (drafts 00 and 01) or a hash (since draft 02).
    :ivar wildcard: whether it is valid for wildcards and subdomains too.
    :ivar until: the Unix time after which it is no longer valid; None if it does not expire.
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
    :param thumbprint: the thumbprint of a key of the account (RFC 7638), as base64url.
    """
    octets = domain.encode("ascii")
    digest = hashlib.sha256(bytes([len(octets)]) + octets + thumbprint.encode("ascii") + account_url.encode("ascii"))
    return f"{prefix}sha-256/{base64url(digest.digest())}"


def hashed_uris(prefix: str, domain: str, thumbprints: tuple[str, ...], account_url: str) -> tuple[str, ...]:
    """Return all hashes that a CA accepts for an account: for each key, with this domain and with any domain."""
    return tuple(
        hashed_uri(prefix, each, thumbprint, account_url) for thumbprint in thumbprints for each in (domain, ANY_DOMAIN)
    )


def line(name: str, value: object) -> str:
    """Return a record as in a zone file, for people."""
    return f'{names.relative(name)} TXT "{value}"'


# ── pins ───────────────────────────────────────────────────────────────────────────────

# Finds the records that pin a lost account, that is, allow only this account to validate a name.


class LostIdentity(Frozen):
    """The ways in which records may name a lost account.

    :ivar issuers: the issuer domain names of the CA; empty if it does not publish them, so that any name may be its
        own.
    :ivar hash_prefix: the CA's ``accountHashPrefix``, if it has one.
    :ivar thumbprints: the thumbprints of the keys of the account; empty if they are unknown, so that any hash may be of
        this account.
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
    """Return the record that pins the account, as a line of a zone file, for each identifier with such a record."""
    found: dict[str, str] = {}
    now = context.clock.now()
    for domain in dict.fromkeys(base_domain(each) for each in identifiers if not is_ip(each)):
        try:
            name = dns.challenge_targets(context, [domain], check="none", label=LABEL)[domain].name
        except DnsError:  # without DNS, the CA could not see a record either
            continue
        for text in sorted(dns.known_values(context, name) or ()):
            record = PersistRecord.parse(text)
            if record is not None and record.is_valid_at(now) and lost.is_named_by(record, domain):
                found |= {each: line(name, text) for each in identifiers if base_domain(each) == domain}
    return found


# ── offer ──────────────────────────────────────────────────────────────────────────────

# The values that a CA accepts in a dns-persist-01 record, from its challenge and its directory, for each draft.
#
# Drafts 00 and 01 have ``issuer-domain-names``, and the account URL in the record; draft 01 also ``accounturi`` in
# the challenge. Draft 02 has ``issuerDomainNames``, and a hash of account and domain in the record.


class PersistOffer(Frozen):
    """The values that the CA accepts for one domain.

    :ivar issuers: its issuer domain names; a new record has the first one.
    :ivar account_uris: the URIs of our account; a new record has the first one.
    """

    ca: str
    account_url: str
    issuers: tuple[str, ...]
    account_uris: tuple[str, ...]


def read_offer(challenge: Challenge, account: AccountIdentity, domain: str) -> PersistOffer:
    """Return the values that the CA accepts.

    A record authorizes a CA, and the CA says which account it names. To prevent a record for an account elsewhere, the
    account must be at the host of the directory; in a hash it is bound to our own key.

    :param domain: the domain without ``*.``.
    :raises CAError: ``ca-dns-persist-malformed``.
    """
    if (reason := _issuer_problem(challenge, account)) is not None:
        raise _malformed(challenge, account, domain, reason)
    prefix = account.directory.account_hash_prefix
    if challenge.hashes_account:
        if prefix is None:
            raise _malformed(challenge, account, domain, texts.PERSIST_NO_PREFIX)
        uris = hashed_uris(prefix, domain, account.thumbprints, account.url)
    else:
        uris = tuple(dict.fromkeys([challenge.account_uri or account.url, account.url]))
        host = urlsplit(account.directory.url).hostname
        for uri in uris:
            if urlsplit(uri).hostname != host:
                raise _malformed(challenge, account, domain, texts.PERSIST_FOREIGN_ACCOUNT.format(uri=uri))
    for uri in uris:
        if not is_uri(uri):
            raise _malformed(challenge, account, domain, texts.PERSIST_ODD_URI.format(uri=uri))
    return PersistOffer(account.ca, account.url, challenge.issuer_names, uris)


def expected_offer(account: AccountIdentity, domain: str) -> PersistOffer | None:
    """Return the values that the CA will probably accept, without an order; None if only a challenge has them.

    Directories of draft 02 have the issuer names. For older drafts, the name is the CA's only name in CAA records, or
    its name in a built-in table.

    :param domain: the domain without ``*.``.
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
        return texts.PERSIST_UNKNOWN_FORM
    if not offered:
        return texts.PERSIST_NO_ISSUER
    if not challenge.hashes_account:  # older drafts have no further rule
        return None
    if left_out := [issuer for issuer in directory.issuer_names if issuer not in offered]:
        return texts.PERSIST_LEFT_OUT.format(issuer=left_out[0])
    identities = {identity.removesuffix(".") for identity in directory.caa_identities}
    unknown = [issuer for issuer in offered if identities and issuer not in identities]
    return texts.PERSIST_NOT_IN_CAA.format(issuer=unknown[0]) if unknown else None


def _malformed(challenge: Challenge, account: AccountIdentity, domain: str, reason: Any) -> CAError:
    evidence = {"ca": account.ca, "identifier": domain, "issuers": list(challenge.issuer_names), "reason": reason}
    return CAError.of(texts.PERSIST_MALFORMED, **evidence)


# ── persist values ─────────────────────────────────────────────────────────────────────

# Placements and values of dns-persist-01, and how the records in DNS are selected.

LIFETIME: Final = timedelta(days=365)
"""The minimum lifetime of a new record."""
RENEWED_BEFORE: Final = timedelta(days=30)
"""A record that expires within this time is replaced, or a warning shows the new one."""
_VALIDATION: Final = timedelta(minutes=10)
"""A record that expires within this time may have expired when the CA queries it."""
_DAY: Final = 86400
_HASHED: Final = "/sha-256/"
"""Part of the URI of an account since draft 02."""
_LONGEST: Final = 255
"""The length in octets of a value that every driver can write."""


class PersistPlacement(Frozen):
    """Where the record for one identifier is.

    :ivar name: the owner name of the TXT record; absolute.
    :ivar zone: its zone; absolute.
    :ivar wildcard: whether the certificate has a wildcard that the same record must be valid for.
    :ivar until: ``persistUntil`` of a new record.
    :ivar writers: the accounts that write a new record, each with its zone; empty if a person writes it.
    :ivar is_named: whether the route names the accounts.
    :ivar unable: accounts of the route that cannot hold a record there.
    """

    challenge: ClassVar[str] = "dns-persist-01"

    identifier: str
    name: str
    zone: str
    wildcard: bool
    until: int
    writers: tuple[tuple[RecordWriter, str], ...]
    is_named: bool = False
    unable: tuple[str, ...] = ()


class PersistValue(Frozen):
    """The value that validates one identifier."""

    challenge: ClassVar[str] = "dns-persist-01"

    identifier: str
    placement: PersistPlacement
    offer: PersistOffer

    @property
    def wanted(self) -> PersistRecord:
        """The record to set."""
        offer, placement = self.offer, self.placement
        return PersistRecord(offer.issuers[0], offer.account_uris[0], placement.wildcard, placement.until)

    @property
    def key(self) -> tuple[str, str]:
        """A key that is equal for values that one record validates."""
        return self.placement.name, str(self.wanted)

    @property
    def can_be_written(self) -> bool:
        """Whether an account can write the record."""
        return bool(self.placement.writers) and len(str(self.wanted)) <= _LONGEST

    def txt_values(self) -> list[TxtValue]:
        """Return the record to set, once for each account that writes it."""
        return [self.txt_value(writer, zone, str(self.wanted)) for writer, zone in self.placement.writers]

    def txt_value(self, writer: RecordWriter, zone: str, text: str) -> TxtValue:
        """Return a value at the name, as an account writes or removes it."""
        return TxtValue(self.identifier, writer, TxtRecord(zone, self.placement.name, text, writer.ttl))

    def newest(self, texts_there: Collection[str], now: datetime) -> tuple[str, PersistRecord] | None:
        """Return the record that validates the identifier and is valid for longest, with its text, or None."""
        found = [(text, record) for text, record in _parsed(texts_there).items() if self._fits(record, now)]
        return max(found, key=lambda pair: (pair[1].until is None, pair[1].until or 0, pair[0]), default=None)

    def superseded(self, texts_there: Collection[str]) -> list[str]:
        """Return the records of our account that the wanted record covers completely and for longer."""
        new = self.wanted
        return [
            text
            for text, record in _parsed(texts_there).items()
            if self._is_ours(record)
            and (new.wildcard or not record.wildcard)
            and record.until is not None
            and new.until is not None
            and record.until < new.until
        ]

    def problem(self, texts_there: Collection[str]) -> Message | None:
        """Return why no record of this CA validates the identifier, as a clause; None if the CA has no record."""
        parsed, offer = _parsed(texts_there), self.offer
        ours = [record for record in parsed.values() if record.issuer in offer.issuers]
        for record in ours:
            if self._is_ours(record) and self.placement.wildcard and not record.wildcard:
                return texts.PERSIST_NO_WILDCARD
            if self._is_ours(record) and record.until is not None:  # otherwise it would fit
                return texts.PERSIST_EXPIRED.format(until=time_text(record.until))
        broken = [text for text in texts_there if text not in parsed and text.lower().startswith(offer.issuers)]
        if not ours:
            return texts.PERSIST_BROKEN if broken else None
        is_hashed = _HASHED in offer.account_uris[0]
        has_other_form = any((_HASHED in record.account_uri) != is_hashed for record in ours)
        return texts.PERSIST_OTHER_FORM if has_other_form else texts.PERSIST_OTHER_ACCOUNT

    def _fits(self, record: PersistRecord, now: datetime) -> bool:
        covers = record.wildcard or not self.placement.wildcard
        return self._is_ours(record) and covers and record.is_valid_at(now + _VALIDATION)

    def _is_ours(self, record: PersistRecord) -> bool:
        return record.issuer in self.offer.issuers and record.account_uri in self.offer.account_uris


def end_of(now: datetime) -> int:
    """Return ``persistUntil`` of a new record: a year, and the rest of that day.

    It is the end of a day, so that two runs on the same day write the same value.
    """
    return (int((now + LIFETIME).timestamp()) // _DAY + 1) * _DAY


def may_be_there(texts_there: Collection[str] | None, now: datetime) -> bool:
    """Return whether one of the records may be the right one, before the CA says which it needs."""
    return any(record.is_valid_at(now + RENEWED_BEFORE) for record in _parsed(texts_there or ()).values())


def can_hold(writer: RecordWriter, *, attended: bool) -> bool:
    """Return whether an account can set a permanent record beside others.

    :param attended: whether a person watches the run, who can set a record by hand.
    """
    behaviour = writer.provider.behaviour
    return behaviour.values == "many" and behaviour.removes and (attended or not behaviour.by_hand)


def by_record(values: Sequence[PersistValue]) -> list[list[PersistValue]]:
    """Group the values that one record validates."""
    return list(grouped(values, lambda value: value.key).values())


def time_text(until: int) -> str:
    """Return a Unix time as evidence has it (RFC 3339)."""
    try:
        return rfc3339(datetime.fromtimestamp(until, UTC)) or ""
    except (OverflowError, ValueError, OSError):  # after the year 9999
        return str(until)


def _parsed(texts_there: Collection[str]) -> Mapping[str, PersistRecord]:
    parsed = {text: PersistRecord.parse(text) for text in sorted(texts_there)}
    return {text: record for text, record in parsed.items() if record is not None}
