"""Detection of an active schedule, however it was set up. If it cannot be determined, it is unknown."""

import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.cli import commands
from dnsrenew.schedule.detect import OPTIONS_WITH_VALUE, UNKNOWN, ActiveSchedule, detect, has_scheduler
from dnsrenew.schedule.host import make_plan
from dnsrenew.schedule.machine import Machine, ProcessView, program_output, view_process
from dnsrenew.schedule.plan import Host, ScheduledJob, ScheduleKind
from tests.kit.load import allowed
from tests.kit.schedule_stage import (
    DEBIAN_ROOT,
    DEBIAN_USER,
    JOB,
    JOB_OF_JOE,
    JOB_ON_WINDOWS,
    MAC_ROOT,
    MAC_USER,
    WINDOWS_ADMIN,
)

NONE = ActiveSchedule(False)
CONFIG = "/etc/dnsrenew/dnsrenew.toml"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine with systemd and nothing on it."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return Machine(tmp_path, tmp_path / "home/joe", "linux", lambda *_: "", lambda _: ProcessView())


def put(machine: Machine, path: str, text: str, encoding: str = "utf-8") -> Path:
    """Write a file of the machine."""
    file = machine.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding)
    return file


def enable(machine: Machine, unit: str, wanted_by: str = "timers.target") -> None:
    """Do what `systemctl enable` does."""
    file = machine.root / unit.lstrip("/")
    (file.parent / f"{wanted_by}.wants").mkdir(exist_ok=True)
    (file.parent / f"{wanted_by}.wants" / file.name).symlink_to(f"../{file.name}")


@pytest.mark.parametrize(
    ("kind", "job", "host"),
    [
        ("systemd", JOB, DEBIAN_ROOT),
        ("systemd", JOB_OF_JOE, DEBIAN_USER),
        ("cron", JOB, DEBIAN_ROOT),
        ("cron", JOB_OF_JOE, DEBIAN_USER),
        ("launchd", JOB, MAC_ROOT),
        ("launchd", JOB_OF_JOE, MAC_USER),
        ("windows", JOB_ON_WINDOWS, WINDOWS_ADMIN),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_what_we_install_is_found(
    machine: Machine, kind: ScheduleKind, job: ScheduledJob, host: Host, *, ours: bool
) -> None:
    """Each installed kind of schedule is found, for its own configuration only."""
    machine = replace(machine, home=machine.root / host.home.lstrip("/"), platform=host.platform)
    plan = make_plan(kind, job, host)
    for file in plan.files:
        path = "Windows/System32/Tasks/dnsrenew" if kind == "windows" else file.path
        put(machine, path, file.text, file.encoding)
    for command in plan.enable:
        if "enable" in command.arguments:
            enable(machine, next(file.path for file in plan.files if file.path.endswith(".timer")))
    if plan.is_block:
        block = plan.files[0].text
        machine = replace(machine, output=lambda *words: block if words == ("crontab", "-l") else "")
    found = detect(job.config if ours else "/elsewhere/dnsrenew.toml", machine)
    assert found == (ActiveSchedule(True, kind) if ours else UNKNOWN if kind == "windows" else NONE)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/crontab", "0 4 * * * root /usr/local/bin/dnsrenew renew -q"),
        ("/etc/cron.d/certs", f"0 4 * * * joe cd / && dnsrenew --config={CONFIG} renew >/dev/null 2>&1"),
        ("/etc/cron.daily/certs", "#!/bin/sh\nexec /opt/venv/bin/python -m dnsrenew renew"),
        ("/etc/cron.d/certs", "@reboot root sh -c 'dnsrenew run'"),
        ("/etc/cron.d/certs", "0 4 * * * root /opt/certs.sh"),
    ],
)
def test_cron_lines_by_hand(machine: Machine, path: str, line: str) -> None:
    """Cron lines are found in system files, with or without a shell, and in a script that cron runs."""
    put(machine, "/opt/certs.sh", "#!/bin/sh\ndnsrenew renew -q || mail -s failed root\n")
    put(machine, path, f"{line}\n")
    assert detect(CONFIG, machine) == ActiveSchedule(True, "cron")


