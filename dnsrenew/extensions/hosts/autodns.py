"""AutoDNS of InterNetX (https://help.internetx.com/display/APIXMLEN/JSON+API+basics): changes of a zone as a stream."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pick, refusal, segment
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries, zone_among

_NO_SUCH_USER: Final = "EF13012"
"""The answer to an unknown user, with the status 404."""


class AutoDnsDriver(BatchDriver):
    """Writes through the JSON API of AutoDNS, with a user and a password."""

    address = "https://api.autodns.com/v1"
    headers: ClassVar = {"X-Domainrobot-Context": "{context|4}"}  # its resellers have others
    login = ("api_user", "api_password")

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above."""
        codes = [each.get("code") for each in response.fields().get("messages") or () if isinstance(each, dict)]
        return refusal(response, code="provider-unauthorized" if _NO_SUCH_USER in codes else None)

    def find_zone(self, zone: str) -> tuple[str, str]:
        """Return the name of a zone, and its path at its first name server."""
        filters = [{"key": "name", "operator": "EQUAL", "value": zone}]
        found = _data(self.json("POST", "/zone/_search", content={"filters": filters}))
        server = pick(zone_among(found, zone, name="origin", key=""), "virtualNameServer", kind=str)
        return zone, f"/zone/{segment(zone)}/{segment(server)}"

    def entries(self, zone: tuple[str, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, because the API sends it as a whole."""
        domain, path = zone
        items = pick(_data(self.json("GET", path)), 0, "resourceRecords", kind=list)
        return txt_entries(items, domain, key="", value="value")

    def write(self, zone: tuple[str, str], records: Sequence[TxtRecord]) -> None:
        """Create records."""
        new = [{"name": label(each, apex=""), "type": "TXT", "value": each.value, "ttl": each.ttl} for each in records]
        self._stream(zone[1], adds=new, rems=[])

    def erase(self, zone: tuple[str, str], entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named as the zone has them."""
        self._stream(zone[1], adds=[], rems=[entry.identifier for entry in entries])

    def _stream(self, path: str, **changes: list[dict[str, Any]]) -> None:
        answer = self.json("POST", f"{path}/_stream", content=changes)
        if pick(answer, "status", "type", kind=str) == "ERROR":
            raise HostError(str(answer["status"].get("text") or ""))


def _data(answer: Any) -> list[Any]:
    return pick(answer, "data", kind=list)
