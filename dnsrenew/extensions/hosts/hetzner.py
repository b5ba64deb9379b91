"""Hetzner (https://docs.hetzner.cloud/reference/cloud#tag/zone-rrset-actions): a request for each name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import grouped
from dnsrenew.drivers.host_api import HostDriver, HostError, label, pick, quoted, segment, unknown_zone, unquoted
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import suppress_missing

PAUSE: Final = 0.5
"""Seconds between two checks of unfinished actions."""
_PAGE: Final = 50
_CODES: Final = {
    "conflict": "provider-server-error",  # "the resource has changed during the request, please retry"
    "locked": "provider-server-error",  # another action is running, and a later attempt may succeed
    "protected": "provider-refused",
    "resource_limit_exceeded": "provider-refused",
}


class HetznerDriver(HostDriver):
    """Adds values to and removes them from record sets, with an API token of the project that holds the zone."""

    address = "https://api.hetzner.cloud/v1"
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        if len(context.text("auth_token")) == 32:  # a token of the API before this one
            raise self.error(texts.HETZNER_OLD_TOKEN)

    def refused(self, response: Response) -> HostError:
        """Return the error for an answer."""
        refused, error = super().refused(response), response.fields().get("error")
        refused.code = _CODES.get(str(error.get("code"))) if isinstance(error, dict) else None
        return refused

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Add the values. Existing ones stay."""
        self._finish([action for part in _by_name(zone, records) for action in self._add(*part)])

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the existing values. The host deletes an empty record set."""
        parts = _by_name(zone, records)
        self._finish([action for path, values, _ttl in parts for action in self._remove(zone, path, values)])

    def _finish(self, running: list[int]) -> None:
        """Wait until all actions are finished.

        :raises HostError: an action failed.
        """
        while running:
            identifiers, running = running[:_PAGE], running[_PAGE:]
            found = self.json("GET", "/actions", params={"id": identifiers, "per_page": _PAGE})
            unfinished = [each for action in pick(found, "actions", kind=list) for each in _running(action)]
            if unfinished:
                self.context.cancel.wait(min(PAUSE, self.context.seconds_left()))
            running += unfinished

    def _add(self, path: str, values: list[str], ttl: int) -> list[int]:
        try:
            return self._act(path, "add_records", values, ttl=ttl)
        except HostError as error:
            # The values or others exist. The host accepts no value twice, and only the TTL of the record set.
            if error.status_code not in {409, 422}:
                raise
            if (record_set := self._record_set(path)) is None:
                raise
        present = _values(record_set)
        missing = [value for value in values if value not in present]
        return self._act(path, "add_records", missing, ttl=record_set.get("ttl")) if missing else []

    def _remove(self, zone: str, path: str, values: list[str]) -> list[int]:
        try:
            return self._act(path, "remove_records", values)
        except HostError as error:
            if error.status_code not in {404, 409, 422}:
                raise
            if (record_set := self._record_set(path)) is None:
                self._check_zone(zone)
                return []
            present = _values(record_set)
            removable = [value for value in values if value in present]
            if removable == values:
                raise
        return self._act(path, "remove_records", removable) if removable else []

    def _act(self, path: str, action: str, values: list[str], **more: Any) -> list[int]:
        """Start an action; return its identifier if it is not finished."""
        records = [{"value": quoted(value)} for value in values]
        answer = self.json("POST", f"{path}/actions/{action}", content={"records": records, **more})
        return _running(pick(answer, "action", kind=dict))

    def _record_set(self, path: str) -> dict[str, Any] | None:
        """Return the record set of a name, or None."""
        with suppress_missing():
            return pick(self.json("GET", path), "rrset", kind=dict)
        return None

    def _check_zone(self, zone: str) -> None:
        """Raise unless the zone exists."""
        with suppress_missing():
            self.json("GET", f"/zones/{segment(zone)}")
            return
        raise unknown_zone(zone)


def _by_name(zone: str, records: Sequence[TxtRecord]) -> Iterator[tuple[str, list[str], int]]:
    """Yield the path of the record set of each name, its values, and their TTL."""
    for name, same in grouped(records, label).items():
        values = list(dict.fromkeys(record.value for record in same))
        yield f"/zones/{segment(zone)}/rrsets/{segment(name)}/TXT", values, same[0].ttl


def _running(action: Any) -> list[int]:
    status = pick(action, "status", kind=str)
    if status == "error":
        raise HostError(str(pick(action, "error", kind=dict).get("message") or "the action failed"))
    return [pick(action, "id", kind=int)] if status == "running" else []


def _values(record_set: dict[str, Any]) -> set[str]:
    return {unquoted(pick(item, "value", kind=str)) for item in pick(record_set, "records", kind=list)}
