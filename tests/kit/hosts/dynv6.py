"""dynv6, from https://dynv6.github.io/api-spec/ (the texts of its errors are not documented)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_NUMBER = 3582646
_TYPES = {"A", "AAAA", "CAA", "CNAME", "MX", "SPF", "SRV", "TXT"}


class Dynv6(HostStandIn):
    """A zone is found by its name; all its records come in one list; names are relative."""

    provider = "dynv6"
    credentials: ClassVar = {"auth_token": "XCqXvdqJMWY1GEyCdcBZZWnwm4F6Ub"}
    secret = "auth_token"

    def answer(self, asked: Asked) -> Answer:
        """Zones by name, and records."""
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['auth_token']}":
            return 401, ""
        match asked.method, urlsplit(asked.path).path.strip("/").split("/"):
            case "GET", ["zones", "by-name", zone] if zone in self.zones:
                return 200, {"id": _NUMBER, "name": zone, "ipv4address": "192.0.2.1", "ipv6prefix": ""}
            case "GET", ["zones", "3582646", "records"]:
                return 200, [_address(), *map(self._record, self.values)]
            case "POST", ["zones", "3582646", "records"]:
                return self._add(json.loads(asked.body))
            case "DELETE", ["zones", "3582646", "records", number] if number in self.values:
                del self.values[number]
                return 204, ""
        return 404, ""

    def _add(self, record: dict[str, Any]) -> Answer:
        missing = [field for field in ("name", "type", "data") if not isinstance(record.get(field), str)]
        if not missing and record["type"] not in _TYPES:
            missing = ["type"]
        if not missing and (record["name"].endswith((".", ZONE)) or "@" in record["name"]):
            missing = ["name"]  # it is relative, and the zone itself has the empty name
        if missing:
            fields = [{"name": field, "message": "is invalid"} for field in missing]
            return 422, {"error": {"name": "ValidationError", "message": "validation failed", "fields": fields}}
        name = f"{record['name']}.{ZONE}" if record["name"] else ZONE
        return 200, self._record(self.put(name, record["data"]))

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        relative = name.removesuffix(ZONE).removesuffix(".")
        return {"id": int(identifier), "zoneID": _NUMBER, "type": "TXT", "name": relative, "data": value}


def _address() -> dict[str, Any]:
    """A record of another type."""
    return {"id": 1_000_001, "zoneID": _NUMBER, "type": "A", "name": "www", "data": "192.0.2.2"}
