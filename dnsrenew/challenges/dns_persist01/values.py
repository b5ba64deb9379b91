"""Placements and values of dns-persist-01, and which of the records in DNS counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from dnsrenew.base.model import TxtRecord, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01.records import RecordWriter, TxtValue
from dnsrenew.challenges.dns_persist01 import texts
from dnsrenew.challenges.dns_persist01.record import PersistOffer, PersistRecord
from dnsrenew.errors import Message

LIFETIME: Final = timedelta(days=365)
"""The least lifetime of a new record."""
RENEWED_BEFORE: Final = timedelta(days=30)
"""A record that expires within this time is replaced, or a warning shows the new one."""
_VALIDATION: Final = timedelta(minutes=10)
"""A record that expires within this time may have expired when the CA looks."""
_DAY: Final = 86400
_HASHED: Final = "/sha-256/"
"""Is in the URI of an account since draft 02."""
_LONGEST: Final = 255
"""Octets of a value that every driver can write."""


class PersistPlacement(Frozen):
    """Where the record for one identifier stands.

    :ivar name: the owner name of the TXT record; absolute.
    :ivar zone: its zone; absolute.
    :ivar wildcard: whether the certificate has a wildcard that the same record must be valid for.
    :ivar until: ``persistUntil`` of a new record.
    :ivar writers: the accounts that write a new record, each with its zone; empty: a person does.
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
    """What validates one identifier."""

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
        """Equal for values that one record validates."""
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
        """Return the record that validates the identifier and is valid for longest, with its text; None without one."""
        found = [(text, record) for text, record in _parsed(texts_there).items() if self._fits(record, now)]
        return max(found, key=lambda pair: (pair[1].until is None, pair[1].until or 0, pair[0]), default=None)

    def superseded(self, texts_there: Collection[str]) -> list[str]:
        """Return the records of our account that the wanted one makes useless: it is valid for all they are, longer."""
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
        """Return why a record of this CA does not validate the identifier, as a clause; None if there is none."""
        parsed, offer = _parsed(texts_there), self.offer
        ours = [record for record in parsed.values() if record.issuer in offer.issuers]
        for record in ours:
            if self._is_ours(record) and self.placement.wildcard and not record.wildcard:
                return texts.NO_WILDCARD
            if self._is_ours(record) and record.until is not None:  # otherwise it would fit
                return texts.EXPIRED.format(until=time_text(record.until))
        broken = [text for text in texts_there if text not in parsed and text.lower().startswith(offer.issuers)]
        if not ours:
            return texts.BROKEN if broken else None
        is_hashed = _HASHED in offer.account_uris[0]
        has_other_form = any((_HASHED in record.account_uri) != is_hashed for record in ours)
        return texts.OTHER_FORM if has_other_form else texts.OTHER_ACCOUNT

    def _fits(self, record: PersistRecord, now: datetime) -> bool:
        covers = record.wildcard or not self.placement.wildcard
        return self._is_ours(record) and covers and record.is_valid_at(now + _VALIDATION)

    def _is_ours(self, record: PersistRecord) -> bool:
        return record.issuer in self.offer.issuers and record.account_uri in self.offer.account_uris


def end_of(now: datetime) -> int:
    """Return ``persistUntil`` of a new record: a year and a part of a day.

    It is the end of a day, so that two runs of a day write the same value.
    """
    return (int((now + LIFETIME).timestamp()) // _DAY + 1) * _DAY


def may_be_there(texts_there: Collection[str] | None, now: datetime) -> bool:
    """Return whether one of the records may be the one that will be needed, before the CA says which."""
    return any(record.is_valid_at(now + RENEWED_BEFORE) for record in _parsed(texts_there or ()).values())


def can_hold(writer: RecordWriter, *, attended: bool) -> bool:
    """Return whether an account can set a lasting record beside others.

    :param attended: whether a person watches the run, who can set a record by hand.
    """
    behaviour = writer.provider.behaviour
    return behaviour.values == "many" and behaviour.removes and (attended or not behaviour.by_hand)


def by_record(values: Sequence[PersistValue]) -> list[list[PersistValue]]:
    """Group the values that one record validates."""
    groups: dict[tuple[str, str], list[PersistValue]] = {}
    for value in values:
        groups.setdefault(value.key, []).append(value)
    return list(groups.values())


def time_text(until: int) -> str:
    """Return a Unix time as evidence has it (RFC 3339)."""
    try:
        return rfc3339(datetime.fromtimestamp(until, UTC)) or ""
    except (OverflowError, ValueError, OSError):  # after the year 9999
        return str(until)


def _parsed(texts_there: Collection[str]) -> Mapping[str, PersistRecord]:
    parsed = {text: PersistRecord.parse(text) for text in sorted(texts_there)}
    return {text: record for text, record in parsed.items() if record is not None}
