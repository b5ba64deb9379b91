"""A running server: its context follows the store, renewals happen in the background, failures reach no handshake."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew import Certificate, Outcome, RenewalFailed, Renewer
from dnsrenew.base.clock import SystemClock
from dnsrenew.errors import StoreError
from dnsrenew.model import CA, CertificateSpec
from dnsrenew.runtime.context import Context
from dnsrenew.serving import served as module
from dnsrenew.serving.served import CertificateSource, Served
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.memory import host_config
from tests.kit.stores import DIRECTORY

SPEC = CertificateSpec(name="home", domains=("x.test",), identifiers=("x.test",), ca="lab")


class Host:
    """A store that other processes may write to, and one server.

    :ivar runs: how often the server has renewed.
    :ivar due: what the next outcome says of the next renewal.
    """

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder / "state")
        self.runs = 0
        self.due = SystemClock().now() + timedelta(days=1)
        self.on_run: Callable[[], object] = lambda: None
        config = host_config(self.store.path, [SPEC], {}, {"lab": CA(DIRECTORY)})
        self.renewer = Renewer(config)
        source = CertificateSource(
            ("home",), lambda _: [self.outcome()], self.renew, self.renewer.certificate, self.store.mark
        )
        self.served = Served(source, SystemClock())

    def keep(self) -> str:
        """Store a new certificate, as another process does; return its serial number."""
        pem, key, facts = issue(SPEC.identifiers, SystemClock().now() - timedelta(minutes=1))
        with self.store.lock("home", context=Context()):
            self.store.prove_writable("home")
            self.store.keep(SPEC, "lab", pem, key, facts, state=self.store.read_state("home"))
        return facts.serial

    def outcome(self) -> Outcome:
        """Return the outcome of a run."""
        return Outcome(name="home", status="not-due", reason=None, domains=SPEC.domains, next_renewal=self.due)

    def renew(self, _cancel: threading.Event) -> list[Outcome]:
        """Do what a run does in this test."""
        self.runs += 1
        self.on_run()
        return [self.outcome()]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host whose server looks at the store all the time."""
    monkeypatch.setattr(module, "_LOOK", 0.01)
    host = Host(tmp_path)
    yield host
    host.served.close()


def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_certificate_of_another_process_is_taken_up(host: Host) -> None:
    """Without a renewal of our own."""
    first = host.keep()
    with host.served as served:
        assert served.certificate.serial == first
        second = host.keep()
        until(lambda: served.certificate.serial == second)
        assert served.certificates["home"].serial == second
    assert host.runs == 0


def test_what_is_due_is_renewed(host: Host) -> None:
    """And served at once."""
    host.keep()
    host.due = SystemClock().now() - timedelta(seconds=1)
    serials: list[str] = []

    def renew() -> None:
        serials.append(host.keep())
        host.due = SystemClock().now() + timedelta(days=60)

    host.on_run = renew
    # The shortest time between two runs is a minute, so the first time is moved here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.renewal.next_run._SHORTEST", timedelta(0))
        with host.served as served:
            until(lambda: serials and served.certificate.serial == serials[0])
    assert host.runs == 1


def test_a_failure_in_the_background_is_logged(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The server goes on with what it has, and tries again later."""
    serial = host.keep()
    host.due = SystemClock().now() - timedelta(seconds=1)

    def fail() -> None:
        raise ZeroDivisionError

    host.on_run = fail
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.ERROR, "dnsrenew.serving"):
        patch.setattr("dnsrenew.renewal.next_run._SHORTEST", timedelta(0))
        with host.served as served:
            until(lambda: caplog.records)
            assert served.certificate.serial == serial
    assert host.runs == 1


def test_a_damaged_pair_in_the_store_is_not_served(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The old one stays, and a whole one is taken up afterwards."""
    first = host.keep()
    with host.served as served, caplog.at_level(logging.WARNING, "dnsrenew.serving"):
        other = host.store.path / "other.pem"
        with host.store.lock("home", context=Context()):  # as if somebody wrote into the store
            pem, _, facts = issue(SPEC.identifiers, SystemClock().now())
            wrong = issue(SPEC.identifiers, SystemClock().now())[1]
            host.store.keep(SPEC, "lab", pem, wrong, facts, state=host.store.read_state("home"))
        until(lambda: caplog.records)
        assert served.certificate.serial == first
        assert not other.exists()
        third = host.keep()
        until(lambda: served.certificate.serial == third)


def test_without_a_certificate_entering_raises(host: Host) -> None:
    """What stopped the renewal is the cause."""
    with pytest.raises((RenewalFailed, StoreError)):
        host.renewer.serve().__enter__()


def test_close_ends_the_thread(host: Host) -> None:
    """At once, although it sleeps."""
    host.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOOK", 60.0)
        with host.served:
            pass
    assert [thread.name for thread in threading.enumerate() if thread.name == "dnsrenew-serve"] == []


def test_a_held_version_is_not_pruned(host: Host) -> None:
    """The paths of a certificate lead somewhere as long as the value is used."""
    host.keep()
    certificate: Certificate = host.renewer.certificate("home")
    for _ in range(5):
        host.keep()
    assert certificate.fullchain_pem.startswith("-----BEGIN CERTIFICATE-----")
    folder = certificate.fullchain_path.parent
    del certificate
    host.keep()
    assert not folder.exists()


def test_a_version_of_a_dead_process_is_pruned(host: Host) -> None:
    """The lock ends with the process, however it ends."""
    host.keep()
    folder = host.store.path / "certificates" / "home" / "versions" / "1"
    code = (
        "import sys, time; from dnsrenew.store import version_holds; "
        "print(version_holds.hold(sys.argv[1]) is not None, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, env=os.environ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"True\n"
        for _ in range(4):
            host.keep()
        assert folder.exists()
        child.kill()
        child.wait()
    host.keep()
    assert not folder.exists()
