"""dynv6 (https://dynv6.github.io/api-spec/): a request for each record; the API knows no TTL."""

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

    def find_zone(self, zone: str) -> tuple[int, str]:
        """Return the number and the name of a zone; the API answers 404 for a zone of another account."""
        return pick(self.json("GET", f"/zones/by-name/{segment(zone)}"), "id", kind=int), zone

    def entries(self, zone: tuple[int, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Return all TXT records of the zone; the API has no filter."""
        return txt_entries(pick(self.json("GET", f"/zones/{zone[0]}/records"), kind=list), zone[1], value="data")

    def create(self, zone: tuple[int, str], record: TxtRecord) -> Any:
        """Create a record; the zone itself has the empty name."""
        content = {"name": label(record, apex=""), "type": "TXT", "data": record.value}
        return pick(self.json("POST", f"/zones/{zone[0]}/records", content=content), "id", kind=int)

    def delete(self, zone: tuple[int, str], identifier: int) -> None:
        """Delete a record."""
        self.json("DELETE", f"/zones/{zone[0]}/records/{identifier}")
