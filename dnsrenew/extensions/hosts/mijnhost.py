"""mijn.host (https://mijn.host/api/doc/, version 2): a zone is written whole, and a record deleted by its value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, HostError, pick, refusal, segment
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries, zone_among

_FIELDS: Final = frozenset({"type", "name", "value", "ttl"})
"""What the API shows of a record, and takes."""


class MijnHostApi(HostApi):
    """Requests whose refusals have a description."""

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above."""
        described = response.fields().get("status_description")
        return refusal(response, described if isinstance(described, str) else None)


class MijnHostDriver(BatchDriver):
    """Writes through the API of mijn.host, with its key.

    A zone is read again right before it is written. Its own request for a single record is not used to add one: what
    it does to another value at the same name is not documented.
    """

    address = "https://mijn.host/api/v2"
    headers: ClassVar = {"API-Key": "{api_key}"}
    api_class = MijnHostApi

    def find_zone(self, api: HostApi, zone: str) -> str:
        """Return the zone, if it is in the account: for any other the API has a status 400."""
        zone_among(pick(api.json("GET", "/domains"), "data", "domains", kind=list), zone, name="domain", key="domain")
        return zone

    def entries(self, api: HostApi, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone: the API sends it as a whole."""
        return txt_entries(_records(api, zone), zone, key="", value="value")

    def write(self, api: HostApi, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the zone with more records."""
        found = _records(api, zone)
        evidence = {"account": self.context.account, "zone": zone, "title": "mijn.host"}
        if not found:  # a zone in use is never empty
            raise ProviderError.of(texts.REWRITE_EMPTY, **evidence)
        if lost := sorted({key for item in found for key, value in item.items() if key not in _FIELDS and value}):
            raise ProviderError.of(texts.REWRITE_UNSAFE, **evidence, lost=lost)
        added = [
            {"type": "TXT", "name": f"{names.relative(record.name)}.", "value": record.value, "ttl": record.ttl}
            for record in records
        ]
        kept = [{key: item[key] for key in _FIELDS} for item in found]
        pick(api.json("PUT", _path(zone), content={"records": [*kept, *added]}), kind=dict)

    def erase(self, api: HostApi, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named as the zone has them; other values at their names stay."""
        for entry in entries:
            record = {key: entry.identifier[key] for key in ("type", "name", "value")}
            pick(api.json("DELETE", _path(zone), content={"record": record}), kind=dict)


def _records(api: HostApi, zone: str) -> list[dict[str, Any]]:
    found = pick(api.json("GET", _path(zone)), "data", "records", kind=list)
    for item in found:
        for key in _FIELDS:
            pick(item, key, kind=int if key == "ttl" else str)
    return found


def _path(zone: str) -> str:
    return f"/domains/{segment(zone)}/dns"
