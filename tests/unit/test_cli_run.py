"""`dnsrenew run`: its rounds, its sleep, its log and its end."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Outcome
from dnsrenew.cli import formatting, main
from dnsrenew.cli.invocation import Invocation
from dnsrenew.errors import Cancelled, ConfigError, StoreError
from tests.kit.cli_stage import ROUTE, FakeConfig, Script, failed, now, outcome
from tests.kit.clock import FakeClock
from tests.kit.service_stage import Service, done

ROOT = Path(__file__).parents[2]
STAGE = [sys.executable, "-W", "error", "-m", "tests.kit.cli_stage"]
needs_hangup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, not started yet."""
    return Service(monkeypatch)


def test_it_looks_at_once_and_twice_a_day(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The first round starts at once, the next ones every 12 hours. The sleep has slices of a minute."""
    assert service.run(done(outcome()), done(outcome(status="not-due"))) == 143
    assert service.times == [0, 43_200, 86_400]
    assert max(service.clock.waits) <= 60
    lines = capsys.readouterr().err.splitlines()
    head = f"{formatting.stamp(service.clock.start)} ✓ home obtained: example.test, *.example.test; valid until "
    assert head in lines[1]
    assert lines[2].endswith("(in 12 hours). Nothing is due until then.")
    assert lines[-1].endswith(" Stopped.")
    assert len(lines) == 5  # not due is not worth a line


def test_it_looks_when_something_is_due(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """A round starts earlier if a certificate is due or can be tried again."""
    soon = done(outcome("shop", next_renewal=service.clock.start + timedelta(hours=2)))
    again = done(failed(next_attempt=service.clock.start + timedelta(hours=2, minutes=10)))
    assert service.run(soon, again) == 143
    assert service.times == [0, 7200, 7800]
    err = capsys.readouterr().err
    assert "(in 2 hours), for shop." in err
    assert "✗ home failed: After 120 s not every name server" in err
    assert f" Next attempt: {formatting.moment(service.clock.start + timedelta(hours=2, minutes=10))} (" in err


def test_nothing_ends_it(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """After an unreadable store or a bug, the error is reported and the next round follows an hour later."""

    def broken(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        raise StoreError("store-unreadable", "The store is damaged.", fix="Look.")

    def bug(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        raise RuntimeError("token-4711")

    assert service.run(broken, bug) == 143
    assert service.times == [0, 3600, 7200]
    err = capsys.readouterr().err
    assert "✗ The store is damaged. Look." in err
    assert "RuntimeError" in err
    assert "token-4711" not in err


def test_a_suspended_machine_is_not_late(service: Service) -> None:
    """After a suspend, the next round follows when the machine wakes: the interval is measured by the wall clock."""

    def shut_the_lid(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        wait = service.clock.wait

        def sleepy(seconds: float, event: threading.Event) -> bool:
            service.clock.suspended = 40_000.0
            return wait(seconds, event)

        service.clock.wait = sleepy  # type: ignore[method-assign]
        return [outcome()]

    service.run(shut_the_lid)
    assert service.times[1] == pytest.approx(43_200, abs=60)
    assert service.clock.elapsed < 4000


def test_interval_and_jitter(service: Service) -> None:
    """--interval shortens the sleep. --jitter adds a random delay, before the first round too."""
    service.run(done(outcome()), done(outcome()), flags="--interval 600 --jitter 100")
    first, second, third = service.times
    assert 0 < first <= 100
    assert 600 <= second - first <= 700
    assert 600 <= third - second <= 700


def test_an_interrupted_renewal_is_reported(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted renewal is reported in words. The exit status is that of the signal."""

    def cut(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        service.stop()
        return [outcome(status="interrupted", error=Cancelled("cancelled", "Stopped.", fix="Run it again."))]

    assert service.run(cut) == 143
    assert "A renewal was interrupted." in capsys.readouterr().err


def test_json_lines(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json each line of the log is an object, and standard output gets one document at the end."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        script.begin()
        script.dns(2)
        return [script.end()]

    assert service.run(play, flags="--json") == 143
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert "certificate-stored" in kinds
    assert "dns-waiting" not in kinds
    assert any("Next check: " in line["data"]["message"] for line in lines if line["kind"] == "message")
    assert [done["status"] for done in json.loads(out)["outcomes"]] == ["not-due"]


def test_quiet_says_only_what_is_wrong(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """With -q nothing is printed until something fails."""
    service.run(done(outcome()), flags="-q")
    assert capsys.readouterr() == ("", "")
    service.clock = FakeClock(now())
    service.run(done(failed()), flags="-q")
    assert "✗ home failed" in capsys.readouterr().err
    service.clock = FakeClock(now())
    way = failed().attempts[0]
    broken = replace(way, route=replace(ROUTE, challenge="http-01", dns=()))
    service.run(done(outcome(route=ROUTE, attempts=(broken, replace(way, error=None)))), flags="-q")
    assert "! home renewed by dns-01 with home at lab, but 1 other route failed: " in capsys.readouterr().err


@pytest.mark.parametrize("line", ["run --interval 5", "run --interval 100000", "run home"])
def test_wrong_usage(line: str) -> None:
    """An interval outside a minute to a day and a certificate name are refused."""
    assert main(line.split()) == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_stop_while_it_sleeps(number: int, status: int) -> None:
    """A signal ends the sleeping process at once, with the signal's exit status."""
    process = subprocess.Popen(
        [*STAGE, "happy", "0", "run"], cwd=ROOT, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Next check" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == status
    assert err.rstrip().endswith("Stopped.")


@needs_hangup
def test_a_hangup_reads_the_configuration_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After SIGHUP the next round starts at once, with the new configuration.

    An invalid one is reported, and the old one stays in use.
    """
    used: list[Any] = []
    found: list[FakeConfig | ConfigError] = [FakeConfig(), FakeConfig(accounts={"new": 1})]
    found.append(ConfigError("config-invalid", "dnsrenew.toml:3: ca: a mistake.", fix="Correct it."))

    def hang_up(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        signal.raise_signal(signal.SIGHUP)
        return [outcome()]

    def config(_invocation: object, **_: bool) -> FakeConfig:
        one = found.pop(0)
        if isinstance(one, ConfigError):
            raise one
        return one

    def renewer(invoked: Any, config: Any, on_event: Any = None) -> Any:
        used.append(config)
        return made(invoked, config, on_event)

    service.install(hang_up, hang_up, done(outcome()))
    made = Invocation.renewer
    monkeypatch.setattr(Invocation, "config", config)
    monkeypatch.setattr(Invocation, "renewer", renewer)
    assert service.run() == 143
    assert service.times == [0, 0, 0, 43_200]
    assert [config.accounts for config in used] == [FakeConfig().accounts, *[{"new": 1}] * 3]
    err = capsys.readouterr().err
    assert "The configuration was read again." in err
    assert "✗ dnsrenew.toml:3: ca: a mistake. Correct it." in err
    assert "Continuing with the previous configuration. Correct the mistake, then reload (SIGHUP)." in err


@needs_hangup
@pytest.mark.parametrize("ignored", [False, True])
def test_a_hangup_wakes_the_real_process(*, ignored: bool) -> None:
    """SIGHUP starts the next round at once in a sleeping process, even below nohup."""
    prefix = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"] if ignored else []
    process = subprocess.Popen(
        [*prefix, *STAGE, "happy", "0", "run"], cwd=ROOT, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "Next check" in line:
            if sum("Next check" in line for line in seen) == 2:
                break
            process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
    assert any("The configuration was read again" in line for line in seen)


def test_a_terminal_that_closes_ends_it() -> None:
    """SIGHUP from a closed terminal ends the process."""
    pty = pytest.importorskip("pty", reason="terminals of POSIX")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*STAGE, "happy", "0", "run"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    while b"Next check" not in seen:
        seen += os.read(ours, 65536)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=10) == 129
