"""Exoscale, from https://community.exoscale.com/reference/api/dns (domains and records) and its API's signatures.

What `reference` holds and whether an operation is finished at once is not documented: both can be chosen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_DOMAIN = "89083a5c-b648-474a-0000-00000015cf47"
_AUTHORIZATION = re.compile(
    r"EXO2-HMAC-SHA256 credential=(?P<key>[^,]+),(?:signed-query-args=(?P<args>[^,]+),)?"
    r"expires=(?P<expires>\d+),signature=(?P<signature>[A-Za-z0-9+/=]+)"
)


def signature(secret: str, asked: Asked, arguments: str, expires: str) -> str:
    """Return the signature that a request needs; `arguments` are the names of its signed parameters."""
    parts = urlsplit(asked.path)
    query = parse_qs(parts.query, keep_blank_values=True)
    values = "".join(query[name][0] for name in sorted(arguments.split(";")) if name)
    lines = [f"{asked.method} {parts.path}", asked.body, values, "", expires]
    return base64.b64encode(hmac.digest(secret.encode(), "\n".join(lines).encode(), hashlib.sha256)).decode()


class Exoscale(HostStandIn):
    """Records with identifiers; a change is an operation that runs for a while.

    :ivar polls: how often an operation is looked at until it is finished.
    :ivar reason: why operations fail, if they do; the change is not made then.
    :ivar tells: whether an operation tells the identifier of the record.
    :ivar apex: the name of the zone itself in lists.
    :ivar unicode_name: the name of the zone.
    """

    provider = "exoscale"
    credentials: ClassVar = {"auth_key": "EXO00000000000000000000", "auth_secret": "good-secret-0000-4711"}
    secret = "auth_secret"
    each = 2

    def __init__(self) -> None:
        super().__init__()
        self.polls = 1
        self.reason = ""
        self.tells = True
        self.apex = ""
        self.unicode_name = ZONE
        self.running: dict[str, int] = {}
        self.records_of: dict[str, str] = {}

    def answer(self, asked: Asked) -> Answer:
        """Domains, their records, and operations."""
        if not self._is_signed(asked):
            return 403, {"message": "Invalid signature"}
        match asked.method, urlsplit(asked.path).path.strip("/").split("/"):
            case "GET", ["dns-domain"]:
                domains = [{"id": "another", "unicode-name": "bücher.example", "created-at": "2026-01-01T00:00:00Z"}]
                domains += [{"id": _DOMAIN, "unicode-name": self.unicode_name}] if ZONE in self.zones else []
                return 200, {"dns-domains": domains}
            case "GET", ["dns-domain", domain, "record"] if domain == _DOMAIN:
                return 200, {"dns-domain-records": [self._soa(), *map(self._record, self.values)]}
            case "POST", ["dns-domain", domain, "record"] if domain == _DOMAIN:
                return self._create(json.loads(asked.body))
            case "DELETE", ["dns-domain", domain, "record", number] if domain == _DOMAIN and number in self.values:
                if not self.reason:
                    del self.values[number]
                return 200, self._started(number)
            case "GET", ["operation", number] if number in self.running:
                self.running[number] -= 1
                return 200, self._operation(number)
        return 404, {"message": "Not Found"}

    def _is_signed(self, asked: Asked) -> bool:
        found = _AUTHORIZATION.fullmatch(asked.headers.get("Authorization", ""))
        if found is None or found["key"] != self.credentials["auth_key"]:
            return False
        if not time.time() < int(found["expires"]) <= time.time() + 3600 or ("?" in asked.path and not found["args"]):
            return False
        expected = signature(self.credentials["auth_secret"], asked, found["args"] or "", found["expires"])
        return found["signature"] == expected

    def _create(self, body: dict[str, Any]) -> Answer:
        right = {"name": str, "type": str, "content": str, "ttl": int}
        if {key: type(value) for key, value in body.items()} != right or body["type"] != "TXT" or body["name"] == "@":
            return 400, {"message": "Invalid parameters"}
        name = f"{body['name']}.{ZONE}" if body["name"] else ZONE
        return 200, self._started("" if self.reason else self.put(name, body["content"]))

    def _started(self, record: str) -> dict[str, Any]:
        number = str(len(self.asked))
        self.running[number], self.records_of[number] = self.polls, record
        return self._operation(number)

    def _operation(self, number: str) -> dict[str, Any]:
        if self.running[number] > 0:
            return {"id": number, "state": "pending"}
        if self.reason:
            return {"id": number, "state": "failure", "reason": self.reason, "message": "It did not work"}
        reference = {"id": self.records_of[number], "link": "/v2/…", "command": "get-dns-domain-record"}
        return {"id": number, "state": "success", **({"reference": reference} if self.tells else {})}

    @staticmethod
    def _soa() -> dict[str, Any]:
        return {"id": "soa", "name": "", "type": "SOA", "content": "ns1.exoscale.ch. …", "ttl": 3600}

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        short = name.removesuffix(ZONE).removesuffix(".") or self.apex
        return {"id": identifier, "name": short, "type": "TXT", "content": value, "ttl": 60, "system-record": False}
