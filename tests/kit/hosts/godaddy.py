"""GoDaddy, from https://developer.godaddy.com/doc/endpoint/domains (v1: the records of a domain).

The error `DUPLICATE_RECORD` is as its users report it.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_OPTIONAL = {"ttl", "port", "priority", "protocol", "service", "weight"}


class GoDaddy(HostStandIn):
    """Values are added by PATCH; those of a name are replaced or deleted as a whole.

    :ivar more: further fields of the record with a value, by that value.
    """

    provider = "godaddy"
    credentials: ClassVar = {"auth_key": "good-key-0000", "auth_secret": "good-secret-0000-4711"}
    secret = "auth_secret"

    def __init__(self) -> None:
        super().__init__()
        self.more: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Answer:
        """The records of a zone, or those with a type and a name."""
        key, secret = self.credentials["auth_key"], self.credentials["auth_secret"]
        if asked.headers.get("Authorization") != f"sso-key {key}:{secret}":
            return self.error(401, "UNABLE_TO_AUTHENTICATE", "Unauthorized : Could not authenticate API key/secret")
        parts = urlsplit(asked.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        if path[:2] != ["v1", "domains"] or path[3:4] != ["records"] or path[2] not in self.zones:
            return self.error(404, "UNKNOWN_DOMAIN", "The given domain is not registered, or does not have a zone file")
        body = json.loads(asked.body) if asked.body else None
        match asked.method, path[4:]:
            case "PATCH", []:
                return self._add(body)
            case "GET", ["TXT", name]:
                most = int(parse_qs(parts.query).get("limit", ["100"])[0])
                return 200, [self._record(number) for number in self._at(name)][:most]
            case "PUT", ["TXT", name]:
                return self._replace(name, body)
            case "DELETE", ["TXT", name]:
                return (204, "") if self._drop(name) else self.error(404, "NOT_FOUND", "No records were found")
        return self.error(404, "NOT_FOUND", "Resource not found")

    @staticmethod
    def error(status: int, code: str, message: str) -> Answer:
        """The body of an error."""
        return status, {"code": code, "message": message}

    def _add(self, body: Any) -> Answer:
        if self._invalid(body, required={"type", "name", "data"}):
            return self.error(422, "INVALID_BODY", "Request body doesn't fulfill schema, see details in `fields`")
        added = [(self._absolute(item["name"]), item["data"]) for item in body]
        if len(set(added)) < len(added) or set(added) & set(self.values.values()):
            return self.error(422, "DUPLICATE_RECORD", "Another record with the same attributes already exists")
        for name, value in added:
            self.put(name, value)
        return 200, ""

    def _replace(self, name: str, body: Any) -> Answer:
        if self._invalid(body, required={"data"}):
            return self.error(422, "INVALID_BODY", "Request body doesn't fulfill schema, see details in `fields`")
        self._drop(name)
        for item in body:
            self.put(self._absolute(name), item["data"])
            self.more[item["data"]] = {key: value for key, value in item.items() if key != "data"}
        return 200, ""

    @staticmethod
    def _invalid(body: Any, required: set[str]) -> bool:
        if not isinstance(body, list) or not body:
            return True
        return any(
            not required <= set(item) <= required | _OPTIONAL
            or item.get("type", "TXT") != "TXT"
            or not 600 <= item.get("ttl", 600) <= 604800
            for item in body
        )

    def _at(self, name: str) -> list[str]:
        return [number for number, (owner, _) in self.values.items() if owner == self._absolute(name)]

    def _drop(self, name: str) -> bool:
        found = self._at(name)
        for number in found:
            self.more.pop(self.values.pop(number)[1], None)
        return bool(found)

    def _record(self, number: str) -> dict[str, Any]:
        name, value = self.values[number]
        label = name.removesuffix(ZONE).removesuffix(".") or "@"
        return {"type": "TXT", "name": label, "data": value, "ttl": 600, **self.more.get(value, {})}

    @staticmethod
    def _absolute(name: str) -> str:
        return ZONE if name == "@" else f"{name}.{ZONE}".lower()
