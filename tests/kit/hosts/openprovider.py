"""Openprovider, from https://docs.openprovider.com/doc/all (Login, ListZones, ListRecords, UpdateZone).

That names are absolute in lists and relative in changes, and that a value is kept in quotes, are facts of lego, of
acme.sh's dns_openprovider_rest and of https://support.openprovider.eu/hc/en-us/articles/360024342733, which agree.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_TOKEN = "bearer-token-0000-4711"
_NUMBER = 12345


class Openprovider(HostStandIn):
    """A change is refused as a whole if a record exists already, or does not exist."""

    provider = "openprovider"
    credentials: ClassVar = {"username": "dns-robot", "password": "good-password-0000-4711"}
    secret = "password"
    batch = 4

    def answer(self, asked: Asked) -> Answer:
        """Log in, list and change."""
        parts = urlsplit(asked.path)
        body = json.loads(asked.body) if asked.body else {}
        if parts.path == "/auth/login":
            if {key: body.get(key) for key in self.credentials} != self.credentials:
                return self.problem(500, 196, "Authentication/Authorization Failed")
            return self.success(token=_TOKEN, reseller_id=1)
        if asked.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return self.problem(401, 196, "Authentication/Authorization Failed")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if (asked.method, parts.path) == ("GET", "/dns/zones"):
            found = [{"id": _NUMBER, "name": each} for each in self.zones if each == query["name_pattern"]]
            return self.success(**({"results": found} if found else {}), total=len(found))
        if (asked.method, parts.path) == ("GET", f"/dns/zones/{ZONE}/records"):
            return self._list(int(query.get("limit", 100)), int(query.get("offset", 0)))
        if (asked.method, parts.path) == ("PUT", f"/dns/zones/{ZONE}") and body["id"] == _NUMBER:
            return self._change(body["records"])
        return self.problem(404, 872, "The zone is not found")

    @staticmethod
    def success(**data: Any) -> Answer:
        """An answer with data."""
        return 200, {"code": 0, "desc": "", "data": data}

    @staticmethod
    def problem(status: int, code: int, desc: str) -> Answer:
        """An answer without."""
        return status, {"code": code, "desc": desc, "data": None}

    def _list(self, limit: int, offset: int) -> Answer:
        if not 1 <= limit <= 500:
            return self.problem(400, 399, "The limit is invalid")
        records: list[dict[str, Any]] = [{"type": "A", "name": ZONE, "value": "192.0.2.1", "ttl": 900, "prio": 0}]
        for name, value in self.values.values():
            records.append({"type": "TXT", "name": name, "value": f'"{value}"', "ttl": 900, "prio": 0})
        return self.success(results=records[offset : offset + limit], total=len(records))

    def _change(self, records: dict[str, list[dict[str, Any]]]) -> Answer:
        known = {f'{name} "{value}"': key for key, (name, value) in self.values.items()}
        for action in ("add", "remove"):
            for item in records.get(action, []):
                owner = f"{item['name']}.{ZONE}" if item["name"] else ZONE
                found = known.get(f"{owner} {item['value']}")
                if item["ttl"] < 600 or item["type"] != "TXT":
                    return self.problem(400, 813, "The record is invalid")
                if action == "add" and found is not None:
                    return self.problem(400, 817, "Duplicate record")
                if action == "remove" and (found is None or item["ttl"] != 900):
                    return self.problem(400, 818, "The record is not found")
                if found is None:
                    self.put(owner, item["value"][1:-1].replace('" "', ""))
                else:
                    del self.values[found]
        return self.success(success=True)
