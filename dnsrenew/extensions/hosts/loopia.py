"""Loopia (https://support.loopia.se/wiki/loopiaapi-oversikt): a name must be created before its records."""

from __future__ import annotations

import xmlrpc.client  # `document` has already refused a document type
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import grouped
from dnsrenew.drivers.host_api import HostError, document, label, malformed, pick, unknown_zone, within
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry

# The API of Loopia (https://support.loopia.se/wiki/loopiaapi-oversikt): XML-RPC (http://xmlrpc.com/spec.md).

_UNKNOWN_ERROR: Final = "UNKNOWN_ERROR"
"""The status for anything without its own status, such as a zone of another account."""
_STATUSES: Final = {
    "AUTH_ERROR": "provider-unauthorized",
    "RATE_LIMITED": "provider-rate-limited",
    **dict.fromkeys(("BAD_INDATA", "DOMAIN_OCCUPIED", "INSUFFICIENT_FUNDS"), "provider-refused"),
    _UNKNOWN_ERROR: "provider-server-error",
}
_FAULTS: Final = {
    401: "provider-unauthorized",
    404: "provider-server-error",
    429: "provider-rate-limited",
    639: "provider-unauthorized",  # the API user may not call the method
}
_MINUTE: Final = {"Retry-After": "60"}
"""The limit is for each minute, and the answer does not say when it ends."""


def _refused(message: str, code: str) -> HostError:
    return HostError(message, code=code, headers=_MINUTE if code == "provider-rate-limited" else None)


def _decoded(body: bytes) -> Any:
    """Return the value of a response.

    :raises HostError: the body is a fault, or not a response.
    """
    document(body)  # it has no document type
    try:
        (value,), _ = xmlrpc.client.loads(body)
    except xmlrpc.client.Fault as fault:
        raise _refused(str(fault.faultString), _FAULTS.get(fault.faultCode, "provider-refused")) from None
    except Exception:  # noqa: BLE001  # the parser raises anything
        raise malformed("it is not a method response") from None
    return value


# ── driver ──────────────────────────────────────────────────────────────────────────────

LEAST_TTL: Final = 300


class LoopiaDriver(BatchDriver):
    """Writes through the API of Loopia, with an API user of the account.

    It creates missing names, and removes each name that this run has created and that has no other records.
    """

    address = "https://api.loopia.se/RPCSERV"
    headers: ClassVar = {"Accept": "text/xml", "Content-Type": "text/xml; charset=utf-8"}

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of each existing name, and remember the number of its records."""
        self.names = {str(name).lower() for name in self.items("getSubdomains", zone)} | {"@"}  # the zone itself
        self.counts: dict[str, int] = {}
        for owner in owners:
            if (name := within(owner, zone)) in self.names:
                found = [pick(entry, kind=dict) for entry in self.items("getZoneRecords", zone, name)]
                self.counts[name] = len(found)
                txt = [each for each in found if each.get("type") == "TXT"]
                yield from (TxtEntry(each, owner, str(each.get("rdata"))) for each in txt)

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records, and their names."""
        for record in records:
            if (name := label(record)) not in self.names:
                self.context.remembered["made", zone, name] = True  # before the call, because the answer may get lost
                self.order("addSubdomain", zone, name)
                self.names.add(name)
            content = {"type": "TXT", "ttl": max(record.ttl, LEAST_TTL), "priority": 0, "rdata": record.value}
            self.order("addZoneRecord", zone, name, {**content, "record_id": 0})

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, or one of our names with all its records."""
        for owner, ours in grouped(entries, lambda entry: entry.name).items():
            name = within(owner, zone)
            if len(ours) == self.counts[name] and ("made", zone, name) in self.context.remembered:
                self.order("removeSubdomain", zone, name)
                self.context.remembered.pop(("made", zone, name), None)
                continue
            for entry in ours:
                self.order("removeZoneRecord", zone, name, pick(entry.identifier, "record_id", kind=int))

    def order(self, method: str, *arguments: Any) -> None:
        """Call a method that returns a status.

        :raises HostError: the status is not OK.
        """
        if self.call(method, *arguments) != "OK":
            raise malformed("its status is not OK")

    def items(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method that returns a list."""
        return pick({"list": self.call(method, *arguments)}, "list", kind=list)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and return its value.

        :raises HostError: the value is the status of an error (alone or as the only item of a list), or a fault.
        """
        login = map(self.text, ("auth_username", "auth_password"))
        body = xmlrpc.client.dumps((*login, *arguments), method).encode()
        value = _decoded(self.request("POST", body=body).body)
        status = value[0] if isinstance(value, list) and len(value) == 1 else value
        if status == _UNKNOWN_ERROR and arguments:  # it may be a zone of another account
            domains = (str(pick(domain, "domain", kind=str)).lower() for domain in self.items("getDomains"))
            if arguments[0] not in domains:
                raise unknown_zone(arguments[0])
        if isinstance(status, str) and status in _STATUSES:
            raise _refused(status, _STATUSES[status])
        return value
