"""GleSYS, from https://github.com/GleSYS/API/wiki/API-Documentation (domain/listrecords, addrecord, deleterecord).

The statuses for a domain or a record that is not there are not documented.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Glesys(HostStandIn):
    """Every call is a POST; a host that is not relative to the domain gets the domain appended again.

    :ivar gone: the status for a record that does not exist.
    """

    provider = "glesys"
    credentials: ClassVar = {"auth_username": "CL12345", "auth_token": "good-key-0000-4711"}
    secret = "auth_token"

    def __init__(self) -> None:
        super().__init__()
        self.gone = 404

    def answer(self, asked: Asked) -> Answer:
        """The calls of the module `domain`."""
        right = ":".join(self.credentials.values()).encode()
        if asked.headers.get("Authorization") != f"Basic {b64encode(right).decode()}":
            return self.status(401, "Unauthorized")
        if asked.method != "POST" or asked.headers.get("Accept") != "application/json":
            return self.status(405, "Method Not Allowed")
        body = json.loads(asked.body)
        if asked.path == "/domain/deleterecord":
            if set(body) != {"recordid"} or str(body["recordid"]) not in self.values:
                return self.status(self.gone, "Could not find the record")
            del self.values[str(body["recordid"])]
            return self.status(200, "OK")
        if body.get("domainname") not in self.zones:
            return self.status(404, "Could not find the domain")
        if asked.path == "/domain/listrecords":
            return self.status(200, "OK", records=[self._other(), *map(self._record, self.values)])
        if asked.path == "/domain/addrecord":
            return self._add(body)
        return self.status(404, "Not Found")

    @staticmethod
    def status(code: int, text: str, **more: Any) -> Answer:
        """The response to a call."""
        response = {"status": {"code": code, "timestamp": "2026-11-25T10:00:00+01:00", "text": text}, **more}
        return code, {"response": {**response, "debug": {"input": {}}}}

    def _add(self, body: dict[str, Any]) -> Answer:
        kinds = {"domainname": str, "host": str, "type": str, "data": str, "ttl": int}
        if {key: type(value) for key, value in body.items()} != kinds or body["ttl"] < 60 or not body["host"]:
            return self.status(400, "The arguments are invalid")
        identifier = self.put(ZONE if body["host"] == "@" else f"{body['host']}.{ZONE}", body["data"])
        return self.status(200, "OK", record=self._record(identifier))

    @staticmethod
    def _other() -> dict[str, Any]:
        data = "ns1.namesystem.se."
        return {"recordid": 9, "domainname": ZONE, "host": "@", "type": "NS", "data": data, "ttl": 3600}

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        host = name.removesuffix(ZONE).removesuffix(".") or "@"
        about = {"recordid": int(identifier), "domainname": ZONE, "host": host}
        return {**about, "type": "TXT", "data": value, "ttl": 60}
