"""Gcore, from https://gcore.com/docs/api-reference/dns (zones, rrsets); errors as acme.sh knows them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

Record = dict[str, Any]


class Gcore(HostStandIn):
    """A record set is read, created, replaced and deleted by its name; values have no quotes.

    :ivar shown: what the record of a value has besides it.
    :ivar settings: what a record set has besides its records, by its name.
    """

    provider = "gcore"
    credentials: ClassVar = {"permanent_api_token": "4711$good-token-0000"}
    secret = "permanent_api_token"
    each = 2
    besides = 1

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, Record] = {}
        self.settings: dict[str, Record] = {}

    def answer(self, asked: Asked) -> Answer:
        """A zone, and its record sets."""
        if asked.headers.get("Authorization") != f"APIKey {self.credentials['permanent_api_token']}":
            return 401, {"error": "invalid or expired token"}
        match asked.method, asked.path.strip("/").split("/"):
            case "GET", ["v2", "zones", zone] if zone in self.zones:
                return 200, {"name": zone, "id": 4711, "records": [{"name": ZONE, "type": "SOA"}]}
            case method, ["v2", "zones", zone, name, "TXT"] if zone in self.zones:
                return self._record_set(method, name, json.loads(asked.body or "{}"))
        return 404, {"error": "zone is not found"}

    def _record_set(self, method: str, name: str, body: Record) -> Answer:
        values = self.by_name().get(name, [])
        if method == "POST" and values:
            return 409, {"error": "rrset is already exists"}
        if method != "POST" and not values:
            return 404, {"error": "record is not found"}
        if method in {"POST", "PUT"}:
            if not body.get("ttl") or not body.get("resource_records"):
                return 400, {"error": "invalid request"}
            for record in body["resource_records"]:
                (value,) = record["content"]
                self.shown[value] = {key: record[key] for key in ("enabled", "meta") if key in record}
            self.settings[name] = {key: body[key] for key in ("ttl", "pickers", "meta") if key in body}
            self.replace(name, [record["content"][0] for record in body["resource_records"]])
        if method == "DELETE":
            self.replace(name, ())
            return 204, ""
        records = [{"id": 1, "content": [each], "enabled": True, **self.shown.get(each, {})} for each in values]
        settings = {"ttl": 300, **self.settings.get(name, {})}
        return 200, {"name": name, "type": "TXT", "resource_records": records, "updated_at": 1, **settings}
