"""deSEC (https://desec.readthedocs.io): the record sets of all names of a zone change in one request."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from dnsrenew.drivers.host_api import owner, pages, parsed, pick, segment, within
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

_NEXT: Final = re.compile(r'<([^<>]*)>;\s*rel="next"')


class DesecDriver(RecordSetDriver):
    """Writes through the API of deSEC. It replaces record sets, so only one writer at a time may change a zone."""

    address = "https://desec.io/api/v1"
    headers: ClassVar = {"Authorization": "Token {auth_token}"}

    def record_sets(self, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield the TXT record sets of a zone, or of one name if there is only one owner."""
        names = [within(each, zone, apex="") for each in owners]
        parameters = {"type": "TXT", **({"subname": names[0]} if len(names) == 1 else {})}
        for item in self._pages(zone, parameters):
            contents = pick(item, "records", kind=list)
            yield RecordSet(owner(pick(item, "subname", kind=str), zone), contents, 0, item)

    def change(self, zone: str, changes: Sequence[tuple[RecordSet, Sequence[str]]]) -> None:
        """Make all changes of a zone, or none if one is refused. An empty set is deleted."""
        items = []
        for found, contents in changes:
            item = {"subname": within(found.name, zone, apex=""), "type": "TXT", "records": list(contents)}
            # An existing set keeps its TTL, because it contains other values.
            items.append(item if found.shown else {**item, "ttl": max(found.ttl, self._minimum_ttl(zone))})
        if items:
            self.json("PATCH", f"/domains/{segment(zone)}/rrsets/", content=items)

    def _minimum_ttl(self, zone: str) -> int:
        """Return the minimum TTL of a zone in seconds. It is 3600, but deSEC can lower it for a domain."""
        path = f"/domains/{segment(zone)}/"
        return self.remembered(("minimum_ttl", zone), lambda: pick(self.json("GET", path), "minimum_ttl", kind=int))

    def _pages(self, zone: str, parameters: dict[str, str]) -> Iterator[Any]:
        """Yield the record sets of all pages. Each page names the cursor of the next one in its header ``Link``."""

        def read(cursor: str) -> tuple[list[Any], str]:
            path = f"/domains/{segment(zone)}/rrsets/"
            response = self.request("GET", path, params={**parameters, "cursor": cursor})
            following = _NEXT.search(response.headers.get("Link", ""))
            query = parse_qs(urlsplit(following[1]).query) if following else {}
            return pick(parsed(response), kind=list), query.get("cursor", [""])[0]

        return pages(read, "")
