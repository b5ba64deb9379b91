"""IPv64.net (https://ipv64.net/dyndns_updater_api, https://apidoc.ipv64.net): all domains at once; records by value."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, malformed_field, parsed, pick, unknown_zone
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry

_DOMAINS: Final = "domains"

Identifier = tuple[str, str, str]
"""The domain, the name below it, and the value."""


class Ipv64Driver(RecordDriver):
    """Writes through the API of IPv64.net, with the API key of the account.

    A domain such as `me.ipv64.net` is not a zone in DNS, so the domain of a record is found by its name.
    """

    unclear: ClassVar = (400, 403)

    address = "https://ipv64.net"
    headers: ClassVar = {"Authorization": "Bearer {api_key}"}

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of all domains of the account."""
        found = self._send("GET", params={"get_domains": ""}).get("subdomains") or {}  # an empty one is a list
        if not isinstance(found, dict):
            raise malformed_field("subdomains")
        self.context.remembered[_DOMAINS] = tuple(found)
        for domain, about in found.items():
            for item in pick(about, "records", kind=list):
                if pick(item, "type", kind=str) == "TXT":
                    prefix, value = pick(item, "praefix", kind=str), pick(item, "content", kind=str)
                    yield TxtEntry((domain, prefix, value), f"{prefix}.{domain}" if prefix else domain, value)

    def create(self, zone: str, record: TxtRecord) -> Identifier:
        """Create a record."""
        labels = names.labels(record.name)
        for start in range(len(labels)):
            domain = ".".join(labels[start:])
            if domain in self.context.remembered.get(_DOMAINS, ()):
                identifier = (domain, ".".join(labels[:start]), record.value)
                self._send("POST", form=_form("add_record", identifier))
                return identifier
        raise unknown_zone(zone)

    def delete(self, zone: str, identifier: Identifier) -> None:
        """Delete a record."""
        self._send("DELETE", form=_form("del_record", identifier))

    def _send(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a request. The field `info` of its answer has the result, and the field of the action has the reason."""
        response = self.request(method, "/api", accept=(400, 403), **arguments)
        answer = parsed(response)
        if pick(answer, "info", kind=str) == "success":
            return pick(answer, kind=dict)
        message = str(answer.get("add_record") or answer.get("del_record") or answer["info"])
        number = str(answer.get("status", "")).split(" ")[0]
        status = max(response.status, int(number) if number.isdecimal() else 400)
        code = "provider-refused" if status == 403 else None  # the answer to a wrong key is 401
        raise HostError(message, code=code, status=status, headers=response.headers)


def _form(action: str, identifier: Identifier) -> dict[str, str]:
    domain, prefix, value = identifier
    return {action: domain, "praefix": prefix, "type": "TXT", "content": value}
