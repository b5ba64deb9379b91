"""Alibaba Cloud ESA, from https://help.aliyun.com/zh/edge-security-acceleration/esa/ (version 2024-09-10).

ListSites, ListRecords, CreateRecord, DeleteRecord, and the signature V3 of
https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import re
import time
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SITE = 1234567890123
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=(?P<id>[^,]+),SignedHeaders=(?P<names>[a-z0-9;-]+),Signature=(?P<signature>[0-9a-f]+)"
)


def signature(secret: str, asked: Asked, signed: str) -> str:
    """Return the signature that a request needs; `signed`: the names of its signed headers."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    path, _, query = asked.path.partition("?")
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(signed.split(";")))
    query = "&".join(sorted(query.split("&")))
    request = f"{asked.method}\n{path}\n{query}\n{lines}\n{signed}\n{hashlib.sha256(asked.octets).hexdigest()}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


class AliEsa(HostStandIn):
    """Actions with their parameters in the query.

    :ivar access: how the site is connected.
    """

    provider = "aliesa"
    credentials: ClassVar = {"access_key": "LTAIgood0000", "secret_key": "good-secret-0000-4711"}
    secret = "secret_key"

    def __init__(self) -> None:
        super().__init__()
        self.access = "NS"

    def answer(self, asked: Asked) -> Answer:
        """Do the action of a request."""
        if (problem := self._unsigned(asked)) is not None:
            return problem
        query = dict(parse_qsl(urlsplit(asked.path).query, keep_blank_values=True, strict_parsing=True))
        action = asked.headers["x-acs-action"]
        if action == "ListSites" and query["SiteSearchType"] == "exact":
            found = [each for each in self.zones if each == query["SiteName"]]
            sites = [{"SiteId": _SITE, "SiteName": each, "AccessType": self.access} for each in found]
            return self.success(TotalCount=len(sites), Sites=sites)
        if action == "DeleteRecord":
            if query["RecordId"] not in self.values:
                return self.problem(400, "Record.NotFound", "The record does not exist.")
            del self.values[query["RecordId"]]
            return self.success()
        if query.get("SiteId") != str(_SITE):
            return self.problem(400, "InvalidParameter.SiteId", "The site ID is invalid.")
        return self._list(query) if action == "ListRecords" else self._create(query)

    @staticmethod
    def success(**more: Any) -> Answer:
        """An answer to an action that was done."""
        return 200, {**more, "RequestId": "15C66C7B-671A-4297-9187-2C4477247A74"}

    @staticmethod
    def problem(status: int, code: str, message: str) -> Answer:
        """An answer to an action that was not."""
        return status, {"Code": code, "Message": message, "HostId": "esa.cn-hangzhou.aliyuncs.com", "RequestId": "15C6"}

    def _unsigned(self, asked: Asked) -> Answer | None:
        given = _AUTHORIZATION.fullmatch(asked.headers.get("Authorization", ""))
        if given is None or given["id"] != self.credentials["access_key"]:
            return self.problem(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        sent = calendar.timegm(time.strptime(asked.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ"))
        needed = {"host", *(name.lower() for name in asked.headers if name.lower().startswith("x-acs-"))}
        right = signature(self.credentials["secret_key"], asked, given["names"])
        if abs(time.time() - sent) > 900 or needed - set(given["names"].split(";")) or given["signature"] != right:
            return self.problem(400, "SignatureDoesNotMatch", "Specified signature does not match our calculation.")
        if asked.headers.get("x-acs-version") != "2024-09-10":
            return self.problem(400, "InvalidVersion", "Specified parameter Version is not valid.")
        return None

    def _list(self, query: dict[str, str]) -> Answer:
        size, page = int(query["PageSize"]), int(query["PageNumber"])
        if query.get("Type") != "TXT" or size > 500:
            return self.problem(400, "InvalidParameter", "The type or the page size is invalid.")
        records = [
            {"RecordId": int(key), "RecordName": name, "RecordType": "TXT", "Ttl": 60, "Data": {"Value": value}}
            for key, (name, value) in self.values.items()
        ]
        start = (page - 1) * size
        return self.success(TotalCount=len(records), PageNumber=page, Records=records[start : start + size])

    def _create(self, query: dict[str, str]) -> Answer:
        if set(query) != {"SiteId", "RecordName", "Type", "Ttl", "Data"} or not 30 <= int(query["Ttl"]) <= 86400:
            return self.problem(400, "InvalidParameter", "The parameters are invalid.")
        if query["RecordName"] != ZONE and not query["RecordName"].endswith(f".{ZONE}"):
            return self.problem(400, "InvalidRecordName", "The record name is invalid.")
        return self.success(RecordId=int(self.put(query["RecordName"], json.loads(query["Data"])["Value"])))
