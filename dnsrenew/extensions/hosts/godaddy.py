"""GoDaddy (https://developer.godaddy.com/doc/endpoint/domains): values are added to a name, and replaced as a whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import grouped
from dnsrenew.drivers.host_api import HostDriver, HostError, label, malformed, parsed, pick, refusal, segment
from dnsrenew.extensions.hosts import texts

LEAST_TTL: Final = 600
_MOST: Final = 500
"""The number of values that are read at a name. A name with more values is not written."""
_PLACE: Final = frozenset({"type", "name"})
"""Fields of a record that are in the path when it is written back."""
_WRITABLE: Final = frozenset({"data", "ttl", "port", "priority", "protocol", "service", "weight"})


class GoDaddyDriver(HostDriver):
    """Writes through the API of GoDaddy, with an API key and its secret.

    The other values of a name are read right before a removal, and written back with every field.
    """

    address = "https://api.godaddy.com"
    headers: ClassVar = {"Authorization": "sso-key {auth_key}:{auth_secret}"}

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Add the values in one request. Only if one of them already exists, read which one."""
        items = {(label(record), record.value): _item(record) for record in records}
        if self._append(zone, list(items.values())):
            return
        for name in sorted({name for name, _ in items}):
            for item in self._values(zone, name):
                items.pop((name, item["data"]), None)
        if items and not self._append(zone, list(items.values())):
            raise HostError("DUPLICATE_RECORD", code="provider-refused")

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Replace the values of each name by the others, or delete them if there are no others."""
        for name, same in grouped(records, label).items():
            self._remove(zone, name, {record.value for record in same})

    def _append(self, zone: str, items: list[Any]) -> bool:
        """Add records; return False without adding any if one of them already exists."""
        response = self._send("PATCH", zone, content=items, accept={422})
        if response.status != 422:
            return True
        if response.fields().get("code") != "DUPLICATE_RECORD":
            raise refusal(response)
        return False

    def _values(self, zone: str, name: str) -> list[dict[str, Any]]:
        """Return the current TXT records at a name."""
        items = pick(parsed(self._send("GET", zone, f"/TXT/{segment(name)}", params={"limit": _MOST})), kind=list)
        for item in items:
            if pick(item, "type", kind=str) != "TXT" or pick(item, "name", kind=str).lower() != name:
                raise malformed("a record is not of the name that was asked for")
            pick(item, "data", kind=str)
        return items

    def _send(self, method: str, zone: str, path: str = "", accept: Collection[int] = (), **more: Any) -> Response:
        """Send a request about a zone.

        :raises ProviderError: status 403: GoDaddy does not open its API to this account.
        """
        path = f"/v1/domains/{segment(zone)}/records{path}"
        response = self.request(method, path, accept={403, 429, *accept}, **more)
        if response.status == 403:
            raise self.error(texts.GODADDY_FORBIDDEN, zone=zone, status=403)
        if response.status == 429:
            seconds = response.fields().get("retryAfterSec")
            waits = {"Retry-After": str(seconds)} if isinstance(seconds, int) else {}
            refused = refusal(response)
            refused.headers = {**waits, **response.headers}
            raise refused
        if response.status < 400:
            parsed(response)  # a page of a proxy is no success
        return response

    def _remove(self, zone: str, name: str, values: Collection[str]) -> None:
        existing = self._values(zone, name)
        kept = [item for item in existing if item["data"] not in values]
        if len(kept) == len(existing):
            return
        shown = (each for item in kept for each in item.items())
        lost = sorted({key for key, value in shown if key not in _WRITABLE | _PLACE and value is not None})
        if len(existing) >= _MOST:
            lost = [f"values beyond the first {_MOST}"]
        if lost:
            raise self.error(texts.GODADDY_UNSAFE, zone=zone, name=name, lost=lost)
        if kept:
            items = [{key: item[key] for key in item.keys() & _WRITABLE} for item in kept]
            self._send("PUT", zone, f"/TXT/{segment(name)}", content=items)
        else:
            self._send("DELETE", zone, f"/TXT/{segment(name)}", accept={404})


def _item(record: TxtRecord) -> dict[str, Any]:
    return {"type": "TXT", "name": label(record), "data": record.value, "ttl": max(record.ttl, LEAST_TTL)}
