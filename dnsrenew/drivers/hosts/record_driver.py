"""Hosts whose API creates and deletes one record at a time, by an identifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.host_api import HostApi, HostError, by_zone

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext


class TxtEntry(Frozen):
    """A TXT record of a host: its identifier, its absolute name, and its value without quotes."""

    identifier: Any
    name: str
    value: str


class RecordDriver(ABC):
    """Writes and removes values one by one. A driver defines the abstract methods, and ``create`` or ``create_all``.

    Identifiers of zones and of written records are remembered for the run, so that N values of a zone take N requests
    to write and N to remove, and two more: one for the zone, and one for its records.
    """

    def __init__(self, context: DriverContext) -> None:
        self.context = context

    @abstractmethod
    def connect(self) -> HostApi:
        """Return the API of the account."""

    @abstractmethod
    def find_zone(self, api: HostApi, zone: str) -> Any:
        """Return the identifier of a zone, which is a name without the final dot.

        :raises HostError: ``provider-zone-unknown``, see :func:`~dnsrenew.drivers.host_api.unknown_zone`.
        """

    @abstractmethod
    def entries(self, api: HostApi, zone: Any, owners: Collection[str]) -> Iterable[TxtEntry]:
        """Give the TXT records at some absolute names; those at other names too where the API selects none."""

    def create(self, api: HostApi, zone: Any, record: TxtRecord) -> Any:
        """Create a record; return its identifier, or None if the host does not tell it.

        A driver of a host that creates several at once defines :meth:`create_all` instead.
        """
        raise NotImplementedError

    def create_all(self, api: HostApi, zone: Any, records: Sequence[TxtRecord]) -> Iterable[tuple[TxtRecord, Any]]:
        """Create records, one by one; give each with its identifier as soon as it exists."""
        for record in records:
            yield record, self.create(api, zone, record)

    unclear: ClassVar[Collection[int]] = ()
    """Statuses that may answer the deletion of a record that is gone, besides 404: then the list of all decides."""

    @abstractmethod
    def delete(self, api: HostApi, zone: Any, identifier: Any) -> None:
        """Delete a record.

        :raises HostError: status 404: there is no such record.
        """

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                identifier = self._zone(api, zone)
                existing = self._existing(api, identifier, group)
                missing: list[TxtRecord] = []
                for record in group:
                    if found := existing.get(_key(record.name, record.value)):
                        self.context.remembered[_memory(record)] = found[0]
                    elif record not in missing:
                        missing.append(record)
                for record, written in self.create_all(api, identifier, missing):
                    if written is not None:
                        self.context.remembered[_memory(record)] = written

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                identifier = self._zone(api, zone)
                unknown = [record for record in group if not self._delete_remembered(api, identifier, record)]
                if unknown:
                    existing = self._existing(api, identifier, unknown)
                    for record in unknown:
                        for entry in existing.get(_key(record.name, record.value), ()):
                            self._delete(api, identifier, entry)

    def _zone(self, api: HostApi, zone: str) -> Any:
        key = ("zone", zone)
        if key not in self.context.remembered:
            self.context.remembered[key] = self.find_zone(api, zone)
        return self.context.remembered[key]

    def _existing(self, api: HostApi, zone: Any, records: Sequence[TxtRecord]) -> dict[Any, list[Any]]:
        """Return the identifiers of the records at the names of ``records``, by name and value."""
        found: dict[Any, list[Any]] = {}
        for entry in self.entries(api, zone, sorted({record.name for record in records})):
            found.setdefault(_key(entry.name, entry.value), []).append(entry.identifier)
        return found

    def _delete_remembered(self, api: HostApi, zone: Any, record: TxtRecord) -> bool:
        """Delete a record that this run has written; return whether it was there."""
        identifier = self.context.remembered.pop(_memory(record), None)
        return identifier is not None and self._delete(api, zone, identifier)

    def _delete(self, api: HostApi, zone: Any, identifier: Any) -> bool:
        try:
            self.delete(api, zone, identifier)
        except HostError as error:
            if error.status_code != 404 and (
                error.status_code not in self.unclear
                or any(entry.identifier == identifier for entry in self.entries(api, zone, ()))
            ):
                raise
            return False
        return True


def _key(name: str, value: str) -> tuple[tuple[str, ...], str]:
    return tuple(names.labels(name)), value


def _memory(record: TxtRecord) -> tuple[str, str, str, str]:
    return "record", record.zone, record.name, record.value