@pytest.mark.parametrize(
    "line",
    [
        "# 0 4 * * * root dnsrenew renew",
        "0 4 * * * root dnsrenew status --check",
        "0 4 * * * root dnsrenew renew --dry-run",
        "0 4 * * * root dnsrenew renew --config /home/joe/other.toml",
        "0 4 * * * root certbot renew # instead of dnsrenew",
        "0 4 * * * root dnsrenew cleanup; fish renew",
    ],
)
def test_what_renews_something_else(machine: Machine, line: str) -> None:
    """A comment, another command, a dry run or another configuration does not count."""
    put(machine, "/etc/cron.d/certs", f"{line}\n")
    assert detect(CONFIG, machine) == NONE


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ("renew web-1", False),
        ("renew home", False),
        ("renew home web-1", True),
        ("renew 'web-*' home", True),
        ("renew 'web-*'", False),
        ("renew '*'", True),
        ("renew", True),
        (f"renew --config {CONFIG} --workers 4 --jitter 30 minutes --lang zh -q", True),
        (f"renew --workers 4 home --config {CONFIG}", False),
        ("renew --wait home web-1", True),
        ("renew --wait home", False),
        ("renew --wait 5m --jitter 30", True),
        ("run --interval 1h", True),
        ("renew -q > /var/log/dnsrenew.log 2>&1", True),
        ("renew -q >>/var/log/dnsrenew.log  # every night", True),
        ("renew home > web-1", False),
        ("renew $NAMES", True),
    ],
)
def test_a_command_for_some_certificates(machine: Machine, words: str, counts: bool) -> None:
    """A command that names certificates counts if it names all of the configuration."""
    expected = ActiveSchedule(True, "cron") if counts else NONE
    for command in (f"dnsrenew {words}", f'su -c "dnsrenew {words}" joe'):
        put(machine, "/etc/cron.d/certs", f"0 4 * * * root {command}\n")
        assert detect(CONFIG, machine, names=["home", "web-1"]) == expected
    put(machine, "/etc/cron.d/certs", "0 4 * * * root /opt/certs.sh\n")
    put(machine, "/opt/certs.sh", f"#!/bin/sh\ndnsrenew {words}\n")
    assert detect(CONFIG, machine, names=["home", "web-1"]) == expected


def test_all_options_with_a_value_are_known() -> None:
    """The value of an option of `renew` and `run` is not taken for the name of a certificate."""
    options = [option for command in ("renew", "run") for option in commands.options_of(command)]
    assert {option.flag for option in options if option.shown} == OPTIONS_WITH_VALUE
    assert not any(option.short for option in options if option.shown)


def test_units_by_hand(machine: Machine) -> None:
    """A timer with a service of another name, and a service that runs all the time, once they are enabled."""
    put(machine, "/etc/systemd/system/night.timer", "[Timer]\nOnCalendar=daily\nUnit=certs.service\n")
    put(machine, "/usr/lib/systemd/system/certs.service", "[Service]\nExecStart=/usr/bin/dnsrenew \\\n  renew -q\n")
    assert detect(CONFIG, machine) == NONE
    enable(machine, "/etc/systemd/system/night.timer")
    assert detect(CONFIG, machine) == ActiveSchedule(True, "systemd")
    assert detect(CONFIG, replace(machine, root=machine.root / "etc")) == NONE  # no systemd runs there


