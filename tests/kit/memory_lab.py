"""The lab in memory: what ``tests.lab`` has in servers on loopback, for whole runs that need no real one.

A :class:`MemoryLab` offers the part of :class:`tests.lab.Lab` that tests of whole runs use, so that such a test says
the same with either: CAs behind proxies with hooks, a zone that a TSIG key may change, and a configuration of them. All
of dnsrenew is real, down to its HTTP client, its DNS view and the driver; http-01 uses real ports.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from unittest import mock
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from dnsrenew import Renewer
from dnsrenew.base.http import HttpFailure
from dnsrenew.base.http import Response as HttpResponse
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import replace
from dnsrenew.drivers import loading
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ProviderError
from dnsrenew.schedule.machine import this_machine
from dnsrenew.testing.box.order_server import BoxValidation, Proof, Validate
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import AcmeServer
from tests.kit.clock import FakeClock
from tests.kit.config_files import ROOTS
from tests.kit.dns import Host, MemoryDns
from tests.kit.memory import threads_at_once
from tests.kit.program import WorkspaceHere
from tests.kit.renew_stage import Settings, Stage
from tests.lab import DROP, AcmeProxy, Lab, Request, Response, TsigKey

SERVER: Final = "127.0.0.1:53"


class MemoryCa(AcmeProxy):
    """A CA with the hooks of a proxy before Pebble. It has no socket: requests are passed to :meth:`handle`."""

    def __init__(self, server: AcmeServer) -> None:
        self.server = server
        super().__init__(None, None)  # type: ignore[arg-type]  # there is no Pebble behind it

    def __post_init__(self) -> None:
        """Open no port."""
        self._lock, self._numbers = threading.Lock(), Counter()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return self.server.base

    def start(self) -> Self:
        """Do nothing."""
        return self

    def stop(self) -> None:
        """Do nothing."""

    def _ask_upstream(self, request: Request) -> Response:
        response = self.server.response(request)
        return response.with_header("Replay-Nonce", self.server.nonce())


class MemoryUpdates:
    """The driver of RFC 2136 with the servers of the lab: a key changes the zones that are its own.

    :param lab: has the values.
    """

    def __init__(self, lab: MemoryLab, context: DriverContext) -> None:
        self._lab = lab
        self._account, self._options = context.account, context.options

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        self._refuse(records)
        self._lab.host.add(records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        self._refuse(records)
        self._lab.host.remove(records)

    def _refuse(self, records: Sequence[TxtRecord]) -> None:
        if self._options["server"] != SERVER:
            raise ConnectionRefusedError
        name, secret = self._options["tsig_name"], self._options["tsig_secret"].reveal()
        key = next((key for key in self._lab.keys if (key.name, key.secret) == (name, secret)), None)
        if key is None or any(record.zone.rstrip(".") not in self._lab.keys[key] for record in records):
            message = f"{SERVER} refuses the update of the account {self._account}."
            raise ProviderError("provider-refused", message, fix="Look at its log.")


class MemoryLab:
    """A lab of one CA and one DNS server, and further CAs.

    :ivar clock: runs only during waits; it starts now.
    :ivar host: has the TXT values.
    :ivar keys: the zones that each key may change.
    :ivar validate: what a CA sees of a proof; a test may replace it.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(datetime.now(UTC))
        self.host = Host()
        self.key, self.other_key = TsigKey("home"), TsigKey("other")
        self.keys = {self.key: ["example.test"], self.other_key: ["other.test"]}
        self.dns = MemoryDns({"home": self.host}, zones=("example.test", "other.test"))
        self.folder = folder
        self.ca = self  # has trust_pem
        self.trust_pem = folder / "trust.pem"
        self.trust_pem.write_text(ROOTS)
        self.dns_server, self.nameserver, self.port = SERVER, SERVER, 53
        self.http_port = self.reserve()
        self.validate: Validate = BoxValidation(self.host.look, self.http_port).validate
        self._cas: dict[str, MemoryCa] = {}
        self._numbers = itertools.count(1)
        self.pebble = self  # has http_port and directory_url
        self.directory_url = self._ca().directory_url

    def config(self, changes: Mapping[str, Any] | None = None) -> Settings:
        """Return the configuration, with changes as those of ``Lab.config``."""
        return Lab.config(self, changes)  # type: ignore[arg-type]  # it has what that needs

    def account(self, key: TsigKey, *zones: str) -> Settings:
        """Return the block of a DNS account."""
        return Lab.account(self, key, *zones)  # type: ignore[arg-type]  # the same

    def add_zone(self, name: str, _records: str = "", **_: Any) -> None:
        """Add a zone that the key of the lab may change; every name has the address of this machine."""
        self.keys[self.key].append(name)
        self.dns.zones = (*self.dns.zones, name)

    def reserve(self) -> int:
        """Return a port at which nothing listens."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return int(listening.getsockname()[1])

    def txt(self, name: str, _server: str = "") -> set[str]:
        """Return the TXT values at a name."""
        return self.host.look(f"{name}.")

    def flush(self) -> None:
        """Do nothing: the CAs remember no answer."""

    def set_caa(self, name: str, *records: str) -> None:
        """Replace the CAA records of a name, as in a zone file."""
        self.dns.caa_records = {**self.dns.caa_records, name: records}

    @contextlib.contextmanager
    def another_pebble(self, *, authz_reuse: int = 0) -> Iterator[MemoryCa]:
        """A CA of its own.

        :param authz_reuse: per cent of the valid authorizations that the next order of the account uses.
        """
        with self._ca(authorization_reuse=timedelta(days=1000 if authz_reuse == 100 else 0)) as made:
            yield made

    @contextlib.contextmanager
    def acme_proxy(
        self,
        on_request: Callable[[Request], Response | None] | None = None,
        on_response: Callable[[Request, Response], Response] | None = None,
        *,
        pebble: MemoryCa | None = None,
    ) -> Iterator[MemoryCa]:
        """A CA with these hooks; it can be reached until the block ends."""
        made = pebble or self._ca()
        made.on_request, made.on_response = on_request, on_response
        with made:
            yield made
        del self._cas[urlsplit(made.url).netloc]

    def _ca(self, **options: Any) -> MemoryCa:
        number = next(self._numbers)
        meta = {"termsOfService": f"https://ca-{number}.test/terms"}
        server = AcmeServer(
            f"https://ca-{number}.test/dir", self.clock, self._validate, name=f"Pebble {number}", meta=meta, **options
        )
        made = self._cas[f"ca-{number}.test"] = MemoryCa(server)
        return made

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        return self.validate(proof)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Let all runs in this process use this lab; a thread's work is done where it is started.

        No schedule is on the machine and no plug-in is installed: to look for both takes longer than a run.
        """
        real = loading._driver_class
        updates = functools.partial(MemoryUpdates, self)
        root = self.folder / "machine"
        machine = replace(this_machine(), root=root, home=root / "home", output=lambda *_, **__: "")
        with (
            mock.patch("dnsrenew.schedule.machine.this_machine", return_value=machine),
            mock.patch("dnsrenew.drivers.catalogue.plug_ins", return_value=()),
            mock.patch("dnsrenew.base.http.HttpClient", return_value=self),
            mock.patch("dnsrenew.renewal.services.HttpClient", return_value=self),
            mock.patch("dnsrenew.renewal.services.DnsView", return_value=self.dns),
            mock.patch("dnsrenew.extensions.doctor.after_failure.explain"),  # it looks at the real network
            mock.patch.object(loading, "_driver_class", lambda name: updates if name == "rfc2136" else real(name)),
            threads_at_once(),
        ):
            yield

    # ── the HTTP client ─────────────────────────────────────────────────────────────────

    def request(self, method: str, url: str, *, data: bytes | None = None, **more: Any) -> HttpResponse:
        """Answer a request of a run.

        :raises HttpFailure: no CA is there, or a hook drops the answer.
        """
        parts = urlsplit(url)
        ca = self._cas.get(parts.netloc)
        if ca is None:
            raise HttpFailure("connect", "the connection was refused")
        _, response = ca.handle(method, parts.path, more.get("headers") or {}, data or b"")
        if response is DROP:
            raise HttpFailure("connect", "the connection was closed")
        return HttpResponse(response.status, CaseInsensitiveDict(dict(response.headers)), response.body, url)

    def proxy_for(self, url: str) -> str | None:
        """There is no proxy."""

    def close(self) -> None:
        """Do nothing: there are no connections."""


