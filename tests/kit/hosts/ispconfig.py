"""ISPConfig, from https://git.ispconfig.org/ispconfig/ispconfig3 (remoting_client/API-docs, remote.d/dns.inc.php).

Its pages leave open what is returned for a search: a list of rows of text, as acme.sh and go-acme/lego say.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SESSION = "b0f6c2f1d6a0a8f1a9c0"
_RECORD = {"server_id", "zone", "name", "type", "data", "aux", "ttl", "active"}


class IspConfig(HostStandIn):
    """Functions by POST, in a session. Names of records are absolute, or relative to the zone.

    :ivar allowed: the functions that the remote user may call.
    """

    provider = "ispconfig"
    credentials: ClassVar = {"username": "dnsrenew", "password": "good-password-0000-4711"}
    secret = "password"
    besides = 5

    def __init__(self) -> None:
        super().__init__()
        self.allowed = {"dns_zone_get", "dns_txt_get", "dns_txt_add", "dns_txt_delete"}

    def answer(self, asked: Asked) -> Answer:
        """Call a function."""
        function, given = urlsplit(asked.path).query, json.loads(asked.body)
        if function == "login":
            if {key: given[key] for key in self.credentials} != self.credentials or given["client_login"] is not False:
                return self.fault("The login failed. Username or password wrong.")
            return self.done(_SESSION)
        if given.pop("session_id") != _SESSION:
            return self.fault("The Session is expired or does not exist.")
        if function not in self.allowed:
            return self.fault("You do not have the permissions to access this function.")
        return self._call(function, given)

    def _call(self, function: str, given: dict[str, Any]) -> Answer:
        match function:
            case "dns_zone_get":
                found = [zone for zone in self.zones if given["primary_id"] == {"origin": f"{zone}."}]
                return self.done([{"id": "456", "server_id": "1", "sys_userid": "7", "origin": f"{z}."} for z in found])
            case "dns_txt_get" if given["primary_id"] == {"zone": "456", "type": "TXT"}:
                return self.done([*map(self._row, self.values)])
            case "dns_txt_add" if set(given["params"]) == _RECORD and given["params"]["zone"] == "456":
                return self.done(self.put(given["params"]["name"], given["params"]["data"]))
            case "dns_txt_delete":
                return self.done(0 if self.values.pop(given["primary_id"], None) is None else 1)
        return self.fault("There is no primary_id or params.")

    @staticmethod
    def done(response: Any) -> Answer:
        """The answer with a result."""
        return 200, {"code": "ok", "message": "", "response": response}

    @staticmethod
    def fault(message: str) -> Answer:
        """The answer with an error."""
        return 200, {"code": "remote_fault", "message": message, "response": False}

    def _row(self, number: str) -> dict[str, str]:
        name, value = self.values[number][0], self.presented(number)
        shown = self.relative(name, f"{ZONE}.") if int(number) % 2 else f"{name}."
        return {"id": number, "zone": "456", "name": shown, "type": "TXT", "data": value, "ttl": "60", "active": "Y"}
