"""Flexible Engine (https://docs.prod-cloud-ocb.orange-business.com/api/dns/): values of record sets are replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import (
    MAX_PAGES,
    HostApi,
    by_zone,
    malformed,
    pick,
    quoted,
    segment,
    unknown_zone,
    unquoted,
)

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext

ADDRESS: Final = "https://dns.prod-cloud-ocb.orange-business.com/v2"
_PAGE: Final = 500
_GOING: Final = "PENDING_DELETE"
"""The status of a record set that is being deleted."""


class FlexibleEngineDriver:
    """Writes through the DNS API of Flexible Engine, with a token of IAM.

    The record sets are read right before each change, and their other values are written back.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def connect(self) -> HostApi:
        """Return the API of the account."""
        return HostApi(self._context, ADDRESS, headers={"X-Auth-Token": self._context.text("auth_token")})

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add the values to the record sets of their names."""
        for api, path, name, wanted, found in self._names(records):
            present = {unquoted(content) for record_set in found for content in _contents(record_set)}
            missing = [quoted(value) for value in dict.fromkeys(wanted) if value not in present]
            if missing and found:
                _replace(api, path, found[0], [*_contents(found[0]), *missing])
            elif missing:
                content = {"name": name, "type": "TXT", "ttl": max(wanted.values()), "records": missing}
                api.json("POST", path, content=content)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values out of the record sets of their names; an empty one is deleted."""
        for api, path, _, unwanted, found in self._names(records):
            for record_set in found:
                contents = _contents(record_set)
                kept = [content for content in contents if unquoted(content) not in unwanted]
                if kept and len(kept) < len(contents):
                    _replace(api, path, record_set, kept)
                elif len(kept) < len(contents):
                    api.json("DELETE", f"{path}/{_identifier(record_set)}", accept={404})

    def _names(
        self, records: Sequence[TxtRecord]
    ) -> Iterator[tuple[HostApi, str, str, dict[str, int], list[dict[str, Any]]]]:
        """Give each name: the API, the path of the record sets, the name, its values with TTL, and its record sets."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                path = f"/zones/{segment(self._zone(api, zone))}/recordsets"
                found = _record_sets(api, path, {_owner(record) for record in group})
                for name, same in groupby(sorted(group, key=_owner), key=_owner):
                    yield api, path, name, {record.value: record.ttl for record in same}, found.get(name, [])

    def _zone(self, api: HostApi, zone: str) -> str:
        """Return the identifier of a zone."""
        if given := self._context.text("zone_id"):
            return given
        key = ("zone", zone)
        if key not in self._context.remembered:
            # Other zones whose name contains this one are listed too.
            for item in _pages(api, "/zones", {"type": "public", "name": zone}, "zones"):
                if names.labels(pick(item, "name", kind=str)) == names.labels(zone):
                    self._context.remembered[key] = pick(item, "id", kind=str)
                    break
            else:
                raise unknown_zone(zone)
        identifier: str = self._context.remembered[key]
        return identifier


def _owner(record: TxtRecord) -> str:
    return names.absolute(record.name).lower()


def _record_sets(api: HostApi, path: str, owners: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the TXT record sets at some names: of the zone, unless it is one name."""
    parameters = {"type": "TXT", **({"name": next(iter(owners))} if len(owners) == 1 else {})}
    found: dict[str, list[dict[str, Any]]] = {}
    for item in _pages(api, path, parameters, "recordsets"):
        # The API may know the parameters in another form.
        if pick(item, "type", kind=str) == "TXT" and item.get("status") != _GOING:
            name = names.absolute(pick(item, "name", kind=str)).lower()
            found.setdefault(name, []).append(item)
    return found


def _pages(api: HostApi, path: str, parameters: dict[str, str], key: str) -> Iterator[Any]:
    """Give the items of all pages. The link to the next one is not followed: it may lead to another host."""
    marker: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        answer = api.json("GET", path, params={**parameters, "limit": _PAGE, **marker})
        items = pick(answer, key, kind=list)
        yield from items
        links = answer.get("links")
        if not items or not (isinstance(links, dict) and links.get("next")):
            return
        marker = {"marker": pick(items, -1, "id", kind=str)}
    raise malformed("its pages do not end")


def _contents(record_set: dict[str, Any]) -> list[str]:
    return pick(record_set, "records", kind=list)


def _identifier(record_set: dict[str, Any]) -> str:
    return segment(pick(record_set, "id", kind=str))


def _replace(api: HostApi, path: str, record_set: dict[str, Any], contents: list[str]) -> None:
    """Write the values of a record set; whatever else it has stays."""
    content = {"name": record_set["name"], "type": "TXT", "ttl": pick(record_set, "ttl", kind=int), "records": contents}
    api.json("PUT", f"{path}/{_identifier(record_set)}", content=content)
