"""Stand-ins for the APIs of DNS hosts, from their public documentation: only what TXT records need."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from tests.kit.api_server import Answer, Api, Asked

ZONE = "example.com"


class Host(Api):
    """A host with one zone; `values` are its TXT records as (name without a final dot, value)."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.values: dict[str, tuple[str, str]] = {"0": (ZONE, "v=spf1 -all")}
        self._ids = map(str, itertools.count(1))

    def answer(self, asked: Asked) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def look(self, name: str) -> set[str]:
        """Return the TXT values that are served at a name."""
        return {value for owner, value in self.values.values() if owner == name.removesuffix(".")}

    def put(self, name: str, value: str) -> str:
        """Create a record; return its identifier."""
        identifier = next(self._ids)
        self.values[identifier] = (name.removesuffix("."), value)
        return identifier


class Cloudflare(Host):
    """https://developers.cloudflare.com/api/resources/dns/; `quoting`: it keeps TXT values in quotes."""

    quoting = False

    def answer(self, asked: Asked) -> Answer:
        """Zones and their records."""
        path = urlsplit(asked.path).path.removeprefix("/zones")
        query = {key: values[0] for key, values in parse_qs(urlsplit(asked.path).query).items()}
        if asked.headers.get("Authorization") != "Bearer good-token-0000":
            return 403, {"success": False, "errors": [{"code": 9109, "message": "Invalid access token"}]}
        if asked.method == "GET" and path == "":
            return 200, self._page([{"id": "z1", "name": ZONE}])
        identifier = path.removeprefix("/z1/dns_records").removeprefix("/")
        if asked.method == "DELETE":
            return (200, self._page({})) if self.values.pop(identifier, None) else (404, self._page({}))
        if asked.method == "POST":
            return self._create(json.loads(asked.body))
        wanted = query.get("name"), query.get("content")
        found = [record for record in map(self._record, self.values) if self._fits(record, *wanted)]
        return 200, self._page(found)

    def _create(self, body: dict[str, Any]) -> Answer:
        if body["content"] in self.look(body["name"]):
            return 400, {
                "success": False,
                "errors": [{"code": 81058, "message": "An identical record already exists."}],
            }
        return 200, self._page(self._record(self.put(body["name"], body["content"])))

    def _record(self, identifier: str) -> dict[str, Any]:
        name, value = self.values[identifier]
        content = f'"{value}"' if self.quoting else value
        return {"id": identifier, "type": "TXT", "name": name, "content": content, "ttl": 60}

    @staticmethod
    def _fits(record: dict[str, Any], name: str | None, content: str | None) -> bool:
        return name in {None, record["name"]} and content in {None, record["content"]}

    @staticmethod
    def _page(result: Any) -> dict[str, Any]:
        return {"success": True, "errors": [], "result": result, "result_info": {"page": 1, "total_pages": 1}}


class Route53(Host):
    """https://docs.aws.amazon.com/Route53/latest/APIReference/: record sets, changed by replacing them."""

    _XML = '<?xml version="1.0"?><{0} xmlns="https://route53.amazonaws.com/doc/2013-04-01/">{1}</{0}>'

    def answer(self, asked: Asked) -> Answer:
        """The hosted zone, its record sets, and changes to them."""
        path = unquote(urlsplit(asked.path).path)
        if path.endswith("/hostedzonesbyname"):
            zone = (
                f"<HostedZone><Id>/hostedzone/Z1</Id><Name>{ZONE}.</Name><CallerReference>1</CallerReference>"
                "<Config><PrivateZone>false</PrivateZone></Config></HostedZone>"
            )
            return 200, self._XML.format(
                "ListHostedZonesByNameResponse",
                f"<HostedZones>{zone}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>",
            )
        if asked.method == "GET":
            sets = "".join(map(self._set, sorted({name for name, _ in self.values.values()})))
            return 200, self._XML.format(
                "ListResourceRecordSetsResponse",
                f"<ResourceRecordSets>{sets}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>",
            )
        return self._change(ElementTree.fromstring(asked.body))  # noqa: S314  # our own driver's request

    def _set(self, name: str) -> str:
        values = "".join(
            f"<ResourceRecord><Value>&quot;{value}&quot;</Value></ResourceRecord>" for value in sorted(self.look(name))
        )
        return (
            f"<ResourceRecordSet><Name>{name}.</Name><Type>TXT</Type><TTL>60</TTL>"
            f"<ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"
        )

    def _change(self, body: ElementTree.Element) -> Answer:
        text = {element.tag.rpartition("}")[2]: element.text or "" for element in body.iter()}
        values = [(element.text or "").strip('"') for element in body.iter() if element.tag.endswith("}Value")]
        name, action = text["Name"].removesuffix("."), text["Action"]
        if len(set(values)) < len(values):
            return self._refuse("Duplicate Resource Record")
        if action == "DELETE" and set(values) != self.look(name):
            return self._refuse("the values provided do not match the current values")
        self.values = {key: record for key, record in self.values.items() if record[0] != name}
        if action != "DELETE":
            for value in values:
                self.put(name, value)
        info = "<Id>C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-25T10:00:00Z</SubmittedAt>"
        return 200, self._XML.format("ChangeResourceRecordSetsResponse", f"<ChangeInfo>{info}</ChangeInfo>")

    def _refuse(self, why: str) -> Answer:
        error = f"<Error><Type>Sender</Type><Code>InvalidChangeBatch</Code><Message>{why}</Message></Error>"
        return 400, self._XML.format("ErrorResponse", error)
