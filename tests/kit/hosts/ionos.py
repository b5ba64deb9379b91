"""IONOS, from https://developer.hosting.ionos.com/docs/dns (version 1.0.2).

Not in that documentation: values come back in quotes, and 60 seconds is the minimum TTL.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_ZONE_ID = "11af3414-ebba-11e9-8df5-66fbe8a334b4"
_FIELDS = {"name": str, "type": str, "content": str, "ttl": int, "prio": int, "disabled": bool}
_LEAST_TTL = 60


class Ionos(HostStandIn):
    """A zone comes with its records, selected by type; records are created in one request, deleted one by one."""

    provider = "ionos"
    credentials: ClassVar = {"api_key": "2d7648e10caf47d4b228bb16a82f3592.GgNjuBgVNN53-secret"}
    secret = "api_key"

    def answer(self, asked: Asked) -> Answer:
        """Zones, a zone, and its records."""
        if asked.headers.get("X-API-Key") != self.credentials["api_key"]:
            return 401, _error("UNAUTHORIZED", "The customer is not authorized to do this operation.")
        parts = urlsplit(asked.path)
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["v1", "zones"]:
                return 200, [{"id": _ZONE_ID, "name": zone, "type": "NATIVE"} for zone in self.zones]
            case "GET", ["v1", "zones", zone] if zone == _ZONE_ID:
                return 200, self._zone(parse_qs(parts.query).get("recordType", [""])[0])
            case "POST", ["v1", "zones", zone, "records"] if zone == _ZONE_ID:
                return self._add(json.loads(asked.body))
            case "DELETE", ["v1", "zones", zone, "records", record] if zone == _ZONE_ID and record in self._ids():
                del self.values[self._ids()[record]]
                return 200, ""
        return 404, _error("RECORD_NOT_FOUND", "Record does not exist.")

    def _zone(self, kinds: str) -> dict[str, Any]:
        records = [{**_record("0", ZONE, "192.0.2.1"), "type": "A"}]
        records += [_record(key, name, f'"{value}"') for key, (name, value) in self.values.items()]
        chosen = [record for record in records if not kinds or record["type"] in kinds.split(",")]
        return {"id": _ZONE_ID, "name": ZONE, "type": "NATIVE", "records": chosen}

    def _add(self, records: Any) -> Answer:
        """Create all records, or none."""
        if not isinstance(records, list) or not records:
            return 400, _error("INVALID_DATA", "The request body is invalid or not supported by the endpoint.")
        for record in records:
            wrong = [key for key, kind in _FIELDS.items() if not isinstance(record.get(key, kind()), kind)]
            wrong += [key for key in ("name", "type", "content") if not record.get(key)]
            name = str(record.get("name"))
            if wrong or not (name == ZONE or name.endswith(f".{ZONE}")) or record.get("ttl", 3600) < _LEAST_TTL:
                parameters = {"errorRecord": record, "requiredFields": wrong}
                return 400, [{"code": "INVALID_RECORD", "message": "Record is invalid.", "parameters": parameters}]
        created = [self.put(record["name"], record["content"]) for record in records]
        return 201, [_record(key, self.values[key][0], f'"{self.values[key][1]}"') for key in reversed(created)]

    def _ids(self) -> dict[str, str]:
        return {_uuid(key): key for key in self.values}


def _uuid(key: str) -> str:
    return f"22af3414-abbe-9e11-5df5-{int(key):012x}"


def _record(key: str, name: str, content: str) -> dict[str, Any]:
    return {
        "id": _uuid(key),
        "name": name,
        "rootName": ZONE,
        "type": "TXT",
        "content": content,
        "changeDate": "2026-11-09T13:04:25.772Z",
        "ttl": 60,
        "prio": 0,
        "disabled": False,
    }


def _error(code: str, message: str) -> list[dict[str, str]]:
    return [{"code": code, "message": message}]
