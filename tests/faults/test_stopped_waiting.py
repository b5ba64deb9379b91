"""Ctrl-C ends a run within five seconds while it waits for anything, and the next run does the rest.

DNS and a silent CA are in tests/integration/test_ending_signals.py.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew.base import threads
from tests.kit.ca_gate import Gate
from tests.kit.load import allowed
from tests.kit.processes import NAME, NEVER, Run, Zygote, settle, wait_until
from tests.kit.program import PATIENCE, Kept
from tests.kit.program import Run as Started
from tests.lab.workspace import Workspace

SILENT = "127.0.0.5"


def start(zygote: Zygote, workspace: Workspace, *arguments: str) -> Run:
    """Start a run with `-v`."""
    return zygote.start(workspace, NEVER, *arguments, "--json", "-v")


def stop(run: Run, number: int = signal.SIGINT) -> tuple[int, Any]:
    """Send a signal; return the exit status and the document, which must arrive within five seconds."""
    run.signal(number)
    end = run.ended()
    assert end.seconds is not None
    assert end.seconds < allowed(5)
    assert "Traceback" not in end.err
    return end.status, json.loads(end.out)


def interrupted(ended: tuple[int, Any], status: int = 130) -> None:
    """Check that a run for one certificate was interrupted."""
    found, document = ended
    (outcome,) = document["outcomes"]
    assert (found, outcome["status"], outcome["error"]["code"]) == (status, "interrupted", "cancelled"), document


# ── waiting for this machine ────────────────────────────────────────────────────────────


def test_a_secret_that_hangs(workspace: Workspace, zygote: Zygote) -> None:
    """A signal ends a run that waits for the program of a secret."""
    kept = Kept.place(workspace)
    told = workspace.path / "told"
    workspace.write({"dns.home.tsig_secret": {"command": ["sh", "-c", f"echo > {told}; exec sleep 7"]}})
    run = start(zygote, workspace, "renew", "--force")
    wait_until(told.exists)
    interrupted(stop(run))
    kept.assert_whole()


_SLOW_KEY = """
import sys
from dnsrenew.base import x509
x509._SIZES["rsa4096"] = 16384  # takes a minute, as 4096 do on a small machine
from dnsrenew.cli import main
sys.exit(main(["renew", "--json", "-v"]))
"""


def test_a_key_that_takes_long(workspace: Workspace) -> None:
    """The generation of an RSA key does not delay the end of the process."""
    workspace.write({"certificate.0.key": "rsa4096"})
    with subprocess.Popen(
        [sys.executable, "-c", _SLOW_KEY],
        cwd=workspace.path,
        env=workspace.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "order created" in line:
                break
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - started < allowed(5)
    workspace.captured += [out, *said, err]
    interrupted((process.returncode, json.loads(out)), 143)


def test_a_start_that_was_put_off(workspace: Workspace, zygote: Zygote) -> None:
    """A signal before the start of a run gives an error without an outcome."""
    run = start(zygote, workspace, "renew", "--jitter", "3600")
    wait_until(lambda: run.has_printed("--jitter"))
    status, document = stop(run)
    assert (status, document["error"]["code"]) == (130, "cancelled")


def test_a_lock_of_the_account(workspace: Workspace, zygote: Zygote) -> None:
    """A signal ends a run that waits for another run, which creates the account at a silent CA."""
    with Gate.before(workspace, "newAccount") as gate:
        certificates = [{"name": name, "domains": [f"{name}.example.test"]} for name in ("one", "two")]
        workspace.write({"certificate": certificates, "ca.lab.directory": gate.directory_url})
        first = start(zygote, workspace, "renew", "one")
        gate.wait()
        second = start(zygote, workspace, "renew", "two")
        wait_until(lambda: second.has_printed(f"process {first.pid}"))
        interrupted(stop(second))
        interrupted(stop(first))


# ── waiting for a DNS host ──────────────────────────────────────────────────────────────


@contextmanager
def left_at_a_silent_host(workspace: Workspace, zygote: Zygote) -> Iterator[None]:
    """Leave values of a killed run at a host that is silent during the block."""
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    with workspace.lab.silent(SILENT):
        workspace.write({"dns.home.server": f"{SILENT}:{workspace.lab.port}"})
        yield
    assert len(workspace.lab.txt(NAME)) == 2
    workspace.write()


def test_what_an_earlier_run_left(workspace: Workspace, zygote: Zygote) -> None:
    """The cleanup at the start of a run ends at Ctrl-C."""
    with left_at_a_silent_host(workspace, zygote):
        run = start(zygote, workspace, "renew")
        lock = workspace.store / "locks" / "journal.lock"
        wait_until(lambda: lock.exists() and lock.read_bytes())
        interrupted(stop(run))
    status, document = workspace.run_json("cleanup")
    assert (status, len(document["removed"])) == (0, 2)


_PLUG_IN = """
import time
from pathlib import Path
from dnsrenew.drivers.rfc2136 import Rfc2136Driver

class Stuck(Rfc2136Driver):
    def add(self, records):
        super().add(records)
        self.hang()

    def remove(self, records):
        self.hang()
        super().remove(records)

    def hang(self):
        while Path("stuck").exists():
            time.sleep(0.1)
