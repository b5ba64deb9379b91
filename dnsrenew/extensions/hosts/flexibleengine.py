"""Flexible Engine (https://docs.prod-cloud-ocb.orange-business.com/api/dns/): values of record sets are replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from dnsrenew.base import names
from dnsrenew.drivers.host_api import pages, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver, zone_among


class FlexibleEngineDriver(RecordSetDriver):
    """Writes through the DNS API of Flexible Engine, with a token of IAM."""

    address = "https://dns.prod-cloud-ocb.orange-business.com/v2"
    headers: ClassVar = {"X-Auth-Token": "{auth_token}"}

    def find_zone(self, zone: str) -> str:
        """Return the path of the record sets of a zone. The API also lists other zones whose names contain this one."""
        given, wanted = self.text("zone_id"), {"type": "public", "name": zone}
        return f"/zones/{segment(given or zone_among(self._pages('/zones', wanted, 'zones'), zone))}/recordsets"

    def record_sets(self, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield the TXT record sets of the zone, or at one name."""
        parameters = {"type": "TXT", **({"name": next(iter(owners)).lower()} if len(owners) == 1 else {})}
        for item in self._pages(zone, parameters, "recordsets"):
            # The API may know the parameters in another form.
            if pick(item, "type", kind=str) == "TXT" and item.get("status") != "PENDING_DELETE":
                contents = [pick(content, kind=str) for content in pick(item, "records", kind=list)]
                yield RecordSet(pick(item, "name", kind=str), contents, pick(item, "ttl", kind=int), item)

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API."""
        name = record_set.name if record_set.shown else names.absolute(record_set.name).lower()
        return {"name": name, "type": "TXT", "ttl": record_set.ttl, "records": [*contents]}

    def _pages(self, path: str, parameters: dict[str, str], key: str) -> Iterator[Any]:
        """Yield the items of all pages.

        The link to the next one is not followed, because it may lead to another host.
        """

        def read(marker: dict[str, str]) -> tuple[list[Any], dict[str, str] | None]:
            answer = self.json("GET", path, params={**parameters, "limit": 500, **marker})
            items, links = pick(answer, key, kind=list), answer.get("links")
            more = items and isinstance(links, dict) and links.get("next")
            return items, {"marker": pick(items, -1, "id", kind=str)} if more else None

        return pages(read, {})
