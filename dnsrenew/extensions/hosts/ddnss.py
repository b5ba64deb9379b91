"""ddnss.de (https://ddnss.de/info.php): one GET request; one TXT value for a domain and all names below it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, malformed
from dnsrenew.extensions.hosts.record_driver import HostDriver

_DONE: Final = re.compile(r"Updated \d+ hostname")
_REASON: Final = re.compile(r"-\s*(bad\w+|not\w+|no\w+|\w*abuse|dnserr|911)\s*:\s*([^<\r\n]*)")
"""A reason on the page of an error: a word, and what it means."""
_CODES: Final = {"badauth": "provider-unauthorized", **dict.fromkeys(("nohost", "notfqdn"), "provider-zone-unknown")}


class DdnssDriver(HostDriver):
    """Writes the one TXT value of a domain; a second value replaces the first, so the caller writes one at a time."""

    address = "https://ddnss.de/upd.php"

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Set the value of the domain."""
        self._update([{"host": names.relative(each.zone), "txtm": "1", "txt": each.value} for each in records])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Clear the value of each domain once: it has only one."""
        domains = sorted({names.relative(each.zone) for each in records})
        self._update([{"host": domain, "txtm": "2"} for domain in domains])

    def _update(self, wanted: Sequence[dict[str, str]]) -> None:
        with self.connect() as api:
            for parameters in wanted:
                page = api.request("GET", params={"key": self.context.text("key"), **parameters})
                _check(page.body.decode("utf-8", "replace"))


def _check(page: str) -> None:
    """Tell by the page whether a request was done."""
    reasons = dict(_REASON.findall(page))
    if reasons:
        code = next((_CODES[word] for word in reasons if word in _CODES), "provider-refused")
        raise HostError("; ".join(f"{word}: {text.strip()}" for word, text in reasons.items()), code=code)
    if not _DONE.search(page):
        raise malformed("its page says neither that the host name was updated nor why not")
