"""Namecheap: each change replaces the zone, so whatever would be lost is looked for before it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.drivers.host_api import by_zone, label
from dnsrenew.drivers.hosts import texts
from dnsrenew.drivers.hosts.namecheap_api import FIELDS, NamecheapApi, Record
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext

_TYPES: Final = frozenset({"A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"})
"""What the API can write."""
_HARMLESS: Final = {"hostid": re.compile(".*"), "isactive": re.compile("true"), "isddnsenabled": re.compile("false")}
"""Fields that cannot be written: the values that every new record gets."""
_LABELS: Final = frozenset({"associatedapptitle", "friendlyname"})
_OWN_LABEL: Final = re.compile(r"|[A-Z0-9]+ Record")
_MAIL: Final = frozenset({"MX", "MXE"})
"""Their labels come from the e-mail setting, which is written back."""
_CAA: Final = re.compile(r"\s*\d+\s+\w+\s+\S.*")
_ZONE_FIELDS: Final = frozenset({"domain", "emailtype", "isusingourdns"})
_MOST_NAMED: Final = 5


class NamecheapDriver:
    """Writes through the API of Namecheap.

    A zone is read right before each change, and written back with every field of every record.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""

        def change(existing: list[Record], group: Sequence[TxtRecord]) -> list[Record]:
            known = {_key(record) for record in existing}
            added = {(label(record), record.value): _new(record) for record in group}
            return [*existing, *(record for key, record in added.items() if key not in known)]

        self._change(records, change)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values that exist."""

        def change(existing: list[Record], group: Sequence[TxtRecord]) -> list[Record]:
            unwanted = {(label(record), record.value) for record in group}
            return [record for record in existing if _key(record) not in unwanted]

        self._change(records, change)

    def _change(
        self, records: Sequence[TxtRecord], change: Callable[[list[Record], Sequence[TxtRecord]], list[Record]]
    ) -> None:
        with NamecheapApi(self._context) as api:
            for zone, group in by_zone(records):
                settings, existing = api.read(zone)
                wanted = change(existing, group)
                if len(wanted) == len(existing):
                    continue
                evidence = {"account": self._context.account, "zone": zone}
                if not existing:  # hardly true of a zone in use
                    raise ProviderError.of(texts.NAMECHEAP_EMPTY, **evidence)
                if lost := _lost(settings, existing):
                    raise ProviderError.of(texts.NAMECHEAP_UNSAFE, **evidence, lost=lost)
                api.write(zone, settings, wanted)


def _key(record: Record) -> tuple[str, str] | None:
    """Return the name and the value of a TXT record; None for another type."""
    return (record["name"].lower(), record["address"]) if record["type"] == "TXT" else None


def _new(record: TxtRecord) -> Record:
    name, ttl = label(record), str(record.ttl)
    return {"name": name, "type": "TXT", "address": record.value, "mxpref": "10", "ttl": ttl}


def _lost(settings: Record, records: Collection[Record]) -> list[str]:
    """Return what a zone would lose if it were written back, for people."""
    found = [key for key, value in settings.items() if key not in _ZONE_FIELDS and value]
    if "emailtype" not in settings and any(record["type"] in _MAIL for record in records):
        found.append("EmailType")
    for record in records:
        what = f"{record['name']} {record['type']}"
        if record["type"] not in _TYPES or (record["type"] == "CAA" and not _CAA.fullmatch(record["address"])):
            found.append(what)
        elif record["type"] == "MX" and "mxpref" not in record:
            found.append(f"{what} MXPref")
        found += [f"{what} {key}" for key, value in record.items() if not _survives(record["type"], key, value)]
    shown = ["".join(filter(str.isprintable, each)) for each in dict.fromkeys(found)]
    return [*shown[:_MOST_NAMED], *(["…"] if len(shown) > _MOST_NAMED else [])]


def _survives(kind: str, key: str, value: str) -> bool:
    if key in FIELDS:
        return True
    if key in _LABELS:
        return kind in _MAIL or _OWN_LABEL.fullmatch(value) is not None
    harmless = _HARMLESS.get(key)
    return not value if harmless is None else harmless.fullmatch(value.lower()) is not None
