"""``before`` and ``after``: programs around a run that opens a port."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dnsrenew import Event, Outcome, Renewer, Route
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.dns import MemoryDns
from tests.kit.memory import Ports, host_config, in_memory

DIRECTORY = "https://ca.example.test/directory"
HTTP, DNS = Route("http-01", listen=":80"), Route("dns-01", dns="home")


class ServerPort(Ports):
    """Port 80 of a host: taken, unless the server was stopped.

    :param log: what the programs have written.
    """

    def __init__(self, log: Callable[[], list[str]]) -> None:
        super().__init__()
        self._log = log

    def check(self, listen: str) -> None:
        """Whether it can be had."""
        self.faults = {} if self._log()[-1:] == ["stop"] else {listen: "taken"}
        super().check(listen)


class Host:
    """A host whose port 80 belongs to a server, which two programs stop and start.

    :ivar log: what the programs have written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.driver = InMemoryDriver()
        self.ports = ServerPort(self.log)
        self.dns = MemoryDns({"home": self.driver})
        self.ca = AcmeServer(DIRECTORY, SystemClock(), self._validate)
        self.is_wrong = False
        self.events: list[Event] = []

    def log(self) -> list[str]:
        """Return what the programs have written."""
        file = self.folder / "log"
        return file.read_text().split() if file.exists() else []

    def program(self, word: str, more: str = "") -> tuple[str, ...]:
        """Return a program that writes a word."""
        code = f"import sys, time; open({str(self.folder / 'log')!r}, 'a').write('{word} '); {more}"
        return sys.executable, "-c", code

    def renew(
        self,
        *routes: Route,
        names: tuple[str, ...] = ("x",),
        programs: Mapping[str, tuple[str, ...]] | None = None,
        cancel: threading.Event | None = None,
    ) -> list[Outcome]:
        """Renew certificates that have the same routes and programs."""
        chosen = {"before": self.program("stop"), "after": self.program("start"), **(programs or {})}
        specs = [
            CertificateSpec(
                name=name,
                domains=(f"{name}.test",),
                identifiers=(f"{name}.test",),
                ca="lab",
                routes=routes,
                before=chosen["before"],
                after=chosen["after"],
            )
            for name in names
        ]
        config = host_config(self.folder / "state", specs, {"home": self.driver}, {"lab": CA(DIRECTORY)})
        return Renewer(config, on_event=self.events.append).renew(cancel=cancel)

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        if self.is_wrong:
            return UNAUTHORIZED
        if proof.challenge == "dns-01":
            return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED
        assert self.log()[-1] == "stop"  # the CA asks while the server is stopped
        return None if self.ports.contents.get(proof.token) == proof.expected.encode() else UNAUTHORIZED


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """One of them."""
    host = Host(tmp_path)
    with in_memory([host.ca], host.dns, host.ports):
        yield host


def test_they_run_around_the_use_of_the_port(host: Host) -> None:
    """The programs run once around a shared use of the port, and not if nothing is due."""
    assert [one.status for one in host.renew(HTTP, names=("x", "y", "z"))] == ["renewed"] * 3
    log = host.log()
    assert log in [["stop", "start"] * number for number in (1, 2, 3)]
    assert [one.status for one in host.renew(HTTP, names=("x", "y", "z"))] == ["not-due"] * 3
    assert host.log() == log


@pytest.mark.parametrize("route", [DNS, Route("http-01", webroot="WEBROOT")])
def test_they_do_not_run_without_a_port(host: Host, route: Route) -> None:
    """The programs do not run for a webroot or DNS route."""
    host.renew(route)
    assert host.log() == []


def test_after_runs_after_a_failure(host: Host) -> None:
    """`after` runs even if the validation fails."""
    host.is_wrong = True
    (outcome,) = host.renew(HTTP)
    assert outcome.status == "failed"
    assert host.log() == ["stop", "start"]


def test_a_before_that_fails_rules_the_route_out(host: Host) -> None:
    """If `before` fails, the route is ruled out without an order, `after` runs, and another route is used."""
    (outcome,) = host.renew(HTTP, DNS, programs={"before": host.program("stop", "sys.exit('no such unit')")})
    assert outcome.status == "renewed"
    first, second = outcome.attempts
    assert first.error is not None
    assert (first.orders, first.error.code, second.orders) == (0, "listen-before-failed", 1)
    assert "no such unit" in first.error.message
    assert host.log() == ["stop", "start"]


def test_an_after_that_fails_is_a_warning(host: Host) -> None:
    """A failing `after` program causes a warning. The certificate is renewed."""
    (outcome,) = host.renew(HTTP, programs={"after": host.program("start", "sys.exit(1)")})
    assert outcome.status == "renewed"
    assert [notice.code for notice in outcome.warnings] == ["listen-after-failed"]


def test_after_runs_after_a_cancel(host: Host) -> None:
    """After a cancel ``before`` is killed and ``after`` runs."""
    cancel = threading.Event()

    def stop_when_it_runs() -> None:
        while not host.log():
            cancel.wait(0.01)
        cancel.set()

    threading.Thread(target=stop_when_it_runs).start()
    (outcome,) = host.renew(HTTP, programs={"before": host.program("stop", "time.sleep(60)")}, cancel=cancel)
    assert outcome.status == "interrupted"
    assert host.log() == ["stop", "start"]
