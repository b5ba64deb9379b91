"""Akamai Edge DNS (https://techdocs.akamai.com/edge-dns/reference/api): the values of a name are replaced together.

Requests are signed with EdgeGrid (https://techdocs.akamai.com/developer/docs/edgegrid-authentication).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from uuid import uuid4

from dnsrenew.base import names
from dnsrenew.base.http import Response
from dnsrenew.drivers.host_api import pick, segment
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RecordSet, RecordSetDriver, keyed

_ROOT: Final = "/config-dns/v2"
_SIGNED: Final = 131072
"""The number of octets of a body that are signed."""


class EdgeDnsDriver(RecordSetDriver):
    """Writes through the API of Edge DNS, with the credentials of an API client."""

    address = "https://{host}"
    headers: ClassVar = {"Content-Type": "application/json"}

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        if not context.text("host") and not context.text("api"):
            raise ConfigError.of(texts.EDGEDNS_HOST, account=context.account)

    def request(self, method: str, path: str = "", **arguments: Any) -> Response:
        """Send a request; see :meth:`HostDriver.request`. It has no parameters, which would have to be signed too."""
        key = self.text("account_switch_key")
        query = f"?accountSwitchKey={segment(key)}" if key else ""
        return super().request(method, f"{_ROOT}{path}{query}", **arguments)

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the header ``Authorization``."""
        text, time = self.text, f"{self.now():%Y%m%dT%H:%M:%S+0000}"
        tokens = f"client_token={text('client_token')};access_token={text('access_token')}"
        start = f"EG1-HMAC-SHA256 {tokens};timestamp={time};nonce={uuid4()};"
        signature = signature_of(text("client_secret"), method, self.address + path, body, start)
        headers["Authorization"] = f"{start}signature={signature}"

    def find_zone(self, zone: str) -> str:
        """Return the zone, which the API identifies by its name."""
        return pick(self.json("GET", f"/zones/{segment(zone)}"), "zone", kind=str)

    def record_set(self, zone: str, owner: str) -> RecordSet:
        """Return the TXT record set at a name."""
        found = self.json("GET", self.path(zone, RecordSet(owner, (), 0)))
        contents = [pick(each, kind=str) for each in pick(found, "rdata", kind=list)]
        return RecordSet(owner, contents, pick(found, "ttl", kind=int), found)

    def path(self, zone: str, record_set: RecordSet) -> str:
        """Return the path of a record set."""
        return f"/zones/{segment(zone)}/names/{segment(names.relative(record_set.name))}/types/TXT"

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API."""
        name = names.relative(record_set.name)
        return {"name": name, "type": "TXT", "ttl": record_set.ttl, "rdata": [*contents]}


def signature_of(secret: str, method: str, address: str, body: bytes, start: str) -> str:
    """Return the signature of a request.

    :param start: the value of the header ``Authorization`` up to the signature.
    """
    parts, time = urlsplit(address), start.partition("timestamp=")[2].partition(";")[0]
    asked = parts.path + (f"?{parts.query}" if parts.query else "")
    digest = b64encode(hashlib.sha256(body[:_SIGNED]).digest()).decode() if method == "POST" and body else ""
    # The empty field has the values of signed headers, which Edge DNS does not require.
    signed = f"{method}\t{parts.scheme}\t{parts.netloc}\t{asked}\t\t{digest}\t{start}"
    return b64encode(keyed(b64encode(keyed(secret, time)), signed)).decode()
