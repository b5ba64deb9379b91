"""Spaceship, from https://docs.spaceship.dev (DNS records)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_MOST = 500


class Spaceship(HostStandIn):
    """Records are saved and deleted in lists, and have no identifiers."""

    provider = "spaceship"
    credentials: ClassVar = {"auth_key": "good-key-0000", "auth_secret": "good-secret-0000-4711"}
    secret = "auth_secret"
    batch = 2

    def answer(self, asked: Asked) -> Answer:
        """Read, save and delete."""
        keys = {"auth_key": asked.headers.get("X-API-Key"), "auth_secret": asked.headers.get("X-API-Secret")}
        if keys != self.credentials:
            return self.problem(401, "The API key or secret is invalid.")
        parts = urlsplit(asked.path)
        if parts.path not in {f"/dns/records/{zone}" for zone in self.zones}:
            return self.problem(404, "The domain was not found.")
        if asked.method == "GET":
            return self._list({key: values[0] for key, values in parse_qs(parts.query).items()})
        body = json.loads(asked.body)
        items = body if asked.method == "DELETE" else body.get("items")
        if not isinstance(items, list) or not 1 <= len(items) <= _MOST:
            return self.problem(422, "Validation failed.", items="There must be 1 to 500 items.")
        if asked.method == "DELETE":
            return self._delete(items)
        return self._save(items) if body.get("force") is False else self.problem(422, "Validation failed.", force="?")

    @staticmethod
    def problem(status: int, detail: str, **fields: str) -> Answer:
        """A problem document, with the fields that are wrong."""
        data = [{"field": field, "details": details} for field, details in fields.items()]
        return status, {"detail": detail, **({"data": data} if data else {})}

    def _list(self, query: dict[str, str]) -> Answer:
        take, skip = int(query.get("take", 0)), int(query.get("skip", -1))
        if not 1 <= take <= _MOST or skip < 0:
            return self.problem(422, "Validation failed.", take="It must be between 1 and 500.")
        records: list[dict[str, Any]] = [{"type": "A", "name": "@", "address": "192.0.2.1", "ttl": 3600}]
        records += [
            {"type": "TXT", "name": self._relative(name), "value": value, "ttl": 60, "group": {"type": "custom"}}
            for name, value in self.values.values()
        ]
        return 200, {"items": records[skip : skip + take], "total": len(records)}

    def _save(self, items: list[dict[str, Any]]) -> Answer:
        for item in items:
            if set(item) != {"type", "name", "value", "ttl"} or item["type"] != "TXT":
                return self.problem(422, "Validation failed.", items="A TXT record has type, name, value and ttl.")
            if not 60 <= item["ttl"] <= 3600:
                return self.problem(422, "Validation failed.", ttl="It must be between 60 and 3600.")
            if (self._absolute(item["name"]), item["value"]) in self.values.values():
                return self.problem(422, "The record exists already.")
        for item in items:
            self.put(self._absolute(item["name"]), item["value"])
        return 204, ""

    def _delete(self, items: list[dict[str, Any]]) -> Answer:
        unwanted = [(self._absolute(item["name"]), item["value"]) for item in items if item["type"] == "TXT"]
        if len(unwanted) < len(items) or not set(unwanted) <= set(self.values.values()):
            return self.problem(404, "The record was not found.")
        self.values = {key: value for key, value in self.values.items() if value not in unwanted}
        return 204, ""

    @staticmethod
    def _relative(name: str) -> str:
        return name.removesuffix(ZONE).removesuffix(".") or "@"

    @staticmethod
    def _absolute(name: str) -> str:
        return ZONE if name == "@" else f"{name}.{ZONE}".lower()
