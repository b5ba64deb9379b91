"""The messages of `dnsrenew run` to systemd, its watchdog signals, and the metrics endpoint."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Outcome
from dnsrenew.base.systemd_notify import LifeSign
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.run import RENEWING, SLEEPING
from dnsrenew.config.extension_tables import MetricsSettings
from dnsrenew.errors import ConfigError, StoreError
from tests.kit.cli_stage import FakeConfig, Script, outcome
from tests.kit.service_stage import Service, done
from tests.kit.watching import NotifySocket, config_for, get
from tests.lab import ports

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is on Linux")
ROOT = Path(__file__).parents[2]
SERVICE = [sys.executable, "-W", "error", "-m", "tests.kit.cli_stage"]
HANGING = """
import sys, threading
from dnsrenew.cli import main, run
from tests.kit.cli_stage import FakeConfig, FakeRenewer, Script, install
run.RENEWING = 0.3  # seconds
def play(emitter, cancel):
    Script(emitter, cancel).begin()
    print("hangs", flush=True)
    threading.Event().wait(60)
install(FakeRenewer(play), FakeConfig())
sys.exit(main(["run"]))
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, not started yet."""
    return Service(monkeypatch)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """The socket of systemd, for this process and its children."""
    receiver = NotifySocket(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", receiver.address)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    yield receiver
    receiver.close()


def messages(receiver: NotifySocket) -> list[list[str]]:
    """The messages so far, each as its lines."""
    found = []
    while (message := receiver.receive(0.1)) is not None:
        found.append(message.split("\n"))
    return found


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def test_the_messages_of_a_life(service: Service, systemd: NotifySocket) -> None:
    """READY comes before the first round, a status before and after each round, and STOPPING at the end."""
    assert service.run(done(outcome()), done(outcome("shop"))) == 143
    first, *rounds, last = messages(systemd)
    assert first == ["READY=1", "STATUS=Started."]
    assert [line.partition(" ")[0] for (line,) in rounds] == [
        "STATUS=Renewing",
        "STATUS=Next",
        "STATUS=Renewing",
        "STATUS=Next",
        "STATUS=Renewing",
    ]
    assert last[0] == "STOPPING=1"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_reload_has_a_beginning_and_an_end(
    service: Service, systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reload sends RELOADING and READY, even if the new configuration is invalid and the old one stays."""
    found: list[FakeConfig | ConfigError] = [FakeConfig(), FakeConfig()]
    found.append(ConfigError("config-invalid", "dnsrenew.toml:3: ca: a mistake.", fix="Correct it."))

    def config(_invocation: object, **_: bool) -> FakeConfig:
        one = found.pop(0)
        if isinstance(one, ConfigError):
            raise one
        return one

    def hang_up(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        os.kill(os.getpid(), signal.SIGHUP)
        return [outcome()]

    service.install(hang_up, hang_up)
    monkeypatch.setattr(Invocation, "config", config)
    assert service.run() == 143
    told = [lines for lines in messages(systemd) if lines[0] in {"READY=1", "RELOADING=1"}]
    assert [lines[0] for lines in told] == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"]
    assert all(lines[1].startswith("MONOTONIC_USEC=") for lines in told[1::2])
    assert "mistake" not in told[2][1]
    assert "mistake" in told[4][1]


def test_a_mistake_at_the_start_is_never_ready(
    service: Service, systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wrong configuration READY is never sent, so that systemd reports a failed start."""

    def config(_invocation: object, **_: bool) -> FakeConfig:
        raise ConfigError("config-invalid", "A mistake.", fix="Correct it.")

    service.install(done(outcome()))
    monkeypatch.setattr(Invocation, "config", config)
    assert service.run() == 2
    assert messages(systemd) == []


def test_each_slice_of_the_sleep_and_each_event_is_a_sign_of_life(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While asleep, a sign of life comes every minute. During a round, every event is one, valid for hours."""
    given: list[tuple[float, float]] = []
    give = LifeSign.give

    def noted(sign: LifeSign, seconds: float) -> None:
        given.append((service.clock.elapsed, seconds))
        give(sign, seconds)

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        before = len(given)
        script = Script(emitter, cancel)
        script.begin()
        assert len(given) - before >= 5
        assert {seconds for _, seconds in given[before:]} == {RENEWING}
        return [outcome()]

    monkeypatch.setattr(LifeSign, "give", noted)
    assert service.run(play) == 143
    asleep = [when for when, seconds in given if seconds == SLEEPING]
    assert asleep[-1] >= 43_200
    gaps = [after - before for before, after in itertools.pairwise(asleep)]
    assert max(gaps) <= 60 < SLEEPING


def test_the_watchdog_of_the_real_process(systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog signals continue while the process sleeps."""
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    process = subprocess.Popen(
        [*SERVICE, "happy", "0", "run"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    seen = [systemd.receive(15)]
    while seen.count("WATCHDOG=1") < 5:
        message = systemd.receive()
        assert message is not None
        seen.append(message)
    assert "READY=1\nSTATUS=Started." in seen
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143


def test_a_round_that_hangs_silences_the_watchdog(systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that hangs stops the watchdog signals, so that systemd ends the service."""
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    spoken = 0
    while systemd.receive(0.5) is not None:
        spoken += 1
        assert spoken < 50
    assert spoken > 0
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)


# ── the endpoint ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def listen() -> Iterator[str]:
    """A free address."""
    with ports.reserve("127.0.0.1") as port:
        yield f"127.0.0.1:{port.number}"


def configured(folder: Path, listen: str | None) -> Any:
    """A configuration without certificates, and with the endpoint."""
    return config_for(folder / "state", metrics=MetricsSettings(listen=listen))


def test_the_endpoint_lives_as_long_as_the_service(
    service: Service, listen: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The endpoint answers from the first round on, reports a failed round, and is closed at the end."""
    seen: list[tuple[int, str]] = []

    def look(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        seen.append(get(listen, "/healthz"))
        return [outcome()]

    def broken(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        raise StoreError("store-unreadable", "The store is damaged.", fix="Look.")

    service.config = configured(tmp_path, listen)
    assert service.run(look, broken, look) == 143
    assert seen == [(200, "ok\n"), (503, "the last round failed\n")]
    assert f"http://{listen}/metrics" in capsys.readouterr().err
    with pytest.raises(ConnectionRefusedError):
        get(listen, "/healthz")


def test_a_taken_port_ends_the_start(
    service: Service, listen: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the port is taken, nothing is renewed and the error names the address."""
    service.config = configured(tmp_path, listen)
    host, _, port = listen.partition(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        assert service.run(done(outcome()), flags="--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["evidence"]["value"]) == ("metrics-port", listen)
    assert service.times == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_reload_moves_the_endpoint(
    service: Service, listen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reload closes the old address.

    If the new one is taken, the old one stays. Without one the endpoint is closed.
    """
    with ports.reserve("127.0.0.1") as other, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        second = f"127.0.0.1:{other.number}"
        addresses = [listen, second, f"127.0.0.1:{taken.getsockname()[1]}", None]
        found = [configured(tmp_path, address) for address in addresses]
        open_now: list[list[str]] = []

        def look(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
            open_now.append([address for address in (listen, second) if _is_open(address)])
            if found:
                os.kill(os.getpid(), signal.SIGHUP)
            return [outcome()]

        service.install(look, look, look, look)
        monkeypatch.setattr(Invocation, "config", lambda _invocation, **_: found.pop(0))
        assert service.run() == 143
    assert open_now == [[listen], [second], [second], []]
    assert "Continuing with the previous configuration" in capsys.readouterr().err


def _is_open(address: str) -> bool:
    try:
        get(address, "/healthz")
    except ConnectionRefusedError:
        return False
    return True
