"""Dynadot (https://www.dynadot.com/domain/api-document, version 2): signed requests, with several records in each."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final
from uuid import uuid4

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, label, pick, refusal, segment
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry, keyed

_LISTS: Final = ("dns_main_list", "dns_sub_list")
"""The records of the domain itself, and the records below it."""


class DynadotDriver(BatchDriver):
    """Writes through the API of Dynadot, with its key and its secret."""

    address = "https://api.dynadot.com"
    headers: ClassVar = {"Authorization": "Bearer {api_key}"}

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Sign the path, an identifier and the body."""
        text, identifier = self.text, str(uuid4())
        signed = f"{text('api_key')}\n{self.place(path).path}\n{identifier}\n".encode() + body
        signature = base64.b64encode(keyed(text("api_secret"), signed)).decode()
        headers |= {"Content-Type": "application/json", "X-Request-ID": identifier, "X-Signature": signature}

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above."""
        fields = response.fields()
        is_described = isinstance(fields.get("error"), dict)
        return _refusal(fields, response.status, response.headers) if is_described else refusal(response)

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain, and remember its TTL, which is the same for all records."""
        glue = pick(self._send("GET", zone), "data", "glue_info", kind=dict)
        self.context.remembered["ttl", zone] = glue.get("ttl")
        for key in _LISTS:
            for item in pick({key: glue.get(key) or []}, key, kind=list):
                if pick(item, "record_type", kind=str).upper() == "TXT":
                    host = item.get("sub_host")
                    name = f"{host}.{zone}" if host else zone
                    yield TxtEntry(item, name, pick(item, "record_value1", kind=str))

    def write(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records, keeping the TTL of the domain."""
        items = [(label(each, apex=""), {"record_type": "txt", "record_value1": each.value}) for each in records]
        wanted = [{**({"sub_host": host} if host else {}), **item} for host, item in items]
        ttl = str(self.context.remembered.get(("ttl", zone)) or "")
        more = {"ttl": int(ttl)} if ttl.isdecimal() else {}
        self._send("POST", zone, **_parted(wanted), **more, add_dns_to_current_setting=True)

    def erase(self, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named by all fields that the API shows."""
        self._send("DELETE", zone, **_parted([entry.identifier for entry in entries]))

    def _send(self, method: str, zone: str, **content: Any) -> dict[str, Any]:
        """Send a request about the records of a domain, and return the answer."""
        answer = self.json(method, f"/restful/v2/domains/{segment(zone)}/records", content=content or None)
        if (status := pick(answer, "code", kind=int)) >= 400:
            raise _refusal(answer, status)
        return pick(answer, kind=dict)


def _refusal(answer: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> HostError:
    error = answer.get("error")
    message = str((error.get("description") if isinstance(error, dict) else None) or answer.get("message", ""))
    code = "provider-zone-unknown" if "main dns" in message else None  # it has other name servers than Dynadot's
    return HostError(message, code=code, status=status, headers=headers)


def _parted(items: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return records in the lists to which they belong."""
    mains, subs = ([item for item in items if bool(item.get("sub_host")) is below] for below in (False, True))
    return {key: found for key, found in zip(_LISTS, (mains, subs), strict=True) if found}
