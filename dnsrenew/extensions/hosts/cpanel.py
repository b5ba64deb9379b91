"""cPanel (https://api.docs.cpanel.net/openapi/cpanel/operation/dns-mass_edit_zone/), and the same in WHM.

A zone is read with its serial number, and changed only while it has that number; records are known by their lines.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, ServerApi, malformed, owner, pick
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry

_CPANEL: Final = ("/execute/DNS/parse_zone", "/execute/DNS/mass_edit_zone")
_WHM: Final = ("/json-api/parse_dns_zone", "/json-api/mass_edit_dns_zone")
MOST: Final = 20
"""Records in a request, all of which stand in its URL."""
_STRING: Final = 255


class CpanelDriver(BatchDriver):
    """Writes through UAPI of cPanel, or the API of WHM, with an API token.

    A zone is read before each request: a change moves its lines.
    """

    def connect(self) -> CpanelApi:
        """Return the API of the account."""
        return CpanelApi(self.context)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet, some in each request."""
        for start in range(0, len(records), MOST):
            super().add(records[start : start + MOST])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist, some in each request."""
        for start in range(0, len(records), MOST):
            super().remove(records[start : start + MOST])

    def entries(self, api: Any, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of a zone."""
        yield from api.read(zone)

    def write(self, api: Any, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records."""
        api.edit(zone, add=[json.dumps(_added(record)) for record in records])

    def erase(self, api: Any, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records."""
        api.edit(zone, remove=[str(entry.identifier) for entry in entries])


class CpanelApi(ServerApi):
    """The functions for DNS of cPanel, or of WHM."""

    def __init__(self, context: DriverContext) -> None:
        self._is_whm = context.text("mode").lower() == "whm"
        kind, (self._read, self._edit) = ("whm", _WHM) if self._is_whm else ("cpanel", _CPANEL)
        token = f"{kind} {context.text('username')}:{context.text('token')}"
        super().__init__(context, "", headers={"Authorization": token})

    def read(self, zone: str) -> list[TxtEntry]:
        """Return the TXT records of a zone, known by their lines, and take note of its serial number."""
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

    def edit(self, zone: str, **changes: list[str]) -> None:
        """Change a zone, if it has still the serial number with which it was read."""
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
        if "serial number" in message:  # somebody else has changed the zone: the next attempt reads it again
            raise HostError(message, code="provider-server-error")
        is_unknown = "do not control a dns zone" in message.lower()
        raise HostError(message, code="provider-zone-unknown" if is_unknown else None)


def _added(record: TxtRecord) -> dict[str, Any]:
    strings = [record.value[start : start + _STRING] for start in range(0, len(record.value), _STRING)]
    return {"dname": record.name, "ttl": record.ttl, "record_type": "TXT", "data": strings}


def _text(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        raise malformed("it is not base64") from None
