"""Netlify, from https://open-api.netlify.com (dnsZone) and https://docs.netlify.com/api/get-started/ (Pagination)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_ZONE_ID = "5e4c1f2b9d3a7c0008e6f1a2"
_MOST = 100


class Netlify(HostStandIn):
    """Records with absolute names, created and deleted one by one. Lists have pages, told by the header Link."""

    provider = "netlify"
    credentials: ClassVar = {"token": "nfp_good-token-0000-4711"}
    secret = "token"

    def answer(self, asked: Asked) -> Answer:
        """Zones and their records."""
        self.headers.pop("Link", None)
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['token']}":
            return 401, {"code": 401, "message": "Access Denied: Invalid or expired token"}
        parts = urlsplit(asked.path)
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["dns_zones"]:
                return self._page(parts.query, [{"id": _ZONE_ID, "name": zone} for zone in self.zones])
            case "GET", ["dns_zones", zone, "dns_records"] if zone == _ZONE_ID:
                address = {"id": "a", "hostname": ZONE, "type": "NETLIFY", "value": "example.netlify.app", "ttl": 3600}
                return self._page(parts.query, [address, *map(self._record, self.values)])
            case "POST", ["dns_zones", zone, "dns_records"] if zone == _ZONE_ID:
                body = json.loads(asked.body)
                known = {"type", "hostname", "value", "ttl"}
                if set(body) != known or not body["hostname"].endswith(ZONE) or not isinstance(body["ttl"], int):
                    return 422, {"code": 422, "message": "The record is not valid."}
                return 201, self._record(self.put(body["hostname"], body["value"]))
            case "DELETE", ["dns_zones", zone, "dns_records", number] if zone == _ZONE_ID and number in self.values:
                del self.values[number]
                return 204, ""
        return 404, {"code": 404, "message": "Not Found"}

    def _page(self, query: str, items: list[dict[str, Any]]) -> Answer:
        given = {key: int(values[0]) for key, values in parse_qs(query).items()}
        number, size = given.get("page", 1), min(given.get("per_page", _MOST), _MOST)
        if number * size < len(items):
            self.headers["Link"] = f'<{self.url}/?page={number + 1}>; rel="next", <{self.url}/?page=9>; rel="last"'
        return 200, items[(number - 1) * size : number * size]

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier][0], self.presented(identifier)
        known = {"dns_zone_id": _ZONE_ID, "site_id": None, "managed": False}
        return {"id": identifier, "hostname": name, "type": "TXT", "value": value, "ttl": 60, **known}
