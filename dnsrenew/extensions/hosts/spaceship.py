"""Spaceship (https://docs.spaceship.dev): records are written and removed in one request, and have no identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, by_zone, label, pages, pick, segment
from dnsrenew.drivers.protocol import DriverContext

ADDRESS: Final = "https://spaceship.dev/api/v1"
_MOST: Final = 500
"""Records in a page, and in a request that writes."""


class SpaceshipDriver:
    """Writes through the API of Spaceship, with an API key and its secret."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        with self._connect() as api:
            for zone, group in by_zone(records):
                wanted = {_key(record): {**_item(record), "ttl": record.ttl} for record in group}
                existing = {(item["name"].lower(), item["value"]) for item in _existing(api, zone)}
                missing = [item for key, item in wanted.items() if key not in existing]
                for items in _portions(missing):
                    # Without "force", a record of another type that conflicts is an error instead of being replaced.
                    api.json("PUT", _path(zone), content={"force": False, "items": items})

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""
        with self._connect() as api:
            for zone, group in by_zone(records):
                wanted = {_key(record) for record in group}
                found = [item for item in _existing(api, zone) if (item["name"].lower(), item["value"]) in wanted]
                for items in _portions(found):
                    api.json("DELETE", _path(zone), content=items)

    def _connect(self) -> HostApi:
        keys = {"X-API-Key": self._context.text("auth_key"), "X-API-Secret": self._context.text("auth_secret")}
        return HostApi(self._context, ADDRESS, headers=keys)


def _existing(api: HostApi, zone: str) -> Iterator[dict[str, str]]:
    """Yield the TXT records of a zone, in the form in which they are removed."""

    def read(number: int) -> tuple[list[Any], bool]:
        skipped = (number - 1) * _MOST
        found = api.json("GET", _path(zone), params={"take": _MOST, "skip": skipped})
        items = pick(found, "items", kind=list)
        return items, bool(items) and skipped + len(items) < pick(found, "total", kind=int)

    for item in pages(read):
        if pick(item, "type", kind=str) == "TXT":
            yield {"type": "TXT", "name": pick(item, "name", kind=str), "value": pick(item, "value", kind=str)}


def _path(zone: str) -> str:
    return f"/dns/records/{segment(zone)}"


def _item(record: TxtRecord) -> dict[str, Any]:
    return {"type": "TXT", "name": label(record), "value": record.value}


def _key(record: TxtRecord) -> tuple[str, str]:
    return label(record), record.value


def _portions(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _MOST):
        yield items[start : start + _MOST]
