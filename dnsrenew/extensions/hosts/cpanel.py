"""cPanel (https://api.docs.cpanel.net/openapi/cpanel/operation/dns-mass_edit_zone/), and the same in WHM.

A zone is read with its serial number, and changed only while it has that number; records are known by their lines.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.host_api import HostError, ServerApi, by_zone, malformed, owner, pick
from dnsrenew.drivers.protocol import DriverContext

_CPANEL: Final = ("/execute/DNS/parse_zone", "/execute/DNS/mass_edit_zone")
_WHM: Final = ("/json-api/parse_dns_zone", "/json-api/mass_edit_dns_zone")
MOST: Final = 20
"""Records in a request, all of which stand in its URL."""
_STRING: Final = 255
_CHANGED: Final = "serial number"
"""In the message after somebody else has changed the zone."""
_NO_ZONE: Final = "do not control a dns zone"


class CpanelDriver:
    """Writes through UAPI of cPanel, or the API of WHM, with an API token."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        for api, name, zone, some in self._portions(records):
            present = {(*line.owner, line.value) for line in zone.lines}
            missing = [record for record in some if _key(record) not in present]
            api.edit(name, zone.serial, [("add", json.dumps(_added(record))) for record in missing])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""
        for api, name, zone, some in self._portions(records):
            unwanted = {_key(record) for record in some}
            lines = [line.index for line in zone.lines if (*line.owner, line.value) in unwanted]
            api.edit(name, zone.serial, [("remove", str(index)) for index in lines])

    def _portions(self, records: Sequence[TxtRecord]) -> Iterator[tuple[CpanelApi, str, _Zone, list[TxtRecord]]]:
        """Yield each portion of the records, with the zone as it is before: a change moves its lines."""
        with CpanelApi(self._context) as api:
            for zone, group in by_zone(records):
                unique = [*{_key(record): record for record in group}.values()]
                for start in range(0, len(unique), MOST):
                    yield api, zone, api.read(zone), unique[start : start + MOST]


class _TxtLine(Frozen):
    """A TXT record: the number of its line, its name in labels, and its value."""

    index: int
    owner: tuple[str, ...]
    value: str


class _Zone(Frozen):
    serial: str
    lines: Sequence[_TxtLine]


class CpanelApi(ServerApi):
    """The functions for DNS of cPanel, or of WHM."""

    def __init__(self, context: DriverContext) -> None:
        self._is_whm = context.text("mode").lower() == "whm"
        kind, (self._read, self._edit) = ("whm", _WHM) if self._is_whm else ("cpanel", _CPANEL)
        token = f"{kind} {context.text('username')}:{context.text('token')}"
        super().__init__(context, "", headers={"Authorization": token})

    def read(self, zone: str) -> _Zone:
        """Return the serial number and the TXT records of a zone."""
        data = self._ask(self._read, {"zone": zone})
        serial, lines = "", []
        for item in pick(data, "payload", kind=list) if self._is_whm else pick(data, kind=list):
            kind = item.get("record_type") if isinstance(item, dict) else None
            if kind == "SOA":
                serial = _text(pick(item, "data_b64", 2, kind=str))
            elif kind == "TXT":
                name = _text(pick(item, "dname_b64", kind=str))
                labels = names.labels(owner(name, zone))
                value = "".join(_text(pick(part, kind=str)) for part in pick(item, "data_b64", kind=list))
                lines.append(_TxtLine(pick(item, "line_index", kind=int), tuple(labels), value))
        if not serial.isdecimal():
            raise malformed("the zone has no serial number")
        return _Zone(serial, lines)

    def edit(self, zone: str, serial: str, changes: Sequence[tuple[str, str]]) -> None:
        """Change a zone, if there is anything to change and it has still that serial number."""
        if changes:
            arguments: dict[str, Any] = {"zone": zone, "serial": serial}
            for action, value in changes:
                arguments.setdefault(action, []).append(value)
            self._ask(self._edit, arguments)

    def _ask(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """Call a function and return its data; errors have the status 200."""
        version = {"api.version": "1"} if self._is_whm else {}
        answer = self.json("GET", function, params={**version, **arguments})
        status = pick(answer, *(("metadata", "result") if self._is_whm else ("status",)), kind=int)
        if status:
            return answer.get("data")
        found = answer["metadata"].get("reason") if self._is_whm else answer.get("errors")
        message = "; ".join(map(str, found)) if isinstance(found, list) else str(found or "")
        if _CHANGED in message:  # the next attempt reads the zone again
            raise HostError(message, code="provider-server-error")
        raise HostError(message, code="provider-zone-unknown" if _NO_ZONE in message.lower() else None)


def _key(record: TxtRecord) -> tuple[str, ...]:
    return (*names.labels(record.name), record.value)


def _added(record: TxtRecord) -> dict[str, Any]:
    strings = [record.value[start : start + _STRING] for start in range(0, len(record.value), _STRING)]
    return {"dname": record.name, "ttl": record.ttl, "record_type": "TXT", "data": strings}


def _text(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        raise malformed("it is not base64") from None
