"""Technitium DNS Server (https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md): a request a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import WRONG_ADDRESS, HostDriver, HostError, pick, unknown_zone


class TechnitiumDriver(HostDriver):
    """Writes through the HTTP API of a Technitium server, with an API token."""

    if_missing = WRONG_ADDRESS
    # Servers before version 15 read the token only as a parameter.
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values one by one. The server keeps a value once."""
        for record in records:
            self._change("add", record, ttl=record.ttl)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the values one by one."""
        for record in records:
            self._change("delete", record)

    def _change(self, action: str, record: TxtRecord, **more: Any) -> None:
        try:
            self._post(action, record, type="TXT", text=record.value, **more)
        except HostError as error:
            # The server refuses to add an existing value, and to delete a missing one.
            if error.code or error.status_code or self._exists(record) is not (action == "add"):
                raise

    def _exists(self, record: TxtRecord) -> bool:
        found = pick(self._post("get", record, listZone="false"), "response", "records", kind=list)
        values = [item.get("rData", {}).get("text") for item in found if item.get("type") == "TXT"]
        return record.value in values

    def _post(self, action: str, record: TxtRecord, **parameters: Any) -> Any:
        """Send a request about a record. The server reports errors with status 200."""
        zone = names.relative(record.zone)
        form = {"token": self.text("auth_token"), "zone": zone, "domain": names.relative(record.name)}
        answer = self.json("POST", f"/api/zones/records/{action}", form={**form, **parameters})
        status = pick(answer, "status", kind=str)
        if status == "ok":
            return answer
        message = str(answer.get("errorMessage") or status)
        if message.lower().startswith("no such zone"):
            raise unknown_zone(zone)
        is_denied = status == "invalid-token" or message.lower().startswith("access was denied")
        raise HostError(message, code="provider-unauthorized" if is_denied else None)
