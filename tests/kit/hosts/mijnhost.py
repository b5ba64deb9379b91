"""mijn.host, from https://mijn.host/api/doc/ (domains, and their DNS records).

The form of the names, the key's answer and the deletion of a single value are those of the host's own
certbot-dns-mijn-host, of lego and of mijn-host-mcp, which agree.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class MijnHost(HostStandIn):
    """A zone is replaced as a whole; a record is deleted by its type, name and value.

    :ivar more: further fields of every record.
    :ivar others: the records that are not TXT.
    """

    provider = "mijnhost"
    credentials: ClassVar = {"api_key": "good-key-0000-4711"}
    secret = "api_key"

    def __init__(self) -> None:
        super().__init__()
        self.more: dict[str, Any] = {}
        self.others = [{"type": "A", "name": f"{ZONE}.", "value": "192.0.2.1", "ttl": 900}]

    def answer(self, asked: Asked) -> Answer:
        """List domains; read, replace and delete records."""
        if asked.headers.get("API-Key") != self.credentials["api_key"]:
            return self.problem(401, "No valid API key set")
        if (asked.method, asked.path) == ("GET", "/domains"):
            return self.success(domains=[{"id": 1, "domain": each, "status": "Active"} for each in self.zones])
        if asked.path != f"/domains/{ZONE}/dns":
            return self.problem(400, "You have no access to this resource")
        body = json.loads(asked.body) if asked.body else {}
        if asked.method == "PUT":
            return self._replace(body["records"])
        if asked.method == "DELETE":
            record = body["record"]
            found = [key for key, value in self.values.items() if value == (record["name"][:-1], record["value"])]
            if not found or record["type"] != "TXT":
                return self.problem(400, "Record not found")
            del self.values[found[0]]
            return self.success()
        texts = [
            {"type": "TXT", "name": f"{name}.", "value": value, "ttl": 300} for name, value in self.values.values()
        ]
        return self.success(domain=ZONE, records=[{**item, **self.more} for item in (*self.others, *texts)])

    @staticmethod
    def success(**data: Any) -> Answer:
        """An answer with data."""
        return 200, {"status": 200, "status_description": "Request successful", **({"data": data} if data else {})}

    @staticmethod
    def problem(status: int, description: str) -> Answer:
        """A refusal."""
        return status, {"status": status, "status_description": description}

    def _replace(self, records: list[dict[str, Any]]) -> Answer:
        if any(set(item) != {"type", "name", "value", "ttl"} or item["name"][-1] != "." for item in records):
            return self.problem(400, "Wrong record")
        self.others = [item for item in records if item["type"] != "TXT"]
        self.values = {}
        for item in records:
            if item["type"] == "TXT":
                self.put(item["name"], item["value"])
        return self.success()
