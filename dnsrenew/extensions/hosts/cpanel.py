"""cPanel (https://api.docs.cpanel.net/openapi/cpanel/operation/dns-mass_edit_zone/), and the same in WHM.

A zone is read with its serial number, and changed only while it has that number. Lines identify records.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import WRONG_ADDRESS, HostError, malformed, owner, pick
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, portions

_CPANEL: Final = ("/execute/DNS/parse_zone", "/execute/DNS/mass_edit_zone")
_WHM: Final = ("/json-api/parse_dns_zone", "/json-api/mass_edit_dns_zone")
MOST: Final = 20
"""The number of records in a request, all of which are in its URL."""
_STRING: Final = 255


class CpanelDriver(BatchDriver):
    """Writes through UAPI of cPanel, or the API of WHM, with an API token.

    A zone is read before each request, because a change moves its lines.
    """

    if_missing = WRONG_ADDRESS

    def begin(self) -> None:
        """Add the header of the token, which shows whether it is for WHM."""
        self._is_whm = self.text("mode").lower() == "whm"
        kind, (self._read, self._edit) = ("whm", _WHM) if self._is_whm else ("cpanel", _CPANEL)
        self._headers["Authorization"] = f"{kind} {self.text('username')}:{self.text('token')}"

    def entries(self, zone: str, owners: Collection[str]) -> list[TxtEntry]:
        """Return the TXT records of a zone, identified by their lines, and remember its serial number."""
        data = self._ask(self._read, {"zone": zone})
        self._serial, lines = "", []
        for item in pick(data, "payload", kind=list) if self._is_whm else pick(data, kind=list):
            kind = item.get("record_type") if isinstance(item, dict) else None
            if kind == "SOA":
                self._serial = _text(pick(item, "data_b64", 2, kind=str))
            elif kind == "TXT":
                name = _text(pick(item, "dname_b64", kind=str))
                value = "".join(_text(pick(part, kind=str)) for part in pick(item, "data_b64", kind=list))
                lines.append(TxtEntry(pick(item, "line_index", kind=int), owner(name, zone), value))
        if not self._serial.isdecimal():
            raise malformed("the zone has no serial number")
        return lines

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet, some in each request."""
        for some in portions(records, MOST):
            super().add_to(zone, some)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist, some in each request."""
        for some in portions(records, MOST):
            super().remove_from(zone, some)

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records."""
        self.edit(zone, add=[json.dumps(_added(record)) for record in records])

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records."""
        self.edit(zone, remove=[str(entry.identifier) for entry in entries])

    def edit(self, zone: str, **changes: list[str]) -> None:
        """Change a zone, if it still has the serial number with which it was read."""
        self._ask(self._edit, {"zone": zone, "serial": self._serial, **changes})

    def _ask(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """Call a function and return its data; errors have the status 200."""
        version = {"api.version": "1"} if self._is_whm else {}
        answer = self.json("GET", function, params={**version, **arguments})
        status = pick(answer, *(("metadata", "result") if self._is_whm else ("status",)), kind=int)
        if status:
            return answer.get("data")
        found = answer["metadata"].get("reason") if self._is_whm else answer.get("errors")
        message = "; ".join(map(str, found)) if isinstance(found, list) else str(found or "")
        if "serial number" in message:  # another program has changed the zone: the next attempt reads it again
            raise HostError(message, code="provider-server-error")
        is_unknown = "do not control a dns zone" in message.lower()
        raise HostError(message, code="provider-zone-unknown" if is_unknown else None)


def _added(record: TxtRecord) -> dict[str, Any]:
    return {"dname": record.name, "ttl": record.ttl, "record_type": "TXT", "data": [*portions(record.value, _STRING)]}


def _text(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        raise malformed("it is not base64") from None
