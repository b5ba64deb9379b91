"""Spaceship (https://docs.spaceship.dev): records are written and removed in one request, and have no identifiers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pages, pick, segment, up_to
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, portions, txt_entries

_MOST: Final = 500
"""The number of records in a page, and in a write request."""


class SpaceshipDriver(BatchDriver):
    """Writes through the API of Spaceship, with an API key and its secret."""

    address = "https://spaceship.dev/api/v1"
    headers: ClassVar = {"X-API-Key": "{auth_key}", "X-API-Secret": "{auth_secret}"}

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of a zone."""

        def read(skipped: int) -> tuple[list[Any], int]:
            found = self.json("GET", _path(zone), params={"take": _MOST, "skip": skipped})
            return up_to(skipped, pick(found, "items", kind=list), pick(found, "total", kind=int))

        return txt_entries(pages(read, 0), zone, key="", value="value")

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records."""
        items = [{"type": "TXT", "name": label(each), "value": each.value, "ttl": each.ttl} for each in records]
        for some in portions(items, _MOST):
            # Without "force", a record of another type that conflicts is an error instead of being replaced.
            self.json("PUT", _path(zone), content={"force": False, "items": some})

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are identified by their contents."""
        items = [{key: each.identifier[key] for key in ("type", "name", "value")} for each in entries]
        for some in portions(items, _MOST):
            self.json("DELETE", _path(zone), content=some)


def _path(zone: str) -> str:
    return f"/dns/records/{segment(zone)}"
