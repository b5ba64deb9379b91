"""A running server: its context follows the store, renewals run in the background, failures affect no handshake."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew import Certificate, RenewalFailed, Renewer
from dnsrenew.base.clock import SystemClock
from dnsrenew.errors import StoreError
from dnsrenew.serving import follower as module
from tests.kit.certificates import issue
from tests.kit.folders import here
from tests.kit.memory_lab import MemoryStage, MemoryWorkspace
from tests.kit.program import named_in
from tests.kit.served_host import OTHER, SPEC, ServedHost


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedHost]:
    """A host whose server polls the store continuously."""
    monkeypatch.setattr(module, "CHECK_EVERY", 0.01)
    host = ServedHost(tmp_path)
    yield host
    host.served.close()


def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_certificate_of_another_process_is_taken_up(host: ServedHost) -> None:
    """A certificate stored by another process is served without a renewal."""
    first = host.keep()
    with host.served as served:
        assert served.certificate.serial == first
        second = host.keep()
        until(lambda: served.certificate.serial == second)
        assert served.certificates["home"].serial == second
    assert host.runs == 0


def test_what_is_due_is_renewed(host: ServedHost) -> None:
    """A due certificate is renewed and served at once."""
    host.keep()
    host.due = SystemClock().now() - timedelta(seconds=1)
    serials: list[str] = []

    def renew() -> None:
        serials.append(host.keep())
        host.due = SystemClock().now() + timedelta(days=60)

    host.on_run = renew
    # The shortest time between two runs is a minute, so the first time is moved here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.renewal.batch._SHORTEST", timedelta(0))
        with host.served as served:
            until(lambda: serials and served.certificate.serial == serials[0])
    assert host.runs == 1


def test_what_becomes_due_soon_after_entering_is_renewed_then(host: ServedHost) -> None:
    """A renewal time that is still to come is kept, also of a certificate that is valid for seconds."""
    host.keep()
    host.due = SystemClock().now() + timedelta(milliseconds=50)
    host.on_run = lambda: setattr(host, "due", SystemClock().now() + timedelta(days=60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.renewal.batch._SOONEST", timedelta(0))
        patch.setattr(module, "CHECK_EVERY", 0.01)
        with host.served:
            until(lambda: host.runs)
    assert host.runs == 1


def test_a_failure_in_the_background_is_logged(host: ServedHost, caplog: pytest.LogCaptureFixture) -> None:
    """The failure is logged, and the current certificate stays in use."""
    serial = host.keep()
    host.due = SystemClock().now() - timedelta(seconds=1)

    def fail() -> None:
        raise ZeroDivisionError

    host.on_run = fail
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING, "dnsrenew"):
        patch.setattr("dnsrenew.renewal.batch._SHORTEST", timedelta(0))
        with host.served as served:
            until(lambda: caplog.records)
            assert served.certificate.serial == serial
    assert host.runs == 1
    assert host.warnings() == ["serve-failed"]
    assert "ZeroDivisionError" in caplog.text


def test_a_damaged_pair_in_the_store_is_not_served(host: ServedHost) -> None:
    """A damaged pair is not served, and the old one stays.

    Other certificates and a later valid pair are served. There is one warning.
    """
    first = host.keep()
    host.keep(OTHER)
    wrong = issue(SPEC.identifiers, SystemClock().now())[1]
    with host.serve("home", "other") as served:
        host.keep(key=wrong)
        until(host.warnings)
        second = host.keep(OTHER)
        until(lambda: served.certificates["other"].serial == second)
        assert served.certificates["home"].serial == first
        third = host.keep()
        until(lambda: served.certificates["home"].serial == third)
    assert host.warnings() == ["serve-kept"]


def test_the_command_for_a_damaged_pair_helps(workspace: MemoryWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that the warning names, typed as it stands, obtains a pair that the server takes up."""
    monkeypatch.setattr(module, "CHECK_EVERY", 0.01)
    stage, wrong = MemoryStage(workspace), issue(SPEC.identifiers, SystemClock().now())[1]
    stage.renewed()
    folder = workspace.store / "certificates/home"
    with Renewer(stage.config(), on_event=stage._heard).serve("home") as served:
        first = served.certificate.serial
        (folder / "current/privkey.pem").write_bytes(wrong)
        os.utime(folder / "state.json")
        until(lambda: "warning" in stage.kinds())
        (warning,) = stage.event_data("warning")
        assert (warning["code"], served.certificate.serial) == ("serve-kept", first)
        assert workspace.run(*named_in(warning["fix"], "renew --force {name}").split()).returncode == 0
        until(lambda: served.certificate.serial != first)


