"""TXT values (RFC 8555 section 8.4): the accounts that write them, their placement, and their batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01 import texts
from dnsrenew.drivers import catalogue
from dnsrenew.errors import DnsError
from dnsrenew.model import DnsAccount, TxtRecord

if TYPE_CHECKING:
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.store.journal_entry import WrittenValue


class RecordWriter(Frozen):
    """An account and the provider file of its host."""

    account: DnsAccount
    provider: Provider

    def zone_of(self, owner: str) -> str | None:
        """Return the zone of ``owner`` in this account, or None if only DNS can tell."""
        by_suffix = catalogue.zone_for(self.provider, owner)
        if by_suffix is not None:
            return by_suffix
        fitting = [zone for zone in self.account.zones if names.is_at_or_below(owner, zone)]
        return names.absolute(max(fitting, key=lambda zone: len(names.labels(zone)))) if fitting else None

    def single_value_key(self, zone: str, name: str) -> str | None:
        """Return the name or zone that holds one value at a time, if the host keeps only one; else None."""
        behaviour = self.provider.behaviour
        if behaviour.values != "one":
            return None
        return zone if behaviour.scope == "zone" else name

    @property
    def ttl(self) -> int:
        """TTL in seconds of the records that it writes."""
        return self.account.ttl or self.provider.behaviour.ttl

    @property
    def host_fingerprint(self) -> int:
        """A fingerprint of the host; it changes when the account is configured for another host."""
        return self.provider.host_fingerprint(self.account)

    def may_write(self, owner: str) -> bool:
        """Return whether the account's zones, or the suffixes of its host, allow the name."""
        return self.zone_of(owner) is not None or not (self.account.zones or self.provider.zone_suffixes)


class TxtPlacement(Frozen):
    """Where the TXT values of one identifier go.

    :ivar name: the owner name of the TXT record; absolute.
    :ivar writers: the accounts that write it, each with its zone (absolute); several if several hosts serve the zone.
    """

    challenge: ClassVar[str] = "dns-01"

    identifier: str
    name: str
    writers: tuple[tuple[RecordWriter, str], ...]

    @property
    def single_value_key(self) -> set[str]:
        """The names or zones that can hold only one value at a time."""
        keys = {writer.single_value_key(zone, self.name) for writer, zone in self.writers}
        return {key for key in keys if key is not None}


class TxtValue(Frozen):
    """One TXT value, written by one account."""

    challenge: ClassVar[str] = "dns-01"

    identifier: str
    writer: RecordWriter
    record: TxtRecord

    @property
    def described(self) -> dict[str, str]:
        """The value as in events."""
        return {
            "zone": self.record.zone,
            "name": self.record.name,
            "value": self.record.value,
            "dns": self.writer.account.name,
        }

    @property
    def written(self) -> WrittenValue:
        """The value as in the journal."""
        return self.record, self.writer.account.name

    @property
    def is_to_be_removed(self) -> bool:
        """Whether the host needs the value to be removed."""
        return self.writer.provider.behaviour.removes

    @property
    def single_value_key(self) -> str | None:
        """The name or zone that holds one value at a time, if the host keeps only one; else None."""
        return self.writer.single_value_key(self.record.zone, self.record.name)


def batches(values: Sequence[TxtValue]) -> list[list[TxtValue]]:
    """Split the values into batches that can be in DNS at the same time; those of one identifier stay together.

    One batch is enough, unless a host keeps one value for a name or for a whole zone.
    """
    by_identifier: dict[str, list[TxtValue]] = {}
    for value in values:
        by_identifier.setdefault(value.identifier, []).append(value)
    split: list[list[TxtValue]] = []
    used: dict[str, int] = {}  # for each single-value key the number of batches that use it
    for group in by_identifier.values():
        keys = {value.single_value_key for value in group if value.single_value_key is not None}
        index = max((used.get(key, 0) for key in keys), default=0)
        used.update(dict.fromkeys(keys, index + 1))
        split.extend([] for _ in range(index + 1 - len(split)))
        split[index].extend(group)
    return split


def no_account(identifier: str, owner: str, candidates: Collection[RecordWriter]) -> DnsError:
    """Return the error for a name that no candidate may write."""
    zones = sorted({zone for writer in candidates for zone in (*writer.account.zones, *writer.provider.zone_suffixes)})
    text = texts.NO_ACCOUNT if zones else texts.NO_ACCOUNT_NO_ZONES
    return DnsError.of(text, identifier=identifier, name=owner, record=names.relative(owner), zones=zones)
