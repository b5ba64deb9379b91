"""Whether what is installed also runs, on machines that are only described."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.schedule import machine as running
from dnsrenew.schedule.detect import ActiveSchedule, detect
from dnsrenew.schedule.machine import Machine, ProcessView

CONFIG = "/etc/dnsrenew/dnsrenew.toml"
LINE = f"0 4 * * * root dnsrenew renew -q --scheduled --config {CONFIG}\n"
CRON = "Name:\tcron\nState:\tS (sleeping)\nUid:\t0\t0\t0\t0\nNSpid:\t7\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine without systemd, whose processes can be seen, and none of them is cron."""
    made = Machine(tmp_path, tmp_path / "home/joe", "linux", lambda *_: "", lambda _: ProcessView())
    put(made, "proc/1/status", "Name:\tinit\nUid:\t0\t0\t0\t0\nNSpid:\t1\n")
    return made


def put(machine: Machine, path: str, text: str = "") -> None:
    """Write a file of the machine."""
    file = machine.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        (CRON, True),
        (CRON.replace("cron", "crond"), True),
        (CRON.replace("cron", "crontab"), False),
        (CRON.replace("NSpid:\t7", "NSpid:\t7\t1"), False),
        (CRON.replace("S (sleeping)", "Z (zombie)"), False),
        (CRON.replace("Uid:\t0", "Uid:\t54321"), False),
    ],
    ids=["cron", "crond", "another program", "in a container", "ended", "of another user"],
)
def test_what_is_a_cron_daemon_of_this_machine(machine: Machine, status: str, *, runs: bool) -> None:
    """A crontab renews only where a cron daemon of this machine runs it."""
    put(machine, "proc/7/status", status)
    put(machine, "etc/cron.d/certs", LINE)
    found = detect(CONFIG, machine)
    assert (found.installed, found.kind, found.to_dict()["running"]) == (True, "cron", runs)
    assert (found.halt is None) is runs


def test_hidden_processes_are_no_alarm(machine: Machine) -> None:
    """Where the processes of others cannot be seen, or launchd starts cron, it is not known whether cron runs."""
    put(machine, "etc/cron.d/certs", LINE)
    assert detect(CONFIG, replace(machine, platform="darwin")) == ActiveSchedule(True, "cron")
    put(machine, "proc/1/status")
    assert detect(CONFIG, machine) == ActiveSchedule(True, "cron")


def test_cron_without_a_daemon(machine: Machine) -> None:
    """The timers of systemd-cron run crontabs without a daemon; anacron's timer runs the daily scripts only."""
    put(machine, "run/systemd/system/x")
    put(machine, "etc/cron.daily/certs", "dnsrenew renew -q --scheduled\n")
    put(machine, "etc/systemd/system/timers.target.wants/anacron.timer")
    assert detect(CONFIG, machine).halt is None
    put(machine, "etc/cron.d/certs", LINE)
    (machine.root / "etc/cron.daily/certs").unlink()
    assert detect(CONFIG, machine).halt is not None
    put(machine, "run/systemd/generator/cron-certs-root-0.timer")
    assert detect(CONFIG, machine).halt is None


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (["run/systemd/system/x", "usr/lib/systemd/system/cron.service"], "systemctl enable --now cron"),
        (["run/systemd/system/x", "usr/lib/systemd/system/crond.service"], "systemctl enable --now crond"),
        (["usr/lib/systemd/system/cron.service", "etc/init.d/cron"], "/etc/init.d/cron start"),
        (["bin/crond"], "{root}/bin/crond"),
        ([], ""),
    ],
)
def test_the_command_that_starts_cron(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, files: list[str], command: str
) -> None:
    """The advice is the command that starts cron on this machine, with sudo for those who are not root."""
    for path in files:
        put(machine, path)
        (machine.root / path).chmod(0o755)
    monkeypatch.setenv("PATH", str(machine.root / "bin"))
    command = command.format(root=machine.root)
    for user, prefix in ((0, ""), (1000, "sudo ")):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        halt = running.halt_of_cron(machine)
        assert halt is not None
        assert (f"Start it: {prefix}{command}" if command else "keep `dnsrenew run` running") in halt.fix


