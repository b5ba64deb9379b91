"""More stand-ins for the APIs of DNS hosts, from their public documentation: only what TXT records need."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.dns_hosts import ZONE, Host


class RestHost(Host):
    """A host with paths below one that names the zone; names are relative, `@` for the zone itself."""

    prefix = ""

    def answer(self, asked: Asked) -> Answer:
        """Split a request into its parts."""
        parts = urlsplit(asked.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = [part for part in parts.path.removeprefix(self.prefix).split("/") if part]
        body = json.loads(asked.body) if asked.body.startswith(("{", "[")) else {}
        return self.rest(asked.method, path, query, body)

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    @staticmethod
    def full(name: str) -> str:
        """The whole name."""
        return ZONE if name in {"", "@"} else f"{name}.{ZONE}"

    @staticmethod
    def short(name: str) -> str:
        """The name within the zone."""
        return name.removesuffix(ZONE).rstrip(".")

    def replace(self, name: str, values: list[str]) -> None:
        """Set all values of a name."""
        self.values = {key: record for key, record in self.values.items() if record[0] != name}
        for value in values:
            self.put(name, value.strip('"'))

    def quoted(self, name: str) -> list[str]:
        """The values of a name as zone files have them."""
        return [f'"{value}"' for value in sorted(self.look(name))]


class Gandi(RestHost):
    """https://api.gandi.net/docs/livedns/: the values of a name are replaced."""

    prefix = f"/domains/{ZONE}"

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """The domain and the values of its names."""
        if not path:
            return 200, {"fqdn": ZONE}
        name = self.full(path[1])
        if method == "GET":
            found = {"rrset_name": path[1], "rrset_type": "TXT", "rrset_ttl": 300, "rrset_values": self.quoted(name)}
            return (200, found) if self.look(name) else (404, {"message": "Can't find the DNS record"})
        if method == "DELETE":
            self.replace(name, [])
            return 204, ""
        if len(set(body["rrset_values"])) < len(body["rrset_values"]):
            return 400, {"message": "duplicate values"}
        self.replace(name, body["rrset_values"])
        return 201, {"message": "DNS Record Created"}


class DigitalOcean(RestHost):
    """https://docs.digitalocean.com/products/networking/dns/reference/api/: records with numbers."""

    prefix = f"/domains/{ZONE}"

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """The domain and its records."""
        if not path:
            return 200, {"domain": {"name": ZONE}}
        if method == "GET":
            return 200, {"domain_records": [self._record(key) for key in self.values], "links": {}}
        if method == "DELETE":
            return (204, "") if self.values.pop(path[1], None) else (404, {"message": "not found"})
        return 201, {"domain_record": self._record(self.put(self.full(body["name"]), body["data"]))}

    def _record(self, key: str) -> dict[str, Any]:
        name, value = self.values[key]
        return {"id": key, "type": "TXT", "name": self.short(name) or "@", "data": value, "ttl": 60}


class Ovh(RestHost):
    """https://api.ovh.com/console/: records with numbers, in force after a refresh."""

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """The time, the zone and its records."""
        if path[0] == "auth":
            return 200, "1764000000"
        if path == ["domain", "zone"]:
            return 200, json.dumps([ZONE])
        if path[-1] in {"status", "refresh"}:
            return 200, {"isDeployed": True}
        if method == "POST":
            return 200, {"id": self.put(self.full(body["subDomain"]), body["target"])}
        if method == "DELETE":
            self.values.pop(path[4])
            return 200, "null"
        if len(path) > 4:
            name, value = self.values[path[4]]
            target = {"id": path[4], "fieldType": "TXT", "subDomain": self.short(name), "ttl": 60}
            return 200, {**target, "target": f'"{value}"'}
        wanted = self.full(query["subDomain"])
        return 200, json.dumps([key for key, (name, _) in self.values.items() if name == wanted])


class FormHost(RestHost):
    """A host that is asked by form fields."""

    def answer(self, asked: Asked) -> Answer:
        """Split a request into its fields."""
        parts = urlsplit(asked.path)
        fields = parse_qs(parts.query) | parse_qs(asked.body)
        return self.form(parts.path.strip("/"), {key: values[0] for key, values in fields.items()})

    def form(self, path: str, fields: dict[str, str]) -> Answer:
        """Answer one request."""
        raise NotImplementedError


class DnsPod(FormHost):
    """https://docs.dnspod.cn/api/: the status is in the body, also with HTTP 200."""

    def form(self, path: str, fields: dict[str, str]) -> Answer:
        """Domain.Info, Record.List, Record.Create, Record.Remove."""
        code = "1"
        more: dict[str, Any] = {}
        if path == "Domain.Info":
            more = {"domain": {"id": "9"}}
        elif path == "Record.List":
            records = [
                {"id": key, "type": "TXT", "name": self.short(name) or "@", "value": value, "ttl": "600"}
                for key, (name, value) in self.values.items()
            ]
            more = {"records": records}
        elif path == "Record.Create":
            name = self.full(fields["sub_domain"])
            if fields["value"] in self.look(name):
                code = "31"
            else:
                self.put(name, fields["value"])
        elif path == "Record.Remove":
            self.values.pop(fields["record_id"])
        return 200, {"status": {"code": code, "message": "record exists" if code == "31" else "ok"}, **more}


class Aliyun(FormHost):
    """https://www.alibabacloud.com/help/en/dns/: an Action among signed parameters; lists by keywords."""

    def form(self, path: str, fields: dict[str, str]) -> Answer:
        """DescribeDomainInfo, DescribeDomainRecords, AddDomainRecord, DeleteDomainRecord."""
        if not fields["Timestamp"].endswith("Z") or "+" in fields["Timestamp"]:
            return 400, {"Code": "InvalidTimeStamp.Format", "Message": "Specified time stamp is not well formatted."}
        action = fields["Action"]
        if action == "AddDomainRecord":
            self.put(self.full(fields["RR"]), fields["Value"])
        elif action == "DeleteDomainRecord":
            self.values.pop(fields["RecordId"])
        records = [
            {"RecordId": key, "Type": "TXT", "RR": self.short(name) or "@", "Value": value, "TTL": 600}
            for key, (name, value) in self.values.items()
            if fields.get("RRKeyWord", "") in self.short(name) and fields.get("ValueKeyWord", "") in value
        ]
        return 200, {"DomainId": "d1", "DomainRecords": {"Record": records}}
