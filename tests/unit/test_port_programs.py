"""``before`` and ``after``: programs around a run that opens a port."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, Event, Outcome, Renewer, Route
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import FolderStore
from dnsrenew.store.records import Debts
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.dns import MemoryDns
from tests.kit.memory import Ports, host_config, in_memory
from tests.kit.users import NOBODY, as_root

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
        return self.renewer([self.spec(name, *routes, **chosen) for name in names]).renew(cancel=cancel)

    def spec(self, name: str, *routes: Route, **more: Any) -> CertificateSpec:
        """Return a certificate."""
        domain = f"{name}.test"
        return CertificateSpec(name=name, domains=(domain,), identifiers=(domain,), ca="lab", routes=routes, **more)

    def renewer(self, specs: Sequence[CertificateSpec]) -> Renewer:
        """Return a renewer of these certificates."""
        config = host_config(self.folder / "state", specs, {"home": self.driver}, {"lab": CA(DIRECTORY)})
        return Renewer(config, on_event=self.events.append)

    def deploys(self, word: str) -> Callable[[Certificate], object]:
        """Return a deployment that writes a word; it needs the server."""

        def deploy(_: Certificate) -> None:
            assert self.log()[-1:] != ["stop"]
            with (self.folder / "log").open("a") as log:
                log.write(f"{word} ")

        return deploy

    def owes(self, certificate: str, program: Sequence[str]) -> Debts:
        """Write down that a killed run owes a program."""
        debts = FolderStore(self.folder / "state").debts
        with debts.using_port(Context(), 0):
            debts.note(Context(certificate=certificate), program)
        return debts

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


# ── one certificate never breaks another ────────────────────────────────────────────────


def test_the_others_are_validated_and_deployed_first(host: Host) -> None:
    """A certificate with `before` and `after` comes last, and no deployment of any runs while the server is stopped."""
    stops = {"before": host.program("stop"), "after": host.program("start")}
    specs = [
        host.spec("a", HTTP, **stops, deploy=(host.deploys("deploy-a"),)),
        host.spec("b", DNS, deploy=(host.deploys("deploy-b"),)),
        host.spec("c", HTTP, **stops, deploy=(host.deploys("deploy-c"),)),
        host.spec("d", DNS, deploy=(host.deploys("deploy-d"),)),
    ]
    outcomes = host.renewer(specs).renew()
    assert [(one.name, one.status, [result.ok for result in one.deployed]) for one in outcomes] == [
        (name, "renewed", [True]) for name in "abcd"
    ]
    log = host.log()
    assert set(log[:2]) == {"deploy-b", "deploy-d"}
    assert set(log[2:-2]) == {"stop", "start"}
    assert set(log[-2:]) == {"deploy-a", "deploy-c"}


def test_certificates_with_other_programs_take_turns(host: Host) -> None:
    """Two certificates with different programs do not stop their servers at the same time."""
    other = {"before": host.program("stop", "1"), "after": host.program("start", "1")}
    specs = [
        host.spec("a", HTTP, before=host.program("stop"), after=host.program("start")),
        host.spec("b", HTTP, **other),
    ]
    assert [one.status for one in host.renewer(specs).renew()] == ["renewed"] * 2
    assert host.log() == ["stop", "start"] * 2


def test_another_run_uses_the_port(host: Host) -> None:
    """While another run of the store uses a port, nothing is stopped, and the certificate is locked."""
    with FolderStore(host.folder / "state").debts.using_port(Context(), 0):
        (outcome,) = host.renew(HTTP)
    assert (outcome.status, host.log()) == ("locked", [])


# ── debts ───────────────────────────────────────────────────────────────────────────────


def test_what_is_owed_is_on_disk_before_the_server_is_stopped(host: Host) -> None:
    """`after` is in the journal while `before` runs, and gone when it has run."""
    journal = host.folder / "state" / "journal"
    look = f"import glob; assert glob.glob({str(journal / '*.after')!r})"
    (outcome,) = host.renew(HTTP, programs={"before": host.program("stop", look)})
    assert (outcome.status, outcome.warnings) == ("renewed", ())
    assert list(journal.glob("*.after")) == []


def test_the_next_run_pays_first(host: Host) -> None:
    """A run pays what a killed one owes before it stops the server itself; the program is as it was."""
    host.owes("x", host.program("start", "'as it was'"))
    outcomes = host.renew(HTTP)
    assert [[notice.code for notice in one.warnings] for one in outcomes] == [["listen-after-owed"]]
    assert host.log() == ["start", "stop", "start"]
    assert host.renew(HTTP)[0].warnings == ()


def test_a_debt_that_cannot_be_paid_is_told_at_every_run(host: Host) -> None:
    """If the program fails again, each run warns and tries it once more, until it succeeds."""
    file = host.folder / "mended"
    debts = host.owes("x", host.program("start", f"open({str(file)!r})"))
    host.renew(DNS)
    for _ in range(2):
        (outcome,) = host.renew(DNS)
        assert [notice.code for notice in outcome.warnings] == ["listen-after-failed"]
        assert len(debts.owed()) == 1
    file.touch()
    (outcome,) = host.renew(DNS)
    assert [notice.code for notice in outcome.warnings] == ["listen-after-owed"]
    assert debts.owed() == []


def test_an_after_that_fails_is_owed(host: Host) -> None:
    """If `after` fails in its own run, the next run tries it again."""
    host.renew(HTTP, programs={"after": host.program("start", "sys.exit(1)")})
    (debt,) = FolderStore(host.folder / "state").debts.owed()
    assert debt.certificate == "x"


def test_a_program_that_others_can_change_is_not_run(host: Host) -> None:
    """A program that others can change by now is not run. The warning names the part of its path."""
    place = host.folder / "open"
    place.mkdir()
    script = place / "start"
    script.write_text(f"#!/bin/sh\ntouch {host.folder}/run\n")
    script.chmod(0o755)
    place.chmod(0o777)
    debts = host.owes("x", [str(script)])
    (outcome,) = host.renew(DNS)
    (notice,) = outcome.warnings
    assert (notice.code, str(place) in notice.message) == ("listen-after-failed", True)
    assert not (host.folder / "run").exists()
    assert len(debts.owed()) == 1


@as_root
def test_a_program_that_another_user_wrote_down_is_not_run(host: Host) -> None:
    """Root runs no words of the journal that a user could have written; it says which file that is."""
    debts = host.owes("x", host.program("start"))
    (file,) = (host.folder / "state" / "journal").glob("*.after")
    os.chown(file, NOBODY, NOBODY)
    (outcome,) = host.renew(DNS)
    (notice,) = outcome.warnings
    assert (notice.code, str(file) in notice.message) == ("store-not-private", True)
    assert (host.log(), len(debts.owed())) == ([], 1)


def test_status_and_cleanup_know_of_it(host: Host) -> None:
    """`status` says what is owed, also for a certificate that is not configured any more; `cleanup` pays it."""
    host.renew(DNS)
    for name in ("x", "gone"):
        host.owes(name, host.program("start"))
        renewer = host.renewer([host.spec("x", DNS)])
        (found,) = renewer.status()
        assert (found.after_owed, [notice.code for notice in found.warnings]) == (True, ["listen-after-owed"])
        assert renewer.cleanup().owed == ()
        assert not renewer.status()[0].after_owed
    assert host.log() == ["start", "start"]


def test_cleanup_says_what_it_could_not_pay(host: Host) -> None:
    """`cleanup` returns the program that failed again."""
    program = host.program("start", "sys.exit(1)")
    host.owes("x", program)
    found = host.renewer([host.spec("x", DNS)]).cleanup()
    assert found.owed == (program,)
    assert found.to_dict()["owed"] == [list(program)]


def test_what_is_owed_is_told_where_the_store_cannot_be_written(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only disk no lock can be taken, so the program does not run: each run and `cleanup` say so."""
    program = host.program("start")
    host.owes("x", program)
    host.renew(DNS)

    def read_only(*_: object) -> None:
        raise StoreError("store-read-only", "state is read-only.", fix="")

    host.owes("x", program)
    monkeypatch.setattr(Debts, "using_port", read_only)
    (outcome,) = host.renew(DNS)
    assert [(notice.code, "is read-only" in notice.message) for notice in outcome.warnings] == [
        ("listen-after-failed", True)
    ]
    assert host.renewer([host.spec("x", DNS)]).cleanup().owed == (program,)
    assert host.log() == ["start"]


@pytest.mark.parametrize("content", [b"", b'{"schema": 99}'], ids=["damaged", "of a newer version"])
def test_what_is_owed_and_cannot_be_read_is_named(host: Host, content: bytes) -> None:
    """A file that may name a program, and cannot be read, is named by each run, by `status` and by `cleanup`."""
    host.renew(DNS)
    host.owes("x", host.program("start"))
    (file,) = (host.folder / "state" / "journal").glob("*.after")
    file.write_bytes(content)
    renewer = host.renewer([host.spec("x", DNS)])
    for warnings in (renewer.renew()[0].warnings, renewer.status()[0].warnings):
        assert [(notice.code, str(file) in notice.message) for notice in warnings] == [("store-damaged", True)]
    assert renewer.cleanup().unreadable == (str(file),)
    assert file.exists()
