"""Exoscale (https://openapi-v2.exoscale.com, API version 2): a signed request for each record, and its operation."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pick, segment
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, keyed, txt_entries, zone_among

PAUSE: Final = 0.5
"""Seconds between two checks of an operation."""
_FAULTS: Final = ("busy", "fault", "interrupted", "unavailable")
_REASONS: Final = {"forbidden": "provider-unauthorized", **dict.fromkeys(_FAULTS, "provider-server-error")}
"""The codes of failed operations, if not `provider-refused`."""


class ExoscaleDriver(RecordDriver):
    """Writes through the API of Exoscale, with an API key and its secret."""

    address = "https://api-ch-gva-2.exoscale.com/v2"
    """Each zone (data centre) of Exoscale has one. DNS is the same in all."""
    headers: ClassVar = {"Content-Type": "application/json"}

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the header ``Authorization``. There are no parameters, which would have to be signed too."""
        text, expires = self.text, int(self.now().timestamp()) + 600  # seconds
        start = f"{method} {self.place(path).path}\n".encode()
        signed = start + body + b"\n\n\n%d" % expires  # two empty lines: signed parameters and headers
        signature = base64.b64encode(keyed(text("auth_secret"), signed)).decode()
        credentials = f"credential={text('auth_key')},expires={expires},signature={signature}"
        headers["Authorization"] = f"EXO2-HMAC-SHA256 {credentials}"

    def find_zone(self, zone: str) -> tuple[str, str]:
        """Return the path of the records, and the name of a zone, which the API names in Unicode."""
        found = pick(self.json("GET", "/dns-domain"), "dns-domains", kind=list)
        return f"/dns-domain/{segment(zone_among(found, zone, name='unicode-name'))}/record", zone

    def entries(self, zone: tuple[str, str], owners: Collection[str]) -> Iterator[TxtEntry]:
        """Return all TXT records of the zone, because the API has no filter."""
        return txt_entries(pick(self.json("GET", zone[0]), "dns-domain-records", kind=list), zone[1])

    def create_all(self, zone: tuple[str, str], records: Sequence[TxtRecord]) -> Iterator[tuple[TxtRecord, Any]]:
        """Create all records, then check their operations, most of which are finished by then."""
        started = []
        for record in records:
            content = {"name": label(record, apex=""), "type": "TXT", "content": record.value, "ttl": record.ttl}
            started.append((record, self.json("POST", zone[0], content=content)))
        for record, operation in started:
            yield record, self._finish(operation)

    def delete(self, zone: tuple[str, str], identifier: str) -> None:
        """Delete a record."""
        self._finish(self.json("DELETE", f"{zone[0]}/{segment(identifier)}"))

    def _finish(self, operation: Any) -> str | None:
        """Wait until an operation is finished; return the identifier of its record, if it has one.

        :raises HostError: the operation failed.
        """
        is_first = True
        while (state := pick(operation, "state", kind=str)) == "pending":
            if not is_first:
                self.context.cancel.wait(min(PAUSE, self.context.seconds_left()))
            is_first = False
            operation = self.json("GET", f"/operation/{segment(pick(operation, 'id', kind=str))}")
        if state != "success":
            reason = str(operation.get("reason") or state)
            status = 404 if reason == "not-found" else None
            code = None if status else _REASONS.get(reason, "provider-refused")
            raise HostError(str(operation.get("message") or reason), code=code, status=status)
        reference = operation.get("reference")
        found = reference.get("id") if isinstance(reference, dict) else None
        return found if isinstance(found, str) else None
