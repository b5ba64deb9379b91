"""GleSYS (https://github.com/GleSYS/API/wiki/API-Documentation#domain): a request for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries


class GlesysDriver(RecordDriver):
    """Writes through the API of GleSYS, with the number of the project and its API key."""

    unclear: ClassVar = (400, 403)

    address = "https://api.glesys.com"
    login = ("auth_username", "auth_token")

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain, because the API has no filter."""
        items = pick(self._call("listrecords", domainname=zone), "records", kind=list)
        return txt_entries(items, zone, key="recordid", name="host", value="data")

    def create(self, zone: str, record: TxtRecord) -> Any:
        """Create a record.

        Its host is relative to the domain, because GleSYS would take every label of an absolute one.
        """
        content = {"host": label(record), "type": "TXT", "data": record.value, "ttl": record.ttl}
        return pick(self._call("addrecord", domainname=zone, **content), "record", "recordid", kind=int)

    def delete(self, zone: str, identifier: int) -> None:
        """Delete a record. The answer of GleSYS for a missing record is not documented, see `unclear`."""
        self._call("deleterecord", recordid=identifier)

    def _call(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and return its response. The status in the body counts too."""
        answer = pick(self.json("POST", f"/domain/{command}", content=arguments), "response", kind=dict)
        status = pick(answer, "status", "code", kind=int)
        if status >= 400:
            raise HostError(str(answer["status"].get("text") or ""), status=status)
        return answer
