"""Loopia (https://support.loopia.se/wiki/loopiaapi-oversikt): a name must be made before its records."""

from __future__ import annotations

import xmlrpc.client  # `document` has refused a document type before it reads
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, HostError, by_zone, document, label, malformed, pick, unknown_zone
from dnsrenew.extensions.hosts.record_driver import HostDriver

# The API of Loopia (https://support.loopia.se/wiki/loopiaapi-oversikt): XML-RPC (http://xmlrpc.com/spec.md).

_OK: Final = "OK"
UNKNOWN_ERROR: Final = "UNKNOWN_ERROR"
"""The status for anything that has no other, such as a zone of another account."""
_STATUSES: Final = {
    "AUTH_ERROR": "provider-unauthorized",
    "RATE_LIMITED": "provider-rate-limited",
    "BAD_INDATA": "provider-refused",
    "DOMAIN_OCCUPIED": "provider-refused",
    "INSUFFICIENT_FUNDS": "provider-refused",
    UNKNOWN_ERROR: "provider-server-error",
}
_FAULTS: Final = {
    401: "provider-unauthorized",
    404: "provider-server-error",
    429: "provider-rate-limited",
    639: "provider-unauthorized",  # the API user may not call the method
}
_MINUTE: Final = {"Retry-After": "60"}
"""The limit is for each minute, and the answer does not tell when it ends."""


class LoopiaApi(HostApi):
    """Calls of methods; user and password are their first two arguments."""

    def order(self, method: str, *arguments: Any) -> None:
        """Call a method that answers with a status.

        :raises HostError: the status is not OK.
        """
        if self.call(method, *arguments) != _OK:
            raise malformed("its status is not OK")

    def items(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method that answers with a list."""
        return pick({"list": self.call(method, *arguments)}, "list", kind=list)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and return its value.

        :raises HostError: the value is the status of an error, alone or as the only item of a list; or it is a fault.
        """
        login = map(self._context.text, ("auth_username", "auth_password"))
        body = xmlrpc.client.dumps((*login, *arguments), method).encode()
        value = _decoded(self.request("POST", body=body).body)
        status = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(status, str) and status in _STATUSES:
            raise _refused(status, _STATUSES[status])
        return value


def _refused(message: str, code: str) -> HostError:
    return HostError(message, code=code, headers=_MINUTE if code == "provider-rate-limited" else None)


def _decoded(body: bytes) -> Any:
    """Return the value of a response.

    :raises HostError: it is a fault, or no response.
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


class LoopiaDriver(HostDriver):
    """Writes through the API of Loopia, with an API user of the account."""

    address = "https://api.loopia.se/RPCSERV"
    headers: ClassVar = {"Accept": "text/xml", "Content-Type": "text/xml; charset=utf-8"}
    api_class = LoopiaApi

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet; make the names that do not exist yet."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                try:
                    self._add(api, zone, group)
                except HostError as error:
                    raise _explained(api, zone, error) from None

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values, and each name that this run has made and that holds nothing else."""
        with self.connect() as api:
            for zone, group in by_zone(records):
                try:
                    self._remove(api, zone, group)
                except HostError as error:
                    raise _explained(api, zone, error) from None

    def _add(self, api: LoopiaApi, zone: str, records: Sequence[TxtRecord]) -> None:
        existing = _subdomains(api, zone)
        for name, group in _by_name(records).items():
            values: set[str] = set()
            if name in existing:
                values = {str(entry.get("rdata")) for entry in _txt(_entries(api, zone, name))}
            else:
                self.context.remembered[_made(zone, name)] = True  # before: the answer may get lost
                api.order("addSubdomain", zone, name)
            for record in group:
                if record.value not in values:
                    api.order("addZoneRecord", zone, name, _record(record))
                    values.add(record.value)

    def _remove(self, api: LoopiaApi, zone: str, records: Sequence[TxtRecord]) -> None:
        existing = _subdomains(api, zone)
        for name, group in _by_name(records).items():
            if name not in existing:
                continue
            entries = _entries(api, zone, name)
            values = {record.value for record in group}
            ours = [entry for entry in _txt(entries) if entry.get("rdata") in values]
            if len(ours) == len(entries) and _made(zone, name) in self.context.remembered:
                api.order("removeSubdomain", zone, name)  # with its records
                self.context.remembered.pop(_made(zone, name), None)
                continue
            for entry in ours:
                api.order("removeZoneRecord", zone, name, pick(entry, "record_id", kind=int))


def _subdomains(api: LoopiaApi, zone: str) -> set[str]:
    """Return the names in a zone; the zone itself always exists."""
    return {str(name).lower() for name in api.items("getSubdomains", zone)} | {"@"}


def _entries(api: LoopiaApi, zone: str, name: str) -> list[dict[str, Any]]:
    return [pick({"record": entry}, "record", kind=dict) for entry in api.items("getZoneRecords", zone, name)]


def _txt(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry.get("type") == "TXT"]


def _explained(api: LoopiaApi, zone: str, error: HostError) -> HostError:
    """Return the error for one in a zone: the API says of a zone of another account only that something went wrong."""
    if str(error) == UNKNOWN_ERROR and not any(
        str(pick(domain, "domain", kind=str)).lower() == zone for domain in api.items("getDomains")
    ):
        return unknown_zone(zone)
    return error


def _by_name(records: Sequence[TxtRecord]) -> dict[str, list[TxtRecord]]:
    found: dict[str, list[TxtRecord]] = {}
    for record in records:
        found.setdefault(label(record), []).append(record)
    return found


def _made(zone: str, name: str) -> tuple[str, str, str]:
    return "made", zone, name


def _record(record: TxtRecord) -> dict[str, str | int]:
    ttl = max(record.ttl, LEAST_TTL)
    return {"type": "TXT", "ttl": ttl, "priority": 0, "rdata": record.value, "record_id": 0}
