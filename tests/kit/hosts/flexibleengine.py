"""Flexible Engine, from the API reference of its region (https://support.huaweicloud.com/intl/en-us/eu-west-0-api-dns/).

The code of a conflict, and the links of a list, are those that dns-lexicon's provider and its recorded answers have.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

PAGE = 500
_ZONE = "ff80808257e2bb5e0157ec620968023a"
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*')


class FlexibleEngine(HostStandIn):
    """Record sets with identifiers. Lists are searched by a part of the name, and have pages of 500, found by markers.

    :ivar ttls: of the record sets, by their names.
    :ivar notes: their descriptions.
    :ivar going: names whose record sets are being deleted, and are still listed.
    """

    provider = "flexibleengine"
    credentials: ClassVar = {"auth_token": "MIIDkgYJKoZIhvcNAQcCoIIDgzCCA38CAQExDTAL" * 40}
    secret = "auth_token"
    besides = 3

    def __init__(self) -> None:
        super().__init__()
        self.ttls: dict[str, int] = {}
        self.notes: dict[str, str] = {}
        self.going: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        """Zones and their record sets."""
        if not self.is_allowed(asked):
            error = {"error_msg": "Incorrect IAM authentication information", "error_code": "APIGW.0301"}
            return 401, {**error, "request_id": "1"}
        parts = urlsplit(asked.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["zones"]:
                zones = [{"id": "near", "name": f"not{zone}."} for zone in self.zones]
                zones += [{"id": _ZONE, "name": f"{zone}.", "zone_type": "public"} for zone in self.zones]
                return self._page("zones", zones, query)
            case "GET", ["zones", zone, "recordsets"] if zone == _ZONE:
                values = self.by_name()
                sets = [self._set(name, values.get(name, [])) for name in sorted({*self.going, *values})]
                return self._page("recordsets", sets, query)
            case "POST", ["zones", zone, "recordsets"] if zone == _ZONE:
                return self._create(json.loads(asked.body))
            case ("PUT" | "DELETE") as method, ["zones", zone, "recordsets", number] if zone == _ZONE:
                name = bytes.fromhex(number.removeprefix("2c")).decode()
                if not self.look(name):
                    return 404, {"code": "DNS.0313", "message": "The record set does not exist"}
                return self._change(name, json.loads(asked.body) if method == "PUT" else {"records": []})
        return 404, {"code": "DNS.0302", "message": "This zone does not exist"}

    def is_allowed(self, asked: Asked) -> bool:
        """Tell whether a request has the right credentials."""
        return asked.headers.get("X-Auth-Token") == self.credentials["auth_token"]

    def _page(self, key: str, items: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        found = [item for item in items if query.get("name", "").removesuffix(".") in item["name"]]
        if "type" in query and key == "recordsets":
            found = [item for item in found if item["type"] == query["type"]]
        most = int(query.get("limit", PAGE))
        start = 1 + [item["id"] for item in found].index(query["marker"]) if "marker" in query else 0
        shown = found[start : start + most]
        links = {"self": "https://dns.test/v2/zones"}
        if start + most < len(found):
            links["next"] = f"https://elsewhere.test/v2/zones?marker={shown[-1]['id']}"
        return 200, {"links": links, key: shown, "metadata": {"total_count": len(found)}}

    def _set(self, name: str, values: list[str]) -> dict[str, Any]:
        return {
            "id": f"2c{name.encode().hex()}",
            "name": f"{name}.",
            "description": self.notes.get(name, ""),
            "type": "TXT",
            "ttl": self.ttls.get(name, 300),
            "records": [f'"{value}"' for value in sorted(values)] or ['"gone"'],
            "status": "PENDING_DELETE" if name in self.going else "ACTIVE",
            "zone_id": _ZONE,
            "zone_name": f"{ZONE}.",
        }

    def _create(self, body: dict[str, Any]) -> Answer:
        name = body["name"].removesuffix(".").lower()
        if set(body) != {"name", "type", "ttl", "records"} or not self._is_valid(body):
            return 400, {"code": "DNS.0303", "message": "The parameters are invalid"}
        if self.look(name):
            return 400, {"code": "DNS.0312", "message": f"Attribute 'name' conflicts with Record Set '{name}'"}
        self.ttls[name] = body["ttl"]
        self.going.discard(name)
        for content in body["records"]:
            self.put(name, content[1:-1].replace('" "', ""))
        return 202, self._set(name, self.by_name()[name])

    def _change(self, name: str, body: dict[str, Any]) -> Answer:
        if body["records"] and (not self._is_valid(body) or body["name"].removesuffix(".") != name):
            return 400, {"code": "DNS.0303", "message": "The parameters are invalid"}
        answer = self._set(name, self.by_name()[name])
        self.values = {key: entry for key, entry in self.values.items() if entry[0] != name}
        self.ttls[name] = body.get("ttl", self.ttls.get(name, 300))
        for content in body["records"]:
            self.put(name, content[1:-1].replace('" "', ""))
        return 202, answer

    @staticmethod
    def _is_valid(body: dict[str, Any]) -> bool:
        records = body["records"]
        return (
            body["type"] == "TXT"
            and 1 <= body["ttl"] <= 2147483647
            and body["name"].endswith(f"{ZONE}.")
            and 1 <= len(set(records)) == len(records) <= 50
            and all(_QUOTED.fullmatch(content) for content in records)
        )
