"""DuckDNS: one GET; one TXT value for a domain and for every name below it (https://www.duckdns.org/spec.jsp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from dnsrenew.base import names
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
    """The host keeps one value, and a second one replaces it: the caller writes one at a time.

    The driver option ``url`` is the address of the update service; default: DuckDNS itself.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._url = str(context.driver_options.get("url", URL))

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Set the domain's value."""
        for record in records:
            self._update(record, txt=record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Clear the domain's value; once for each domain, for there is but one."""
        for record in {record.zone: record for record in records}.values():
            # The service wants a value even where it clears, and clears whatever stands.
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
        said = answer.body.decode("utf-8", "replace").strip()
        if answer.status != 200 or said.split()[:1] != ["OK"]:
            raise self._refusal(names.relative(record.zone), answer.status, said)

    def _refusal(self, zone: str, status: int, said: str) -> ProviderError:
        account = self._context.account
        evidence = {"account": account, "zone": zone, "status": status}
        if status == 429 or status >= 500:
            return ProviderError(
                "provider-rate-limited" if status == 429 else "provider-server-error",
                f"DuckDNS (account {account}) could not take the value (HTTP {status}).",
                fix="Try again later.",
                evidence=evidence,
            )
        if said.startswith("KO"):
            return ProviderError(
                "provider-unauthorized",
                f"DuckDNS (account {account}) answered KO: the token is wrong, or {zone} is not in its account.",
                fix=f"Copy the token from {urljoin(self._url, '/')}, logged in as the owner of {zone}.",
                evidence=evidence,
            )
        return ProviderError(
            "provider-malformed-answer",
            f"DuckDNS (account {account}) answered neither OK nor KO (HTTP {status}).",
            fix="Try again later; see whether a proxy answers in its place.",
            evidence=evidence,
        )
