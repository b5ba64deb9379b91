"""A server of one's own that speaks lego's protocol (https://go-acme.github.io/lego/dns/httpreq/)."""

from __future__ import annotations

from collections.abc import Sequence

from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import ServerApi
from dnsrenew.extensions.hosts.record_driver import HostDriver


class HttpreqDriver(HostDriver):
    """Sends each value to ``present`` and ``cleanup``; the server has to keep the other values of the name."""

    api_class = ServerApi
    login = ("username", "password")

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Send each value to ``present``."""
        self._send("/present", records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Send each value to ``cleanup``."""
        self._send("/cleanup", records)

    def _send(self, path: str, records: Sequence[TxtRecord]) -> None:
        with self.connect() as api:
            for record in records:
                api.request("POST", path, content={"fqdn": record.name, "value": record.value})
