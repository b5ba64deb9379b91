"""Value Domain, from https://www.value-domain.com/api/doc/domain/ (DNS) and the notation of its control panel.

The fields of an answer are those that its users' programs read; the bodies of errors are not documented.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

OTHERS = (
    "a @ 192.0.2.1\na www 192.0.2.1\naaaa ipv6 2001:db8::1\nmx mail.example.net. 10\nns sub ns1.example.net.\n"
    "cname Shop shop.example.net.\nsrv _smtp._tcp 1 2 25 server1.example.net.\n"
    'txt _dmarc v=DMARC1; p=none; rua=mailto:me@example.com\ncaa @ 0 issue "letsencrypt.org"'
)
_LINE = re.compile(r"[a-z]+ \S+ \S.*")


class ValueDomain(HostStandIn):
    """The records of a zone are one text, which is read and replaced as a whole.

    :ivar others: the lines of other records, as they were written.
    :ivar fields: of the zone, besides its name, records and TTL.
    :ivar ttl: of the zone; below 120 it becomes 3600.
    """

    provider = "valuedomain"
    credentials: ClassVar = {"auth_token": "good-token-0000-4711"}
    secret = "auth_token"
    batch = 2

    def __init__(self) -> None:
        super().__init__()
        self.others = OTHERS
        self.fields: dict[str, Any] = {"ns_type": "valuedomain1"}
        self.ttl = "3600"

    def answer(self, asked: Asked) -> Answer:
        """The DNS settings of a domain."""
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['auth_token']}":
            return 401, {"errors": {"code": 401, "message": "Unauthorized"}}
        if asked.path not in {f"/domains/{zone}/dns" for zone in self.zones}:
            return 404, {"errors": {"code": 404, "message": "Not found"}}
        if asked.method == "PUT":
            return self._replace(json.loads(asked.body))
        return (200, {"results": self._zone()}) if asked.method == "GET" else (404, {})

    def _zone(self) -> dict[str, Any]:
        lines = [
            f"txt {name.removesuffix(ZONE).removesuffix('.') or '@'} {value}" for name, value in self.values.values()
        ]
        records = "\n".join(filter(None, [self.others, *lines]))
        return {"domainid": 9999998, "domainname": ZONE, "records": records, "ttl": self.ttl, **self.fields}

    def _replace(self, body: dict[str, Any]) -> Answer:
        lines = [line.rstrip("\r") for line in body.get("records", "").removesuffix("\n").split("\n")]
        if set(body) != {"ns_type", "records", "ttl"} or not all(_LINE.fullmatch(line) for line in lines):
            return 400, {"errors": {"code": 400, "message": "Bad Request"}}
        self.ttl = str(body["ttl"]) if int(body["ttl"]) >= 120 else "3600"
        self.fields = {"ns_type": body["ns_type"]}
        numbers, others = {entry: key for key, entry in reversed(self.values.items())}, []
        self.values = {}
        for line in lines:
            kind, name, value = line.split(" ", 2)
            owner = (ZONE if name == "@" else f"{name}.{ZONE}").lower()
            if kind == "txt" and line not in OTHERS:
                self.values[numbers.get((owner, value)) or next(self._identifiers)] = (owner, value)
            else:
                others.append(line)
        self.others = "\n".join(others)
        return 200, {"results": self._zone()}
