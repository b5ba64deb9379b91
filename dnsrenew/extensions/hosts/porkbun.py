"""Porkbun (https://porkbun.com/api/json/v3/documentation): a POST request for each record, the keys in its body."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, parsed, pick, refusal, segment
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, identifier_of, txt_entries

LEAST_TTL: Final = 600
_CODES: Final = {
    **dict.fromkeys(("API_KEY_REQUIRED", "DOMAIN_NOT_ALLOWED", "INVALID_API_KEYS_001"), "provider-unauthorized"),
    **dict.fromkeys(("INVALID_USER", "IP_NOT_ALLOWED"), "provider-unauthorized"),
    "RATE_LIMIT_EXCEEDED": "provider-rate-limited",
}
"""The codes of errors by the API's codes."""


class PorkbunDriver(RecordDriver):
    """Writes through the API of Porkbun, with an API key and its secret."""

    address = "https://api.porkbun.com/api/json/v3"

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, because the API selects by only one name."""
        return txt_entries(pick(self._post("retrieve", zone), "records", kind=list))

    def create(self, zone: str, record: TxtRecord) -> Any:
        """Create a record. Its name is relative in the request, and absolute in the answer."""
        name, ttl = label(record, apex=""), max(record.ttl, LEAST_TTL)
        return identifier_of(self._post("create", zone, name=name, type="TXT", content=record.value, ttl=ttl))

    def delete(self, zone: str, identifier: str) -> None:
        """Delete a record."""
        self._post("delete", zone, identifier)

    def _post(self, action: str, zone: str, *more: str, **content: Any) -> Any:
        """Send a request. An error may have the status 200 too."""
        keys = {"apikey": self.text("auth_key"), "secretapikey": self.text("auth_secret")}
        path = "/".join(map(segment, (action, zone, *more)))
        response = self.request("POST", f"/dns/{path}", content={**keys, **content}, accept=(400, 403))
        answer = parsed(response)
        if pick(answer, "status", kind=str) == "SUCCESS":
            return answer
        code, message = str(answer.get("code", "")), str(answer.get("message", ""))
        if code == "INVALID_RECORD_ID":
            raise HostError(message, status=404)
        if code == "INVALID_DOMAIN":
            raise self.error(texts.PORKBUN_DOMAIN, zone=zone)
        raise refusal(response, message, code=_CODES.get(code))
