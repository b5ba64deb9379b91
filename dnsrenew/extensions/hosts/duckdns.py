"""DuckDNS: one GET request; one TXT value for a domain and all names below it (https://www.duckdns.org/spec.jsp)."""

from __future__ import annotations

from collections.abc import Sequence

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostDriver
from dnsrenew.extensions.hosts import texts


class DuckDnsDriver(HostDriver):
    """Writes the only TXT value of a domain. A second value replaces the first, so the caller writes one at a time."""

    address = "https://www.duckdns.org"

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Set the value of the domain."""
        for record in records:
            self._update(zone, txt=record.value)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Clear the value of the domain once, because it has only one."""
        # The service requires a value for clear too, and clears any value.
        self._update(zone, txt=records[0].value, clear="true")

    def _update(self, zone: str, **parameters: str) -> None:
        params = {"domains": names.labels(zone)[0], "token": self.text("token"), **parameters}
        # Any other error is a page of a device in between, such as the login page of a hotel.
        answer = self.request("GET", "/update", params=params, accept=set(range(400, 500)) - {429})
        body = answer.body.decode("utf-8", "replace").strip()
        if body.split()[:1] != ["OK"]:
            text = texts.DUCKDNS_KO if body.startswith("KO") else texts.DUCKDNS_MALFORMED
            raise self.error(text, zone=zone, status=answer.status, website=self.address)
