"""Loopia, from https://support.loopia.se/wiki/loopiaapi-oversikt (methods, types, status, felkoder).

What its pages leave open is as its clients found it (go-acme/lego, DNSControl): the status of an error in a list takes
the place of the list, and a domain of another account is `UNKNOWN_ERROR`.
"""

from __future__ import annotations

import xmlrpc.client  # not the code under test
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_METHODS = {"addSubdomain", "addZoneRecord", "getDomains", "getSubdomains", "getZoneRecords"} | {
    "removeSubdomain",
    "removeZoneRecord",
}
_LISTS = {"getDomains", "getSubdomains", "getZoneRecords"}
_RECORD = {"type": str, "ttl": int, "priority": int, "rdata": str, "record_id": int}


class Loopia(HostStandIn):
    """A name exists apart from its records; a record is written only at a name that exists."""

    provider = "loopia"
    credentials: ClassVar = {"auth_username": "me@loopiaapi", "auth_password": "good-password-<&>-4711"}
    secret = "auth_password"
    each = 2

    def __init__(self) -> None:
        super().__init__()
        self.subdomains = {"@", "_acme-challenge"}

    def put(self, name: str, value: str) -> str:
        """Create a record, and its name."""
        self.subdomains.add(self._relative(name))
        return super().put(name, value)

    def answer(self, asked: Asked) -> Answer:
        """Call a method."""
        if asked.method != "POST" or not asked.headers.get("Content-Type", "").startswith("text/xml"):
            return 405, ""
        arguments, method = xmlrpc.client.loads(asked.octets)
        if method not in _METHODS:
            return self.fault(620, "The method does not exist.")
        if list(arguments[:2]) != list(self.credentials.values()):
            return self.returns(method, "AUTH_ERROR")
        if method == "getDomains":
            return self.returns(method, [{"domain": zone, "paid": 1, "registered": 1} for zone in self.zones])
        if len(arguments) < 3 or arguments[2] not in self.zones:
            return self.returns(method, "UNKNOWN_ERROR")
        return self.returns(method, self._call(method, list(arguments[3:])))

    @staticmethod
    def returns(method: str, value: Any) -> Answer:
        """The answer with a value; a status takes the place of a list."""
        if method in _LISTS and isinstance(value, str):
            value = [value]
        return 200, xmlrpc.client.dumps((value,), methodresponse=True, encoding="UTF-8")

    @staticmethod
    def fault(code: int, text: str) -> Answer:
        """The answer with a fault."""
        return 200, xmlrpc.client.dumps(xmlrpc.client.Fault(code, text), methodresponse=True, encoding="UTF-8")

    def _call(self, method: str, arguments: list[Any]) -> Any:
        if method == "getSubdomains":
            return sorted(self.subdomains)
        name = arguments[0]
        if method == "addSubdomain":
            known = name in self.subdomains
            self.subdomains.add(name)
            return "UNKNOWN_ERROR" if known else "OK"
        if name not in self.subdomains:
            return "UNKNOWN_ERROR"
        found = {number: text for number, (owner, text) in self.values.items() if self._relative(owner) == name}
        if method == "getZoneRecords":
            return [self._record(number) for number in found]
        if method == "removeSubdomain":
            self.subdomains.remove(name)
            self.values = {number: value for number, value in self.values.items() if number not in found}
            return "OK"
        if method == "removeZoneRecord":
            return "OK" if isinstance(arguments[1], int) and self._drop(str(arguments[1]), found) else "BAD_INDATA"
        record = arguments[1]
        wrong = {key for key, kind in _RECORD.items() if not isinstance(record.get(key), kind)} | set(record) - set(
            _RECORD
        )
        if wrong or record["type"] != "TXT" or record["ttl"] < 300:
            return "BAD_INDATA"
        self.put(ZONE if name == "@" else f"{name}.{ZONE}", record["rdata"])
        return "OK"

    def _drop(self, number: str, found: dict[str, str]) -> bool:
        return number in found and self.values.pop(number, None) is not None

    def _record(self, number: str) -> dict[str, Any]:
        return {"type": "TXT", "ttl": 3600, "priority": 0, "rdata": self.values[number][1], "record_id": int(number)}

    @staticmethod
    def _relative(name: str) -> str:
        return name.removesuffix(".").lower().removesuffix(ZONE).removesuffix(".") or "@"
