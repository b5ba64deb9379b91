"""Tencent EdgeOne, from https://www.tencentcloud.com/document/product/1145 (DNS Record APIs, Site APIs, Signature v3).

DescribeZones, DescribeDnsRecords, CreateDnsRecord and DeleteDnsRecords of the version 2022-09-01.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SITE = "zone-2x3y4z"
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<scope>(?P<date>\d{4}-\d\d-\d\d)/(?P<service>\w+)/tc3_request), "
    r"SignedHeaders=(?P<names>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def signature(key: str, asked: Asked, given: Mapping[str, str]) -> str:
    """Return the signature that a request needs (Signature v3), by what its header says is signed."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in given["names"].split(";"))
    body = hashlib.sha256(asked.octets).hexdigest()
    request = hashlib.sha256(f"{asked.method}\n/\n\n{lines}\n{given['names']}\n{body}".encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{headers['x-tc-timestamp']}\n{given['scope']}\n{request}"
    secret = f"TC3{key}".encode()
    for part in given["scope"].split("/"):
        secret = hmac.new(secret, part.encode(), "sha256").digest()
    return hmac.new(secret, text.encode(), "sha256").hexdigest()


class EdgeOne(HostStandIn):
    """Actions of one address; every answer has the status 200.

    :ivar kind: how the site is connected.
    """

    provider = "edgeone"
    credentials: ClassVar = {"secret_id": "AKIDgood0000", "secret_key": "good-key-0000-4711"}
    secret = "secret_key"

    def __init__(self) -> None:
        super().__init__()
        self.kind = "full"

    def answer(self, asked: Asked) -> Answer:
        """Do the action of a request."""
        if (problem := self._unsigned(asked)) is not None:
            return problem
        body = json.loads(asked.body)
        action = asked.headers["X-TC-Action"]
        if action == "DescribeZones":
            wanted = body["Filters"][0]["Values"]
            sites = [{"ZoneId": _SITE, "ZoneName": each, "Type": self.kind} for each in self.zones if each in wanted]
            return self.success(TotalCount=len(sites), Zones=sites)
        if body.get("ZoneId") != _SITE:
            return self.problem("ResourceNotFound", "The site does not exist.")
        if action == "DescribeDnsRecords":
            return self._list(body)
        if action == "CreateDnsRecord":
            return self._create(body)
        if action == "DeleteDnsRecords" and set(body["RecordIds"]) <= {f"record-{key}" for key in self.values}:
            for identifier in body["RecordIds"]:
                del self.values[identifier.removeprefix("record-")]
            return self.success()
        return self.problem("ResourceNotFound.RecordNotFound", "The record does not exist.")

    @staticmethod
    def success(**more: Any) -> Answer:
        """An answer to an action that was done."""
        return 200, {"Response": {**more, "RequestId": "0a1b2c3d-0000"}}

    @staticmethod
    def problem(code: str, message: str) -> Answer:
        """An answer to an action that was not."""
        return 200, {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "0a1b2c3d-0000"}}

    def _unsigned(self, asked: Asked) -> Answer | None:
        given = _AUTHORIZATION.fullmatch(asked.headers.get("Authorization", ""))
        if given is None or given["id"] != self.credentials["secret_id"] or given["service"] != "teo":
            return self.problem("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        date = time.strftime("%Y-%m-%d", time.gmtime(int(asked.headers["X-TC-Timestamp"])))
        signed = {"content-type", "host"} <= set(given["names"].split(";")) and given["date"] == date
        right = signature(self.credentials["secret_key"], asked, given.groupdict())
        if not signed or given["signature"] != right or asked.headers.get("X-TC-Version") != "2022-09-01":
            return self.problem("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
        return None

    def _list(self, body: dict[str, Any]) -> Answer:
        limit, offset = body.get("Limit", 20), body.get("Offset", 0)
        if limit > 1000 or body["Filters"] != [{"Name": "type", "Values": ["TXT"]}]:
            return self.problem("InvalidParameter", "The filter or the limit is invalid.")
        records = [
            {"ZoneId": _SITE, "RecordId": f"record-{key}", "Name": name, "Type": "TXT", "Content": value, "TTL": 300}
            for key, (name, value) in self.values.items()
        ]
        return self.success(TotalCount=len(records), DnsRecords=records[offset : offset + limit])

    def _create(self, body: dict[str, Any]) -> Answer:
        kinds = {"ZoneId": str, "Name": str, "Type": str, "Content": str, "TTL": int}
        if {key: type(value) for key, value in body.items()} != kinds or not 60 <= body["TTL"] <= 86400:
            return self.problem("InvalidParameter", "The record is invalid.")
        if body["Name"] != ZONE and not body["Name"].endswith(f".{ZONE}"):
            return self.problem("InvalidParameterValue.InvalidDNSName", "The name is invalid.")
        return self.success(RecordId=f"record-{self.put(body['Name'], body['Content'])}")
