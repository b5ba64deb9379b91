"""DNSExit, from https://dnsexit.com/dns/dns-api/ (adding and deleting, and the codes of its answers).

That several records may be in a list, that a value can be deleted by its content, that a deletion of nothing is an
error, and the answer about a domain of somebody else are facts of lego, acme.sh and libdns, which agree.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class DnsExit(HostStandIn):
    """All changes are made that can be made; the code tells whether that were all."""

    provider = "dnsexit"
    credentials: ClassVar = {"api_key": "good-key-0000-4711"}
    secret = "api_key"
    batch = 1

    def answer(self, asked: Asked) -> Answer:
        """The one address of the API."""
        if asked.headers.get("apikey") != self.credentials["api_key"]:
            return 200, {"code": 2, "message": "API Key Authentication Error"}
        body = json.loads(asked.body)
        if body["domain"] not in self.zones:
            return 200, {"code": 6, "message": f"System Error - Fail to find UserID for {body['domain']}"}
        if (asked.method, asked.path) != ("POST", "/") or not {"add", "delete"} & set(body):
            return 400, {"code": 3, "message": "Missing Required Definitions"}
        details = [*map(self._add, body.get("add", [])), *map(self._delete, body.get("delete", []))]
        failed = [detail for detail in details if detail]
        if failed:
            return 200, {"code": 1, "message": "Some execution problems", "details": failed}
        return 200, {"code": 0, "message": "Success", "details": []}

    def _add(self, item: dict[str, Any]) -> str:
        kinds = {"type": str, "name": str, "content": str, "ttl": int, "overwrite": bool}
        if {key: type(value) for key, value in item.items()} != kinds or item["overwrite"] or item["ttl"] > 60:
            return "wrong record"
        if self._found(item):
            return "record exists"
        self.put(self._owner(item), item["content"])
        return ""

    def _delete(self, item: dict[str, Any]) -> str:
        found = self._found(item)
        for key in found:
            del self.values[key]
        return "" if found and item["type"] == "TXT" else "no record"

    def _found(self, item: dict[str, Any]) -> list[str]:
        return [key for key, value in self.values.items() if value == (self._owner(item), item["content"])]

    @staticmethod
    def _owner(item: dict[str, Any]) -> str:
        return f"{item['name']}.{ZONE}" if item["name"] else ZONE
