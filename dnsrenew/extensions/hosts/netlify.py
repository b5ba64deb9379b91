"""Netlify (https://open-api.netlify.com/#tag/dnsZone): a request for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import pages, parsed, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among


class NetlifyDriver(RecordDriver):
    """Writes through the API of Netlify, with a personal access token."""

    address = "https://api.netlify.com/api/v1"
    headers: ClassVar = {"Authorization": "Bearer {token}"}

    def find_zone(self, zone: str) -> str:
        """Return the path of the records of a zone."""
        return f"/dns_zones/{segment(zone_among(self._pages('/dns_zones'), zone))}/dns_records"

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, which have absolute names. The API has no filter."""
        return txt_entries(self._pages(zone), name="hostname", value="value")

    def create(self, zone: str, record: TxtRecord) -> Any:
        """Create a record."""
        content = {"type": "TXT", "hostname": names.relative(record.name), "value": record.value, "ttl": record.ttl}
        return pick(self.json("POST", zone, content=content), "id", kind=str)

    def _pages(self, path: str) -> Iterator[Any]:
        """Yield the items of all pages. The header Link (RFC 8288) shows whether another one follows."""

        def read(number: int) -> tuple[list[Any], int]:
            response = self.request("GET", path, params={"page": number, "per_page": 100})
            more = 'rel="next"' in response.headers.get("Link", "")
            return pick(parsed(response), kind=list), number + 1 if more else 0

        return pages(read)
