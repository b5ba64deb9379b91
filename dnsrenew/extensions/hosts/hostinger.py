"""Hostinger (https://developers.hostinger.com/#tag/dns-zone): one request for all values of a zone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from dnsrenew.drivers.host_api import owner, pick, segment, within
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver


class HostingerDriver(RecordSetDriver):
    """Writes through the API of Hostinger, with an API token."""

    address = "https://developers.hostinger.com"
    headers: ClassVar = {"Authorization": "Bearer {api_token}"}
    quotes = False  # the API puts it in quotes

    def record_sets(self, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield all TXT record sets of the zone, because the API sends it as a whole."""
        for item in pick(self.json("GET", _path(zone)), kind=list):
            if pick(item, "type", kind=str) == "TXT":
                name = pick(item, "name", kind=str)
                records = pick(item, "records", kind=list)
                contents = [pick(record, "content", kind=str) for record in records]
                yield RecordSet(owner(name, zone), contents, pick(item, "ttl", kind=int), records)

    def change(self, zone: str, changes: Sequence[tuple[RecordSet, Sequence[str]]]) -> None:
        """Replace all sets that keep a value with one request, and delete all other sets with another."""
        if kept := [_item(zone, record_set, contents) for record_set, contents in changes if contents]:
            self.json("PUT", _path(zone), content={"overwrite": True, "zone": kept})
        if gone := [{"name": within(each.name, zone), "type": "TXT"} for each, contents in changes if not contents]:
            self.json("DELETE", _path(zone), content={"filters": gone})


def _path(zone: str) -> str:
    return f"/api/dns/v1/zones/{segment(zone)}"


def _item(zone: str, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
    """Return a record set for the API. An existing record stays unchanged, disabled or not."""
    known = {record["content"]: record for record in record_set.shown or ()}
    records = [known.get(content, {"content": content}) for content in contents]
    return {"name": within(record_set.name, zone), "type": "TXT", "ttl": record_set.ttl, "records": records}
