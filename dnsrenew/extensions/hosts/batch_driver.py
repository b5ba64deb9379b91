"""Hosts whose API creates several records of a zone in one request, and deletes several in one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, by_zone
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry


class BatchDriver(RecordDriver):
    """Writes any number of values of a zone in one request, and removes them in one; the identifier is what it needs.

    What exists is read before each change: a change with a record that exists already, or is gone, may fail as a whole.
    """

    @abstractmethod
    def write(self, api: HostApi, zone: Any, records: Sequence[TxtRecord]) -> None:
        """Create records that do not exist yet."""

    @abstractmethod
    def erase(self, api: HostApi, zone: Any, entries: Sequence[TxtEntry]) -> None:
        """Delete records."""

    def create_all(self, api: HostApi, zone: Any, records: Sequence[TxtRecord]) -> Sequence[tuple[TxtRecord, Any]]:
        """Create records at once."""
        if records:
            self.write(api, zone, records)
        return ()

    def delete(self, api: HostApi, zone: Any, identifier: Any) -> None:
        """Not used: see :meth:`erase`."""
        raise NotImplementedError

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                identifier = self._zone(api, zone)
                unwanted = {(*names.labels(record.name), record.value) for record in group}
                entries = self.entries(api, identifier, sorted({record.name for record in group}))
                found = [entry for entry in entries if (*names.labels(entry.name), entry.value) in unwanted]
                if found:
                    self.erase(api, identifier, found)