def answering(answers: dict[str, str]) -> Callable[..., str]:
    """Programs that print something for some command lines."""
    return lambda *words: answers.get(" ".join(words), "")


@pytest.mark.parametrize("state", ["active", "inactive", "failed", "", "masked inactive", "masked-runtime inactive"])
@pytest.mark.parametrize("folder", ["etc/systemd/system", "home/joe/.config/systemd/user"])
def test_a_timer_that_was_stopped(machine: Machine, folder: str, state: str) -> None:
    """An enabled timer renews only while it is active; what systemd does not tell is no alarm."""
    put(machine, "run/systemd/system/x")
    put(machine, f"{folder}/dnsrenew.service", f"[Service]\nType=oneshot\nExecStart=dnsrenew renew --config {CONFIG}\n")
    put(machine, f"{folder}/timers.target.wants/dnsrenew.timer", "[Timer]\nOnCalendar=daily\n")
    control = "systemctl --user" if "home" in folder else "systemctl"
    shown = {f"{control} show --property=UnitFileState,ActiveState --value dnsrenew.timer": f"{state}\n"}
    found = detect(CONFIG, replace(machine, output=answering(shown)))
    assert (found.installed, found.kind) == (True, "systemd")
    assert (found.halt is not None) is (state not in {"active", ""})
    if found.halt is not None:
        assert f"{control} enable --now dnsrenew.timer" in found.halt.fix
        unmask = f"{control} unmask{' --runtime' * state.startswith('masked-runtime')} dnsrenew.timer && "
        assert (unmask in found.halt.fix, "is masked" in found.halt.reason) == (("masked" in state,) * 2)


def test_another_schedule_that_runs_counts(machine: Machine) -> None:
    """A stopped timer is no problem where a running process renews the same certificates."""
    put(machine, "etc/cron.d/certs", LINE)
    put(machine, "proc/9/cmdline", f"dnsrenew\0run\0--config\0{CONFIG}\0")
    assert detect(CONFIG, machine) == ActiveSchedule(True, "run")


def test_a_task_that_was_disabled(machine: Machine) -> None:
    """A disabled task of Windows renews nothing."""
    task = "<Triggers><Enabled>true</Enabled></Triggers><Settings>{}</Settings><Command>dnsrenew</Command>"
    task += f"<Arguments>renew --scheduled --config {CONFIG}</Arguments>"
    windows = replace(machine, platform="win32")
    put(machine, "Windows/System32/Tasks/dnsrenew", task.format(""))
    assert detect(CONFIG, windows) == ActiveSchedule(True, "windows")
    put(machine, "Windows/System32/Tasks/dnsrenew", task.format("<Enabled>false</Enabled>"))
    found = detect(CONFIG, windows)
    assert found.halt is not None
    assert "schtasks /Change /TN dnsrenew /ENABLE" in found.halt.fix


def test_an_agent_that_is_not_loaded(machine: Machine) -> None:
    """An agent of launchd renews only while it is loaded."""
    words = "".join(f"<string>{word}</string>" for word in ("dnsrenew", "renew", "--config", CONFIG))
    label = "<key>Label</key><string>dnsrenew</string>"
    text = f"<plist><dict>{label}<key>ProgramArguments</key><array>{words}</array></dict></plist>"
    put(machine, "Library/LaunchDaemons/dnsrenew.plist", text)
    version, loaded = {"launchctl version": "7.0"}, {"launchctl print system/dnsrenew": "state = waiting"}
    for answers, runs in ((version | loaded, True), (version, False), ({}, True)):
        found = detect(CONFIG, replace(machine, platform="darwin", output=answering(answers)))
        assert (found.kind, found.halt is None) == ("launchd", runs)
