"""Namecheap, from https://www.namecheap.com/support/api/methods/domains-dns/ (getHosts, setHosts) and .../error-codes/.

The case of names and the fields that the documentation leaves out are those of real answers in the tests of clients
(go-acme/lego, namecheap/go-namecheap-sdk).
"""

from __future__ import annotations

import itertools
import re
from typing import ClassVar
from urllib.parse import parse_qs
from xml.sax.saxutils import quoteattr

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_TYPES = {"A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"}
_EMAIL = {"MXE", "MX", "FWD", "OX", "GMAIL", "NONE"}
_SHOWN = {"AssociatedAppTitle": "", "FriendlyName": "", "IsActive": "true", "IsDDNSEnabled": "false"}

Fields = dict[str, str]


def entry(name: str, kind: str, address: str, ttl: str = "1799", pref: str = "10", **more: str) -> Fields:
    """A record as getHosts shows it."""
    return {"Name": name, "Type": kind, "Address": address, "MXPref": pref, "TTL": ttl, **_SHOWN, **more}


class Namecheap(HostStandIn):
    """The whole zone is read, and replaced as a whole; errors come with status 200.

    :ivar others: the records of other types.
    :ivar email: the e-mail setting of the zone; None: getHosts does not show it.
    :ivar shown: further attributes of the zone.
    :ivar fields: TTL and MXPref of the TXT record with a value, by that value.
    """

    provider = "namecheap"
    credentials: ClassVar = {
        "auth_username": "me",
        "auth_token": "good-key-0000-4711",
        "auth_client_ip": "192.0.2.7",
    }
    secret = "auth_token"
    batch = 2

    def __init__(self) -> None:
        super().__init__()
        self.others = [
            entry("@", "A", "192.0.2.1", "60"),
            entry("www", "CNAME", "parkingpage.namecheap.com.", FriendlyName="CNAME Record"),
            entry("@", "MX", "mail.example.net.", "300", "20"),
            entry("@", "CAA", '0 issue "letsencrypt.org"', "1800"),
            entry("old", "URL", "https://www.example.com/?a=1&b=<2>", "1800"),
        ]
        self.email: str | None = "MX"
        self.shown: Fields = {}
        self.fields: dict[str, Fields] = {}

    def answer(self, asked: Asked) -> Answer:
        """A command in the fields of a form."""
        form = {key: values[0] for key, values in parse_qs(asked.body, keep_blank_values=True).items()}
        user = self.credentials["auth_username"]
        if asked.method != "POST" or "?" in asked.path or (form.get("ApiUser"), form.get("UserName")) != (user, user):
            return self.error("1010101", "Parameter APIUser is missing")
        if form.get("ApiKey") != self.credentials["auth_token"]:
            return self.error("1011102", "API Key is invalid or API access has not been enabled")
        if form.get("ClientIp") != self.credentials["auth_client_ip"]:
            return self.error("1011150", f"Invalid request IP: {self.credentials['auth_client_ip']}")
        if f"{form.get('SLD')}.{form.get('TLD')}" not in self.zones:
            return self.error("2019166", f"Domain name not found ({form.get('SLD')}.{form.get('TLD')})")
        match form.get("Command"):
            case "namecheap.domains.dns.getHosts":
                return self._get()
            case "namecheap.domains.dns.setHosts":
                return self._set(form)
        return self.error("1010104", "Parameter Command is missing")

    @staticmethod
    def error(number: str, text: str) -> Answer:
        """An error."""
        return 200, (
            '<?xml version="1.0" encoding="utf-8"?>\n<ApiResponse Status="ERROR" '
            f'xmlns="http://api.namecheap.com/xml.response"><Errors><Error Number="{number}">{text}</Error></Errors>'
            "<Warnings /><RequestedCommand /><Server>PHX01SBAPI01</Server></ApiResponse>"
        )

    @staticmethod
    def result(command: str, inner: str) -> Answer:
        """The result of a command."""
        return 200, (
            '<?xml version="1.0" encoding="utf-8"?>\n<ApiResponse Status="OK" '
            'xmlns="http://api.namecheap.com/xml.response"><Errors /><Warnings />'
            f'<RequestedCommand>{command}</RequestedCommand><CommandResponse Type="{command}">{inner}'
            "</CommandResponse><Server>PHX01SBAPI01</Server><ExecutionTime>3.338</ExecutionTime></ApiResponse>"
        )

    def _get(self) -> Answer:
        texts = [
            entry(name.removesuffix(ZONE).removesuffix(".") or "@", "TXT", value) | self.fields.get(value, {})
            for name, value in self.values.values()
        ]
        hosts = "".join(
            f'<host HostId="{number}" {_attributes(fields)} />'
            for number, fields in enumerate([*self.others, *texts], 7)
        )
        zone = {"Domain": ZONE, "IsUsingOurDNS": "true", **self.shown}
        zone |= {} if self.email is None else {"EmailType": self.email}
        inner = f"<DomainDNSGetHostsResult {_attributes(zone)}>{hosts}</DomainDNSGetHostsResult>"
        return self.result("namecheap.domains.dns.getHosts", inner)

    def _set(self, form: Fields) -> Answer:
        email = form.get("EmailType", "NONE")
        wanted: list[Fields] = []
        for number in itertools.takewhile(lambda number: f"HostName{number}" in form, itertools.count(1)):
            names = ("HostName", "RecordType", "Address", "MXPref", "TTL")
            name, kind, address, pref, ttl = (form.get(f"{each}{number}", "") for each in names)
            if kind not in _TYPES or not address or not ttl.isdecimal() or not 60 <= int(ttl) <= 60000:
                return self.error("2050900", f"Record {number} is invalid")
            if kind == "MX" and (email not in {"MX", "OX", "GMAIL"} or not pref):
                continue  # not saved
            wanted.append(entry(name, kind, address, ttl, pref or "10"))
        numbered = [key for key in form if re.fullmatch(r"[A-Za-z]+\d+", key)]
        if email not in _EMAIL or not wanted or len(numbered) != 5 * len(wanted):
            return self.error("2050900", "The parameters are invalid")
        self.email = email
        self.others = [fields for fields in wanted if fields["Type"] != "TXT"]
        texts = [fields for fields in wanted if fields["Type"] == "TXT"]
        self.fields = {fields["Address"]: {key: fields[key] for key in ("TTL", "MXPref")} for fields in texts}
        self.values = {}
        for fields in texts:
            self.put(ZONE if fields["Name"] == "@" else f"{fields['Name']}.{ZONE}", fields["Address"])
        inner = f'<DomainDNSSetHostsResult Domain="{ZONE}" IsSuccess="true" />'
        return self.result("namecheap.domains.dns.setHosts", inner)


def _attributes(fields: Fields) -> str:
    return " ".join(f"{key}={quoteattr(value)}" for key, value in fields.items())