def test_a_long_renewal_holds_nothing_up(host: ServedHost) -> None:
    """A certificate that is stored during a long renewal is served at once."""
    host.keep()
    host.due = SystemClock().now() - timedelta(seconds=1)
    go_on = threading.Event()
    host.on_run = lambda: go_on.wait(20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.renewal.batch._SHORTEST", timedelta(0))
        with host.served as served:
            until(lambda: host.runs)
            serial = host.keep()
            until(lambda: served.certificate.serial == serial)
            assert not go_on.is_set()
            host.due = SystemClock().now() + timedelta(days=60)
            go_on.set()
    assert host.runs == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_follows(host: ServedHost) -> None:
    """A forked process follows the store, although the threads of its parent do not survive the fork."""
    host.keep()
    with host.served as served, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: this process has threads
        read, write = os.pipe()
        if not (child := os.fork()):
            before = served.certificate.serial
            os.write(write, b"forked\n")
            with contextlib.suppress(BaseException):
                until(lambda: served.certificate.serial != before)
                os.write(write, served.certificate.serial.encode())
            os._exit(0)
        os.close(write)
        with open(read, encoding="ascii") as answers:
            assert answers.readline() == "forked\n"
            serial = host.keep()
            assert answers.read() == serial
        os.waitpid(child, 0)
    assert host.runs == 0


def test_without_a_certificate_entering_raises(host: ServedHost) -> None:
    """Without a certificate, entering raises the error of the renewal or the store."""
    with pytest.raises((RenewalFailed, StoreError)):
        host.renewer.serve().__enter__()


def test_close_ends_the_thread(host: ServedHost) -> None:
    """close() ends the thread at once, even while it sleeps."""
    host.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHECK_EVERY", 60.0)
        with host.served:
            pass
    assert [thread.name for thread in threading.enumerate() if thread.name == "dnsrenew-serve"] == []


def test_nothing_hangs_at_the_end_of_the_program(tmp_path: Path) -> None:
    """The program ends with an open server and a running renewal. ``with`` works inside asyncio too."""
    code = """
import asyncio, sys, threading
from pathlib import Path
from datetime import timedelta
from dnsrenew.renewal import batch
from tests.kit.served_host import ServedHost
host = ServedHost(Path(sys.argv[1]))
host.keep()
host.due -= timedelta(days=2)
batch._SHORTEST = timedelta(0)
host.on_run = threading.Event().wait

async def main():
    with host.serve("home") as served:
        served.close = lambda: None  # it ends without being closed
        while not host.runs:
            await asyncio.sleep(0.01)

asyncio.run(main())
print("ended")
"""
    folder = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=folder, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ended\n", "", 0)


def test_a_held_version_is_not_pruned(host: ServedHost) -> None:
    """The files of a certificate exist as long as its value is used."""
    host.keep()
    certificate: Certificate = host.renewer.certificate("home")
    for _ in range(5):
        host.keep()
    assert certificate.fullchain_pem.startswith("-----BEGIN CERTIFICATE-----")
    folder = here(certificate.fullchain_path).parent
    del certificate
    host.keep()
    assert not folder.exists()


def test_a_version_of_a_dead_process_is_pruned(host: ServedHost) -> None:
    """The hold on a version ends with its process, however it ends."""
    host.keep()
    folder = host.store.path / "certificates" / "home" / "versions" / "1"
    code = (
        "import sys, time; from dnsrenew.store import versions; "
        "print(versions.hold(sys.argv[1]) is not None, flush=True); time.sleep(60)"
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
