"""Leaseweb (https://developer.leaseweb.com/docs/#tag/DNS): the values of a name are replaced together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import HostApi, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

TTLS: Final = (60, 300, 1800, 3600, 14400, 28800, 43200, 86400)
"""The API takes no others."""


class LeasewebDriver(RecordSetDriver):
    """Writes through the Hosting API of Leaseweb, with an API key."""

    address = "https://api.leaseweb.com/hosting/v2"
    headers: ClassVar = {"X-LSW-Auth": "{api_key}"}
    quotes = False  # the API takes it without quotes

    def record_sets(self, api: HostApi, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield all TXT record sets of the domain."""
        for item in pick(api.json("GET", _path(zone)), "resourceRecordSets", kind=list):
            if pick(item, "type", kind=str) == "TXT":
                contents = [pick(each, kind=str) for each in pick(item, "content", kind=list)]
                yield RecordSet(pick(item, "name", kind=str), contents, pick(item, "ttl", kind=int), item)

    def save(self, api: HostApi, zone: str, record_set: RecordSet, contents: Sequence[str]) -> None:
        """Create or replace a record set."""
        content = {"content": [*contents], "ttl": next((each for each in TTLS if each >= record_set.ttl), TTLS[-1])}
        if record_set.shown:
            api.json("PUT", _path(zone, record_set.name), content=content)
        else:
            name = names.absolute(record_set.name)
            api.json("POST", _path(zone), content={"name": name, "type": "TXT", **content})

    def drop(self, api: HostApi, zone: str, record_set: RecordSet) -> None:
        """Delete a record set."""
        api.json("DELETE", _path(zone, record_set.name))


def _path(zone: str, *name: str) -> str:
    inside = [part for each in name for part in (segment(names.absolute(each)), "TXT")]
    return "/".join((f"/domains/{segment(zone)}/resourceRecordSets", *inside))
