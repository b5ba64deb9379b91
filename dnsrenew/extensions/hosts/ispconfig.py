"""ISPConfig (https://git.ispconfig.org/ispconfig/ispconfig3/-/tree/develop/remoting_client/API-docs): its remote API.

Each call logs in. Answers have the status 200, and a code in the body.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import WRONG_ADDRESS, HostError, malformed_field, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries, zone_among

_LOGIN: Final = ("login failed", "login is empty", "not allowed to access", "remote user")
"""In messages about the remote user."""


class IspConfigDriver(RecordDriver):
    """Writes through the remote API of an ISPConfig server, with a remote user."""

    if_missing = WRONG_ADDRESS

    def begin(self) -> None:
        """Begin a session."""
        login = {"username": self.text("username"), "password": self.text("password"), "client_login": False}
        self._session = pick(self._call("login", login), kind=str)

    def find_zone(self, zone: str) -> tuple[str, str, str]:
        """Return the number of a zone, the number of its server, and its name."""
        found = pick(self.ask("dns_zone_get", primary_id={"origin": f"{zone}."}) or [], kind=list)
        item = zone_among(found, zone, name="origin", key="")
        return _number(item, "id"), _number(item, "server_id"), zone

    def entries(self, zone: tuple[str, str, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone. Their names are absolute, or relative to it."""
        found = self.ask("dns_txt_get", primary_id={"zone": zone[0], "type": "TXT"})
        return txt_entries(pick(found or [], kind=list), zone[2], value="data")

    def create(self, zone: tuple[str, str, str], record: TxtRecord) -> Any:
        """Create a record."""
        number, server, _ = zone
        content = {"server_id": server, "zone": number, "name": names.absolute(record.name), "type": "TXT"}
        content |= {"data": record.value, "aux": "0", "ttl": str(record.ttl), "active": "y"}
        # It belongs to the administrator: asking for the client of the zone would need the right to change clients.
        answer = self.ask("dns_txt_add", client_id=0, params=content, update_serial=True)
        return _number({"response": answer}, "response")

    def delete(self, zone: tuple[str, str, str], identifier: str) -> None:
        """Delete a record. The API returns the number of deleted records."""
        answer = self.ask("dns_txt_delete", primary_id=identifier, update_serial=True)
        if _number({"response": answer}, "response") == "0":
            raise HostError("no such record", status=404)

    def ask(self, function: str, **arguments: Any) -> Any:
        """Call a function and return its result.

        :raises HostError: the server refused the call.
        """
        return self._call(function, {"session_id": self._session, **arguments})

    def _call(self, function: str, arguments: Any) -> Any:
        answer = self.json("POST", f"?{function}", content=arguments)
        if pick(answer, "code", kind=str) == "ok":
            return answer.get("response")
        message = str(answer.get("message") or answer["code"])
        is_login = any(words in message.lower() for words in _LOGIN)
        raise HostError(message, code="provider-unauthorized" if is_login else None)


def _number(item: Any, key: str) -> str:
    """Return a number, which the API sends as text or as a number."""
    value = item.get(key)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise malformed_field(key)
    return str(value)
