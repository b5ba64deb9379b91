"""A self-hosted server with lego's protocol (https://go-acme.github.io/lego/dns/httpreq/)."""

from __future__ import annotations

from collections.abc import Sequence

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import WRONG_ADDRESS, HostDriver


class HttpreqDriver(HostDriver):
    """Sends each value to ``present`` and ``cleanup``. The server must keep other values of the name."""

    if_missing = WRONG_ADDRESS
    login = ("username", "password")

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Send each value to ``present``."""
        for record in records:
            self.request("POST", "/present", content={"fqdn": record.name, "value": record.value})

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Send each value to ``cleanup``."""
        for record in records:
            self.request("POST", "/cleanup", content={"fqdn": record.name, "value": record.value})
