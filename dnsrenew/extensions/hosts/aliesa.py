"""Alibaba Cloud ESA (https://help.aliyun.com/zh/edge-security-acceleration/esa/, of 2024-09-10): signed actions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

from dnsrenew.base import names
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, pages, pick, refusal, unquoted, up_to
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, digest, keyed, zone_among

_MOST: Final = 500
"""The number of records in a page."""
_CODES: Final = {
    **dict.fromkeys(("Forbidden", "IncompleteSignature", "InvalidAccessKeyId"), "provider-unauthorized"),
    **dict.fromkeys(("InvalidSecurityToken", "NoPermission", "SignatureDoesNotMatch"), "provider-unauthorized"),
    "Throttling": "provider-rate-limited",
}
"""The codes of errors by the first part of the API's codes."""


class AliEsaDriver(RecordDriver):
    """Writes through the API of Alibaba Cloud ESA, with an AccessKey."""

    unclear: ClassVar = (400, 403)

    address = "https://esa.{region_id|cn-hangzhou}.aliyuncs.com"

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above, with the code of the API in its message."""
        fields = response.fields()
        if not isinstance(code := fields.get("Code"), str):
            return super().refused(response)
        return refusal(response, f"{code}: {fields.get('Message', '')}", code=_CODES.get(code.split(".")[0]))

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the headers of an action, all of which are signed, and the signature."""
        text, parts, content = self.text, self.place(path), digest(body)
        headers |= {
            "x-acs-content-sha256": content,
            "x-acs-date": f"{self.now():%Y-%m-%dT%H:%M:%SZ}",
            **({"x-acs-security-token": token} if (token := text("security_token")) else {}),
            "x-acs-signature-nonce": uuid4().hex,
            "x-acs-version": "2024-09-10",
        }
        own = {name: value for name, value in headers.items() if name.startswith("x-acs-")}
        signed = sorted({"host": parts.netloc, **own}.items())
        lines, listed = "".join(f"{name}:{value}\n" for name, value in signed), ";".join(name for name, _ in signed)
        request = f"{method}\n{parts.path}\n{parts.query}\n{lines}\n{listed}\n{content}"
        hashed = f"ACS3-HMAC-SHA256\n{digest(request)}"
        signature = keyed(text("secret_key"), hashed).hex()
        credentials = f"Credential={text('access_key')},SignedHeaders={listed},Signature={signature}"
        headers["Authorization"] = f"ACS3-HMAC-SHA256 {credentials}"

    def find_zone(self, zone: str) -> Any:
        """Return the number of a site."""
        sites = pick(self._act("ListSites", SiteName=zone, SiteSearchType="exact"), "Sites", kind=list)
        served = [item for item in sites if item.get("AccessType", "NS") == "NS"]  # other sites have other name servers
        return zone_among(served, zone, name="SiteName", key="SiteId")

    def entries(self, zone: int, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the site, because the API selects by only one name."""

        def read(skipped: int) -> tuple[list[Any], int]:
            page = {"PageNumber": skipped // _MOST + 1, "PageSize": _MOST}
            found = self._act("ListRecords", SiteId=zone, Type="TXT", **page)
            return up_to(skipped, pick(found, "Records", kind=list), pick(found, "TotalCount", kind=int))

        for item in pages(read, 0):
            name, value = pick(item, "RecordName", kind=str), pick(item, "Data", "Value", kind=str)
            yield TxtEntry(pick(item, "RecordId", kind=int), name, unquoted(value))

    def create(self, zone: int, record: TxtRecord) -> int:
        """Create a record."""
        about = {"RecordName": names.relative(record.name), "Type": "TXT", "Ttl": record.ttl}
        found = self._act("CreateRecord", SiteId=zone, **about, Data=json.dumps({"Value": record.value}))
        return pick(found, "RecordId", kind=int)

    def delete(self, zone: int, identifier: int) -> None:
        """Delete a record."""
        self._act("DeleteRecord", RecordId=identifier)

    def _act(self, action: str, **parameters: Any) -> dict[str, Any]:
        """Do an action and return its answer."""
        query = urlencode(sorted(parameters.items()), quote_via=quote)
        return pick(self.json("POST", f"/?{query}", headers={"x-acs-action": action}), kind=dict)
