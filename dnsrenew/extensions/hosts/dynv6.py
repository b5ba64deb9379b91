"""dynv6 (https://dynv6.github.io/api-spec/): a request for each record. The API has no TTL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries


class Dynv6Driver(RecordDriver):
    """Writes through the REST API of dynv6, with an HTTP token."""

    address = "https://dynv6.com/api/v2"
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}

    def find_zone(self, zone: str) -> tuple[str, str]:
        """Return the path of its records, and the zone. The API answers 404 for a zone of another account."""
        return f"/zones/{pick(self.json('GET', f'/zones/by-name/{segment(zone)}'), 'id', kind=int)}/records", zone

    def entries(self, zone: tuple[str, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Return all TXT records of the zone, because the API has no filter."""
        return txt_entries(pick(self.json("GET", zone[0]), kind=list), zone[1], value="data")

    def create(self, zone: tuple[str, str], record: TxtRecord) -> Any:
        """Create a record. The zone itself has the empty name."""
        content = {"name": label(record, apex=""), "type": "TXT", "data": record.value}
        return pick(self.json("POST", zone[0], content=content), "id", kind=int)
