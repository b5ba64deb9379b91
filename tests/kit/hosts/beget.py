"""Beget, from https://beget.com/en/kb/api/dns-administration-functions, with the answers in the tests of go-acme/lego.

Documented is `value` for the value of a record; `txtdata` is what real answers have, and what acme.sh writes.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import HostStandIn

Records = dict[str, list[dict[str, Any]]]


class Beget(HostStandIn):
    """All records of a name are read and replaced; errors have the status 200.

    :ivar others: records of other types, by their name.
    """

    provider = "beget"
    credentials: ClassVar = {"username": "me", "password": "good-password-0000-4711"}
    secret = "password"
    each = 2
    besides = 0

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[str, Records] = {}

    def answer(self, asked: Asked) -> Answer:
        """Call a function."""
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        if (form.get("login"), form.get("passwd")) != (self.credentials["username"], self.credentials["password"]):
            return 200, {"status": "error", "error_text": "Incorrect login or password", "error_code": "AUTH_ERROR"}
        given, function = json.loads(form["input_data"]), asked.path.removeprefix("/dns/")
        is_ours = any(given["fqdn"] == zone or given["fqdn"].endswith(f".{zone}") for zone in self.zones)
        if function == "getData":
            state = {"is_under_control": is_ours, "is_beget_dns": is_ours, "is_subdomain": False, "set_type": 1}
            records = self._records(given["fqdn"]) if is_ours else {}
            shown = {"records": records} if records else {}
            return self.done({**state, "fqdn": given["fqdn"], **shown})
        if function == "changeRecords" and is_ours:
            texts = given["records"].pop("TXT", [])
            if all(text["value"] and isinstance(text["priority"], int) for text in texts):
                self.replace(given["fqdn"], [text["value"] for text in texts])
                self.others[given["fqdn"]] = given["records"]
                return self.done(True)
            return self.refused("INVALID_DATA", "Invalid records")
        return self.refused("METHOD_FAILED", "Domain not found")

    @staticmethod
    def done(result: Any) -> Answer:
        """The answer with a result."""
        return 200, {"status": "success", "answer": {"status": "success", "result": result}}

    @staticmethod
    def refused(code: str, text: str) -> Answer:
        """The answer with an error of a function."""
        errors = [{"error_code": code, "error_text": text}]
        return 200, {"status": "success", "answer": {"status": "error", "errors": errors}}

    def _records(self, name: str) -> Records:
        texts = [{"ttl": 300, "txtdata": value} for value in self.by_name().get(name, ())]
        found = {**({"TXT": texts} if texts else {}), **self.others.get(name, {})}
        return {**found, "DNS": [{"value": "ns1.beget.com"}], "DNS_IP": [{"value": ""}]} if found else {}
