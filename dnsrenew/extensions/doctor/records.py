"""The written record: what ``--record`` keeps of a diagnosis, and what has changed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Change, Check, Diagnosis, rfc3339
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError

if TYPE_CHECKING:
    from dnsrenew.store import Store
    from dnsrenew.store.diagnosis_records import Record


def _addresses(evidence: Mapping[str, Any]) -> list[str]:
    ours = evidence.get("ours", {})
    return [address for kind in ("A", "AAAA") for address in ours.get(kind, ())]


def _port(evidence: Mapping[str, Any]) -> list[str] | None:
    seen = evidence.get("answers", {}).values()
    return ["open" if each["open"] else str(each["error"]) for each in seen] or None


_FACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "address": _addresses,
    "nat": lambda evidence: list(evidence.get("wan", {}).values()),
    "port-80-outside": _port,
    "port-443-outside": _port,
}
"""What is compared, from the evidence, by the code of a check; of others the result is."""


def compare(found: Sequence[Diagnosis], store: Store, now: datetime, *, keep: bool) -> list[Diagnosis]:
    """Return the diagnoses with what has changed since the record of the last time that the certificate was renewable.

    :param keep: also record what was found.
    :raises StoreError: it cannot be recorded.
    """
    return [_compare(diagnosis, store, now, keep=keep) for diagnosis in found]


def _compare(diagnosis: Diagnosis, store: Store, now: datetime, *, keep: bool) -> Diagnosis:
    name = diagnosis.name or ""
    facts = facts_of(diagnosis.checks)
    try:
        store.check_ground()
        records = store.diagnoses.read(name)
    except StoreError:
        if keep:
            raise
        return diagnosis
    if keep:
        record = {"time": rfc3339(now), "renewable": diagnosis.renewable, "facts": facts}
        store.diagnoses.add(name, record)
    return replace(diagnosis, changes=changes(records, facts))


def facts_of(checks: Sequence[Check]) -> dict[str, str]:
    """Return what a record keeps of checks, as text by code; what is unknown is left out."""
    facts: dict[str, str] = {}
    for check in checks:
        if check.result == "unknown":
            continue
        about = [str(check.evidence[key]) for key in ("ca", "dns") if key in check.evidence]
        facts[" ".join((check.code, *about))] = _fact(check)
    return facts


def _fact(check: Check) -> str:
    find = _FACTS.get(check.code)
    value = find(check.evidence) if find is not None else None
    if isinstance(value, list):
        return ", ".join(sorted(map(str, value))) or check.result
    return check.result if value is None else str(value)


def changes(records: Sequence[Record], facts: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what differs from the last record of a renewable certificate, or from the last one.

    :param records: the oldest first.
    """
    usable = [record for record in records if _time(record) is not None and isinstance(record.get("facts"), dict)]
    if not usable:
        return ()
    base = next((record for record in reversed(usable) if record.get("renewable") is True), usable[-1])
    found = []
    for key, now in facts.items():
        was = base["facts"].get(key)
        if isinstance(was, str) and was != now:
            since = [time for record in usable if record["facts"].get(key) == was and (time := _time(record))]
            found.append(Change(code=key.partition(" ")[0], was=was, now=now, since=max(since)))
    return tuple(found)


def _time(record: Record) -> datetime | None:
    value: Any = record.get("time")
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
