"""Tencent EdgeOne (https://www.tencentcloud.com/document/product/1145/50488, version 2022-09-01): signed actions."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base import names
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, HostError, pages, pairs, pick, unknown_zone
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries

ADDRESS: Final = "https://teo.tencentcloudapi.com"
_VERSION: Final = "2022-09-01"
_SERVICE: Final = "teo"
_MOST: Final = 1000
"""Records in a page."""
_FULL: Final = "full"
"""The type of a site whose name servers are EdgeOne's; sites of other types have no DNS records."""
_CODES: Final = {
    "AuthFailure": "provider-unauthorized",
    "UnauthorizedOperation": "provider-unauthorized",
    "RequestLimitExceeded": "provider-rate-limited",
    "InternalError": "provider-server-error",
}
"""The codes of errors by the first part of those of the API, which come with the status 200."""


class EdgeOneDriver(RecordDriver):
    """Writes through the API of Tencent EdgeOne, with a secret and its identifier."""

    def connect(self) -> TencentApi:
        """Return the API of the account."""
        return TencentApi(self.context, ADDRESS)

    def find_zone(self, api: HostApi, zone: str) -> str:
        """Return the identifier of a site."""
        if known := pairs(self.context.text("zones_mapping")).get(zone):
            return known
        found = _act(api, "DescribeZones", Filters=[{"Name": "zone-name", "Values": [zone], "Fuzzy": False}])
        for item in pick(found, "Zones", kind=list):
            if pick(item, "ZoneName", kind=str).lower() == zone and pick(item, "Type", kind=str) == _FULL:
                return pick(item, "ZoneId", kind=str)
        raise unknown_zone(zone)

    def entries(self, api: HostApi, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the site: the API selects by 20 names at most."""
        filters = [{"Name": "type", "Values": ["TXT"]}]

        def read(number: int) -> tuple[list[Any], bool]:
            skipped = (number - 1) * _MOST
            found = _act(api, "DescribeDnsRecords", ZoneId=zone, Filters=filters, Limit=_MOST, Offset=skipped)
            items = pick(found, "DnsRecords", kind=list)
            return items, bool(items) and skipped + len(items) < pick(found, "TotalCount", kind=int)

        return txt_entries(pages(read), key="RecordId", name="Name", value="Content", kind="")

    def create(self, api: HostApi, zone: str, record: TxtRecord) -> str:
        """Create a record."""
        about = {"Name": names.relative(record.name), "Type": "TXT", "Content": record.value, "TTL": record.ttl}
        return pick(_act(api, "CreateDnsRecord", ZoneId=zone, **about), "RecordId", kind=str)

    def delete(self, api: HostApi, zone: str, identifier: str) -> None:
        """Delete a record."""
        _act(api, "DeleteDnsRecords", ZoneId=zone, RecordIds=[identifier])


class TencentApi(HostApi):
    """Actions that are signed with the secret (TC3-HMAC-SHA256)."""

    def __init__(self, context: DriverContext, address: str) -> None:
        super().__init__(context, address)
        self._identifier, self._key = context.text("secret_id"), context.text("secret_key")
        token, region = context.text("session_token"), context.text("region")
        self._more = {key: value for key, value in (("X-TC-Token", token), ("X-TC-Region", region)) if value}

    def request(self, method: str, path: str = "", **arguments: Any) -> Response:
        """Send a signed request with a body; see :meth:`HostApi.request`."""
        headers = {**self._signed(arguments["body"]), **arguments.pop("headers")}
        return super().request(method, path, headers=headers, **arguments)

    def _signed(self, body: bytes) -> dict[str, str]:
        """Return the headers of a request, of which the host and the type of its content are signed."""
        parts, now = urlsplit(f"{self.address}/"), SystemClock().now()
        content_type, date, signed = "application/json", f"{now:%Y-%m-%d}", "content-type;host"
        lines = f"POST\n{parts.path}\n\ncontent-type:{content_type}\nhost:{parts.netloc}\n\n{signed}\n"
        request = hashlib.sha256(f"{lines}{hashlib.sha256(body).hexdigest()}".encode()).hexdigest()
        seconds, scope = int(now.timestamp()), f"{date}/{_SERVICE}/tc3_request"
        key = f"TC3{self._key}".encode()
        for part in (date, _SERVICE, "tc3_request"):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        text = f"TC3-HMAC-SHA256\n{seconds}\n{scope}\n{request}"
        signature = hmac.digest(key, text.encode(), hashlib.sha256).hex()
        return {
            "Authorization": f"TC3-HMAC-SHA256 Credential={self._identifier}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}",
            "Content-Type": content_type,
            "X-TC-Timestamp": str(seconds),
            "X-TC-Version": _VERSION,
            **self._more,
        }


def _act(api: HostApi, action: str, **parameters: Any) -> dict[str, Any]:
    """Do an action and return what it answers."""
    body = json.dumps(parameters).encode()
    answer = pick(api.json("POST", "/", body=body, headers={"X-TC-Action": action}), "Response", kind=dict)
    if (error := answer.get("Error")) is None:
        return answer
    code = pick(error, "Code", kind=str)
    missing = code.startswith("ResourceNotFound")
    raise HostError(
        f"{code}: {error.get('Message', '')}",
        code=None if missing else _CODES.get(code.split(".", maxsplit=1)[0], "provider-refused"),
        status=404 if missing else None,
    )
