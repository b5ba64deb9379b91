"""Technitium DNS Server, from https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qs

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import HostStandIn

GOOD = "932b2a3495852c15af01598f62563ae534460388b6a370bfbbb8bb6094b698e9"


class Technitium(HostStandIn):
    """Parameters are a form; errors have status 200, and the word `error` or `invalid-token` in the body.

    :ivar strict: whether an existing value cannot be added, nor an absent one deleted, as in newer versions.
    :ivar bearer: whether the token is a header, as from version 15 on; else it is a parameter.
    :ivar denied: whether the user of the token may not modify the zone.
    """

    provider = "technitium"
    credentials: ClassVar = {"auth_token": GOOD}
    secret = "auth_token"
    strict = True
    bearer = True
    denied = False

    def answer(self, asked: Asked) -> Answer:
        """Add, delete and get records."""
        if asked.method != "POST" or asked.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return 404, ""
        form = {key: values[0] for key, values in parse_qs(asked.body).items()}
        token = asked.headers.get("Authorization") if self.bearer else f"Bearer {form.get('token')}"
        if token != f"Bearer {GOOD}":
            return 200, {"status": "invalid-token", "errorMessage": "Invalid token or session expired."}
        for required in ("domain", *(() if asked.path.endswith("/get") else ("type", "text"))):
            if required not in form:
                return self._error(f"Parameter '{required}' missing.")
        zone, domain = form.get("zone", ""), form["domain"]
        if zone not in self.zones:
            return self._error(f"No such zone was found: {zone}")
        if not f".{domain}".endswith(f".{zone}"):
            return self._error("The domain name does not belong to the zone.")
        if self.denied:
            return self._error("Access was denied.")
        match asked.path:
            case "/api/zones/records/add":
                return self._add(domain, form)
            case "/api/zones/records/delete":
                return self._delete(domain, form["text"])
            case "/api/zones/records/get":
                found = [{"name": domain, "type": "NS", "rData": {"nameServer": "server1"}}]
                found += [{"name": domain, "type": "TXT", "rData": {"text": each}} for each in self.look(domain)]
                return 200, {"response": {"records": found}, "status": "ok"}
        return 404, ""

    def _add(self, domain: str, form: dict[str, str]) -> Answer:
        if form["type"] != "TXT" or int(form["ttl"]) < 1 or form.get("overwrite", "false") != "false":
            return self._error("Parameter is not valid.")
        if form["text"] in self.look(domain):
            if self.strict:
                return self._error("Cannot add record: record already exists.")
        else:
            self.put(domain, form["text"])
        return 200, {"response": {"addedRecord": {"name": domain, "type": "TXT"}}, "status": "ok"}

    def _delete(self, domain: str, text: str) -> Answer:
        found = [key for key, record in self.values.items() if record == (domain, text)]
        if not found and self.strict:
            return self._error("Cannot delete record: no such record exists.")
        for key in found:
            del self.values[key]
        return 200, {"response": {}, "status": "ok"}

    @staticmethod
    def _error(message: str) -> Answer:
        body = {"status": "error", "errorMessage": message, "stackTrace": "at DnsServerCore…", "innerErrorMessage": ""}
        return 200, body
