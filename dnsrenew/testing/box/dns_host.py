"""The API of the DNS host of a box: lego's httpreq protocol, for other processes and ``dnsrenew.toml``."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.small_server import BackgroundServer

TTL: Final = 1
"""In seconds. A second order for a name waits until no resolver of the CA can still have the value of the first."""


class BoxServer(BackgroundServer):
    """A server of a box."""

    poll = 0.02


class BoxHandler(BaseHTTPRequestHandler):
    """Answers a client of a box."""

    timeout = 60.0

    def body(self) -> bytes | None:
        """Return the body of the request; None if it is refused."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) <= 1 << 20:
            return self.rfile.read(int(length))
        self.close_connection = True
        self.send_error(413)
        return None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in http.server
        """Print nothing."""


class BoxDnsHost(BoxServer, ThreadingHTTPServer):
    """Writes values with a driver in memory, with :data:`TTL`."""

    def __init__(self, driver: InMemoryDriver) -> None:
        super().__init__(("127.0.0.1", 0), _DnsHostHandler)
        self.driver = driver
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class BoxDnsAccount(DnsAccount):
    """An account at the DNS host. It contains no secret, so it can be passed to another process as a whole."""

    def __init__(self, url: str) -> None:
        super().__init__("httpreq", name="box", ttl=TTL, api=url)

    def __reduce__(self) -> tuple[Any, ...]:
        return BoxDnsAccount, (self.options["api"],)


class _DnsHostHandler(BoxHandler):
    server: BoxDnsHost

    def do_POST(self) -> None:
        """Write or remove a value."""
        host = self.server
        change = {"/present": host.driver.add, "/cleanup": host.driver.remove}.get(self.path)
        if change is None:
            self.send_error(404)
        elif body := self.body():
            wanted = json.loads(body)
            zone = ".".join(wanted["fqdn"].split(".")[-3:])
            change([TxtRecord(zone, wanted["fqdn"], wanted["value"], TTL)])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()


# ── in memory ──────────────────────────────────────────────────────────────────────────

# A driver that needs no DNS host.


class InMemoryDriver:
    """A driver that writes into a dictionary, for tests and as an example."""

    __module__ = "dnsrenew.testing"

    values: dict[str, list[str]]
    """The values at each absolute name, in the order in which they were written."""

    def __init__(self, context: object = None) -> None:
        self.context = context
        self.values = {}
        self._ttls: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            for record in records:
                values = self.values.setdefault(record.name, [])
                if record.value not in values:
                    values.append(record.value)
                self._ttls[record.name] = record.ttl

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        with self._lock:
            for record in records:
                left = [value for value in self.values.pop(record.name, []) if value != record.value]
                if left:
                    self.values[record.name] = left

    def ttl(self, name: str) -> int | None:
        """Return the TTL last written at an absolute name; None if no value was written there."""
        with self._lock:
            return self._ttls.get(name)

    def look(self, name: str) -> set[str]:
        """Return the values at an absolute name: the ``look`` of :func:`check_driver`."""
        with self._lock:
            return set(self.values.get(name, []))
