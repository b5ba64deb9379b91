"""ddnss.de (https://ddnss.de/info.php): one GET request; one TXT value for a domain and all names below it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostDriver, HostError, malformed

_DONE: Final = re.compile(r"Updated \d+ hostname")
_REASON: Final = re.compile(r"-\s*(bad\w+|not\w+|no\w+|\w*abuse|dnserr|911)\s*:\s*([^<\r\n]*)")
"""A reason on the page of an error: a word, and what it means."""
_CODES: Final = {"badauth": "provider-unauthorized", **dict.fromkeys(("nohost", "notfqdn"), "provider-zone-unknown")}


class DdnssDriver(HostDriver):
    """Writes the only TXT value of a domain. A second value replaces the first, so the caller writes one at a time."""

    address = "https://ddnss.de/upd.php"

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Set the value of the domain."""
        for record in records:
            self._update(host=zone, txtm="1", txt=record.value)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Clear the value of the domain once, because it has only one."""
        self._update(host=zone, txtm="2")

    def _update(self, **parameters: str) -> None:
        """Send a request, and read from its page whether it succeeded."""
        page = self.request("GET", params={"key": self.text("key"), **parameters}).body.decode("utf-8", "replace")
        if reasons := dict(_REASON.findall(page)):
            code = next((_CODES[word] for word in reasons if word in _CODES), "provider-refused")
            raise HostError("; ".join(f"{word}: {text.strip()}" for word, text in reasons.items()), code=code)
        if not _DONE.search(page):
            raise malformed("its page says neither that the host name was updated nor why not")
