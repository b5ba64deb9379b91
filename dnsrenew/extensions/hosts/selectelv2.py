"""Selectel (https://developers.selectel.com/docs/cloud-services/dns_api/dns_api_actual/): values are replaced together.

This is version 2 of the API, which uses tokens of OpenStack's Keystone. It does not have the zones of version 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import HostDriver, malformed, owner, pages, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver, zone_among

_IDENTITY: Final = "https://cloud.api.selcloud.ru/identity/v3"
_PAGE: Final = 1000
_KEPT: Final = ("comment", "managed_by")

Zone = tuple[str, str, str]
"""The path of the record sets of a zone, its name in the API, and its name in DNS."""


class SelectelDriver(RecordSetDriver):
    """Writes through version 2 of the DNS API of Selectel, with a service user."""

    address = "https://api.selectel.ru/domains/v2"
    update = "PATCH"

    def begin(self) -> None:
        """Add the header of the token of this run."""
        self._headers["X-Auth-Token"] = self.remembered("token", self._token)

    def find_zone(self, zone: str) -> Zone:
        """Return a zone of the project."""
        item = zone_among(self._pages("/zones"), zone, key="")
        return f"/zones/{segment(pick(item, 'id', kind=str))}/rrset", names.relative(item["name"]), zone

    def record_sets(self, zone: Zone, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield all TXT record sets of the zone."""
        for item in self._pages(zone[0], rrset_types="TXT"):
            if pick(item, "type", kind=str) == "TXT":
                inside = names.relative(pick(item, "name", kind=str)).removesuffix(zone[1]).removesuffix(".")
                contents = [pick(each, "content", kind=str) for each in pick(item, "records", kind=list)]
                yield RecordSet(owner(inside, zone[2]), contents, pick(item, "ttl", kind=int), item)

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API. Its other records stay unchanged, disabled or not."""
        shown = record_set.shown or {"records": []}
        known = {each["content"]: each for each in shown["records"]}
        records = [known.get(content, {"content": content}) for content in contents]
        content = {key: shown[key] for key in _KEPT if shown.get(key)} | {"ttl": record_set.ttl, "records": records}
        return content if record_set.shown else {"name": names.absolute(record_set.name), "type": "TXT", **content}

    def _token(self) -> str:
        """Return a new token for the project."""
        text = self.text
        domain = {"name": text("user_domain_name") or text("account_id")}
        user = {"name": text("username"), "password": text("password"), "domain": domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        content = {"auth": {"identity": identity, "scope": {"project": {"id": text("project_id")}}}}
        with HostDriver(self.context) as keystone:
            keystone.address = (text("auth_url") or _IDENTITY).rstrip("/")
            found = keystone.request("POST", "/auth/tokens", content=content).headers.get("X-Subject-Token")
        if not found:
            raise malformed("the header X-Subject-Token is missing")
        return found

    def _pages(self, path: str, **parameters: str) -> Iterator[Any]:
        """Yield the items of all pages."""

        def read(offset: int) -> tuple[list[Any], int]:
            answer = self.json("GET", path, params={**parameters, "limit": _PAGE, "offset": offset})
            return pick(answer, "result", kind=list), offset + _PAGE if answer.get("next_offset") else 0

        return pages(read, 0)
