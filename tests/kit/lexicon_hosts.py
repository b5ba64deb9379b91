"""Stand-ins for hosts whose provider in lexicon is patched, from their public documentation: what TXT records need."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.dns_hosts import ZONE, Host
from tests.kit.more_dns_hosts import RestHost


class Gehirn(RestHost):
    """https://support.gehirn.jp/apidocs/dns/: a record has all values of a name."""

    prefix = "/zones"

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """The zone and its records; the identifier is the name."""
        if not path:
            return 200, json.dumps([{"id": "z", "name": ZONE, "current_version_id": "v"}])
        if method == "GET":
            return 200, json.dumps([self._record(name) for name in sorted({name for name, _ in self.values.values()})])
        name = path[4] if path[4:] else body["name"].removesuffix(".")
        shown = self._record(name)
        self.replace(name, [] if method == "DELETE" else [item["data"] for item in body["records"]])
        return 200, shown if method == "DELETE" else self._record(name)

    def _record(self, name: str) -> dict[str, Any]:
        records = [{"data": value} for value in sorted(self.look(name))]
        return {"id": name, "name": f"{name}.", "type": "TXT", "enable_alias": False, "ttl": 60, "records": records}


class Constellix(RestHost):
    """https://api-docs.constellix.com: a record has all values of a name, which it shows in quotes."""

    prefix = "/domains"

    def rest(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        """The domain and its records; the identifier is the name."""
        if not path:
            return 200, json.dumps([{"id": 7, "name": ZONE}])
        if method == "GET":
            return 200, json.dumps([self._record(name) for name in sorted({name for name, _ in self.values.values()})])
        name = path[3] if path[3:] else self.full(body["name"])
        if method == "POST" and self.look(name):
            return 400, {"errors": ["Record with this machine already exists"]}
        self.replace(name, [item["value"] for item in body["roundRobin"]] if method != "DELETE" else [])
        return 200, {"success": "Record  updated successfully", "name": self.short(name)}

    def _record(self, name: str) -> dict[str, Any]:
        values = [{"value": content, "disableFlag": False} for content in self.quoted(name)]
        return {"id": name, "type": "TXT", "name": self.short(name), "ttl": 60, "roundRobin": values}


class YandexCloud(Host):
    """https://yandex.cloud/en/docs/dns/api-ref/: record sets, which are deleted or replaced as a whole.

    :ivar quoting: whether values are shown in quotes.
    """

    quoting = False

    def answer(self, asked: Asked) -> Answer:
        """The zone and its record sets."""
        parts = urlsplit(asked.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/zones":
            return 200, {"dnsZones": [{"id": "z", "zone": f"{ZONE}."}]}
        if parts.path == "/zones/z:getRecordSet":
            name = query["name"].removesuffix(".")
            return (200, self._set(name)) if self.look(name) else (404, {"code": 5, "message": "Not found"})
        if parts.path == "/zones/z:listRecordSets":
            wanted = query["filter"].partition("name='")[2].removesuffix(".'")
            return 200, {"recordSets": [self._set(wanted)]} if self.look(wanted) else {}
        body = json.loads(asked.body)
        for item in itertools.chain(body.get("replacements", []), body.get("deletions", [])):
            name = item["name"].removesuffix(".")
            if item in body.get("deletions", []) and item != self._set(name):
                return 400, {"code": 3, "message": "Deletions have to match"}
            self.values = {key: entry for key, entry in self.values.items() if entry[0] != name}
            for content in item["data"] if item in body.get("replacements", []) else ():
                self.put(name, content.strip('"'))
        return 200, {"done": True}

    def _set(self, name: str) -> dict[str, Any]:
        mark = '"' if self.quoting else ""
        data = [f"{mark}{value}{mark}" for value in sorted(self.look(name))]
        return {"name": f"{name}.", "type": "TXT", "ttl": "60", "data": data}


class Quoting(YandexCloud):
    """The host that shows values in quotes."""

    quoting = True
