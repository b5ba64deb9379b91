"""Simply.com (https://www.simply.com/docs/api/): a request for each record. The body has its own status."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, parsed, pick, refusal, segment
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries


class SimplyDriver(RecordDriver):
    """Writes through the API of Simply.com, with the name of the account and its API key."""

    address = "https://api.simply.com/2"
    login = ("account_name", "api_key")

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Return all TXT records of the zone, because the API has no filter."""
        return txt_entries(pick(self._send("GET", zone), "records", kind=list), zone, key="record_id", value="data")

    def create(self, zone: str, record: TxtRecord) -> Any:
        """Create a record."""
        content = {"name": label(record), "type": "TXT", "data": record.value, "ttl": record.ttl}
        return pick(self._send("POST", zone, content=content), "record", "id", kind=int)

    def delete(self, zone: str, identifier: int) -> None:
        """Delete a record."""
        self._send("DELETE", zone, f"{identifier}/")

    def _send(self, method: str, zone: str, record: str = "", **arguments: Any) -> Any:
        """Send a request about the records of a zone. The status in its body counts."""
        path = f"/my/products/{segment(zone)}/dns/records/{record}"
        response = self.request(method, path, accept=(400, 404), **arguments)
        answer = parsed(response)
        status, message = pick(answer, "status", kind=int), str(answer.get("message", ""))
        if status < 400 and response.status < 400:
            return answer
        if "account authorization" in message:  # "Invalid account authorization", with the status 400
            raise refusal(response, message, code="provider-unauthorized")
        raise HostError(message, status=max(status, response.status), headers=response.headers)
