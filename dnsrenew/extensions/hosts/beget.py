"""Beget (https://beget.com/en/kb/api/dns-administration-functions): all records of a name are replaced together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.drivers.host_api import HostError, pick, unknown_zone
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

_KEPT: Final = ("A", "AAAA", "CAA", "MX", "SRV")
"""Types of records that are written back unchanged."""
_NAME_SERVERS: Final = frozenset({"DNS", "DNS_IP"})
"""Records that the API shows at a name although they are not written with it."""
_CODES: Final = (
    ("AUTH", "provider-unauthorized"),
    ("LIMIT", "provider-rate-limited"),
    ("INTERNAL", "provider-server-error"),
)
"""A part of an error code of the API, and our code for it."""


class BegetDriver(RecordSetDriver):
    """Writes through the API of Beget, with the login and the password of the API."""

    address = "https://api.beget.com/api"
    quotes = False  # the API takes it without quotes

    def record_sets(self, zone: str, owners: Collection[str]) -> Iterator[RecordSet]:
        """Yield the TXT values of each name, with its other records."""
        for owner in owners:
            found = self.ask("getData", fqdn=names.relative(owner))
            if not found.get("is_under_control") or not found.get("is_beget_dns"):
                raise unknown_zone(zone)
            records = pick({"records": found.get("records") or {}}, "records", kind=dict)
            values = [_value(item) for item in pick({"TXT": [], **records}, "TXT", kind=list)]
            yield RecordSet(owner, [value for value in values if value], 0, records)

    def save(self, zone: str, record_set: RecordSet, contents: Sequence[str]) -> None:
        """Replace all records of a name, changing only the TXT values."""
        shown: Mapping[str, list[Any]] = record_set.shown
        name = names.relative(record_set.name)
        if others := sorted(kind for kind in shown.keys() - _NAME_SERVERS - {*_KEPT, "TXT"} if shown[kind]):
            lost = ", ".join(others)
            raise self.error(texts.BEGET_UNSAFE, name=name, lost=lost)
        known = {_value(item): item for item in shown.get("TXT", ())}
        records = {kind: shown[kind] for kind in _KEPT if shown.get(kind)}
        # The documentation calls the value `value`, and the API itself `txtdata`.
        records["TXT"] = [
            {"priority": 10, **known.get(value, {}), "value": value, "txtdata": value} for value in contents
        ]
        self.ask("changeRecords", fqdn=name, records=records)

    def drop(self, zone: str, record_set: RecordSet) -> None:
        """Write the other records of a name back, without TXT values."""
        self.save(zone, record_set, ())

    def ask(self, function: str, **parameters: Any) -> Any:
        """Call a function and return its result.

        :raises HostError: the API refused it, with the status 200.
        """
        text = self.text
        form = {"login": text("username"), "passwd": text("password"), "input_format": "json", "output_format": "json"}
        answer = self.json("POST", f"/dns/{function}", form={**form, "input_data": json.dumps(parameters)})
        if pick(answer, "status", kind=str) != "success":
            raise _refused([answer])
        if pick(answer, "answer", "status", kind=str) != "success":
            raise _refused(answer["answer"].get("errors") or [answer["answer"]])
        result = answer["answer"].get("result")
        return result if function == "changeRecords" else pick(result, kind=dict)


def _refused(errors: Any) -> HostError:
    """Return the error for the errors of an answer."""
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    numbers = " ".join(str(error.get("error_code")) for error in found)
    message = "; ".join(str(error.get("error_text") or error.get("error_code")) for error in found)
    return HostError(message, code=next((ours for part, ours in _CODES if part in numbers), None))


def _value(item: Any) -> str:
    fields = pick(item, kind=dict)
    return str(fields.get("txtdata") or fields.get("value") or "")
