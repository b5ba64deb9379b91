"""DuckDNS: one GET request; one TXT value for a domain and all names below it (https://www.duckdns.org/spec.jsp)."""

from __future__ import annotations

from collections.abc import Sequence

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostApi
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import HostDriver


class DuckDnsDriver(HostDriver):
    """Writes the one TXT value of a domain; a second value replaces the first, so the caller writes one at a time."""

    address = "https://www.duckdns.org"

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Set the value of the domain."""
        with self.connect() as api:
            for record in records:
                self._update(api, record, txt=record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Clear the value of each domain once: it has only one."""
        with self.connect() as api:
            for record in {record.zone: record for record in records}.values():
                # The service requires a value for clear too, and clears any value.
                self._update(api, record, txt=record.value, clear="true")

    def _update(self, api: HostApi, record: TxtRecord, **parameters: str) -> None:
        domain, token = names.labels(record.zone)[0], self.context.text("token")
        params = {"domains": domain, "token": token, **parameters}
        # Any other error is a page of something in between, such as the login page of a hotel.
        answer = api.request("GET", "/update", params=params, accept=set(range(400, 500)) - {429})
        body = answer.body.decode("utf-8", "replace").strip()
        if body.split()[:1] == ["OK"]:
            return
        evidence = {"account": self.context.account, "zone": names.relative(record.zone), "status": answer.status}
        evidence["website"] = api.address
        if body.startswith("KO"):
            raise ProviderError.of(texts.DUCKDNS_KO, **evidence)
        raise ProviderError.of(texts.DUCKDNS_MALFORMED, **evidence)
