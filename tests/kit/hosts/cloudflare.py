"""Cloudflare, from https://developers.cloudflare.com/api/resources/ (zones, dns, user tokens) and its pages on DNS."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
EMAIL = "user@example.com"
BATCH = 200
"""Records in one batch on the free plan."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*')


class Cloudflare(HostStandIn):
    """Zones and records have identifiers; a batch is one transaction.

    :ivar listing: of zones: allowed, or what a token without Zone Read gets: refused (a message that names the
        permission), unauthorized (one that does not) or empty.
    :ivar quota: the number of records that the plan allows.
    :ivar pending: whether another account has added the zone too.
    """

    provider = "cloudflare"
    largest_page = 5000
    credentials: ClassVar = {"auth_token": "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"}
    secret = "auth_token"
    batch = 3

    def __init__(self) -> None:
        super().__init__()
        self.listing = "allowed"
        self.quota = 100_000
        self.pending = False

    def answer(self, asked: Asked) -> Answer:
        """Zones, records, and whether a token is valid."""
        if (refusal := self._credentials(asked)) is not None:
            return refusal
        parts = urlsplit(asked.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["user", "tokens", "verify"]:
                return _done({"id": "ed17574386854bf78a67040be0a770b0", "status": "active"})
            case "GET", ["zones"]:
                return self._zones(query)
            case "GET", ["zones", "023e105f4ecef8ad9ca31a8372d0c353", "dns_records"]:
                return self._list(query)
            case "POST", ["zones", "023e105f4ecef8ad9ca31a8372d0c353", "dns_records", "batch"]:
                return self._batch(json.loads(asked.body))
        return _refused(404, 7003, "Could not route to that path, perhaps your object identifier is invalid?")

    def _credentials(self, asked: Asked) -> Answer | None:
        key = self.credentials["auth_token"]
        if "X-Auth-Key" in asked.headers:
            if (asked.headers.get("X-Auth-Email"), asked.headers["X-Auth-Key"]) == (EMAIL, key):
                return None
            return _refused(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if len(token) < 40:
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            return _refused(400, 6003, "Invalid request headers", chain)
        if token == key:
            return None
        if asked.path.endswith("/verify"):
            return _refused(401, 1000, "Invalid API Token")
        return _refused(403, 9109, "Invalid access token")

    def _zones(self, query: dict[str, str]) -> Answer:
        if self.listing == "refused":
            actor = "Actor 'com.cloudflare.api.token.x' requires permission 'com.cloudflare.api.account.zone.list'"
            return _refused(403, 0, f"{actor} to list zones")
        if self.listing == "unauthorized":
            return _refused(403, 9109, "Unauthorized to access requested resource")
        names = [name for name in self.zones if query.get("name") in {None, name} and self.listing == "allowed"]
        found = [{"id": ZONE_ID, "name": name, "status": "active"} for name in names]
        other = [{"id": "f" * 32, "name": name, "status": "pending"} for name in names if self.pending]
        return _done([*other, *found], {"page": 1, "total_pages": 1})

    def _list(self, query: dict[str, str]) -> Answer:
        size, page = int(query.get("per_page", "100")), int(query.get("page", "1"))
        if not 1 <= size <= 5_000_000:
            return _refused(400, 9208, "per_page is not valid")
        found = [
            record for record in map(self._record, self.values) if query.get("name.exact") in {None, record["name"]}
        ]
        total = -(-len(found) // size)
        return _done(found[(page - 1) * size : page * size], {"page": page, "per_page": size, "total_pages": total})

    def _batch(self, body: dict[str, Any]) -> Answer:
        deletes, posts = body.get("deletes", []), body.get("posts", [])
        if not 0 < len(deletes) + len(posts) <= BATCH or body.keys() - {"deletes", "posts", "patches", "puts"}:
            return _refused(400, 9207, "Request body is invalid.")
        before, ours = dict(self.values), []
        for item in deletes:
            if self.values.pop(item["id"], None) is None:
                self.values = before
                return _refused(404, 81044, "Record does not exist.")
        for item in posts:
            refusal = self._post_refusal(item)
            if refusal is not None:
                self.values = before
                return refusal
            ours.append(self.put(_full(item["name"]), item["content"][1:-1].replace('" "', "")))
        return _done({"deletes": deletes, "patches": [], "puts": [], "posts": [*map(self._record, ours)]})

    def _post_refusal(self, item: dict[str, Any]) -> Answer | None:
        if item["type"] != "TXT" or not _QUOTED.fullmatch(item["content"]):
            return _refused(400, 1004, "DNS Validation Error")
        if item["ttl"] != 1 and not 60 <= item["ttl"] <= 86400:
            return _refused(400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
        if item["content"][1:-1].replace('" "', "") in self.look(_full(item["name"])):
            return _refused(400, 81058, "An identical record already exists.")
        if len(self.values) >= self.quota:
            return _refused(400, 81045, "Record quota exceeded.")
        return None

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        return {"id": identifier, "type": "TXT", "name": name, "content": f'"{value}"', "ttl": 60, "proxied": False}


def _full(name: str) -> str:
    """A name that is not in the zone is one below it."""
    return name if f".{name}".endswith(f".{ZONE}") else f"{name}.{ZONE}"


def _done(result: Any, information: dict[str, int] | None = None) -> Answer:
    more = {"result_info": information} if information else {}
    return 200, {"success": True, "errors": [], "messages": [], "result": result, **more}


def _refused(status: int, code: int, message: str, chain: list[dict[str, Any]] | None = None) -> Answer:
    error = {"code": code, "message": message, **({"error_chain": chain} if chain else {})}
    return status, {"success": False, "errors": [error], "messages": [], "result": None}
