"""Where a TXT value goes and who writes it (RFC 8555 section 8.4): accounts, placements, finished values, rounds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import texts
from dnsrenew.drivers import catalogue
from dnsrenew.errors import DnsError
from dnsrenew.model import DnsAccount, TxtRecord

if TYPE_CHECKING:
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.store.journal_entry import WrittenValue


class RecordWriter(Frozen):
    """An account and what its provider's file says of it."""

    account: DnsAccount
    provider: Provider

    def zone_of(self, owner: str) -> str | None:
        """Return the zone that this account would write ``owner`` in, as far as it is known without asking DNS."""
        by_suffix = catalogue.zone_for(self.provider, owner)
        if by_suffix is not None:
            return by_suffix
        fitting = [zone for zone in self.account.zones if names.is_at_or_below(owner, zone)]
        return names.absolute(max(fitting, key=lambda zone: len(names.labels(zone)))) if fitting else None

    def single_value_key(self, zone: str, name: str) -> str | None:
        """Return the name or zone that holds one value at a time, where the host keeps only one; else None."""
        behaviour = self.provider.behaviour
        if behaviour.values != "one":
            return None
        return zone if behaviour.scope == "zone" else name

    @property
    def ttl(self) -> int:
        """Seconds for which a resolver may keep what it writes."""
        return self.account.ttl or self.provider.behaviour.ttl

    @property
    def host_fingerprint(self) -> int:
        """What it is known by that the account has another host."""
        return self.provider.host_fingerprint(self.account)

    def may_write(self, owner: str) -> bool:
        """Tell whether the account's stated zones, or its host's suffixes, allow the name."""
        return self.zone_of(owner) is not None or not (self.account.zones or self.provider.zone_suffixes)


class TxtPlacement(Frozen):
    """Where the TXT values of one identifier go.

    :ivar name: the owner name of the TXT; absolute.
    :ivar writers: who writes it, each with the zone it writes in (absolute); several where a zone lives at several
        hosts.
    """

    challenge: ClassVar[str] = "dns-01"

    identifier: str
    name: str
    writers: tuple[tuple[RecordWriter, str], ...]

    @property
    def single_value_key(self) -> set[str]:
        """The names or zones that can hold only one value at a time."""
        found = {writer.single_value_key(zone, self.name) for writer, zone in self.writers}
        return {place for place in found if place is not None}


class TxtValue(Frozen):
    """One TXT value, written by one account."""

    challenge: ClassVar[str] = "dns-01"

    identifier: str
    writer: RecordWriter
    record: TxtRecord

    @property
    def described(self) -> dict[str, str]:
        """The value as events have it."""
        return {
            "zone": self.record.zone,
            "name": self.record.name,
            "value": self.record.value,
            "dns": self.writer.account.name,
        }

    @property
    def written(self) -> WrittenValue:
        """The value as the journal has it."""
        return self.record, self.writer.account.name

    @property
    def is_to_be_removed(self) -> bool:
        """Whether there is anything to remove at this host."""
        return self.writer.provider.behaviour.removes

    @property
    def single_value_key(self) -> str | None:
        """The name or zone that can hold only this one value at a time, at hosts that keep one; else None."""
        return self.writer.single_value_key(self.record.zone, self.record.name)


def batches(values: Sequence[TxtValue]) -> list[list[TxtValue]]:
    """Split the values into rounds that can stand at the same time; those of one identifier stay together.

    One round is enough, except where a host keeps one value for a name or for a whole zone.
    """
    by_identifier: dict[str, list[TxtValue]] = {}
    for value in values:
        by_identifier.setdefault(value.identifier, []).append(value)
    rounds: list[list[TxtValue]] = []
    taken: dict[str, int] = {}
    for group in by_identifier.values():
        places = {value.single_value_key for value in group if value.single_value_key is not None}
        turn = max((taken.get(place, 0) for place in places), default=0)
        taken.update(dict.fromkeys(places, turn + 1))
        rounds.extend([] for _ in range(turn + 1 - len(rounds)))
        rounds[turn].extend(group)
    return rounds


def no_account(identifier: str, owner: str, candidates: Collection[RecordWriter]) -> DnsError:
    """Return the error for a name that none of some accounts may write."""
    zones = sorted({zone for writer in candidates for zone in (*writer.account.zones, *writer.provider.zone_suffixes)})
    text = texts.NO_ACCOUNT if zones else texts.NO_ACCOUNT_NO_ZONES
    return DnsError.of(text, identifier=identifier, name=owner, record=names.relative(owner), zones=zones)
