"""Openprovider (https://docs.openprovider.com/doc/all, version v1beta): a log-in, and changes of a zone as lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pages, pick, quoted, refusal, segment, up_to
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, txt_entries, zone_among

_MOST: Final = 500
"""The number of records in a page."""


class OpenproviderDriver(BatchDriver):
    """Writes through the API of Openprovider, with a user and a password."""

    address = "https://api.openprovider.eu/v1beta"

    def begin(self) -> None:
        """Add the header of the token of this run."""
        content = {key: self.text(key) for key in ("username", "password")}
        token = self.remembered(
            "token", lambda: pick(self.json("POST", "/auth/login", content=content), "token", kind=str)
        )
        self._headers["Authorization"] = f"Bearer {token}"

    def json(self, method: str, path: str = "", **arguments: Any) -> Any:
        """Send a request and return the data of the answer; see :meth:`HostDriver.request`."""
        answer = super().json(method, path, **arguments)
        if code := pick(answer, "code", kind=int):
            raise HostError(str(answer.get("desc", "")), code=_reason(code))
        return pick(answer, "data", kind=dict)

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above. A wrong password has the status 500."""
        fields = response.fields()
        return refusal(response, str(fields["desc"]) if "desc" in fields else None, code=_reason(fields.get("code")))

    def find_zone(self, zone: str) -> tuple[int, str]:
        """Return the number and the name of a zone."""
        found = _results(self.json("GET", "/dns/zones", params={"name_pattern": zone, "limit": _MOST}))
        return zone_among(found, zone), zone

    def entries(self, zone: tuple[int, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, because the API selects only by a pattern."""

        def read(skipped: int) -> tuple[list[Any], int]:
            found = self.json("GET", f"{_path(zone)}/records", params={"limit": _MOST, "offset": skipped})
            return up_to(skipped, _results(found), pick(found, "total", kind=int))

        return txt_entries(pages(read, 0), key="", value="value")

    def write(self, zone: tuple[int, str], records: Sequence[TxtRecord]) -> None:
        """Create records. The host would also put a value into quotes by itself."""
        items = [(label(record, apex=""), quoted(record.value), max(record.ttl, 600)) for record in records]
        self._change(zone, add=items)

    def erase(self, zone: tuple[int, str], entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named as the zone has them, but relative to it."""
        above = len(names.labels(zone[1]))
        items = []
        for entry in entries:
            value, ttl = entry.identifier["value"], pick(entry.identifier, "ttl", kind=int)
            items.append((".".join(names.labels(entry.name)[:-above]), value, ttl))
        self._change(zone, remove=items)

    def _change(self, zone: tuple[int, str], **lists: list[tuple[str, str, int]]) -> None:
        records = {
            action: [{"name": name, "type": "TXT", "value": value, "ttl": ttl} for name, value, ttl in items]
            for action, items in lists.items()
        }
        answer = self.json("PUT", _path(zone), content={"id": zone[0], "name": zone[1], "records": records})
        if pick(answer, "success", kind=bool) is False:
            raise HostError("the zone was not changed")


def _reason(code: Any) -> str | None:
    """Return our code for a wrong user or password, an expired token, or a missing right."""
    return "provider-unauthorized" if code == 196 else None


def _results(data: dict[str, Any]) -> list[Any]:
    """Return the items of a list. An empty list may be left out."""
    return pick(data, "results", kind=list) if data.get("total") != 0 else []


def _path(zone: tuple[int, str]) -> str:
    return f"/dns/zones/{segment(zone[1])}"
