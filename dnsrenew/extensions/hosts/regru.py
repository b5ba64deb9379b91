"""Reg.ru (https://www.reg.ru/reseller/api2doc): a request for each record, which has no identifier."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, owner, pick, unquoted
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry

_CODES: Final = (
    ("provider-rate-limited", ("EXCEEDED_ALLOWED_CONNECTION_RATE",)),
    ("provider-unauthorized", ("ACCESS_DENIED", "AUTH", "USERNAME", "PASSWORD")),
    ("provider-zone-unknown", ("DOMAIN", "SERVICE")),
    ("provider-server-error", ("INTERNAL",)),
)
"""Our codes, each with parts of the API's error codes that it stands for."""


class RegRuDriver(RecordDriver):
    """Writes through API 2 of Reg.ru, with the login and a password for the API."""

    address = "https://api.reg.ru/api/regru2"

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain, because the API has no filter."""
        for item in pick(self.ask("get_resource_records", zone), "rrs", kind=list):
            if pick(item, "rectype", kind=str) == "TXT":
                name, value = pick(item, "subname", kind=str), pick(item, "content", kind=str)
                yield TxtEntry((name, value), owner(name, zone), unquoted(value))

    def create(self, zone: str, record: TxtRecord) -> tuple[str, str]:
        """Create a record. It has the TTL of the zone."""
        self.ask("add_txt", zone, subdomain=label(record), text=record.value)
        return label(record), record.value

    def delete(self, zone: str, identifier: tuple[str, str]) -> None:
        """Delete a record by its name and value."""
        self.ask("remove_record", zone, subdomain=identifier[0], content=identifier[1], record_type="TXT")

    def ask(self, function: str, zone: str, **parameters: str) -> Any:
        """Call a function for a domain, and return the answer about the domain.

        :raises HostError: the API refused it, with the status 200.
        """
        text = self.text
        account = {"username": text("username"), "password": text("password"), "output_content_type": "plain"}
        content = {**account, "domains": [{"dname": zone}], **parameters}
        form = {"input_format": "json", "output_format": "json", "input_data": json.dumps(content)}
        answer = self.json("POST", f"/zone/{function}", form=form)
        if pick(answer, "result", kind=str) != "success":
            raise _refused(answer)
        found = pick(answer, "answer", "domains", 0, kind=dict)
        if pick(found, "result", kind=str) != "success":
            raise _refused(found)
        return found


def _refused(answer: Any) -> HostError:
    """Return the error for an answer as a whole or for one domain."""
    number = str(answer.get("error_code"))
    code = next((ours for ours, parts in _CODES if any(part in number for part in parts)), "provider-refused")
    return HostError(str(answer.get("error_text") or number), code=code)
