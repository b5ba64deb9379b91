"""DNSExit (https://dnsexit.com/dns/dns-api/): one request with all changes of a domain; records cannot be listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, by_zone, label, parsed, pick
from dnsrenew.extensions.hosts.record_driver import HostDriver

_DONE: Final = frozenset({0, 1})
"""1 is "some execution problems, may not indicate action failures": a value exists already, or is gone."""
_CODES: Final = {2: "provider-unauthorized", 6: "provider-zone-unknown", 7: "provider-server-error"}
"""The codes of errors by those of the API; 6 is "fail to find" the owner of a domain."""


class DnsExitDriver(HostDriver):
    """Writes through the API of DNSExit, with its key.

    Its answers do not tell apart a value that exists already from one that could not be written: whether a value is
    served, the wait for the name servers shows.
    """

    address = "https://api.dnsexit.com/dns"
    headers: ClassVar = {"apikey": "{api_key}"}

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values beside the others at their names."""
        self._change("add", records, lambda record: {"ttl": -(-record.ttl // 60), "overwrite": False})  # in minutes

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        self._change("delete", records, lambda _: {})

    def _change(self, action: str, records: Sequence[TxtRecord], more: Callable[[TxtRecord], dict[str, Any]]) -> None:
        with self.connect() as api:
            for zone, group in by_zone(records):
                items = [{**_item(record), **more(record)} for record in dict.fromkeys(group)]
                response = api.request("POST", "/", content={"domain": zone, action: items}, accept=(400,))
                answer = parsed(response)
                code = pick(answer, "code", kind=int)
                if code not in _DONE:
                    reason = _CODES.get(code, "provider-refused")
                    raise HostError(str(answer.get("message", "")), code=reason, headers=response.headers)


def _item(record: TxtRecord) -> dict[str, Any]:
    return {"type": "TXT", "name": label(record, apex=""), "content": record.value}
