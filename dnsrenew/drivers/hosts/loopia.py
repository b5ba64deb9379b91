"""Loopia (https://support.loopia.se/wiki/loopiaapi-oversikt): a name must be made before its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.drivers.host_api import by_zone, label, pick
from dnsrenew.drivers.host_error import HostError, unknown_zone
from dnsrenew.drivers.hosts.loopia_api import UNKNOWN_ERROR, LoopiaApi

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext

LEAST_TTL: Final = 300


class LoopiaDriver:
    """Writes through the API of Loopia, with an API user of the account."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet; make the names that do not exist yet."""
        with LoopiaApi(self._context) as api:
            for zone, group in by_zone(records):
                try:
                    self._add(api, zone, group)
                except HostError as error:
                    raise _explained(api, zone, error) from None

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values, and each name that this run has made and that holds nothing else."""
        with LoopiaApi(self._context) as api:
            for zone, group in by_zone(records):
                try:
                    self._remove(api, zone, group)
                except HostError as error:
                    raise _explained(api, zone, error) from None

    def _add(self, api: LoopiaApi, zone: str, records: Sequence[TxtRecord]) -> None:
        existing = _subdomains(api, zone)
        for name, group in _by_name(records).items():
            values: set[str] = set()
            if name in existing:
                values = {str(entry.get("rdata")) for entry in _txt(_entries(api, zone, name))}
            else:
                self._context.remembered[_made(zone, name)] = True  # before: the answer may get lost
                api.order("addSubdomain", zone, name)
            for record in group:
                if record.value not in values:
                    api.order("addZoneRecord", zone, name, _record(record))
                    values.add(record.value)

    def _remove(self, api: LoopiaApi, zone: str, records: Sequence[TxtRecord]) -> None:
        existing = _subdomains(api, zone)
        for name, group in _by_name(records).items():
            if name not in existing:
                continue
            entries = _entries(api, zone, name)
            values = {record.value for record in group}
            ours = [entry for entry in _txt(entries) if entry.get("rdata") in values]
            if len(ours) == len(entries) and _made(zone, name) in self._context.remembered:
                api.order("removeSubdomain", zone, name)  # with its records
                self._context.remembered.pop(_made(zone, name), None)
                continue
            for entry in ours:
                api.order("removeZoneRecord", zone, name, pick(entry, "record_id", kind=int))


def _subdomains(api: LoopiaApi, zone: str) -> set[str]:
    """Return the names in a zone; the zone itself always exists."""
    return {str(name).lower() for name in api.items("getSubdomains", zone)} | {"@"}


def _entries(api: LoopiaApi, zone: str, name: str) -> list[dict[str, Any]]:
    return [pick({"record": entry}, "record", kind=dict) for entry in api.items("getZoneRecords", zone, name)]


def _txt(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry.get("type") == "TXT"]


def _explained(api: LoopiaApi, zone: str, error: HostError) -> HostError:
    """Return the error for one in a zone: the API says of a zone of another account only that something went wrong."""
    if str(error) == UNKNOWN_ERROR and not any(
        str(pick(domain, "domain", kind=str)).lower() == zone for domain in api.items("getDomains")
    ):
        return unknown_zone(zone)
    return error


def _by_name(records: Sequence[TxtRecord]) -> dict[str, list[TxtRecord]]:
    found: dict[str, list[TxtRecord]] = {}
    for record in records:
        found.setdefault(label(record), []).append(record)
    return found


def _made(zone: str, name: str) -> tuple[str, str, str]:
    return "made", zone, name


def _record(record: TxtRecord) -> dict[str, str | int]:
    ttl = max(record.ttl, LEAST_TTL)
    return {"type": "TXT", "ttl": ttl, "priority": 0, "rdata": record.value, "record_id": 0}
