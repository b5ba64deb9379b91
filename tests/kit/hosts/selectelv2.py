"""Selectel, from https://developers.selectel.com/docs/cloud-services/dns_api/dns_api_actual/ and its client domains-go.

Tokens are those of https://docs.openstack.org/api-ref/identity/v3/ (password authentication, scoped to a project).
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from dnsrenew.base.model import DnsAccount
from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_ZONE_ID = "e6b1ff8b-8c1f-4f7e-9d1d-1a0f7a4f2b11"
_TOKEN = "gAAAAAB-good-token-for-the-project"


class Selectel(HostStandIn):
    """Record sets with identifiers, listed with their zone; a token of Keystone opens one project.

    :ivar shown: what the record of a value has besides it.
    :ivar ttls: of record sets, by their names.
    :ivar zone_name: the name of the zone in the API.
    """

    provider = "selectelv2"
    credentials: ClassVar = {
        "username": "dnsrenew",
        "password": "good-password-0000-4711",
        "account_id": "123456",
        "project_id": "d7a6c2b0d1f84a5f9a3c1b2d3e4f5a6b",
    }
    secret = "password"
    besides = 5

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, dict[str, Any]] = {}
        self.ttls: dict[str, int] = {}
        self.zone_name = ZONE

    def account(self, **changes: str) -> DnsAccount:
        """An account whose tokens come from this stand-in too."""
        address = changes.get("api", self.url).rstrip("/")
        return super().account(**{"auth_url": f"{address}/identity/v3/", **changes})

    def answer(self, asked: Asked) -> Answer:
        """Tokens, zones and record sets."""
        self.headers.pop("X-Subject-Token", None)
        parts = urlsplit(asked.path)
        if parts.path == "/identity/v3/auth/tokens":
            return self._token(json.loads(asked.body)["auth"])
        if asked.headers.get("X-Auth-Token") != _TOKEN:
            return 401, {"error": "unauthorized", "code": 401}
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["zones"]:
                zones = [self.zone_name if zone == ZONE else zone for zone in self.zones]
                return self._page(parts.query, [{"id": _ZONE_ID, "name": f"{zone}."} for zone in zones])
            case "GET", ["zones", zone, "rrset"] if zone == _ZONE_ID and "rrset_types=TXT" in parts.query:
                return self._page(parts.query, [self._set(*each) for each in self.by_name().items()])
            case "POST", ["zones", zone, "rrset"] if zone == _ZONE_ID:
                body = json.loads(asked.body)
                name = body.pop("name").removesuffix(".").lower()
                if self.look(name) or body.pop("type") != "TXT":
                    return 409, {"error": "rrset_already_exists", "code": 409}
                return self._save(name, body)
            case "PATCH", ["zones", zone, "rrset", number] if zone == _ZONE_ID and self.look(_name(number)):
                return self._save(_name(number), json.loads(asked.body))
            case "DELETE", ["zones", zone, "rrset", number] if zone == _ZONE_ID and self.look(_name(number)):
                self.replace(_name(number), ())
                return 204, ""
        return 404, {"error": "zone_not_found", "code": 404}

    def _token(self, given: dict[str, Any]) -> Answer:
        user = given["identity"]["password"]["user"]
        project = given["scope"]["project"]["id"]
        found = (user["name"], user["password"], user["domain"]["name"], project)
        if found != tuple(self.credentials.values()):
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        self.headers["X-Subject-Token"] = _TOKEN
        return 201, {"token": {"project": {"id": project}}}

    def _page(self, query: str, items: list[dict[str, Any]]) -> Answer:
        given = {key: values[0] for key, values in parse_qs(query).items()}
        offset, limit = int(given.get("offset", 0)), int(given.get("limit", 1000))
        found = items[offset : offset + limit]
        more = offset + limit if offset + limit < len(items) else 0
        return 200, {"count": len(found), "next_offset": more, "result": found}

    def _save(self, name: str, body: dict[str, Any]) -> Answer:
        records = body["records"]
        if set(body) - {"ttl", "records", "comment", "managed_by"} or not records or body["ttl"] < 60:
            return 400, {"error": "bad_request", "code": 400}
        if not all(each["content"].startswith('"') and each["content"].endswith('"') for each in records):
            return 400, {"error": "invalid_content", "code": 400}
        values = [each["content"][1:-1].replace('" "', "") for each in records]
        self.shown |= {
            value: {"disabled": each.get("disabled", False)} for value, each in zip(values, records, strict=True)
        }
        self.replace(name, values)
        self.ttls[name] = body["ttl"]
        return 200, self._set(name, values)

    def _set(self, name: str, values: list[str]) -> dict[str, Any]:
        records = [{"content": f'"{value}"', "disabled": False, **self.shown.get(value, {})} for value in values]
        shown = name.removesuffix(ZONE) + self.zone_name
        known = {"zone_id": _ZONE_ID, "ttl": self.ttls.get(name, 3600), "type": "TXT", "managed_by": None}
        return {"id": name.encode().hex(), "name": f"{shown}.", "records": records, **known}


def _name(number: str) -> str:
    return bytes.fromhex(number).decode()
