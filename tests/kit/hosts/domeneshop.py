"""Domeneshop, from https://api.domeneshop.no/docs/ (the codes of errors are those of its clients)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from dnsrenew.drivers.host_api import basic
from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_NUMBER = 17
_FIELDS = {"host", "ttl", "type", "data"}


class Domeneshop(HostStandIn):
    """Domains have numbers; their records are selected by type, created and deleted one by one.

    :ivar has_dns: whether the domains have the DNS service.
    """

    provider = "domeneshop"
    credentials: ClassVar = {"token": "kcpS1etiquiKTh7w", "secret": "NBwbCw7OeOTxDTLPk4z7ak2CGzDiqPewBxYkv4ESZhXubWzR"}
    secret = "secret"

    def __init__(self) -> None:
        super().__init__()
        self.has_dns = True

    def answer(self, asked: Asked) -> Answer:
        """Domains, and the records of one."""
        if asked.headers.get("Authorization") != basic(*self.credentials.values()):
            return 401, _error("authentication:failed")
        parts = urlsplit(asked.path)
        query = parse_qs(parts.query)
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["domains"]:
                word = query.get("domain", [""])[0]
                return 200, [self._domain(zone) for zone in ["www-example.com", *self.zones] if word in zone]
            case _, ["domains", number, *_] if number != str(_NUMBER):
                return 403, _error("resource:unauthorized")
            case "GET", ["domains", _, "dns"]:
                return 200, self._list(query.get("type", [""])[0])
            case "POST", ["domains", _, "dns"]:
                return self._add(json.loads(asked.body))
            case "DELETE", ["domains", _, "dns", identifier] if identifier in self.values:
                del self.values[identifier]
                return 204, ""
        return 404, _error("resource:unknown")

    def _domain(self, zone: str) -> dict[str, Any]:
        services = {"registrar": True, "dns": self.has_dns, "email": True, "webhotel": "none"}
        number = _NUMBER if zone == ZONE else 4
        return {"id": number, "domain": zone, "status": "active", "services": services}

    def _list(self, kind: str) -> list[dict[str, Any]]:
        records = [{"id": 9_000_001, "host": "@", "ttl": 3600, "type": "A", "data": "192.0.2.1"}]
        for identifier, (name, value) in self.values.items():
            host = name.removesuffix(ZONE).removesuffix(".") or "@"
            records.append({"id": int(identifier), "host": host, "ttl": 60, "type": "TXT", "data": value})
        return [record for record in records if kind in {"", record["type"]}]

    def _add(self, record: dict[str, Any]) -> Answer:
        ttl, host = record.get("ttl", 3600), record.get("host", "")
        if set(record) != _FIELDS or record["type"] != "TXT" or not isinstance(record["data"], str):
            return 400, _error("dns:invalid-record")
        if not host or host.endswith((".", ZONE)):
            return 400, _error("dns:invalid-host")
        if not isinstance(ttl, int) or ttl % 60 or not 60 <= ttl <= 604800:
            return 400, _error("dns:invalid-ttl")
        identifier = self.put(ZONE if host == "@" else f"{host}.{ZONE}", record["data"])
        return 201, {"id": int(identifier)}


def _error(code: str) -> dict[str, str]:
    return {"code": code, "help": "See documentation at https://api.domeneshop.no/docs/"}
