"""Domeneshop (https://api.domeneshop.no/docs/): a request for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among

TTL_STEP: Final = 60
"""A TTL is a multiple of it."""


class DomeneshopDriver(RecordDriver):
    """Writes through the API of Domeneshop, with a token and its secret."""

    address = "https://api.domeneshop.no/v0"
    login = ("token", "secret")

    def find_zone(self, zone: str) -> tuple[int, str]:
        """Return the number and the name of a domain that has the DNS service."""
        found = pick(self.json("GET", "/domains", params={"domain": zone}), kind=list)
        served = [item for item in found if pick(item, "services", "dns", kind=bool)]
        return zone_among(served, zone, name="domain"), zone

    def entries(self, zone: tuple[int, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain."""
        items = pick(self.json("GET", f"/domains/{zone[0]}/dns", params={"type": "TXT"}), kind=list)
        return txt_entries(items, zone[1], name="host", value="data")

    def create(self, zone: tuple[int, str], record: TxtRecord) -> Any:
        """Create a record."""
        steps = max(-(-record.ttl // TTL_STEP), 1)
        content = {"host": label(record), "ttl": steps * TTL_STEP, "type": "TXT", "data": record.value}
        return pick(self.json("POST", f"/domains/{zone[0]}/dns", content=content), "id", kind=int)

    def delete(self, zone: tuple[int, str], identifier: int) -> None:
        """Delete a record."""
        self.json("DELETE", f"/domains/{zone[0]}/dns/{identifier}")