@pytest.mark.parametrize("answer", ["active\n", "inactive\n", ""])
def test_what_was_started_by_hand_is_asked_for(machine: Machine, answer: str) -> None:
    """Calling systemctl is slow, so only units of dnsrenew that are not enabled are queried."""
    asked: list[tuple[str, ...]] = []

    def output(*words: str) -> str:
        asked.append(words)
        return answer if words[0] == "systemctl" else ""

    put(machine, "/etc/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
    put(machine, "home/joe/.config/systemd/user/dnsrenew.service", "[Service]\nExecStart=dnsrenew renew -q\n")
    put(machine, "home/joe/.config/systemd/user/dnsrenew.timer", "[Timer]\nOnCalendar=daily\n")
    running = answer == "active\n"
    found = detect(CONFIG, replace(machine, output=output))
    assert found == (ActiveSchedule(True, "systemd") if running else NONE)
    units = ["dnsrenew.service"] if running else ["dnsrenew.service", "dnsrenew.timer"]
    assert asked[: len(units)] == [("systemctl", "--user", "is-active", unit) for unit in units]


CERTBOT = "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot -q renew --no-random-sleep-on-renew"


@pytest.mark.parametrize(
    ("lineage", "state", "counts"),
    [
        ("home.test", "active", True),
        ("home.test-0001", "active", True),
        ("other.test", "active", False),
        ("home.test", "inactive", False),
    ],
)
def test_what_runs_beside_is_found(machine: Machine, lineage: str, state: str, *, counts: bool) -> None:
    """All that runs is found by its name, and certbot's timer if certbot has one of the names and it is not stopped."""
    for path, text in {
        "/etc/systemd/system/dnsrenew.timer": "[Timer]\nOnCalendar=daily\n",
        "/etc/systemd/system/dnsrenew.service": f"[Service]\nExecStart=dnsrenew renew --config {CONFIG}\n",
        "/etc/systemd/system/second.service": f"[Service]\nExecStart=dnsrenew run --config {CONFIG}\n",
        "/etc/systemd/system/certbot.timer": "[Timer]\nOnCalendar=daily\n",
        "/usr/lib/systemd/system/certbot.service": "[Service]\nExecStart=/usr/bin/certbot -q renew --no-random-sleep\n",
        "/etc/cron.d/certbot": f"0 */12 * * * root {CERTBOT}\n",
        "/etc/cron.d/certs": f"0 4 * * * root dnsrenew renew --config {CONFIG}\n",
        f"/etc/letsencrypt/renewal/{lineage}.conf": "",
    }.items():
        put(machine, path, text)
    for unit in ("dnsrenew.timer", "second.service", "certbot.timer"):
        enable(machine, f"/etc/systemd/system/{unit}", "timers.target")
    shown = {"certbot.timer": state}
    machine = replace(machine, output=lambda *words: shown.get(words[-1], "active") if "show" in words else "")
    found = detect(CONFIG, machine, beside=["home.test"])
    certbot = ("certbot.timer", "certbot", "systemctl disable --now certbot.timer")
    expected = [
        *([certbot] if counts else []),
        ("second.service", "dnsrenew", "systemctl disable --now second.service"),
        ("/etc/cron.d/certs", "dnsrenew", ""),
    ]
    assert found.name == "dnsrenew.timer"
    assert [(each.name, each.program, each.stop.removeprefix("sudo ")) for each in found.others()] == expected
    assert detect(CONFIG, machine).others() == []


def test_a_service_that_stays(machine: Machine) -> None:
    """`dnsrenew run` as an enabled system service counts."""
    put(machine, "/etc/systemd/system/dnsrenew.service", f"[Service]\nExecStart=dnsrenew run --config {CONFIG}\n")
    enable(machine, "/etc/systemd/system/dnsrenew.service", "multi-user.target")
    assert detect(CONFIG, machine) == ActiveSchedule(True, "systemd")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["/usr/bin/python3.11", "/usr/local/bin/dnsrenew", "run", "--config", CONFIG], True),
        (["python", "-m", "dnsrenew", "-v", "run"], True),
        (["dnsrenew", "run", "--config", "/other.toml"], False),
        (["dnsrenew", "run", "--config", "./dnsrenew.toml"], True),
        (["dnsrenew", "run", "--config", "../dnsrenew.toml"], False),
        (["dnsrenew", "renew"], False),
        (["sh", "-c", "dnsrenew run; dnsrenew status"], False),
        (["vi", "how-dnsrenew", "run"], False),
    ],
)
def test_a_running_process(machine: Machine, words: list[str], *, found: bool) -> None:
    """A running `dnsrenew run` is found. A single renewal is not a schedule."""
    put(machine, "/proc/7/cmdline", "\0".join([*words, ""]))
    put(machine, "/proc/version", "Linux")
    view = ProcessView("/etc/dnsrenew", {"DNSRENEW_CONFIG": CONFIG}, "root")
    machine = replace(machine, view={7: view}.__getitem__)
    assert detect(CONFIG, machine) == (ActiveSchedule(True, "run") if found else NONE)
    listed = f"  7 {' '.join(words)}"
    mac = replace(machine, platform="darwin", output=lambda name, *_: listed if name == "ps" else "")
    (machine.root / "proc/7/cmdline").unlink()
    assert detect(CONFIG, mac).installed is found


