"""Domeneshop (https://api.domeneshop.no/docs/): a request for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among

TTL_STEP: Final = 60
"""A TTL is a multiple of this."""


class DomeneshopDriver(RecordDriver):
    """Writes through the API of Domeneshop, with a token and its secret."""

    address = "https://api.domeneshop.no/v0"
    login = ("token", "secret")

    def find_zone(self, zone: str) -> tuple[str, str]:
        """Return the path of its records, and the name of a domain that has the DNS service."""
        found = pick(self.json("GET", "/domains", params={"domain": zone}), kind=list)
        served = [item for item in found if pick(item, "services", "dns", kind=bool)]
        return f"/domains/{zone_among(served, zone, name='domain')}/dns", zone

    def entries(self, zone: tuple[str, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain."""
        items = pick(self.json("GET", zone[0], params={"type": "TXT"}), kind=list)
        return txt_entries(items, zone[1], name="host", value="data")

    def create(self, zone: tuple[str, str], record: TxtRecord) -> Any:
        """Create a record."""
        steps = max(-(-record.ttl // TTL_STEP), 1)
        content = {"host": label(record), "ttl": steps * TTL_STEP, "type": "TXT", "data": record.value}
        return pick(self.json("POST", zone[0], content=content), "id", kind=int)
