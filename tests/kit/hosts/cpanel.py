"""cPanel and WHM, from https://api.docs.cpanel.net (parse_zone, mass_edit_zone; parse_dns_zone, mass_edit_dns_zone).

The messages of errors are those that the clients of go-acme/lego and libdns have met.
"""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Cpanel(HostStandIn):
    """A zone is a file: records are its lines. A change needs the serial number, and moves the lines after it.

    :ivar serial: of the zone.
    """

    provider = "cpanel"
    credentials: ClassVar = {"username": "me", "token": "U7HMR63FHY282DQZ4H5BIH16JLYSO01M"}
    secret = "token"
    batch = 2
    scheme = "cpanel"

    def __init__(self) -> None:
        super().__init__()
        self.serial = 2026120100

    def answer(self, asked: Asked) -> Answer:
        """Call a function."""
        parts = urlsplit(asked.path)
        given = parse_qs(parts.query)
        if asked.headers.get("Authorization") != f"{self.scheme} me:{self.credentials['token']}":
            return 401, "<html><head><title>Login</title></head></html>"
        function = parts.path.removeprefix(self.prefix())
        if asked.method != "GET" or function == parts.path:
            return 404, "<html>Not found</html>"
        if given["zone"][0] not in self.zones:
            return self.refused(f"You do not control a DNS zone named {given['zone'][0]}.")
        match function:
            case "parse_zone" | "parse_dns_zone":
                return self.done(self._lines())
            case "mass_edit_zone" | "mass_edit_dns_zone":
                return self._edit(given)
        return self.refused(f"The function {function} is not known.")

    def prefix(self) -> str:
        """Return the start of the paths of functions."""
        return "/execute/DNS/"

    def done(self, data: Any) -> Answer:
        """The answer with the data of a function."""
        return 200, {"status": 1, "errors": None, "messages": None, "metadata": {"transformed": 1}, "data": data}

    def refused(self, reason: str) -> Answer:
        """The answer with an error."""
        return 200, {"status": 0, "errors": [reason], "messages": None, "metadata": {}, "data": None}

    def _lines(self) -> list[dict[str, Any]]:
        soa = ["ns1.example.net.", "root.example.net.", str(self.serial), "3600", "1800", "1209600", "86400"]
        lines: list[dict[str, Any]] = [{"line_index": 0, "type": "control", "text_b64": _b64("$TTL 14400")}]
        lines.append(_record(1, f"{ZONE}.", "SOA", soa))
        for index, (name, value) in enumerate(self.values.values(), 10):
            inside = self.relative(name, f"{ZONE}.")
            lines.append(_record(index, inside, "TXT", [value[at : at + 255] for at in range(0, len(value), 255)]))
        return lines

    def _edit(self, given: dict[str, list[str]]) -> Answer:
        if given["serial"] != [str(self.serial)]:
            old = given["serial"][0]
            return self.refused(
                f"The given serial number ({old}) does not match the DNS zone’s serial number ({self.serial})."
            )
        keys = list(self.values)
        gone = [int(index) - 10 for index in given.get("remove", ())]
        if any(not 0 <= index < len(keys) for index in gone):
            return self.refused("There is no record at that line.")
        for item in map(json.loads, given.get("add", ())):
            if set(item) != {"dname", "ttl", "record_type", "data"} or any(len(part) > 255 for part in item["data"]):
                return self.refused("The record is not valid.")
            self.put(item["dname"], "".join(item["data"]))
        for index in gone:
            del self.values[keys[index]]
        self.serial += 1
        return self.done({"new_serial": str(self.serial)})


class Whm(Cpanel):
    """WHM, with a token of root or a reseller."""

    scheme = "whm"
    credentials: ClassVar = {**Cpanel.credentials, "mode": "whm"}

    def prefix(self) -> str:
        """Return the start of the paths of functions."""
        return "/json-api/"

    def done(self, data: Any) -> Answer:
        """The answer with the data of a function."""
        metadata = {"command": "parse_dns_zone", "reason": "OK", "result": 1, "version": 1}
        return 200, {"data": {"payload": data} if isinstance(data, list) else data, "metadata": metadata}

    def refused(self, reason: str) -> Answer:
        """The answer with an error."""
        return 200, {"data": None, "metadata": {"command": "x", "reason": reason, "result": 0, "version": 1}}


def _record(index: int, name: str, kind: str, data: list[str]) -> dict[str, Any]:
    record = {"line_index": index, "type": "record", "record_type": kind, "ttl": 14400}
    return {**record, "dname_b64": _b64(name), "data_b64": [*map(_b64, data)]}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
