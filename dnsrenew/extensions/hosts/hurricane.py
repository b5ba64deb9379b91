"""Hurricane Electric's dynamic TXT records (https://dns.he.net, "Dynamic DNS"): a key of its own for each name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, malformed, pairs
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import HostDriver

_CODES: Final = {
    "abuse": "provider-rate-limited",
    "badagent": "provider-refused",
    "badauth": "provider-unauthorized",
    "interval": "provider-rate-limited",
    "nohost": "provider-unauthorized",
    "notfqdn": "provider-refused",
}
"""The codes of errors by the first word of an answer."""


class HurricaneDriver(HostDriver):
    """Sets the value of a record that exists, with the key of that record; it can do nothing else in the zone."""

    address = "https://dyn.dns.he.net/nic/update"

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Set the value of each name."""
        self._update({(names.relative(record.name), record.value) for record in records})

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Replace the value of each name by a dot: the record itself stays, and a value cannot be empty."""
        self._update({(names.relative(record.name), ".") for record in records})

    def _update(self, wanted: set[tuple[str, str]]) -> None:
        tokens = self.context.text("tokens")
        keys = {names.relative(name).lower(): key for name, key in pairs(tokens).items()}
        with self.connect() as api:
            for name, value in sorted(wanted):
                key = (keys.get(name) or keys.get(name.removeprefix("_acme-challenge."))) if ":" in tokens else tokens
                if not key:
                    raise ProviderError.of(texts.HURRICANE_NO_KEY, account=self.context.account, name=name)
                form = {"hostname": name, "password": key, "txt": value}
                _check(api.request("POST", form=form).body.decode("utf-8", "replace"), name)


def _check(answer: str, name: str) -> None:
    word = answer.strip().partition(" ")[0]
    if word in {"good", "nochg"}:
        return
    if word not in _CODES:
        raise malformed("its answer is none of those of the dynamic DNS protocol")
    raise HostError(f"{word} ({name})", code=_CODES[word])
