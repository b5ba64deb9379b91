"""deSEC (https://desec.readthedocs.io): the record sets of all names of a zone change in one request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import (
    MAX_PAGES,
    HostApi,
    by_zone,
    label,
    malformed,
    parsed,
    pick,
    quoted,
    segment,
    unquoted,
)
from dnsrenew.drivers.protocol import DriverContext

ADDRESS: Final = "https://desec.io/api/v1"
_NEXT: Final = re.compile(r'<([^<>]*)>;\s*rel="next"')


class DesecDriver:
    """Writes through the API of deSEC. It replaces record sets, so only one writer at a time may change a zone."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add the values to the record sets of their names."""
        with self._connect() as api:
            for zone, group in by_zone(records):
                minimum = self._minimum_ttl(api, zone)
                found = _record_sets(api, zone, group)
                changes = []
                for name, wanted in _by_name(group).items():
                    contents = found.get(name, [])
                    present = {unquoted(content) for content in contents}
                    missing = {record.value: record.ttl for record in wanted if record.value not in present}
                    if missing:
                        change = _change(name, [*contents, *map(quoted, missing)])
                        # A set that exists keeps its TTL: other values are in it.
                        changes.append(change if contents else {**change, "ttl": max(*missing.values(), minimum)})
                _send(api, zone, changes)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values out of the record sets of their names; an empty set is deleted."""
        with self._connect() as api:
            for zone, group in by_zone(records):
                found = _record_sets(api, zone, group)
                changes = []
                for name, unwanted in _by_name(group).items():
                    contents, values = found.get(name, []), {record.value for record in unwanted}
                    kept = [content for content in contents if unquoted(content) not in values]
                    if len(kept) < len(contents):
                        changes.append(_change(name, kept))
                _send(api, zone, changes)

    def _connect(self) -> HostApi:
        return HostApi(self._context, ADDRESS, headers={"Authorization": f"Token {self._context.text('auth_token')}"})

    def _minimum_ttl(self, api: HostApi, zone: str) -> int:
        """Return the least TTL (seconds) of a zone; it is 3600, but deSEC can lower it for a domain."""
        key = ("minimum_ttl", zone)
        if key not in self._context.remembered:
            self._context.remembered[key] = pick(api.json("GET", f"/domains/{segment(zone)}/"), "minimum_ttl", kind=int)
        minimum: int = self._context.remembered[key]
        return minimum


def _by_name(records: Sequence[TxtRecord]) -> dict[str, list[TxtRecord]]:
    """Return the records by their name within the zone; the API wants it in lower case, and empty for the zone."""
    found: dict[str, list[TxtRecord]] = {}
    for record in records:
        found.setdefault(label(record, apex=""), []).append(record)
    return found


def _record_sets(api: HostApi, zone: str, records: Sequence[TxtRecord]) -> dict[str, list[str]]:
    """Return the contents of the TXT record sets of a zone, by name; of one name if the records have only one."""
    labels = list(_by_name(records))
    parameters = {"type": "TXT", **({"subname": labels[0]} if len(labels) == 1 else {})}
    return {pick(item, "subname", kind=str): pick(item, "records", kind=list) for item in _pages(api, zone, parameters)}


def _pages(api: HostApi, zone: str, parameters: dict[str, str]) -> Iterator[Any]:
    """Yield the record sets of all pages; each page names the cursor of the next one in its header ``Link``."""
    cursor = ""
    for _ in range(MAX_PAGES):
        path = f"/domains/{segment(zone)}/rrsets/"
        response = api.request("GET", path, params={**parameters, "cursor": cursor})
        yield from pick({"rrsets": parsed(response)}, "rrsets", kind=list)
        following = _NEXT.search(response.headers.get("Link", ""))
        if following is None:
            return
        cursor = parse_qs(urlsplit(following[1]).query).get("cursor", [""])[0]
    raise malformed("its pages do not end")


def _change(name: str, contents: list[str]) -> dict[str, Any]:
    return {"subname": name, "type": "TXT", "records": contents}


def _send(api: HostApi, zone: str, changes: list[dict[str, Any]]) -> None:
    """Make all changes of a zone or, if one is refused, none."""
    if changes:
        api.json("PATCH", f"/domains/{segment(zone)}/rrsets/", content=changes)
