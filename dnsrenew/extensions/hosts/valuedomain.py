"""Value Domain (https://www.value-domain.com/api/doc/domain/): a zone is one text, which is replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import label, pick, segment, unquoted
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RewriteDriver

LEAST_TTL: Final = 120
"""The host uses 3600 for a lower TTL of a zone."""
_WRITTEN: Final = frozenset({"ns_type", "records", "ttl"})
_KNOWN: Final = frozenset({"domainid", "domainname", *_WRITTEN})
"""The fields that the API shows of a zone: the fields that it accepts, and the name of the zone."""


class ValueDomainDriver(RewriteDriver):
    """Writes through the API of Value Domain, with its token; every other line is written back as it was."""

    address = "https://api.value-domain.com/v1"
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}
    empty = texts.VALUEDOMAIN_EMPTY
    unsafe = texts.VALUEDOMAIN_UNSAFE

    def read(self, zone: str) -> tuple[dict[str, Any], list[str]]:
        """Return the API's data of a zone, and its lines without the empty one after a final line break."""
        found = pick(self.json("GET", f"/domains/{segment(zone)}/dns"), "results", kind=dict)
        text = pick(found, "records", kind=str)
        return found, text.removesuffix("\n").split("\n") if text.strip() else []

    def write(self, zone: str, settings: dict[str, Any], lines: list[str]) -> None:
        """Replace the lines of a zone."""
        end = "\n" if settings["records"].endswith("\n") else ""
        content = {key: settings[key] for key in _WRITTEN} | {"records": "\n".join(lines) + end}
        pick(self.json("PUT", f"/domains/{segment(zone)}/dns", content=content), kind=dict)

    def txt(self, item: str) -> tuple[str, str] | None:
        """Return the name and the value of a TXT record; None for any other line."""
        kind, _, rest = item.strip().partition(" ")
        name, _, value = rest.lstrip().partition(" ")
        return (name.lower(), unquoted(value.lstrip())) if kind.lower() == "txt" else None

    def new(self, record: TxtRecord) -> str:
        """Return a line."""
        return f"txt {label(record)} {record.value}"

    def lost(self, settings: dict[str, Any], items: Sequence[str]) -> list[str]:
        """Return the settings that the API would not accept or not keep."""
        lost = sorted(key for key, value in settings.items() if key not in _KNOWN and value)
        if not str(settings.get("ns_type")).startswith("valuedomain"):  # other name servers do not serve its records
            lost.append("ns_type")
        ttl = str(settings.get("ttl"))
        if not ttl.isdecimal() or int(ttl) < LEAST_TTL:
            lost.append("ttl")
        return lost
