"""Active24 and Websupport, from https://rest.active24.cz/v2/docs and https://rest.active24.cz/docs/v1.service.

The pages of records, the form of their names and the two headers with the date are those of lego, of dnscontrol's
Websupport and of cert-manager's webhooks, which agree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SERVICE = 2468


class Active24(HostStandIn):
    """Records with numbers; creating one tells nothing."""

    provider = "active24"
    credentials: ClassVar = {"api_key": "ak48l3h7-ak5d-qn4t-p8gc", "secret": "good-secret-0000-4711"}
    secret = "secret"
    besides = 3
    bodies_are_defined = False
    kind = "domain"
    """What the service with the DNS records is called; hosting of the same name comes before it."""

    def answer(self, asked: Asked) -> Answer:
        """The list of services is of version 1 of the API, records are of version 2."""
        parts = urlsplit(asked.path)
        is_first = parts.path == "/v1/user/self/service"
        if not self._is_signed(asked, parts.path, "Date" if is_first else "X-Date"):
            return 401, {"code": 401, "message": "Incorrect username or password."}
        if is_first:
            kinds = {1: "The Hosting", _SERVICE: self.kind}
            items = [
                {"id": key, "serviceName": kind, "status": "active", "name": each}
                for each in self.zones
                for key, kind in kinds.items()
            ]
            return 200, {"items": items, "pager": {"page": 1, "pagesize": None, "items": len(items)}}
        base, _, identifier = parts.path.partition(f"/v2/service/{_SERVICE}/dns/record")
        if base or (identifier and identifier.removeprefix("/") not in self.values):
            return 404, {"type": "/errors/httpException", "status": 404, "title": "Not Found"}
        if asked.method == "GET":
            return self._list({key: int(values[0]) for key, values in parse_qs(parts.query).items()})
        if asked.method == "POST":
            return self._create(json.loads(asked.body))
        del self.values[identifier.removeprefix("/")]
        return 204, ""

    def _is_signed(self, asked: Asked, path: str, header: str) -> bool:
        """Tell whether the password is the signature, and the time is that of the header."""
        date = datetime.strptime(asked.headers.get(header, "19700101T000000Z"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signed = f"{asked.method} {path} {int(date.timestamp())}".encode()
        signature = hmac.digest(self.credentials["secret"].encode(), signed, hashlib.sha1).hex()
        right = b64encode(f"{self.credentials['api_key']}:{signature}".encode()).decode()
        is_now = abs((datetime.now(UTC) - date).total_seconds()) < 300
        return is_now and asked.headers.get("Authorization") == f"Basic {right}"

    def _list(self, query: dict[str, int]) -> Answer:
        rows, page = query.get("rowsPerPage", 20), query.get("page", 1)
        records: list[dict[str, Any]] = [{"id": 9, "type": "A", "name": ZONE, "content": "192.0.2.1", "ttl": 600}]
        for identifier, (name, value) in self.values.items():
            records.append({"id": int(identifier), "type": "TXT", "name": name, "content": value, "ttl": 300})
        total, start = -(-len(records) // rows), (page - 1) * rows
        counts = {"currentPage": page, "rowsPerPage": rows, "totalPages": total, "totalRecords": len(records)}
        return 200, {**counts, "actions": {}, "data": records[start : start + rows]}

    def _create(self, body: dict[str, Any]) -> Answer:
        kinds = {"type": str, "name": str, "content": str, "ttl": int}
        if {key: type(value) for key, value in body.items()} != kinds or body["type"] != "TXT":
            violations = [{"propertyPath": "type", "errors": [{}]}]
            invalid = {"type": "/errors/validation", "status": 422, "title": "The given data was invalid."}
            return 422, {**invalid, "violations": violations}
        self.put(ZONE if body["name"] == "@" else f"{body['name']}.{ZONE}", body["content"])
        return 204, ""


class Websupport(Active24):
    """The same API at another address."""

    provider = "websupport"