HERE, THERE = "a/dnsrenew.toml", "b/dnsrenew.toml"
"""Two configurations of one machine."""


@pytest.mark.parametrize(
    ("arguments", "folder", "environ", "counts"),
    [
        ([], "a", {}, True),
        ([], "b", {}, False),
        ([], "b", {"DNSRENEW_CONFIG": "{root}/a/dnsrenew.toml"}, True),
        ([], "a", {"DNSRENEW_CONFIG": "../b/dnsrenew.toml"}, False),
        ([], "", {"XDG_CONFIG_HOME": "{root}/xdg"}, False),
        (["--config", "dnsrenew.toml"], "a", {}, True),
        (["--config=dnsrenew.toml"], "b", None, False),
        (["--config", "{root}/a/dnsrenew.toml"], None, None, True),
        ([], None, {}, None),
        ([], "a", None, None),
        (["--config", "dnsrenew.toml"], None, {}, None),
    ],
)
def test_a_process_runs_for_its_own_configuration(
    machine: Machine,
    arguments: list[str],
    folder: str | None,
    environ: dict[str, str] | None,
    *,
    counts: bool | None,
) -> None:
    """A `dnsrenew run` counts for the configuration that it reads; unknown, if its folder cannot be read."""
    for config in (HERE, THERE, "xdg/dnsrenew/dnsrenew.toml"):
        put(machine, config, "")
    root = str(machine.root)
    words = ["dnsrenew", "run", *(each.format(root=root) for each in arguments)]
    put(machine, "/proc/7/cmdline", "\0".join([*words, ""]))
    variables = None if environ is None else {key: value.format(root=root) for key, value in environ.items()}
    view = ProcessView(None if folder is None else f"{root}/{folder}", variables, "root")
    found = detect(machine.root / HERE, replace(machine, view=lambda _: view))
    assert found == ActiveSchedule(counts, "run" if counts else None)


def test_a_real_process_is_seen(tmp_path: Path) -> None:
    """The folder and the environment of a process are read from the system."""
    asked = "import sys; print(flush=True); sys.stdin.read()"
    variables = {**os.environ, "DNSRENEW_CONFIG": "x.toml"}
    with subprocess.Popen(
        [sys.executable, "-c", asked], cwd=tmp_path, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        view = view_process(process.pid)
        process.communicate()
    assert view is not None
    assert view.folder == os.path.realpath(tmp_path)
    assert view.environ is not None
    assert view.environ["DNSRENEW_CONFIG"] == "x.toml"
    assert view_process(process.pid) is None


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        ("WorkingDirectory={root}/a\nExecStart=dnsrenew renew", True),
        ("WorkingDirectory={root}/b\nExecStart=dnsrenew renew", False),
        ("WorkingDirectory=-{root}/b\nExecStart=dnsrenew renew --config dnsrenew.toml", False),
        ("WorkingDirectory=%h/b\nExecStart=dnsrenew renew --config dnsrenew.toml", True),
        ("WorkingDirectory={root}/b\nExecStart=dnsrenew renew --config %h/dnsrenew.toml", True),
        ("WorkingDirectory={root}/b\nExecStart=sh -c 'cd x && dnsrenew renew'", True),
        ("WorkingDirectory={root}/b\nEnvironment=DNSRENEW_CONFIG=/x\nExecStart=dnsrenew renew", True),
        ("WorkingDirectory={root}/b\nEnvironmentFile=/etc/default/x\nExecStart=dnsrenew renew", True),
    ],
)
def test_the_folder_of_a_unit(machine: Machine, unit: str, *, counts: bool) -> None:
    """A unit counts unless its folder certainly leads it to another configuration."""
    put(machine, HERE, "")
    put(machine, THERE, "")
    text = unit.format(root=machine.root).replace("\\n", "\n")
    service = put(machine, "/etc/systemd/system/certs.service", f"[Service]\n{text}\n")
    enable(machine, "/etc/systemd/system/certs.service", "multi-user.target")
    assert detect(machine.root / HERE, machine) == (ActiveSchedule(True, "systemd") if counts else NONE)
    (service.parent / "certs.service.d").mkdir()  # as `systemctl edit` makes it
    assert detect(machine.root / HERE, machine) == ActiveSchedule(True, "systemd")


