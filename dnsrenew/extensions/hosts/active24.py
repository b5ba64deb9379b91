"""Active24 and Websupport (https://rest.active24.cz/v2/docs, https://rest.websupport.sk/v2/docs): one API, two hosts.

Every request is signed. Names are absolute in the answers, and relative to the domain in the requests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi, basic, label, pages, pick, unknown_zone
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries

_ROWS: Final = 1000
"""Records in a page."""


class Active24Driver(RecordDriver):
    """Writes through the API of Active24, with an API key (the "identifier") and its secret."""

    address: ClassVar = "https://rest.active24.cz"

    def connect(self) -> SignedApi:
        """Return the API of the account."""
        return SignedApi(self.context, self.address)

    def find_zone(self, api: HostApi, zone: str) -> int:
        """Return the number of the domain's service: hosting may have the same name, and comes second."""
        services = pick(api.json("GET", "/v1/user/self/service"), "items", kind=list)
        found = [item for item in services if pick(item, "name", kind=str).lower() == zone]
        if not found:
            raise unknown_zone(zone)
        return pick(min(found, key=lambda item: item.get("serviceName") != "domain"), "id", kind=int)

    def entries(self, api: HostApi, zone: int, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain: the filters that the API documents select none."""

        def read(number: int) -> tuple[list[Any], bool]:
            found = api.json("GET", _path(zone), params={"page": number, "rowsPerPage": _ROWS})
            return pick(found, "data", kind=list), number < pick(found, "totalPages", kind=int)

        return txt_entries(pages(read))

    def create(self, api: HostApi, zone: int, record: TxtRecord) -> None:
        """Create a record; the answer is empty."""
        content = {"type": "TXT", "name": label(record), "content": record.value, "ttl": record.ttl}
        api.request("POST", _path(zone), content=content)

    def delete(self, api: HostApi, zone: int, identifier: int) -> None:
        """Delete a record."""
        api.request("DELETE", f"{_path(zone)}/{identifier}")


class WebsupportDriver(Active24Driver):
    """Writes through the API of Websupport."""

    address: ClassVar = "https://rest.websupport.sk"


class SignedApi(HostApi):
    """Requests whose method, path and time are signed with the secret (HMAC-SHA1), as the password of HTTP Basic."""

    def __init__(self, context: DriverContext, address: str) -> None:
        super().__init__(context, address)
        self._key, self._secret = context.text("api_key"), context.text("secret")

    def request(self, method: str, path: str = "", **arguments: Any) -> Response:
        """Send a signed request; see :meth:`HostApi.request`."""
        now = SystemClock().now()
        signed = f"{method} {urlsplit(self.address + path).path} {int(now.timestamp())}"
        signature = hmac.digest(self._secret.encode(), signed.encode(), hashlib.sha1).hex()
        date = f"{now:%Y%m%dT%H%M%SZ}"  # version 1 of the API reads Date, version 2 reads X-Date
        headers = {"Authorization": basic(self._key, signature), "Date": date, "X-Date": date}
        return super().request(method, path, headers=headers, **arguments)


def _path(service: int) -> str:
    return f"/v2/service/{service}/dns/record"
