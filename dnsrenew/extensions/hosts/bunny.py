"""Bunny DNS (https://docs.bunny.net/reference/dnszonepublic_index): a request for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among

_TXT: Final = 3
"""The API has numbers for the types of records."""


class BunnyDriver(RecordDriver):
    """Writes through the API of Bunny, with the API key of the account."""

    address = "https://api.bunny.net"
    headers: ClassVar = {"AccessKey": "{auth_token}"}

    def find_zone(self, zone: str) -> tuple[int, str]:
        """Return the number and the name of a zone."""
        found = self.json("GET", "/dnszone", params={"search": zone, "perPage": 1000})
        return zone_among(pick(found, "Items", kind=list), zone, name="Domain", key="Id"), zone

    def entries(self, zone: tuple[int, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, because the API sends it as a whole."""
        items = pick(self.json("GET", f"/dnszone/{zone[0]}"), "Records", kind=list)
        txt = [item for item in items if pick(item, kind=dict).get("Type") == _TXT]
        return txt_entries(txt, zone[1], key="Id", name="Name", value="Value", kind="")

    def create(self, zone: tuple[int, str], record: TxtRecord) -> Any:
        """Create a record."""
        content = {"Type": _TXT, "Name": label(record, apex=""), "Value": record.value, "Ttl": record.ttl}
        return pick(self.json("PUT", f"/dnszone/{zone[0]}/records", content=content), "Id", kind=int)

    def delete(self, zone: tuple[int, str], identifier: int) -> None:
        """Delete a record."""
        self.json("DELETE", f"/dnszone/{zone[0]}/records/{identifier}")
