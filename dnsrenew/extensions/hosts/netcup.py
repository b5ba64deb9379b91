"""netcup (https://ccp.netcup.net/run/webservice/servers/endpoint.php): the JSON API of the customer control panel.

Each call logs in, reads each zone, changes all its values with one request, and logs out. The API answers errors with
HTTP 200 too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pick
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries

_LIMITS: Final = ("requests per minute", "too many")
_FIELDS: Final = ("id", "hostname", "type", "destination")


class NetcupDriver(BatchDriver):
    """Writes with the customer number, an API key and the API password."""

    address = "https://ccp.netcup.net/run/webservice/servers/endpoint.php"

    _session: str | None = None

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            with suppress(HostError, HttpFailure, ProviderError):  # the session ends by itself after 15 minutes
                self._act("logout", apisessionid=self._session)
        super().__exit__()

    def begin(self) -> None:
        """Begin a session."""
        login = self._act("login", apipassword=self.text("auth_api_password"))
        self._session = pick(login, "apisessionid", kind=str)

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of the zone."""
        items = pick(self._act("infoDnsRecords", apisessionid=self._session, domainname=zone), "dnsrecords", kind=list)
        return txt_entries(items, zone, key="", name="hostname", value="destination")

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records.

        A record without an identifier is created, and records that the request does not name stay.
        """
        self.update(zone, [{"hostname": label(each), "type": "TXT", "destination": each.value} for each in records])

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records. The API needs all their fields."""
        items = [{key: pick(each.identifier, key, kind=str) for key in _FIELDS} for each in entries]
        self.update(zone, [{**item, "deleterecord": True} for item in items])

    def update(self, zone: str, records: list[Any]) -> None:
        """Write or delete records."""
        records_of = {"domainname": zone, "dnsrecordset": {"dnsrecords": records}}
        self._act("updateDnsRecords", apisessionid=self._session, **records_of)

    def _act(self, action: str, **parameters: Any) -> Any:
        text = self.text
        account = {"customernumber": text("auth_customer_id"), "apikey": text("auth_api_key")}
        answer = self.json("POST", "?JSON", content={"action": action, "param": {**account, **parameters}})
        if pick(answer, "status", kind=str) == "success":
            return answer.get("responsedata")
        raise self._refusal(action, answer, str(parameters.get("domainname", "")))

    def _refusal(self, action: str, answer: Any, zone: str) -> Exception:
        message = str(answer.get("longmessage") or answer.get("shortmessage") or "")
        if any(words in message.lower() for words in _LIMITS):
            return HostError(message, code="provider-rate-limited")
        if action == "login":
            return HostError(message, code="provider-unauthorized")
        if answer.get("statuscode") == 4001:  # no such session, for new ones too; the next call has another one
            return HostError(message, code="provider-server-error")
        if "could not be found" in message:
            return self.error(texts.NETCUP_ZONE, zone=zone)
        return HostError(message)
