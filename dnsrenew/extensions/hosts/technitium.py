"""Technitium DNS Server (https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md): a request a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, ServerApi, pick, unknown_zone
from dnsrenew.extensions.hosts.record_driver import HostDriver


class TechnitiumDriver(HostDriver):
    """Writes through the HTTP API of a Technitium server, with an API token."""

    api_class = ServerApi
    # Servers before version 15 know the token only as a parameter.
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values one by one; the server keeps a value once."""
        with self.connect() as api:
            for record in records:
                self._change(api, "add", record, ttl=record.ttl)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values one by one."""
        with self.connect() as api:
            for record in records:
                self._change(api, "delete", record)

    def _change(self, api: ServerApi, action: str, record: TxtRecord, **more: Any) -> None:
        try:
            self._post(api, action, record, type="TXT", text=record.value, **more)
        except HostError as error:
            # The server refuses to add a value that exists, and to delete one that does not.
            if error.code is not None or error.status_code is not None:
                raise
            if self._exists(api, record) is not (action == "add"):
                raise

    def _exists(self, api: ServerApi, record: TxtRecord) -> bool:
        found = self._post(api, "get", record, listZone="false")
        return any(
            item.get("type") == "TXT" and item.get("rData", {}).get("text") == record.value
            for item in pick(found, "response", "records", kind=list)
        )

    def _post(self, api: ServerApi, action: str, record: TxtRecord, **parameters: Any) -> Any:
        """Send a request about a record; the server reports errors with status 200."""
        zone = names.relative(record.zone)
        form = {"token": self.context.text("auth_token"), "zone": zone, "domain": names.relative(record.name)}
        answer = api.json("POST", f"/api/zones/records/{action}", form={**form, **parameters})
        status = pick(answer, "status", kind=str)
        if status == "ok":
            return answer
        message = str(answer.get("errorMessage") or status)
        if message.lower().startswith("no such zone"):
            raise unknown_zone(zone)
        is_denied = status == "invalid-token" or message.lower().startswith("access was denied")
        raise HostError(message, code="provider-unauthorized" if is_denied else None)
