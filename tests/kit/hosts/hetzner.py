"""Hetzner, from https://docs.hetzner.cloud/reference/cloud (zones, their record sets, and actions)."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_NAME = re.compile(r"@|(?:\*\.)?[a-z0-9_.-]+", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*')


class Hetzner(HostStandIn):
    """Values are added to and removed from record sets by actions, which run for a while.

    The documentation does not tell what happens to a value that exists already, or does not exist any more.

    :ivar polls: how often an action is looked at until it is finished.
    :ivar failing: whether actions fail.
    :ivar strict: whether it is an error to add a value that exists, and to remove one that does not.
    :ivar ttls: of the record sets, by their names.
    """

    provider = "hetzner"
    credentials: ClassVar = {"auth_token": "jEheVytlAoFl7F8MqUQ7jAo2hOXASztX" * 2}
    secret = "auth_token"
    strict = True

    def __init__(self) -> None:
        super().__init__()
        self.polls = 1
        self.failing = False
        self.ttls: dict[str, int] = {}
        self.running: dict[int, int] = {}

    def answer(self, asked: Asked) -> Answer:
        """Zones, record sets, and actions."""
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['auth_token']}":
            return _error(401, "unauthorized", "the token you provided is invalid")
        parts = urlsplit(asked.path)
        match asked.method, [unquote(each) for each in parts.path.strip("/").split("/")]:
            case "GET", ["actions"]:
                return 200, self._actions(parse_qs(parts.query))
            case "GET", ["zones", zone] if zone in self.zones:
                return 200, {"zone": {"id": 42, "name": zone, "mode": "primary", "ttl": 3600}}
            case "GET", ["zones", zone, "rrsets", name, "TXT"] if zone in self.zones and self.look(_full(name)):
                return 200, {"rrset": self._record_set(name)}
            case "POST", ["zones", zone, "rrsets", name, "TXT", "actions", action] if zone in self.zones:
                return self._act(name, action, json.loads(asked.body))
        return _error(404, "not_found", "Entity not found")

    def _act(self, name: str, action: str, body: dict[str, Any]) -> Answer:
        contents = [record["value"] for record in body["records"]]
        if not _NAME.fullmatch(name) or not contents or len(set(contents)) < len(contents):
            return _error(422, "invalid_input", "invalid input in field 'records'")
        if not all(_QUOTED.fullmatch(content) for content in contents):
            return _error(422, "invalid_input", "invalid input in field 'records': TXT must be quoted strings")
        full, values = _full(name), {content[1:-1].replace('" "', "") for content in contents}
        present = self.look(full)
        if action == "remove_records":
            return self._remove(full, values, present)
        if present and body.get("ttl") != self.ttls.get(full, 60):
            return _error(422, "invalid_input", "invalid input in field 'ttl': differs from that of the RRSet")
        if present & values and self.strict:
            return _error(409, "uniqueness_error", "the record exists already")
        if not 60 <= (body.get("ttl") or 60) <= 2147483647:
            return _error(422, "invalid_input", "invalid input in field 'ttl'")
        self.ttls[full] = body.get("ttl") or 60
        for value in sorted(values - present):
            self.put(full, value)
        return self._started("add_rrset_records")

    def _remove(self, full: str, values: set[str], present: set[str]) -> Answer:
        if not present:
            return _error(404, "not_found", "Entity not found")
        if not values <= present and self.strict:
            return _error(422, "invalid_input", "invalid input in field 'records': no such record")
        self.values = {
            k: (name, value) for k, (name, value) in self.values.items() if name != full or value not in values
        }
        return self._started("remove_rrset_records")

    def _started(self, command: str) -> Answer:
        identifier = len(self.asked)
        self.running[identifier] = self.polls
        return 201, {"action": self._action(identifier, command, "running" if self.polls else "success")}

    def _actions(self, query: dict[str, list[str]]) -> dict[str, Any]:
        found = []
        for identifier in map(int, query["id"][: min(int(query.get("per_page", ["25"])[0]), 50)]):
            self.running[identifier] -= 1
            done = "error" if self.failing else "success"
            found.append(self._action(identifier, "set", "running" if self.running[identifier] > 0 else done))
        return {"actions": found}

    @staticmethod
    def _action(identifier: int, command: str, status: str) -> dict[str, Any]:
        error = {"code": "action_failed", "message": "Action failed"} if status == "error" else None
        return {"id": identifier, "command": command, "status": status, "progress": 50, "error": error}

    def _record_set(self, name: str) -> dict[str, Any]:
        records = [{"value": f'"{value}"', "comment": ""} for value in sorted(self.look(_full(name)))]
        return {"name": name, "type": "TXT", "ttl": self.ttls.get(_full(name), 60), "records": records}


def _full(name: str) -> str:
    return ZONE if name == "@" else f"{name}.{ZONE}"


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message, "details": None}}
