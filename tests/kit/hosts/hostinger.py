"""Hostinger, from https://developers.hostinger.com (openapi.json 0.0.63, DNS: Zone).

Not in that documentation: values come back in quotes, as acme.sh and go-acme/lego say, and 404 for another domain.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import HostStandIn


class Hostinger(HostStandIn):
    """A zone is sent as a whole; the values of several names are replaced, or deleted, in one request.

    :ivar disabled: values that the owner has switched off.
    """

    provider = "hostinger"
    credentials: ClassVar = {"api_token": "Jm4kQ0good-token-4711"}
    secret = "api_token"
    batch = 2

    def __init__(self) -> None:
        super().__init__()
        self.disabled: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        """Read, replace and delete."""
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['api_token']}":
            return 401, {"message": "Unauthenticated", "correlation_id": "26a91bd9-f8c8-4a83-9df9-83e23d696fe3"}
        if urlsplit(asked.path).path not in {f"/api/dns/v1/zones/{zone}" for zone in self.zones}:
            return 404, {"message": "Domain not found", "correlation_id": "26a91bd9-f8c8-4a83-9df9-83e23d696fe3"}
        if asked.method == "GET":
            sets = [{"name": "@", "type": "A", "ttl": 14400, "records": [{"content": "192.0.2.1"}]}]
            return 200, [*sets, *(self._set(name, values) for name, values in self.by_name().items())]
        body = json.loads(asked.body)
        if asked.method == "PUT" and self._is_zone(body):
            for item in body["zone"]:
                name = self.absolute(item["name"])
                before = [] if body.get("overwrite", True) else self.by_name().get(name, [])
                self.replace(name, [*before, *(record["content"].strip('"') for record in item["records"])])
            return 200, {"message": "Request accepted"}
        if asked.method == "DELETE" and body.get("filters"):
            for item in body["filters"]:
                self.replace(self.absolute(item["name"]), ())
            return 200, {"message": "Request accepted"}
        return 422, {"message": "The zone field is required.", "errors": {"zone": ["The zone field is required."]}}

    def _set(self, name: str, values: list[str]) -> dict[str, Any]:
        records = [{"content": f'"{value}"', "is_disabled": value in self.disabled} for value in values]
        return {"name": self.relative(name), "type": "TXT", "ttl": 14400, "records": records}

    @staticmethod
    def _is_zone(body: dict[str, Any]) -> bool:
        return bool(body.get("zone")) and all(
            {"name", "type", "ttl", "records"} == set(item) and item["records"] and item["type"] == "TXT"
            for item in body["zone"]
        )
