"""do.de, Domain-Offensive (https://www.do.de/wiki/freie-ssl-tls-zertifikate-ueber-acme/): a request for each value."""

from __future__ import annotations

from collections.abc import Sequence

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostDriver, malformed, pick, refusal
from dnsrenew.extensions.hosts import texts


class DodeDriver(HostDriver):
    """Writes one TXT value at a name. It cannot be read, and all values of a name are removed together.

    The last value that this run wrote at a name is remembered, so that another value is not removed by mistake.
    """

    address = "https://my.do.de/api"

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        for record in records:
            self.context.remembered[names.relative(record.name)] = record.value
            self._change(zone, names.relative(record.name), value=record.value)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Clear each name once, unless it has another value."""
        remembered = self.context.remembered
        for record in records:
            name = names.relative(record.name)
            if remembered.get(name, record.value) == record.value:  # of an interrupted run, if this one wrote nothing
                self._change(zone, name, action="delete")
                remembered[name] = None

    def _change(self, zone: str, name: str, **parameters: str) -> None:
        params = {"token": self.text("token"), "domain": name, **parameters}
        response = self.request("GET", "/letsencrypt", params=params, accept=set(range(400, 500)) - {429})
        answer = response.fields()
        if "success" not in answer:
            raise refusal(response) if response.status >= 400 else malformed("it does not say whether it succeeded")
        if not pick(answer, "success", kind=bool):
            raise self.error(texts.DODE_REFUSED, name=name, zone=zone)
