"""How a renewal in a Python program ends after `cancel=`, or after Ctrl-C in its thread."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew import DnsAccount, Event, TxtRecord
from tests.kit.load import allowed
from tests.kit.program import PATIENCE, Kept
from tests.lab.lab import Lab
from tests.lab.workspace import Workspace

OWNER = "_acme-challenge.example.test"


def arguments(lab: Lab, store: Path) -> dict[str, Any]:
    """Return the arguments of `dnsrenew.obtain` for this lab."""
    account = {**lab.account(lab.key, "example.test"), "tsig_secret": lab.key.secret}
    return {
        "dns": DnsAccount(account.pop("provider"), name="home", **account),
        "ca": dnsrenew.CA(lab.directory_url, trust=lab.ca.trust_pem),
        "agree_terms": True,
        "resolver": {"nameservers": [lab.nameserver], "authoritative_port": lab.port},
        "store": store,
        "name": "home",
    }


def on(kind: str, act: Callable[[], object]) -> Callable[[Event], None]:
    """Return a listener that acts at the first event of a kind."""
    left = [act]

    def listen(event: Event) -> None:
        if event.kind == kind and left:
            left.pop()()

    return listen


@pytest.mark.parametrize("kind", ["certificate-started", "order-created", "txt-written", "dns-waiting"])
def test_cancel_ends_obtain(lab: Lab, tmp_path: Path, kind: str) -> None:
    """After a cancel `obtain` raises Cancelled soon, and the TXT values are removed by then."""
    lab.lag = 10.0
    cancel = threading.Event()
    moments: list[float] = []

    def stop() -> None:
        moments.append(time.monotonic())
        cancel.set()

    with pytest.raises(dnsrenew.Cancelled) as caught:
        dnsrenew.obtain("example.test", **arguments(lab, tmp_path), cancel=cancel, on_event=on(kind, stop))
    assert time.monotonic() - moments[0] < allowed(5)
    assert caught.value.code == "cancelled"
    assert lab.all_txt() == {}
    assert not list(tmp_path.glob("certificates/*/current"))


def test_a_cancel_before_the_start(lab: Lab, tmp_path: Path) -> None:
    """If the call is cancelled before its start, nothing is ordered."""
    cancel = threading.Event()
    cancel.set()
    kinds: list[str] = []
    with pytest.raises(dnsrenew.Cancelled):
        dnsrenew.obtain(
            "example.test", **arguments(lab, tmp_path), cancel=cancel, on_event=lambda event: kinds.append(event.kind)
        )
    assert "order-created" not in kinds


def test_cancel_keeps_the_stored_certificate(workspace: Workspace) -> None:
    """A cancelled `Renewer.renew` returns an interrupted outcome, and the old certificate stays."""
    kept = Kept.place(workspace)
    workspace.lab.lag = 10.0
    cancel = threading.Event()
    settings = workspace.lab.config({"dns.home.tsig_secret": workspace.lab.key.secret})
    config = dnsrenew.Config.from_dict(settings, base=workspace.path)
    renewer = dnsrenew.Renewer(config, on_event=on("dns-waiting", cancel.set))
    (outcome,) = renewer.renew(force=True, cancel=cancel)
    assert outcome.status == "interrupted", outcome.error
    assert isinstance(outcome.error, dnsrenew.Cancelled)
    assert outcome.serial == renewer.status()[0].serial
    assert workspace.lab.all_txt() == {}
    kept.assert_whole()


class Hanging:
    """A driver of the program whose `add` never returns."""

    def __init__(self) -> None:
        """Make a driver that has written nothing."""
        self.reached, self.over, self.asked = threading.Event(), threading.Event(), threading.Event()
        self.removed: list[TxtRecord] = []

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Hang."""
        self.reached.set()
        self.over.wait(PATIENCE)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Record the removal."""
        self.removed += records
        self.asked.set()


def test_cancel_while_a_driver_hangs(lab: Lab, tmp_path: Path) -> None:
    """A driver that hangs is abandoned at a cancel. If its `add` returns later, `remove` is called for its values."""
    cancel, driver = threading.Event(), Hanging()

    def stop_when_it_hangs() -> None:
        driver.reached.wait(PATIENCE)
        cancel.set()

    threading.Thread(target=stop_when_it_hangs, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(dnsrenew.Cancelled):
        dnsrenew.obtain("example.test", **{**arguments(lab, tmp_path), "dns": driver}, cancel=cancel)
    assert time.monotonic() - started < allowed(PATIENCE / 2)
    assert driver.removed == []
    driver.over.set()
    assert driver.asked.wait(PATIENCE)
    assert [record.name for record in driver.removed] == [f"{OWNER}."]


class Refusing:
    """A driver that writes at the lab, and fails to remove."""

    def __init__(self, lab: Lab) -> None:
        """Write at this lab."""
        self.lab = lab

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write."""
        self.lab.update("example.test", add=[(record.name, "TXT", f'"{record.value}"') for record in records])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Fail."""
        raise RuntimeError("the API is closed")


@pytest.mark.leaves_txt
def test_an_error_while_withdrawing_hides_nothing(lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If a removal fails after a cancel, `Cancelled` is still raised, and an event has the values that are left."""
    lab.lag = 10.0
    cancel = threading.Event()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if event.kind == "dns-waiting":
            cancel.set()

    options = {**arguments(lab, tmp_path), "dns": Refusing(lab)}
    with caplog.at_level(logging.DEBUG, "dnsrenew"), pytest.raises(dnsrenew.Cancelled):
        dnsrenew.obtain("example.test", **options, cancel=cancel, on_event=listen)
    (kept,) = [event for event in events if event.kind == "txt-kept"]
    assert kept.data["records"][0]["name"] == f"{OWNER}."
    assert "txt-kept" in [event.data["code"] for event in events if event.kind == "warning"]


