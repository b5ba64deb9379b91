"""Reg.ru, from https://www.reg.ru/reseller/api2doc (zone/get_resource_records, add_txt, remove_record; error codes)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import HostStandIn

_KNOWN = {"username", "password", "output_content_type", "domains"}
_MORE = {
    "get_resource_records": set[str](),
    "add_txt": {"subdomain", "text"},
    "remove_record": {"subdomain", "content", "record_type"},
}


class RegRu(HostStandIn):
    """Functions for a list of domains; errors have the status 200. A record is removed by its name, type and value."""

    provider = "regru"
    credentials: ClassVar = {"username": "me@example.org", "password": "good-password-0000-4711"}
    secret = "password"

    def answer(self, asked: Asked) -> Answer:
        """Call a function."""
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        function = asked.path.removeprefix("/zone/")
        if asked.method != "POST" or function not in _MORE or form.get("input_format") != "json":
            return 404, "<html>Not found</html>"
        given = json.loads(form["input_data"])
        if {key: given.get(key) for key in self.credentials} != self.credentials:
            return 200, {"result": "error", **self.error("PASSWORD_AUTH_FAILED", "Username/password Incorrect")}
        if set(given) != _KNOWN | _MORE[function]:
            return 200, {"result": "error", **self.error("INVALID_INPUT", "Some parameters are not valid")}
        (domain,) = given["domains"]
        found = {"result": "error", **self.error("DOMAIN_NOT_FOUND", "Domain not found")}
        if domain["dname"] in self.zones:
            found = {"result": "success", "service_id": "12345", **self._call(function, given)}
        return 200, {"result": "success", "charset": "utf-8", "answer": {"domains": [{**domain, **found}]}}

    @staticmethod
    def error(code: str, text: str) -> dict[str, Any]:
        """Return an error."""
        return {"error_code": code, "error_text": text, "error_params": {}}

    def _call(self, function: str, given: dict[str, Any]) -> dict[str, Any]:
        if function == "get_resource_records":
            records = [{"rectype": "A", "subname": "www", "content": "192.0.2.1", "prio": "0", "state": "A"}]
            for number, (name, _) in self.values.items():
                record = {"rectype": "TXT", "subname": self.relative(name), "content": self.presented(number)}
                records.append({**record, "prio": "0", "state": "A"})
            return {"rrs": records, "soa": {"minimum_ttl": "12h", "ttl": "1d"}}
        name = self.absolute(given["subdomain"])
        if function == "add_txt":
            self.put(name, given["text"])
        else:
            gone = {(name, given["content"]), (name, given["content"].strip('"'))}
            self.values = {key: each for key, each in self.values.items() if each not in gone}
        return {}