class MemoryWorkspace(WorkspaceHere):
    """A workspace whose commands run with the lab in memory and its clock."""

    lab: MemoryLab  # type: ignore[assignment]  # it has the part of Lab that a workspace uses

    def __init__(self, lab: MemoryLab, path: Path) -> None:
        super().__init__(lab, path)  # type: ignore[arg-type]  # the same

    def run(
        self, *arguments: str, timeout: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``dnsrenew ARGUMENTS`` in this folder."""
        clock = mock.Mock(return_value=self.lab.clock)
        with (
            mock.patch("dnsrenew.cli.invocation.SystemClock", clock),
            mock.patch("dnsrenew.renewer.SystemClock", clock),
        ):
            return super().run(*arguments, timeout=timeout, env=env)


class MemoryStage(Stage):
    """The library in a workspace of the lab in memory; ``later`` is the time since the test began."""

    lab: MemoryLab  # type: ignore[assignment]  # it has the part of Lab that a stage uses

    def renewer(self, changes: Settings | None = None, later: timedelta = timedelta()) -> Renewer:
        """Return a renewer; ``later`` moves the date, that of the CAs too."""
        clock = self.lab.clock
        clock.elapsed = later.total_seconds()
        return Renewer(self.config(changes), on_event=self._heard, clock=clock)
