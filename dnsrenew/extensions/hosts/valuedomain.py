"""Value Domain (https://www.value-domain.com/api/doc/domain/): a zone is one text, which is replaced as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import by_zone, label, pick, segment, unquoted
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import HostDriver

LEAST_TTL: Final = 120
"""The host takes 3600 for a lower TTL of a zone."""
_WRITTEN: Final = frozenset({"ns_type", "records", "ttl"})
_KNOWN: Final = frozenset({"domainid", "domainname", *_WRITTEN})
"""What the API shows of a zone: what it takes, and what names the zone."""
_OWN_SERVERS: Final = "valuedomain"
"""How the name of the host's own name servers begins; with others its records are not served."""


class ValueDomainDriver(HostDriver):
    """Writes through the API of Value Domain, with its token.

    A zone is read right before each change, and every other line is written back as it was.
    """

    address = "https://api.value-domain.com/v1"
    headers: ClassVar = {"Authorization": "Bearer {auth_token}"}

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""

        def change(lines: list[str], group: Sequence[TxtRecord]) -> list[str]:
            known = {_parsed(line) for line in lines}
            added = {(label(record), record.value): f"txt {label(record)} {record.value}" for record in group}
            end = len(lines) - (lines[-1] == "")  # before the empty line that a final line break makes
            return [*lines[:end], *(line for key, line in added.items() if key not in known), *lines[end:]]

        self._change(records, change)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""

        def change(lines: list[str], group: Sequence[TxtRecord]) -> list[str]:
            unwanted = {(label(record), record.value) for record in group}
            return [line for line in lines if _parsed(line) not in unwanted]

        self._change(records, change)

    def _change(
        self, records: Sequence[TxtRecord], change: Callable[[list[str], Sequence[TxtRecord]], list[str]]
    ) -> None:
        with self.connect() as api:
            for zone, group in by_zone(records):
                path = f"/domains/{segment(zone)}/dns"
                found = pick(api.json("GET", path), "results", kind=dict)
                text = pick(found, "records", kind=str)
                lines = text.split("\n")
                wanted = change(lines, group)
                if len(wanted) == len(lines):
                    continue
                evidence = {"account": self.context.account, "zone": zone}
                if not text.strip():  # a zone in use is never empty
                    raise ProviderError.of(texts.VALUEDOMAIN_EMPTY, **evidence)
                if lost := _lost(found):
                    raise ProviderError.of(texts.VALUEDOMAIN_UNSAFE, **evidence, lost=lost)
                content = {key: found[key] for key in _WRITTEN} | {"records": "\n".join(wanted)}
                pick(api.json("PUT", path, content=content), kind=dict)


def _parsed(line: str) -> tuple[str, str] | None:
    """Return the name and the value of a TXT record; None for any other line."""
    kind, _, rest = line.strip().partition(" ")
    name, _, value = rest.lstrip().partition(" ")
    return (name.lower(), unquoted(value.lstrip())) if kind.lower() == "txt" else None


def _lost(found: dict[str, Any]) -> list[str]:
    """Return what a zone would lose if it were written back: settings that the API would not take, or not keep."""
    lost = sorted(key for key, value in found.items() if key not in _KNOWN and value)
    if not str(found.get("ns_type")).startswith(_OWN_SERVERS):
        lost.append("ns_type")
    ttl = str(found.get("ttl"))
    if not ttl.isdecimal() or int(ttl) < LEAST_TTL:
        lost.append("ttl")
    return lost
