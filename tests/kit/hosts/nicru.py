"""RU-CENTER, from https://www.nic.ru/help/api-dns-hostinga_3643.html, with the answers in the tests of go-acme/lego."""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import parse_qs
from xml.sax.saxutils import escape, unescape

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_TOKEN = "AAEE4-good-access-token"
_RECORD = re.compile(
    r"<rr><name>([^<]+)</name><ttl>(\d+)</ttl><type>TXT</type><txt><string>([^<]*)</string></txt></rr>"
)


class NicRu(HostStandIn):
    """Records in XML with numbers. What is served are those of the last commit.

    :ivar served: the values of the last commit.
    """

    provider = "nicru"
    credentials: ClassVar = {
        "user": "123/NIC-D",
        "password": "good-password-0000-4711",
        "service_id": "8e1d4d1f3a2b",
        "secret": "app-secret-0000-4711",
    }
    secret = "password"
    besides = 7

    def __init__(self) -> None:
        super().__init__()
        self.served = dict(self.values)

    def look(self, name: str) -> set[str]:
        """Return the values that are served at a name."""
        return {value for owner, value in self.served.values() if owner == name.removesuffix(".").lower()}

    def answer(self, asked: Asked) -> Answer:
        """A token, zones and records."""
        if asked.path == "/oauth/token":
            form = {key: values[0] for key, values in parse_qs(asked.body).items()}
            given = (form["username"], form["password"], form["client_id"], form["client_secret"])
            if given != tuple(self.credentials.values()) or form["grant_type"] != "password" or not form["scope"]:
                return 401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
            return 200, {"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 14400}
        if asked.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return 401, self.error(4097, "Access token expired or not found")
        match asked.method, asked.path.strip("/").split("/"):
            case "GET", ["dns-master", "zones"]:
                zones = "".join(f'<zone id="1" name="{zone}" service="TESTSERVICE"/>' for zone in self.zones)
                return 200, self.done(zones)
            case method, ["dns-master", "services", "TESTSERVICE", "zones", zone, *rest] if zone in self.zones:
                return self._in_zone(method, rest, asked.body)
        return 404, self.error(4031, "Zone not found")

    @staticmethod
    def done(inner: str) -> str:
        """An answer with data."""
        return f"<?xml version='1.0'?><response><status>success</status><data>{inner}</data></response>"

    @staticmethod
    def error(code: int, text: str) -> str:
        """An answer with an error."""
        error = f'<errors><error code="{code}">{text}</error></errors>'
        return f"<?xml version='1.0'?><response><status>fail</status>{error}</response>"

    def _in_zone(self, method: str, rest: list[str], body: str) -> Answer:
        match method, rest:
            case "GET", ["records"]:
                soa = '<rr id="900"><name>@</name><type>SOA</type><soa><serial>1</serial></soa></rr>'
                return 200, self._zone(soa + "".join(map(self._record, self.values)))
            case "PUT", ["records"]:
                found = _RECORD.findall(body)
                if not found or body.count("<rr>") != len(found):
                    return 400, self.error(4026, "Wrong request")
                created = [self.put(self.absolute(name), unescape(value)) for name, _, value in found]
                return 200, self._zone("".join(map(self._record, created)))
            case "DELETE", ["records", number] if number in self.values:
                del self.values[number]
                return 200, self.done("")
            case "POST", ["commit"]:
                self.served = dict(self.values)
                return 200, self.done("")
        return 404, self.error(4033, "Record not found")

    def _zone(self, records: str) -> str:
        changes = str(self.served != self.values).lower()
        return self.done(f'<zone has-changes="{changes}" name="{ZONE}" service="TESTSERVICE">{records}</zone>')

    def _record(self, number: str) -> str:
        name, value = self.values[number][0], self.presented(number)
        text = f"<txt><string>{escape(value)}</string></txt>"
        return f'<rr id="{number}"><name>{self.relative(name)}</name><ttl>60</ttl><type>TXT</type>{text}</rr>'
