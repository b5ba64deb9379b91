"""mijn.host (https://mijn.host/api/doc/, version 2): zones are written as a whole, and records deleted by value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, pick, refusal, segment
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries, zone_among

_FIELDS: Final = frozenset({"type", "name", "value", "ttl"})
"""The fields of a record that the API shows and accepts."""


class MijnHostDriver(BatchDriver):
    """Writes through the API of mijn.host, with its key.

    A zone is read again right before it is written. The API's request for a single record is not used to add one,
    because its effect on another value at the same name is not documented.
    """

    address = "https://mijn.host/api/v2"
    headers: ClassVar = {"API-Key": "{api_key}"}

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above."""
        described = response.fields().get("status_description")
        return refusal(response, described if isinstance(described, str) else None)

    def find_zone(self, zone: str) -> str:
        """Return the zone if it is in the account. For any other, the API has the status 400."""
        zone_among(pick(self.json("GET", "/domains"), "data", "domains", kind=list), zone, name="domain", key="domain")
        return zone

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, because the API sends it as a whole."""
        return txt_entries(self._records(zone), zone, key="", value="value")

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the zone with additional records."""
        found = self._records(zone)
        if not found:  # a zone in use is never empty
            raise self.error(texts.REWRITE_EMPTY, zone=zone, title="mijn.host")
        if lost := sorted({key for item in found for key, value in item.items() if key not in _FIELDS and value}):
            raise self.error(texts.REWRITE_UNSAFE, zone=zone, title="mijn.host", lost=lost)
        added = [{"type": "TXT", "name": each.name, "value": each.value, "ttl": each.ttl} for each in records]
        kept = [{key: item[key] for key in _FIELDS} for item in found]
        pick(self.json("PUT", _path(zone), content={"records": [*kept, *added]}), kind=dict)

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named as the zone has them. Other values at their names stay."""
        for entry in entries:
            record = {key: entry.identifier[key] for key in ("type", "name", "value")}
            pick(self.json("DELETE", _path(zone), content={"record": record}), kind=dict)

    def _records(self, zone: str) -> list[dict[str, Any]]:
        found = pick(self.json("GET", _path(zone)), "data", "records", kind=list)
        for item in found:
            for key in _FIELDS:
                pick(item, key, kind=int if key == "ttl" else str)
        return found


def _path(zone: str) -> str:
    return f"/domains/{segment(zone)}/dns"