# A program without signal handlers: Python raises KeyboardInterrupt in its main thread.
_PROGRAM = """
import json, sys
from pathlib import Path
import dnsrenew

given = json.loads(sys.argv[1])
def listen(event):
    print(event.kind, flush=True)

try:
    dnsrenew.obtain(
        "example.test",
        dns=dnsrenew.DnsAccount("rfc2136", name="home", tsig_secret=dnsrenew.Secret.env("TSIG_SECRET"), **given["dns"]),
        ca=dnsrenew.CA(given["directory"], trust=given["trust"]),
        agree_terms=True, resolver=given["resolver"], store=given["store"], name="home", force=True, on_event=listen,
    )
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
    sys.exit(77)
"""


def test_ctrl_c_in_a_program_of_ones_own(workspace: Workspace) -> None:
    """At Ctrl-C `obtain` removes the TXT values and passes KeyboardInterrupt on. The old certificate stays."""
    kept = Kept.place(workspace)
    lab = workspace.lab
    lab.lag = 10.0
    account = lab.account(lab.key, "example.test")
    given = {
        "dns": {key: value for key, value in account.items() if key not in {"provider", "tsig_secret"}},
        "directory": lab.directory_url,
        "trust": str(lab.ca.trust_pem),
        "resolver": {"nameservers": [lab.nameserver], "authoritative_port": lab.port},
        "store": str(workspace.store),
    }
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, json.dumps(given)],
        cwd=workspace.path,
        env=workspace.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line == "dns-waiting\n":
                break
        assert len(lab.txt(OWNER)) == 1, said
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        said += process.stdout.readlines()
        status = process.wait(PATIENCE)
    workspace.captured.append("".join(said))
    assert time.monotonic() - started < allowed(5)
    assert status == 77
    assert said[-1] == "KeyboardInterrupt\n"
    assert "Traceback" not in "".join(said)
    assert "txt-removed\n" in said
    assert lab.all_txt() == {}
    kept.assert_whole()
