"""Hurricane Electric's dynamic TXT records (https://dns.he.net, "Dynamic DNS"), with a separate key for each name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostDriver, HostError, malformed, pairs
from dnsrenew.extensions.hosts import texts

_CODES: Final = {
    **dict.fromkeys(("abuse", "interval"), "provider-rate-limited"),
    **dict.fromkeys(("badauth", "nohost"), "provider-unauthorized"),
    **dict.fromkeys(("badagent", "notfqdn"), "provider-refused"),
}
"""The codes of errors by the first word of an answer."""


class HurricaneDriver(HostDriver):
    """Sets the value of an existing record with its key, which allows nothing else in the zone."""

    address = "https://dyn.dns.he.net/nic/update"

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Set the value of each name."""
        self._update({(names.relative(record.name), record.value) for record in records})

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Replace the value of each name by a dot, because the record stays and a value cannot be empty."""
        self._update({(names.relative(record.name), ".") for record in records})

    def _update(self, wanted: set[tuple[str, str]]) -> None:
        tokens = self.text("tokens")
        keys = {names.relative(name).lower(): key for name, key in pairs(tokens).items()}
        for name, value in sorted(wanted):
            key = (keys.get(name) or keys.get(name.removeprefix("_acme-challenge."))) if ":" in tokens else tokens
            if not key:
                raise self.error(texts.HURRICANE_NO_KEY, name=name)
            answer = self.request("POST", form={"hostname": name, "password": key, "txt": value})
            word = answer.body.decode("utf-8", "replace").strip().partition(" ")[0]
            if word in _CODES:
                raise HostError(f"{word} ({name})", code=_CODES[word])
            if word not in {"good", "nochg"}:
                raise malformed("its answer is none of those of the dynamic DNS protocol")
