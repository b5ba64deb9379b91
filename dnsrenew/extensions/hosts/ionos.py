"""IONOS (https://developer.hosting.ionos.com/docs/dns): one request creates several records, one deletes each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among

LEAST_TTL: Final = 60


class IonosDriver(RecordDriver):
    """Writes through the DNS API of IONOS, with an API key."""

    address = "https://api.hosting.ionos.com/dns"
    headers: ClassVar = {"X-API-Key": "{api_key}"}

    def find_zone(self, zone: str) -> Any:
        """Return the identifier of a zone."""
        return zone_among(pick(self.json("GET", "/v1/zones"), kind=list), zone)

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone."""
        answer = self.json("GET", f"/v1/zones/{segment(zone)}", params={"recordType": "TXT"})
        return txt_entries(pick(answer, "records", kind=list))

    def create_all(self, zone: str, records: Sequence[TxtRecord]) -> Iterator[tuple[TxtRecord, Any]]:
        """Create all records with one request. Its names are absolute, without the final dot."""
        content = [
            {"name": names.relative(each.name), "type": "TXT", "content": each.value, "ttl": max(each.ttl, LEAST_TTL)}
            for each in records
        ]
        content = [{**each, "prio": 0, "disabled": False} for each in content]
        answer = self.json("POST", f"/v1/zones/{segment(zone)}/records", content=content)
        created = {(entry.name, entry.value): entry.identifier for entry in txt_entries(pick(answer, kind=list))}
        for record in records:
            yield record, created.get((names.relative(record.name), record.value))

    def delete(self, zone: str, identifier: str) -> None:
        """Delete a record."""
        self.json("DELETE", f"/v1/zones/{segment(zone)}/records/{segment(identifier)}")
