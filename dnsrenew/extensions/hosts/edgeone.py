"""Tencent EdgeOne (https://www.tencentcloud.com/document/product/1145/50488, version 2022-09-01): signed actions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, pages, pairs, pick, up_to
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, digest, keyed, txt_entries, zone_among

_MOST: Final = 1000
"""The number of records in a page."""
_CODES: Final = {
    "AuthFailure": "provider-unauthorized",
    "UnauthorizedOperation": "provider-unauthorized",
    "RequestLimitExceeded": "provider-rate-limited",
    "InternalError": "provider-server-error",
}
"""The codes of errors by the first part of the API's codes, which come with the status 200."""


class EdgeOneDriver(RecordDriver):
    """Writes through the API of Tencent EdgeOne, with a secret and its identifier."""

    address = "https://teo.tencentcloudapi.com"
    headers: ClassVar = {"X-TC-Version": "2022-09-01"}

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the headers of an action, of which the host and the content type are signed."""
        secret, parts, now = self.text, self.place(path), self.now()
        date, signed = f"{now:%Y-%m-%d}", "content-type;host"
        lines = f"POST\n{parts.path}\n\ncontent-type:application/json\nhost:{parts.netloc}\n\n{signed}\n"
        request = digest(f"{lines}{digest(body)}")
        seconds, scope = int(now.timestamp()), f"{date}/teo/tc3_request"
        key = f"TC3{secret('secret_key')}".encode()
        for part in scope.split("/"):
            key = keyed(key, part)
        text = f"TC3-HMAC-SHA256\n{seconds}\n{scope}\n{request}"
        signature = keyed(key, text).hex()
        credentials = f"Credential={secret('secret_id')}/{scope}, SignedHeaders={signed}, Signature={signature}"
        headers |= {"Authorization": f"TC3-HMAC-SHA256 {credentials}", "X-TC-Timestamp": str(seconds)}
        more = {"X-TC-Token": secret("session_token"), "X-TC-Region": secret("region")}
        headers |= {key: value for key, value in more.items() if value}

    def find_zone(self, zone: str) -> str:
        """Return the identifier of a site."""
        if known := pairs(self.text("zones_mapping")).get(zone):
            return known
        found = self._act("DescribeZones", Filters=[{"Name": "zone-name", "Values": [zone], "Fuzzy": False}])
        # The name servers of a site of this type are EdgeOne's; sites of other types have no DNS records.
        served = [item for item in pick(found, "Zones", kind=list) if pick(item, "Type", kind=str) == "full"]
        return str(zone_among(served, zone, name="ZoneName", key="ZoneId"))

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the site, because the API selects by at most 20 names."""
        filters = [{"Name": "type", "Values": ["TXT"]}]

        def read(skipped: int) -> tuple[list[Any], int]:
            found = self._act("DescribeDnsRecords", ZoneId=zone, Filters=filters, Limit=_MOST, Offset=skipped)
            return up_to(skipped, pick(found, "DnsRecords", kind=list), pick(found, "TotalCount", kind=int))

        return txt_entries(pages(read, 0), key="RecordId", name="Name", value="Content", kind="")

    def create(self, zone: str, record: TxtRecord) -> str:
        """Create a record."""
        about = {"Name": names.relative(record.name), "Type": "TXT", "Content": record.value, "TTL": record.ttl}
        return pick(self._act("CreateDnsRecord", ZoneId=zone, **about), "RecordId", kind=str)

    def delete(self, zone: str, identifier: str) -> None:
        """Delete a record."""
        self._act("DeleteDnsRecords", ZoneId=zone, RecordIds=[identifier])

    def _act(self, action: str, **parameters: Any) -> dict[str, Any]:
        """Do an action and return its answer."""
        found = self.json("POST", "/", content=parameters, headers={"X-TC-Action": action})
        answer = pick(found, "Response", kind=dict)
        if (error := answer.get("Error")) is None:
            return answer
        code = pick(error, "Code", kind=str)
        message = f"{code}: {error.get('Message', '')}"
        if code.startswith("ResourceNotFound"):
            raise HostError(message, status=404)
        raise HostError(message, code=_CODES.get(code.split(".", maxsplit=1)[0], "provider-refused"))
