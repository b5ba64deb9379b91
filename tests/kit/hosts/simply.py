"""Simply.com, from https://www.simply.com/docs/api/ and https://api.simply.com/2/doc.json."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dnsrenew.drivers.host_api import basic
from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Simply(HostStandIn):
    """All records of a product come in one list; each answer repeats its status in the body."""

    provider = "simply"
    credentials: ClassVar = {"account_name": "S123456", "api_key": "9Jq5lRkO3nPzVt8w"}
    secret = "api_key"

    def answer(self, asked: Asked) -> Answer:
        """The records of a product."""
        if asked.headers.get("Authorization") != basic(*self.credentials.values()):
            return _answer(400, "Invalid account authorization")
        path = urlsplit(asked.path).path
        match asked.method, path.strip("/").split("/"):
            case _ if not path.endswith("/"):
                return _answer(404, "Unknown endpoint")
            case _, ["my", "products", product, *_] if product not in self.zones:
                return _answer(404, "Unknown or invalid product reference")
            case "GET", ["my", "products", _, "dns", "records"]:
                server = {"record_id": 9_000_001, "name": "@", "ttl": 3600, "data": "ns1.simply.com", "type": "NS"}
                return _answer(200, "success", records=[{**server, "priority": 0}, *map(self._record, self.values)])
            case "POST", ["my", "products", _, "dns", "records"]:
                return self._add(json.loads(asked.body))
            case "DELETE", ["my", "products", _, "dns", "records", number] if number in self.values:
                del self.values[number]
                return _answer(200, "success")
        return _answer(404, "Unknown DNS record")

    def _add(self, record: dict[str, Any]) -> Answer:
        name, data = record.get("name"), record.get("data")
        if record.get("type") != "TXT" or not name or name.endswith((".", ZONE)) or not data:
            return _answer(400, "Invalid DNS record")
        if not isinstance(record.get("ttl", 3600), int) or not isinstance(record.get("priority", 0), int):
            return _answer(400, "Invalid TTL or priority")
        identifier = self.put(ZONE if name == "@" else f"{name}.{ZONE}", data)
        return _answer(200, "success", record={"id": int(identifier)})

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        relative = name.removesuffix(ZONE).removesuffix(".") or "@"
        record = {"record_id": int(identifier), "name": relative, "ttl": 120, "data": value}
        return {**record, "type": "TXT", "priority": 0}


def _answer(status: int, message: str, **more: Any) -> Answer:
    return status, {"status": status, "message": message, **more}