@pytest.mark.parametrize(
    ("crontab", "counts"),
    [
        ("HOME={root}/a\n0 4 * * * root dnsrenew renew", True),
        ("HOME={root}/b\n0 4 * * * root dnsrenew renew", False),
        ("HOME={root}/b\n@daily root dnsrenew renew --config dnsrenew.toml", False),
        ("HOME={root}/b\n@daily root dnsrenew renew --config ../a/dnsrenew.toml", True),
        ("HOME={root}/b\n@daily root cd ../a && dnsrenew renew", True),
        ("DNSRENEW_CONFIG={root}/b/dnsrenew.toml\n@daily root dnsrenew renew", False),
        ("@daily root DNSRENEW_CONFIG={root}/b/dnsrenew.toml dnsrenew renew", False),
        ("@daily no-such-user dnsrenew renew", True),
    ],
)
def test_the_home_of_a_crontab(machine: Machine, crontab: str, *, counts: bool) -> None:
    """A line of a crontab counts unless its folder or its variables certainly lead it to another configuration."""
    put(machine, HERE, "")
    put(machine, THERE, "")
    put(machine, "/etc/crontab", crontab.format(root=machine.root).replace("\\n", "\n") + "\n")
    assert detect(machine.root / HERE, machine) == (ActiveSchedule(True, "cron") if counts else NONE)


def test_what_cannot_be_found_out_is_unknown(machine: Machine) -> None:
    """If a program hangs, the result is unknown, unless a schedule is found otherwise."""

    def hangs(*_: str) -> str:
        raise TimeoutError

    assert detect(CONFIG, replace(machine, output=hangs)) == UNKNOWN
    put(machine, "/proc/7/cmdline", f"dnsrenew\0run\0--config\0{CONFIG}\0")
    assert detect(CONFIG, replace(machine, output=hangs)) == ActiveSchedule(True, "run")
    put(machine, "/Library/LaunchAgents/x.plist", "no plist")
    assert detect(CONFIG, replace(machine, platform="darwin")) == NONE
    assert detect(CONFIG, replace(machine, platform="win32")) == UNKNOWN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(machine: Machine) -> None:
    """A pipe in a folder of cron does not block the detection."""
    put(machine, "/etc/cron.d/x", "")
    os.mkfifo(machine.root / "etc/cron.d/pipe")
    assert detect(CONFIG, machine) == NONE


def test_this_machine_is_looked_at_quickly() -> None:
    """The detection on this machine takes less than half a second."""
    detect(CONFIG)  # loads what it needs
    before = time.perf_counter()
    assert detect(CONFIG).to_dict().keys() == {"installed", "kind", "name", "running", "others"}
    assert time.perf_counter() - before < allowed(0.5)  # 0.01 s on an idle machine


def test_a_program_that_is_missing_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is noticed without starting a process."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **_: started.append(arguments))
    assert program_output("no-such-program-at-all", "-l") == ""
    assert not started


def test_a_config_with_a_space(machine: Machine, tmp_path: Path) -> None:
    """A quoted path is parsed as by a shell."""
    config = tmp_path / "my conf" / "dnsrenew.toml"
    for written in (shlex.quote(str(config)), str(config).replace(" ", "\\ "), f'"{config}"'):
        put(machine, "/etc/crontab", f"0 4 * * * root dnsrenew renew --config {written} -q\n")
        assert detect(config, machine) == ActiveSchedule(True, "cron")


def test_whether_a_schedule_can_be_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule can be installed with systemd, with cron, or on a system with its own scheduler."""
    monkeypatch.setenv("PATH", str(machine.root))
    bare = replace(machine, root=machine.root / "etc")
    assert has_scheduler(machine)
    assert not has_scheduler(bare)
    assert has_scheduler(replace(bare, platform="darwin"))
    put(machine, "crontab", "#!/bin/sh").chmod(0o755)
    assert has_scheduler(bare)
