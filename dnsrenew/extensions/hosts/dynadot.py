"""Dynadot (https://www.dynadot.com/domain/api-document, version 2): signed requests, with several records in each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, HostError, content_of, label, pick, refusal, segment
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts.record_driver import BatchDriver, TxtEntry

ADDRESS: Final = "https://api.dynadot.com"
_LISTS: Final = ("dns_main_list", "dns_sub_list")
"""The records of the domain itself, and those below it."""
_OTHER_DNS: Final = "main dns"
"""In the message about a domain whose name servers are not Dynadot's."""


class DynadotDriver(BatchDriver):
    """Writes through the API of Dynadot, with its key and its secret."""

    def connect(self) -> DynadotApi:
        """Return the API of the account."""
        return DynadotApi(self.context)

    def entries(self, api: HostApi, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain, and remember its TTL: it has one for all records."""
        glue = pick(_send(api, "GET", zone), "data", "glue_info", kind=dict)
        self.context.remembered["ttl", zone] = glue.get("ttl")
        for key in _LISTS:
            for item in pick({key: glue.get(key) or []}, key, kind=list):
                if pick(item, "record_type", kind=str).upper() == "TXT":
                    host = item.get("sub_host")
                    name = f"{host}.{zone}" if host else zone
                    yield TxtEntry(item, name, pick(item, "record_value1", kind=str))

    def write(self, api: HostApi, zone: str, records: Sequence[TxtRecord]) -> None:
        """Create records; the TTL of the domain stays."""
        items = [(label(each, apex=""), {"record_type": "txt", "record_value1": each.value}) for each in records]
        wanted = [{**({"sub_host": host} if host else {}), **item} for host, item in items]
        ttl = str(self.context.remembered.get(("ttl", zone)) or "")
        more = {"ttl": int(ttl)} if ttl.isdecimal() else {}
        _send(api, "POST", zone, **_parted(wanted), **more, add_dns_to_current_setting=True)

    def erase(self, api: HostApi, zone: str, entries: Sequence[TxtEntry]) -> None:
        """Delete records, which are named by all that the API shows of them."""
        _send(api, "DELETE", zone, **_parted([entry.identifier for entry in entries]))


class DynadotApi(HostApi):
    """Requests that are signed with the secret (HMAC-SHA256); the status in an answer counts too."""

    def __init__(self, context: DriverContext) -> None:
        self._key, self._secret = context.text("api_key"), context.text("api_secret")
        super().__init__(context, ADDRESS, headers={"Authorization": f"Bearer {self._key}"})

    def request(self, method: str, path: str = "", **arguments: Any) -> Response:
        """Send a signed request; see :meth:`HostApi.request`."""
        identifier, body = str(uuid4()), arguments.get("body") or b""
        signed = f"{self._key}\n{urlsplit(self.address + path).path}\n{identifier}\n".encode() + body
        signature = base64.b64encode(hmac.digest(self._secret.encode(), signed, hashlib.sha256)).decode()
        headers = {"Content-Type": "application/json", "X-Request-ID": identifier, "X-Signature": signature}
        return super().request(method, path, headers=headers, **arguments)

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above."""
        content = content_of(response)
        if isinstance(content, dict) and isinstance(content.get("error"), dict):
            error = _refusal(content, response.status)
            error.headers = response.headers
            return error
        return refusal(response)


def _send(api: HostApi, method: str, zone: str, **content: Any) -> dict[str, Any]:
    """Send a request about the records of a domain, and return the answer."""
    body = json.dumps(content).encode() if content else None
    answer = api.json(method, f"/restful/v2/domains/{segment(zone)}/records", body=body)
    if (status := pick(answer, "code", kind=int)) >= 400:
        raise _refusal(answer, status)
    return pick(answer, kind=dict)


def _refusal(answer: dict[str, Any], status: int) -> HostError:
    error = answer.get("error")
    message = str((error.get("description") if isinstance(error, dict) else None) or answer.get("message", ""))
    return HostError(message, code="provider-zone-unknown" if _OTHER_DNS in message else None, status=status)


def _parted(items: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return records in the lists that they belong to."""
    mains, subs = ([item for item in items if bool(item.get("sub_host")) is below] for below in (False, True))
    return {key: found for key, found in zip(_LISTS, (mains, subs), strict=True) if found}
