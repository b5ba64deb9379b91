"""Active24 and Websupport (https://rest.active24.cz/v2/docs, https://rest.websupport.sk/v2/docs): one API, two hosts.

Every request is signed. Names are absolute in the answers, and relative to the domain in the requests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator
from typing import Any, Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import basic, label, pages, pick, unknown_zone
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries

_ROWS: Final = 1000
"""The number of records in a page."""


class Active24Driver(RecordDriver):
    """Writes through the API of Active24, with an API key (the "identifier") and its secret."""

    address = "https://rest.active24.cz"

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Sign method, path and time."""
        text, now = self.text, self.now()
        signed = f"{method} {self.place(path).path} {int(now.timestamp())}"
        signature = hmac.digest(text("secret").encode(), signed.encode(), hashlib.sha1).hex()
        date = f"{now:%Y%m%dT%H%M%SZ}"  # version 1 of the API reads Date, version 2 reads X-Date
        headers |= {"Authorization": basic(text("api_key"), signature), "Date": date, "X-Date": date}

    def find_zone(self, zone: str) -> str:
        """Return the path of the records of the domain's service. Hosting may have the same name, and comes second."""
        services = pick(self.json("GET", "/v1/user/self/service"), "items", kind=list)
        found = [item for item in services if pick(item, "name", kind=str).lower() == zone]
        if not found:
            raise unknown_zone(zone)
        service = pick(min(found, key=lambda item: item.get("serviceName") != "domain"), "id", kind=int)
        return f"/v2/service/{service}/dns/record"

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the domain, because the documented filters select none."""

        def read(number: int) -> tuple[list[Any], int]:
            found = self.json("GET", zone, params={"page": number, "rowsPerPage": _ROWS})
            return pick(found, "data", kind=list), number + 1 if number < pick(found, "totalPages", kind=int) else 0

        return txt_entries(pages(read))

    def create(self, zone: str, record: TxtRecord) -> None:
        """Create a record. The answer is empty."""
        content = {"type": "TXT", "name": label(record), "content": record.value, "ttl": record.ttl}
        self.request("POST", zone, content=content)


class WebsupportDriver(Active24Driver):
    """Writes through the API of Websupport."""

    address = "https://rest.websupport.sk"
