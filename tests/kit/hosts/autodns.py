"""AutoDNS, from https://help.internetx.com/display/APIXMLEN/JSON+API+basics (zone search, inquire and stream).

The form of the answers is that of libdns/autodns, of lego and of Dokploy, which agree.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SERVER = "a.ns14.net"


class AutoDns(HostStandIn):
    """A stream adds and removes records; one that exists already, or does not exist, makes it fail as a whole."""

    provider = "autodns"
    credentials: ClassVar = {"api_user": "dns-robot", "api_password": "good-password-0000-4711"}
    secret = "api_password"
    batch = 3

    def answer(self, asked: Asked) -> Answer:
        """The tasks for zones."""
        right = ":".join(self.credentials.values()).encode()
        if asked.headers.get("Authorization") != f"Basic {b64encode(right).decode()}":
            return self.problem(401, "E0000", "Authentication failed.")
        if asked.headers.get("X-Domainrobot-Context") != "4":
            return self.problem(404, "EF13012", "This subuser is not available in this system.")
        body = json.loads(asked.body) if asked.body else {}
        if (asked.method, asked.path) == ("POST", "/zone/_search"):
            wanted = body["filters"][0]["value"]
            found = [{"origin": each, "virtualNameServer": _SERVER} for each in self.zones if each == wanted]
            return self.success("S0205", data=found)
        if (asked.method, asked.path) == ("GET", f"/zone/{ZONE}/{_SERVER}"):
            return self.success("S0205", data=[{"origin": ZONE, "virtualNameServer": _SERVER, **self._records()}])
        if (asked.method, asked.path) == ("POST", f"/zone/{ZONE}/{_SERVER}/_stream"):
            return self._stream(body["adds"], body["rems"])
        return self.problem(404, "E0205", "The zone was not found.")

    @staticmethod
    def success(code: str, **more: Any) -> Answer:
        """An answer of a task that is done."""
        return 200, {"stid": "20261201-app1-1", "status": {"code": code, "type": "SUCCESS"}, **more}

    @staticmethod
    def problem(status: int, code: str, text: str) -> Answer:
        """An answer of a task that failed."""
        messages = [{"text": text, "code": code, "status": "ERROR", "objects": []}]
        about = {"code": "E0202002", "text": "Zone could not be updated on the name server.", "type": "ERROR"}
        return status, {"stid": "20261201-app1-1", "messages": messages, "status": about}

    def _records(self) -> dict[str, Any]:
        address = {"name": "", "type": "A", "value": "192.0.2.1", "ttl": 300}
        records = [self._item(name, value) for name, value in self.values.values()]
        return {"resourceRecords": [address, *records]}

    @staticmethod
    def _item(name: str, value: str) -> dict[str, Any]:
        return {"name": name.removesuffix(ZONE).removesuffix("."), "type": "TXT", "value": value, "ttl": 600}

    def _stream(self, adds: list[dict[str, Any]], rems: list[dict[str, Any]]) -> Answer:
        known = {
            (item["name"], item["value"]): key for key, value in self.values.items() for item in [self._item(*value)]
        }
        if any((item["name"], item["value"]) in known for item in adds):
            return self.problem(400, "EF02022", "The resource record was entered twice.")
        if any((item["name"], item["value"]) not in known or item["type"] != "TXT" for item in rems):
            return self.problem(400, "EF02023", "The resource record does not exist.")
        for item in rems:
            del self.values[known[item["name"], item["value"]]]
        for item in adds:
            self.put(f"{item['name']}.{ZONE}" if item["name"] else ZONE, item["value"])
        return self.success("S0202", object={"type": "Zone", "value": ZONE})
