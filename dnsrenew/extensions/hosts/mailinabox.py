"""Mail-in-a-Box (https://mailinabox.email/api-docs.html#tag/DNS): custom records, added and removed by their value."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import WRONG_ADDRESS, pick, segment, unknown_zone
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry


class MailInABoxDriver(RecordDriver):
    """Writes through the API of a box, with the address and the password of an administrator."""

    login = ("email", "password")
    if_missing = WRONG_ADDRESS

    def find_zone(self, zone: str) -> str:
        """Return the zone, if the box has it."""
        if zone not in {pick(item, kind=str) for item in pick(self.json("GET", "/admin/dns/zones"), kind=list)}:
            raise unknown_zone(zone)
        return zone

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the custom TXT records of all zones. The box's own records are not in the list."""
        for item in pick(self.json("GET", "/admin/dns/custom"), kind=list):
            if pick(item, "rtype", kind=str) == "TXT":
                name, value = pick(item, "qname", kind=str), pick(item, "value", kind=str)
                yield TxtEntry((name, value), name, value)

    def create(self, zone: str, record: TxtRecord) -> tuple[str, str]:
        """Create a record in addition to the others at its name."""
        identifier = (names.relative(record.name), record.value)
        self._send("POST", identifier)
        return identifier

    def delete(self, zone: str, identifier: tuple[str, str]) -> None:
        """Delete a record. Without a value in its body, the request would delete all at the name."""
        self._send("DELETE", identifier)

    def _send(self, method: str, identifier: tuple[str, str]) -> None:
        name, value = identifier
        headers = {"Content-Type": "text/plain"}
        self.request(method, f"/admin/dns/custom/{segment(name)}/txt", body=value.encode(), headers=headers)
