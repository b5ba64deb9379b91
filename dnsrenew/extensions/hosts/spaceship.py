"""Spaceship (https://docs.spaceship.dev): records are written and removed in one request, and have no identifiers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, label, pages, pick, segment
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries

_MOST: Final = 500
"""Records in a page, and in a request that writes."""


class SpaceshipDriver(BatchDriver):
    """Writes through the API of Spaceship, with an API key and its secret."""

    address = "https://spaceship.dev/api/v1"
    headers: ClassVar = {"X-API-Key": "{auth_key}", "X-API-Secret": "{auth_secret}"}

    def entries(self, api: HostApi, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of a zone."""

        def read(number: int) -> tuple[list[Any], bool]:
            skipped = (number - 1) * _MOST
            found = api.json("GET", _path(zone), params={"take": _MOST, "skip": skipped})
            items = pick(found, "items", kind=list)
            return items, bool(items) and skipped + len(items) < pick(found, "total", kind=int)

        return txt_entries(pages(read), zone, key="", value="value")

    def write(self, api: HostApi, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records."""
        items = [{"type": "TXT", "name": label(each), "value": each.value, "ttl": each.ttl} for each in records]
        for some in _portions(items):
            # Without "force", a record of another type that conflicts is an error instead of being replaced.
            api.json("PUT", _path(zone), content={"force": False, "items": some})

    def erase(self, api: HostApi, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named by what they have."""
        for some in _portions([{key: each.identifier[key] for key in ("type", "name", "value")} for each in entries]):
            api.json("DELETE", _path(zone), content=some)


def _path(zone: str) -> str:
    return f"/dns/records/{segment(zone)}"


def _portions(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _MOST):
        yield items[start : start + _MOST]
