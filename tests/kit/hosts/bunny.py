"""Bunny DNS, from https://docs.bunny.net/reference/dnszonepublic_index."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_NUMBER = 4711


class Bunny(HostStandIn):
    """A zone is sent as a whole; a record is created by PUT and deleted by its number."""

    provider = "bunny"
    credentials: ClassVar = {"auth_token": "good-key-0000-4711"}
    secret = "auth_token"

    def answer(self, asked: Asked) -> Answer:
        """Zones, a zone, and its records."""
        if asked.headers.get("AccessKey") != self.credentials["auth_token"]:
            return 401, {"Message": "Authorization has been denied for this request."}
        path = urlsplit(asked.path).path
        match asked.method, path.strip("/").split("/"):
            case "GET", ["dnszone"]:
                word = parse_qs(urlsplit(asked.path).query).get("search", [""])[0]
                items = [{"Id": _NUMBER, "Domain": zone} for zone in self.zones if word in zone]
                return 200, {"Items": items, "CurrentPage": 1, "TotalItems": len(items), "HasMoreItems": False}
            case "GET", ["dnszone", "4711"]:
                return 200, {"Id": _NUMBER, "Domain": ZONE, "Records": [*map(self._record, self.values)]}
            case "PUT", ["dnszone", "4711", "records"]:
                body = json.loads(asked.body)
                if body["Type"] != 3 or not isinstance(body["Ttl"], int):
                    return 400, {"ErrorKey": "validation_error", "Field": "Type", "Message": "The type is not valid."}
                name = f"{body['Name']}.{ZONE}" if body["Name"] else ZONE
                return 201, self._record(self.put(name, body["Value"]))
            case "DELETE", ["dnszone", "4711", "records", number] if number in self.values:
                del self.values[number]
                return 204, ""
        return 404, {"ErrorKey": "dnszone.record.not_found", "Message": "The requested resource was not found."}

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        label = name.removesuffix(ZONE).removesuffix(".")
        return {"Id": int(identifier), "Type": 3, "Ttl": 60, "Value": value, "Name": label}
