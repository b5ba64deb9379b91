"""DuckDNS: one GET request; one TXT value for a domain and all names below it (https://www.duckdns.org/spec.jsp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from dnsrenew.base import names
from dnsrenew.drivers import texts
from dnsrenew.errors import ProviderError
from dnsrenew.http import HttpClient
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.model import TxtRecord

URL: Final = "https://www.duckdns.org/update"
CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0


class DuckDnsDriver:
    """Writes the one TXT value of a domain; a second value replaces the first, so the caller writes one at a time.

    The driver option ``url`` is the URL of the update service; default: that of DuckDNS.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._url = str(context.driver_options.get("url", URL))

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Set the value of the domain."""
        for record in records:
            self._update(record, txt=record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Clear the value of each domain once: it has only one."""
        for record in {record.zone: record for record in records}.values():
            # The service requires a value for clear too, and clears any value.
            self._update(record, txt=record.value, clear="true")

    def _update(self, record: TxtRecord, **parameters: str) -> None:
        self._context.check()
        domain = names.labels(record.zone)[0]
        token = self._context.options.get("token", "")
        secret = token.reveal() if isinstance(token, Secret) else token
        seconds = max(min(REQUEST_SECONDS, self._context.seconds_left()), 0.001)
        client = HttpClient()
        try:
            answer = client.request(
                "GET",
                self._url,
                params={"domains": domain, "token": secret.strip(), **parameters},
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )
        finally:
            client.close()
        body = answer.body.decode("utf-8", "replace").strip()
        if answer.status != 200 or body.split()[:1] != ["OK"]:
            raise self._refusal(names.relative(record.zone), answer.status, body)

    def _refusal(self, zone: str, status: int, body: str) -> ProviderError:
        evidence = {"account": self._context.account, "zone": zone, "status": status}
        if status == 429:
            return ProviderError.of(texts.DUCKDNS_RATE_LIMITED, **evidence)
        if status >= 500:
            return ProviderError.of(texts.DUCKDNS_SERVER_ERROR, **evidence)
        if body.startswith("KO"):
            return ProviderError.of(texts.DUCKDNS_KO, **evidence, website=urljoin(self._url, "/"))
        return ProviderError.of(texts.DUCKDNS_MALFORMED, **evidence)
