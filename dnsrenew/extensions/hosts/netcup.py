"""netcup (https://ccp.netcup.net/run/webservice/servers/endpoint.php): the JSON API of the customer control panel.

Each call logs in, reads each zone, changes all its values with one request, and logs out. The API answers errors with
HTTP 200 too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, HostError, by_zone, label, pick
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts

ADDRESS: Final = "https://ccp.netcup.net/run/webservice/servers/endpoint.php"
_FORMAT: Final = "?JSON"
_SESSION_INVALID: Final = 4001
_LIMITS: Final = ("requests per minute", "too many")
_NO_ZONE: Final = "could not be found"

Existing = dict[tuple[str, str], list[str]]
"""The identifiers of the TXT records of a zone, by relative name and value."""


class NetcupDriver:
    """Writes with the customer number, an API key and the API password."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        self._change(records, _additions)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""
        self._change(records, _deletions)

    def _change(
        self, records: Sequence[TxtRecord], changes: Callable[[Sequence[TxtRecord], Existing], Iterable[Any]]
    ) -> None:
        with HostApi(self._context, ADDRESS) as api:
            login = self._ask(api, "login", apipassword=self._context.text("auth_api_password"))
            session = pick(login, "apisessionid", kind=str)
            try:
                for zone, group in by_zone(records):
                    about = {"apisessionid": session, "domainname": zone}
                    if wanted := list(changes(group, self._existing(api, about))):
                        # The records that the request does not name stay.
                        self._ask(api, "updateDnsRecords", **about, dnsrecordset={"dnsrecords": wanted})
            finally:
                with suppress(HostError, HttpFailure, ProviderError):  # the session ends by itself after 15 minutes
                    self._ask(api, "logout", apisessionid=session)

    def _existing(self, api: HostApi, about: Mapping[str, str]) -> Existing:
        found: Existing = {}
        for item in pick(self._ask(api, "infoDnsRecords", **about), "dnsrecords", kind=list):
            if pick(item, "type", kind=str) == "TXT":
                key = pick(item, "hostname", kind=str).lower(), pick(item, "destination", kind=str)
                found.setdefault(key, []).append(pick(item, "id", kind=str))
        return found

    def _ask(self, api: HostApi, action: str, **parameters: Any) -> Any:
        """Send a request and return the data of its answer.

        :raises HostError: the API refused it.
        """
        text = self._context.text
        account = {"customernumber": text("auth_customer_id"), "apikey": text("auth_api_key")}
        answer = api.json("POST", _FORMAT, content={"action": action, "param": {**account, **parameters}})
        if pick(answer, "status", kind=str) == "success":
            return answer.get("responsedata")
        raise self._refusal(action, answer, str(parameters.get("domainname", "")))

    def _refusal(self, action: str, answer: Any, zone: str) -> Exception:
        message = str(answer.get("longmessage") or answer.get("shortmessage") or "")
        if any(words in message.lower() for words in _LIMITS):
            return HostError(message, code="provider-rate-limited")
        if action == "login":
            return HostError(message, code="provider-unauthorized")
        if answer.get("statuscode") == _SESSION_INVALID:  # happens to new sessions too; the next call has another one
            return HostError(message, code="provider-server-error")
        if _NO_ZONE in message:
            return ProviderError.of(texts.NETCUP_ZONE, account=self._context.account, zone=zone)
        return HostError(message)


def _additions(records: Sequence[TxtRecord], existing: Existing) -> Iterable[Any]:
    """Yield a new record for each value that does not exist; one without an identifier is created."""
    for name, value in dict.fromkeys(map(_key, records)):
        if (name, value) not in existing:
            yield {"hostname": name, "type": "TXT", "destination": value}


def _deletions(records: Sequence[TxtRecord], existing: Existing) -> Iterable[Any]:
    """Yield each record to delete; the API needs all its fields."""
    for name, value in dict.fromkeys(map(_key, records)):
        for identifier in existing.get((name, value), ()):
            yield {"id": identifier, "hostname": name, "type": "TXT", "destination": value, "deleterecord": True}


def _key(record: TxtRecord) -> tuple[str, str]:
    return label(record), record.value