"""
_PROVIDER = """
title = "Stuck"
driver = "stuck"
[options.server]
required = true
[options.tsig_name]
[options.tsig_secret]
secret = true
[options.tsig_algorithm]
"""


@pytest.fixture
def stuck(workspace: Workspace) -> Path:
    """The driver of the account `home`, a plug-in, hangs after it has written, while this file exists."""
    info = workspace.path / "site-packages" / "stuck-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "stuck.py").write_text(_PLUG_IN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stuck\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dnsrenew.drivers]\nstuck = stuck:Stuck\n")
    providers = workspace.path / "providers"
    providers.mkdir()
    (providers / "stuck.toml").write_text(_PROVIDER)
    workspace.env["PYTHONPATH"] = f"{info.parent}:{workspace.env['PYTHONPATH']}"
    workspace.write({"dns.home.provider": "stuck"})
    (workspace.path / "stuck").touch()
    return workspace.path / "stuck"


@pytest.mark.parametrize("twice", [False, True])
def test_a_plug_in_that_never_returns(workspace: Workspace, stuck: Path, *, twice: bool) -> None:
    """A driver that hangs is abandoned. A warning names its values, and the journal has them for the next run.

    The second signal ends the run at once, and the journal has the values too.
    """
    with Started.start(workspace, "renew", "--json", "-v") as run:
        wait_until(lambda: len(workspace.lab.txt(NAME)) == 2)
        if twice:
            run.process.send_signal(signal.SIGINT)
            run.wait_for("interrupt again")
            time.sleep(0.2)  # within it two signals are one
        status, document = run.stop(signal.SIGINT, within=1.0 if twice else 5.0)
    if twice:
        assert (status, document["error"]["code"]) == (130, "cancelled")
    else:
        interrupted((status, document))
        assert [warning["code"] for warning in document["outcomes"][0]["warnings"]] == ["txt-kept"]
    assert len(workspace.lab.txt(NAME)) == 2
    stuck.unlink()
    workspace.lab.flush()
    status, document = workspace.run_json("renew")
    assert (status, document["outcomes"][0]["status"], document["outcomes"][0]["warnings"]) == (0, "renewed", [])
    settle(workspace)
    assert list((workspace.store / "journal").iterdir()) == []


# ── waiting for a CA ────────────────────────────────────────────────────────────────────


def test_renewal_information_is_no_reason_to_interrupt(workspace: Workspace, zygote: Zygote) -> None:
    """If nothing is due, a signal during the request for renewal information interrupts no certificate."""
    kept = Kept.place(workspace)
    path = workspace.store / "certificates" / "home" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "ari": None}))
    with Gate.before(workspace, "renewalInfo") as gate:
        run = start(zygote, workspace, "renew")
        gate.wait()
        status, document = stop(run)
    assert (status, document["outcomes"][0]["status"]) == (0, "not-due")
    kept.assert_whole()


def test_a_new_certificate_is_not_interrupted(workspace: Workspace, zygote: Zygote) -> None:
    """A signal during the request for renewal information keeps the new certificate in force."""
    with Gate.before(workspace, "renewalInfo") as gate:
        run = start(zygote, workspace, "renew")
        gate.wait()
        status, document = stop(run)
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed")
    Kept.of(workspace.store).assert_whole()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_service(workspace: Workspace, zygote: Zygote, number: int, status: int) -> None:
    """A signal in the middle of a renewal ends `dnsrenew run`, which removes its values."""
    with Gate.before(workspace, "challenge") as gate:
        run = start(zygote, workspace, "run")
        gate.wait()
        assert len(workspace.lab.txt(NAME)) == 2
        interrupted(stop(run, number), status)
    assert workspace.lab.txt(NAME) == set()


# ── from Python ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["directory", "newAccount", "newOrder", "challenge", "finalize", "renewalInfo"])
def test_cancel_while_the_ca_is_silent(workspace: Workspace, kind: str) -> None:
    """`renew(cancel=…)` returns within five seconds: interrupted, or renewed if everything was done."""
    cancel = threading.Event()
    with Gate.before(workspace, kind) as gate:
        settings = workspace.config({"ca.lab.directory": gate.directory_url})
        settings["dns"]["home"]["tsig_secret"] = workspace.lab.key.secret
        renewer = dnsrenew.Renewer(dnsrenew.Config.from_dict(settings, base=workspace.path))
        task = threads.start(partial(renewer.renew, cancel=cancel))
        gate.wait()
        cancel.set()
        assert task.done.wait(5)
    (outcome,) = task.result()
    assert outcome.status == ("renewed" if kind == "renewalInfo" else "interrupted")
    assert workspace.lab.txt(NAME) == set()


def test_cancel_while_another_run_is_waited_for(workspace: Workspace, zygote: Zygote) -> None:
    """A cancel ends the wait for another run, which is not affected."""
    cancel = threading.Event()
    events: list[str] = []
    with Gate.before(workspace, "finalize") as gate:
        other = start(zygote, workspace, "renew")
        gate.wait()
        settings = workspace.config({"ca.lab.directory": gate.directory_url})
        settings["dns"]["home"]["tsig_secret"] = workspace.lab.key.secret
        config = dnsrenew.Config.from_dict(settings, base=workspace.path)
        renewer = dnsrenew.Renewer(config, on_event=lambda event: events.append(event.kind))
        task = threads.start(partial(renewer.renew, cancel=cancel, wait=60))
        wait_until(lambda: "lock-waiting" in events)
        cancel.set()
        assert task.done.wait(5)
        (outcome,) = task.result()
        assert outcome.status == "interrupted"
        gate.open()
        end = other.ended()
        assert (end.status, json.loads(end.out)["outcomes"][0]["status"]) == (0, "renewed")
