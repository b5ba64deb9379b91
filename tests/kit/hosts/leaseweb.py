"""Leaseweb, from https://developer.leaseweb.com/docs/#tag/DNS, with the answers in the tests of go-acme/lego."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_TTLS = {60, 300, 1800, 3600, 14400, 28800, 43200, 86400}


class Leaseweb(HostStandIn):
    """The record sets of a domain are listed; each is created, replaced and deleted by its absolute name."""

    provider = "leaseweb"
    credentials: ClassVar = {"api_key": "d0fd1d0b-good-key-4711"}
    secret = "api_key"

    def answer(self, asked: Asked) -> Answer:
        """The record sets of a domain."""
        if asked.headers.get("X-LSW-Auth") != self.credentials["api_key"]:
            return self.error(401, "You are not authorized to view this resource.")
        match asked.method, asked.path.strip("/").split("/"):
            case _, ["domains", zone, "resourceRecordSets", *_] if zone not in self.zones:
                return self.error(404, "Domain not found")
            case "GET", ["domains", _, "resourceRecordSets"]:
                address = {"name": f"{ZONE}.", "type": "A", "content": ["192.0.2.1"], "ttl": 3600, "editable": True}
                return 200, {
                    "_links": {},
                    "resourceRecordSets": [address, *(self._set(*each) for each in self.by_name().items())],
                }
            case "POST", ["domains", _, "resourceRecordSets"]:
                return self._save(json.loads(asked.body), 201)
            case "PUT", ["domains", _, "resourceRecordSets", name, "TXT"] if self.look(name):
                return self._save({"name": name, "type": "TXT", **json.loads(asked.body)}, 200)
            case "DELETE", ["domains", _, "resourceRecordSets", name, "TXT"] if self.look(name):
                self.replace(name, ())
                return 204, ""
        return self.error(404, "Resource not found")

    def _save(self, body: dict[str, Any], status: int) -> Answer:
        name = body["name"].removesuffix(".")
        if set(body) != {"name", "type", "content", "ttl"} or body["ttl"] not in _TTLS or not body["content"]:
            return self.error(400, "Validation Failed")
        if status == 201 and self.look(name):
            return self.error(400, "A resource record set with this name and type already exists.")
        self.replace(name, body["content"])
        return status, self._set(name, body["content"])

    @staticmethod
    def _set(name: str, values: list[str]) -> dict[str, Any]:
        return {"name": f"{name}.", "type": "TXT", "content": values, "ttl": 300, "editable": True}

    @staticmethod
    def error(status: int, message: str) -> Answer:
        """An error."""
        code = {"correlationId": "289346a1-3eaf-4da4-b707-62ef12eb08be", "errorCode": str(status)}
        return status, {**code, "errorMessage": message}
