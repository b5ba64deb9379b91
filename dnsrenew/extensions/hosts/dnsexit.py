"""DNSExit (https://dnsexit.com/dns/dns-api/): one request with all changes of a domain; records cannot be listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostDriver, HostError, label, parsed, pick

_DONE: Final = frozenset({0, 1})
"""The code 1 is "some execution problems, may not indicate action failures": a value exists already, or is gone."""
_CODES: Final = {2: "provider-unauthorized", 6: "provider-zone-unknown", 7: "provider-server-error"}
"""The codes of errors by the API's codes. 6 is "fail to find" the owner of a domain."""


class DnsExitDriver(HostDriver):
    """Writes through the API of DNSExit, with its key.

    Its answers are the same for an existing value and for one that could not be written. The wait for the name servers
    shows whether a value is served.
    """

    address = "https://api.dnsexit.com/dns"
    headers: ClassVar = {"apikey": "{api_key}"}

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values in addition to other values at their names."""
        unique = dict.fromkeys(records)
        self._change(zone, add=[{**_item(each), "ttl": -(-each.ttl // 60), "overwrite": False} for each in unique])

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        self._change(zone, delete=[_item(record) for record in dict.fromkeys(records)])

    def _change(self, zone: str, **items: list[dict[str, Any]]) -> None:
        response = self.request("POST", "/", content={"domain": zone, **items}, accept=(400,))
        answer = parsed(response)
        code = pick(answer, "code", kind=int)
        if code not in _DONE:
            reason = _CODES.get(code, "provider-refused")
            raise HostError(str(answer.get("message", "")), code=reason, headers=response.headers)


def _item(record: TxtRecord) -> dict[str, Any]:
    return {"type": "TXT", "name": label(record, apex=""), "content": record.value}
