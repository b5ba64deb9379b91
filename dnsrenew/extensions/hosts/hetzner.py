"""Hetzner (https://docs.hetzner.cloud/reference/cloud#tag/zone-rrset-actions): a request for each name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, ClassVar, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.host_api import HostApi, HostError, by_zone, label, pick, quoted, segment, unknown_zone, unquoted
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import HostDriver, suppress_missing

PAUSE: Final = 0.5
"""Seconds between two looks at actions that are not finished."""
_PAGE: Final = 50
_CODES: Final = {
    "conflict": "provider-server-error",  # "the resource has changed during the request, please retry"
    "locked": "provider-server-error",  # an action of somebody else is running: a later attempt may succeed
    "protected": "provider-refused",
    "resource_limit_exceeded": "provider-refused",
}


class HetznerApi(HostApi):
    """The API of Hetzner, with its error codes."""

    def refused(self, response: Response) -> HostError:
        """Return the error for an answer."""
        refused, error = super().refused(response), response.fields().get("error")
        refused.code = _CODES.get(str(error.get("code"))) if isinstance(error, dict) else None
        return refused


class HetznerDriver(HostDriver):
    """Adds values to and removes them from record sets, with an API token of the project that holds the zone."""

    address = "https://api.hetzner.cloud/v1"
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}
    api_class = HetznerApi

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        if len(context.text("auth_token")) == 32:  # one of the API before this one
            raise ProviderError.of(texts.HETZNER_OLD_TOKEN, account=context.account)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add the values; existing ones stay."""
        with self.connect() as api:
            self._finish(api, [action for part in _by_name(records) for action in _add(api, part)])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist; the host deletes an empty record set."""
        with self.connect() as api:
            self._finish(api, [action for part in _by_name(records) for action in _remove(api, part)])

    def _finish(self, api: HostApi, running: list[int]) -> None:
        """Wait until all actions are finished.

        :raises HostError: one of them failed.
        """
        while running:
            identifiers, running = running[:_PAGE], running[_PAGE:]
            found = api.json("GET", "/actions", params={"id": identifiers, "per_page": _PAGE})
            unfinished = [each for action in pick(found, "actions", kind=list) for each in _running(action)]
            if unfinished:
                self.context.cancel.wait(min(PAUSE, self.context.seconds_left()))
            running += unfinished


class _NamePart(Frozen):
    """The values of one name, and the path of its record set."""

    zone: str
    path: str
    values: list[str]
    ttl: int


def _by_name(records: Sequence[TxtRecord]) -> list[_NamePart]:
    parts = []
    for zone, group in by_zone(records):
        for name, same in groupby(sorted(group, key=label), key=label):
            those = list(same)
            values = list(dict.fromkeys(record.value for record in those))
            path = f"/zones/{segment(zone)}/rrsets/{segment(name)}/TXT"
            parts.append(_NamePart(zone, path, values, those[0].ttl))
    return parts


def _add(api: HostApi, part: _NamePart) -> list[int]:
    try:
        return _act(api, part, "add_records", part.values, ttl=part.ttl)
    except HostError as error:
        # The values or others exist: the host takes no value twice, and no other TTL than that of the record set.
        if error.status_code not in {409, 422}:
            raise
        record_set = _record_set(api, part)
        if record_set is None:
            raise
    present = _values(record_set)
    missing = [value for value in part.values if value not in present]
    return _act(api, part, "add_records", missing, ttl=record_set.get("ttl")) if missing else []


def _remove(api: HostApi, part: _NamePart) -> list[int]:
    try:
        return _act(api, part, "remove_records", part.values)
    except HostError as error:
        if error.status_code not in {404, 409, 422}:
            raise
        record_set = _record_set(api, part)
        if record_set is None:
            _check_zone(api, part.zone)
            return []
        present = _values(record_set)
        removable = [value for value in part.values if value in present]
        if removable == part.values:
            raise
    return _act(api, part, "remove_records", removable) if removable else []


def _act(api: HostApi, part: _NamePart, action: str, values: list[str], **more: Any) -> list[int]:
    """Start an action; return its identifier if it is not finished."""
    records = [{"value": quoted(value)} for value in values]
    answer = api.json("POST", f"{part.path}/actions/{action}", content={"records": records, **more})
    return _running(pick(answer, "action", kind=dict))


def _running(action: Any) -> list[int]:
    status = pick(action, "status", kind=str)
    if status == "error":
        raise HostError(str(pick(action, "error", kind=dict).get("message") or "the action failed"))
    return [pick(action, "id", kind=int)] if status == "running" else []


def _record_set(api: HostApi, part: _NamePart) -> dict[str, Any] | None:
    """Return the record set of a name; None if there is none."""
    with suppress_missing():
        return pick(api.json("GET", part.path), "rrset", kind=dict)
    return None


def _values(record_set: dict[str, Any]) -> set[str]:
    return {unquoted(pick(item, "value", kind=str)) for item in pick(record_set, "records", kind=list)}


def _check_zone(api: HostApi, zone: str) -> None:
    """Raise unless the zone exists."""
    try:
        api.json("GET", f"/zones/{segment(zone)}")
    except HostError as error:
        if error.status_code != 404:
            raise
        raise unknown_zone(zone) from None
