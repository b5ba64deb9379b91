"""netcup, from https://ccp.netcup.net/run/webservice/servers/endpoint.php and https://helpcenter.netcup.com.

The texts of errors, which are not documented there, are those that its users have reported.
"""

from __future__ import annotations

import itertools
import json
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Netcup(HostStandIn):
    """Each request is a POST to one address, with a session from ``login``; errors have HTTP 200 too.

    :ivar sessions: those that have logged in, and not out.
    """

    provider = "netcup"
    credentials: ClassVar = {
        "auth_customer_id": "12345",
        "auth_api_key": "k3yQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY3ODk",
        "auth_api_password": "pa55word-GeneratedByNetcup",
    }
    secret = "auth_api_password"
    batch = 4
    last_ends_session = True

    def __init__(self) -> None:
        super().__init__()
        self.sessions: set[str] = set()
        self._numbers = itertools.count()

    def answer(self, asked: Asked) -> Answer:
        """Answer one of four actions."""
        if asked.method != "POST" or not asked.path.endswith("?JSON"):
            return 200, "<html><body>DomainWebservice SOAP WebService interface description</body></html>"
        call = json.loads(asked.body)
        action, given = call["action"], call["param"]
        if any(given.get(key) != self.credentials[f"auth_{option}"] for key, option in _ACCOUNT.items()):
            return _answer(action, 4013, "Validation Error.", "The login to the API failed.")
        if action == "login":
            return self._login(given)
        if given.get("apisessionid") not in self.sessions:
            return _answer(action, 4001, "Api session id in invalid format", "The session id is not in a valid format.")
        if action == "logout":
            self.sessions.discard(given["apisessionid"])
            return _answer(action, 2000, "Logout successful", "Session has been terminated successful.")
        if given.get("domainname") not in self.zones:
            text = f"Can not get DNS records for zone. The zone {given.get('domainname')} could not be found."
            return _answer(action, 5029, "Getting DNS records failed", text)
        if action == "infoDnsRecords":
            return _answer(action, 2000, "DNS records found", "DNS records for this zone were found.", self._all())
        if action == "updateDnsRecords":
            return self._update(given["dnsrecordset"]["dnsrecords"])
        return _answer("", 4013, "Validation Error.", "Unknown action.")

    def _login(self, given: dict[str, str]) -> Answer:
        if given.get("apipassword") != self.credentials["auth_api_password"]:
            return _answer("login", 4013, "Validation Error.", "The login to the API failed.")
        session = f"session-{next(self._numbers)}"
        self.sessions.add(session)
        data = {"apisessionid": session}
        return _answer("login", 2000, "Login successful", "Session has been created successful.", data)

    def _update(self, records: list[dict[str, Any]]) -> Answer:
        """Create, change or delete the records that are named, or none of them; the others stay."""
        for record in records:
            host = record.get("hostname", "")
            if not host or host.endswith(ZONE) or record.get("type") != "TXT" or not record.get("destination"):
                text = "der Host darf nicht leer sein oder aus Sonderzeichen bestehen"
                return _answer("updateDnsRecords", 4013, "Validation Error.", text)
            if record.get("id") and self.values.get(record["id"]) != (_name(host), record["destination"]):
                text = "Can not update (all) DNS records for zone. A record does not exist."
                return _answer("updateDnsRecords", 5028, "Update of DNS records failed", text)
        for record in records:
            if record.get("deleterecord"):
                del self.values[record["id"]]
            else:
                self.put(_name(record["hostname"]), record["destination"])
        text = "The given DNS records for this zone were updated."
        return _answer("updateDnsRecords", 2000, "DNS records successful updated", text, self._all())

    def _all(self) -> dict[str, Any]:
        records = [_record("9000001", "@", "A", "192.0.2.1")]
        for identifier, (name, value) in self.values.items():
            host = name.removesuffix(ZONE).removesuffix(".") or "@"
            records.append(_record(identifier, host, "TXT", value))
        return {"dnsrecords": records}


_ACCOUNT = {"customernumber": "customer_id", "apikey": "api_key"}


def _name(host: str) -> str:
    return ZONE if host == "@" else f"{host}.{ZONE}"


def _record(identifier: str, host: str, kind: str, destination: str) -> dict[str, Any]:
    state = {"priority": "0", "deleterecord": False, "state": "yes"}
    return {"id": identifier, "hostname": host, "type": kind, "destination": destination, **state}


def _answer(action: str, code: int, short: str, long: str, data: Any = "") -> Answer:
    status = "success" if code == 2000 else "error"
    texts = {"status": status, "statuscode": code, "shortmessage": short, "longmessage": long}
    return 200, {
        "serverrequestid": "YxTr4EzdbJ101",
        "clientrequestid": "",
        "action": action,
        **texts,
        "responsedata": data,
    }
