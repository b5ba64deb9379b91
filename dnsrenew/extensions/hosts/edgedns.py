"""Akamai Edge DNS (https://techdocs.akamai.com/edge-dns/reference/api): the values of a name are replaced together.

Requests are signed with EdgeGrid (https://techdocs.akamai.com/developer/docs/edgegrid-authentication).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from dnsrenew.base import names
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.drivers.host_api import HostApi, pick, segment
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver

_ROOT: Final = "/config-dns/v2"
_SIGNED: Final = 131072
"""Octets of a body that are signed."""


class EdgeDnsDriver(RecordSetDriver):
    """Writes through the API of Edge DNS, with the credentials of an API client."""

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        if not context.text("host") and not context.text("api"):
            raise ConfigError.of(texts.EDGEDNS_HOST, account=context.account)

    def connect(self) -> HostApi:
        """Return the API of the account."""
        return EdgeGridApi(self.context, SystemClock())

    def find_zone(self, api: HostApi, zone: str) -> str:
        """Return the zone, which the API knows by its name."""
        return pick(api.json("GET", f"/zones/{segment(zone)}"), "zone", kind=str)

    def record_set(self, api: HostApi, zone: str, owner: str) -> RecordSet:
        """Return the TXT record set at a name."""
        found = api.json("GET", _path(zone, owner))
        contents = [pick(each, kind=str) for each in pick(found, "rdata", kind=list)]
        return RecordSet(owner, contents, pick(found, "ttl", kind=int), found)

    def save(self, api: HostApi, zone: str, record_set: RecordSet, contents: Sequence[str]) -> None:
        """Create or replace a record set."""
        name = names.relative(record_set.name)
        content = {"name": name, "type": "TXT", "ttl": record_set.ttl, "rdata": [*contents]}
        api.json("PUT" if record_set.shown else "POST", _path(zone, name), content=content)

    def drop(self, api: HostApi, zone: str, record_set: RecordSet) -> None:
        """Delete a record set."""
        api.json("DELETE", _path(zone, record_set.name))


class EdgeGridApi(HostApi):
    """Requests that are signed with the client secret (EG1-HMAC-SHA256)."""

    def __init__(self, context: DriverContext, clock: Clock) -> None:
        super().__init__(context, f"https://{context.text('host')}{_ROOT}")
        if context.text("api"):
            self.address += _ROOT
        self._clock = clock
        self._secret = context.text("client_secret")
        self._tokens = f"client_token={context.text('client_token')};access_token={context.text('access_token')}"
        key = context.text("account_switch_key")
        self._query = f"?accountSwitchKey={segment(key)}" if key else ""

    def json(self, method: str, path: str = "", *, content: Any = None, **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer. No parameters: they would have to be signed too.

        :param content: sent as JSON.
        :raises HostError: the status is 400 or above, or the body is not JSON.
        """
        path += self._query
        body = b"" if content is None else json.dumps(content).encode()
        time = self._clock.now().strftime("%Y%m%dT%H:%M:%S+0000")
        start = f"EG1-HMAC-SHA256 {self._tokens};timestamp={time};nonce={uuid4()};"
        signature = signature_of(self._secret, method, self.address + path, body, start)
        headers = {"Content-Type": "application/json", "Authorization": f"{start}signature={signature}"}
        return super().json(method, path, body=body or None, headers=headers, **arguments)


def signature_of(secret: str, method: str, address: str, body: bytes, start: str) -> str:
    """Return the signature of a request.

    :param start: the value of the header ``Authorization`` up to the signature.
    """
    parts, time = urlsplit(address), start.partition("timestamp=")[2].partition(";")[0]
    asked = parts.path + (f"?{parts.query}" if parts.query else "")
    digest = b64encode(hashlib.sha256(body[:_SIGNED]).digest()).decode() if method == "POST" and body else ""
    # The empty field has the values of signed headers: Edge DNS wants none.
    return _hmac(_hmac(secret, time), f"{method}\t{parts.scheme}\t{parts.netloc}\t{asked}\t\t{digest}\t{start}")


def _hmac(key: str, text: str) -> str:
    return b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def _path(zone: str, owner: str) -> str:
    return f"/zones/{segment(zone)}/names/{segment(names.relative(owner))}/types/TXT"
