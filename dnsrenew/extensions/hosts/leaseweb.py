"""Leaseweb (https://developer.leaseweb.com/docs/#tag/DNS): the values of a name are replaced together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

TTLS: Final = (60, 300, 1800, 3600, 14400, 28800, 43200, 86400)
"""The only values that the API accepts."""


class LeasewebDriver(RecordSetDriver):
    """Writes through the Hosting API of Leaseweb, with an API key."""

    address = "https://api.leaseweb.com/hosting/v2"
    headers: ClassVar = {"X-LSW-Auth": "{api_key}"}
    quotes = False  # the API takes it without quotes

    def record_sets(self, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield all TXT record sets of the domain."""
        found = self.json("GET", f"/domains/{segment(zone)}/resourceRecordSets")
        for item in pick(found, "resourceRecordSets", kind=list):
            if pick(item, "type", kind=str) == "TXT":
                contents = [pick(each, kind=str) for each in pick(item, "content", kind=list)]
                yield RecordSet(pick(item, "name", kind=str), contents, pick(item, "ttl", kind=int), item)

    def path(self, zone: str, record_set: RecordSet) -> str:
        """Return the path of a record set, or of all record sets."""
        name = f"/{segment(names.absolute(record_set.name))}/TXT" if record_set.shown else ""
        return f"/domains/{segment(zone)}/resourceRecordSets{name}"

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API."""
        name = {} if record_set.shown else {"name": names.absolute(record_set.name), "type": "TXT"}
        ttl = next((each for each in TTLS if each >= record_set.ttl), TTLS[-1])
        return {**name, "content": [*contents], "ttl": ttl}
