"""Porkbun, from https://porkbun.com/api/json/v3/spec and https://porkbun.com/api/json/v3/documentation."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_TYPES = {"A", "MX", "CNAME", "ALIAS", "TXT", "NS", "AAAA", "SRV", "TLSA", "CAA", "HTTPS", "SVCB", "SSHFP"}
_LEAST_TTL = 600


class Porkbun(HostStandIn):
    """Requests are POST with both keys in the body; names are relative in requests, and absolute in answers.

    :ivar opted_in: whether the domain has API access.
    """

    provider = "porkbun"
    credentials: ClassVar = {
        "auth_key": "pk1_1f3870be274f6c49b3e31a0c6728957f",
        "auth_secret": "sk1_b1946ac92492d2347c",
    }
    secret = "auth_secret"

    def __init__(self) -> None:
        super().__init__()
        self.opted_in = True

    def answer(self, asked: Asked) -> Answer:
        """Retrieve, create and delete records."""
        if asked.method != "POST":
            return _error("METHOD_NOT_ALLOWED", "HTTP method not allowed for this endpoint.")
        body = json.loads(asked.body)
        if not body.get("apikey"):
            return _error("API_KEY_REQUIRED", "No API key was provided.")
        if (body["apikey"], body.get("secretapikey")) != tuple(self.credentials.values()):
            return _error("INVALID_API_KEYS_001", "Invalid API key. (001)")
        match urlsplit(asked.path).path.strip("/").split("/"):
            case ["dns", _, domain, *_] if domain not in self.zones or not self.opted_in:
                return _error("INVALID_DOMAIN", "Invalid domain.")
            case ["dns", "retrieve", _]:
                address = {
                    "id": "9000001",
                    "name": ZONE,
                    "type": "A",
                    "content": "192.0.2.1",
                    "ttl": "600",
                    "prio": "0",
                }
                return 200, {"status": "SUCCESS", "records": [address, *map(self._record, self.values)]}
            case ["dns", "create", _]:
                return self._create(body)
            case ["dns", "delete", _, identifier] if identifier in self.values:
                del self.values[identifier]
                return 200, {"status": "SUCCESS"}
            case ["dns", "delete", _, _]:
                return _error("INVALID_RECORD_ID", "Invalid record ID.")
        return 404, {"status": "ERROR", "code": "NOT_FOUND", "message": "No such endpoint."}

    def _create(self, body: dict[str, Any]) -> Answer:
        name, ttl = body.get("name", ""), body.get("ttl", _LEAST_TTL)
        if body.get("type") not in _TYPES:
            return _error("INVALID_TYPE", "Invalid type passed.")
        if not body.get("content") or name.endswith((".", ZONE)) or "@" in name or ttl < _LEAST_TTL:
            return _error("INVALID_RECORD", "Create error: We were unable to create the DNS record.")
        owner = f"{name}.{ZONE}" if name else ZONE
        if (owner, body["content"]) in self.values.values():
            return _error("DUPLICATE_RECORD", "Create error: We were unable to create the DNS record.")
        return 200, {"status": "SUCCESS", "id": int(self.put(owner, body["content"]))}

    def _record(self, identifier: str) -> dict[str, str]:
        name, value = self.values[identifier]
        return {"id": identifier, "name": name, "type": "TXT", "content": value, "ttl": "600", "prio": "0", "notes": ""}


def _error(code: str, message: str) -> Answer:
    return 400, {"status": "ERROR", "code": code, "message": message, "requestId": "req_5f2c"}
