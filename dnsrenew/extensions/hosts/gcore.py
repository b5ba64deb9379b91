"""Gcore (https://gcore.com/docs/api-reference/dns): the values of a name are replaced together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

_KEPT: Final = ("filters", "pickers", "meta")
"""The fields of a record set besides its records and TTL."""
_RECORD: Final = ("content", "enabled", "meta")


class GcoreDriver(RecordSetDriver):
    """Writes through the DNS API of Gcore, with a permanent API token."""

    address = "https://api.gcore.com/dns"
    headers: ClassVar = {"Authorization": "APIKey {permanent_api_token}"}
    quotes = False  # the API takes it without quotes

    def find_zone(self, zone: str) -> str:
        """Return the zone, which the API identifies by its name."""
        return pick(self.json("GET", f"/v2/zones/{segment(zone)}"), "name", kind=str)

    def record_set(self, zone: str, owner: str) -> RecordSet:
        """Return the TXT record set at a name."""
        found = self.json("GET", self.path(zone, RecordSet(owner, (), 0)))
        contents = [_value(record) for record in pick(found, "resource_records", kind=list)]
        return RecordSet(owner, contents, pick(found, "ttl", kind=int), found)

    def path(self, zone: str, record_set: RecordSet) -> str:
        """Return the path of a record set."""
        return f"/v2/zones/{segment(zone)}/{segment(names.relative(record_set.name))}/TXT"

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API, keeping its other records and settings."""
        shown = record_set.shown or {"resource_records": []}
        known = {_value(each): {key: each[key] for key in _RECORD if key in each} for each in shown["resource_records"]}
        return {
            **{key: shown[key] for key in _KEPT if shown.get(key)},
            "ttl": record_set.ttl,
            "resource_records": [known.get(each, {"content": [each], "enabled": True}) for each in contents],
        }


def _value(record: Any) -> str:
    """Return the value of a record, which may be in several strings."""
    return "".join(map(str, pick(record, "content", kind=list)))
