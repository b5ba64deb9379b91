"""`dnsrenew schedule`: its messages, its effects, and its output for programs."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dnsrenew.base.values import replace
from dnsrenew.cli import formatting, invocation, main
from dnsrenew.cli import schedule as schedule_command
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import detect, installer
from dnsrenew.schedule import machine as schedule_machine
from dnsrenew.schedule.detect import ActiveSchedule, RunningSchedule
from dnsrenew.schedule.host import kinds
from dnsrenew.schedule.installer import ProgramResult
from dnsrenew.schedule.plan import Host
from tests.kit.program import named_in
from tests.kit.schedule_stage import CONTAINER, DEBIAN_USER, MAC_USER, WINDOWS_USER, Programs, in_folder

CONFIGURATION = """
agree_terms = true
[dns.home]
provider    = "rfc2136"
server      = "127.0.0.1"
tsig_name   = "dnsrenew"
tsig_secret = {secret}
[[certificate]]
domains = ["example.com"]
"""
FILE = '"file:tsig"'
COMMAND = '{ command = ["pass", "show", "x"] }'

Machine = Callable[..., Programs]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Puts the command onto a machine that is only described, with its files in a folder of the test's."""
    config = tmp_path / "dnsrenew.toml"

    def put(host: Host = DEBIAN_USER, secret: str = FILE, **programs: object) -> Programs:
        run = Programs(**programs)  # type: ignore[arg-type]
        config.write_text(CONFIGURATION.format(secret=secret))
        config.chmod(0o600)
        monkeypatch.setenv("DNSRENEW_CONFIG", str(config))
        monkeypatch.setattr("dnsrenew.schedule.host.this_host", lambda: in_folder(host, tmp_path))
        monkeypatch.setattr(installer, "run_program", run)
        return run

    return put


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the output on both streams."""
    return "".join(capsys.readouterr())


def test_a_life(machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A schedule is installed, shown, installed again and removed, with the right message at each step."""
    machine()
    assert main(["schedule"]) == 0
    out = said(capsys)
    assert "! No schedule is installed. Nothing renews automatically." in out
    assert main(shlex.split(named_in(out, "schedule install"))) == 0
    out = said(capsys)
    undo = named_in(out, "schedule remove")
    assert "✓ `dnsrenew renew` now runs automatically: a systemd timer of user joe" in out
    assert ", each time with a random delay of up to an hour\n" in out
    assert f"{tmp_path}/.config/systemd/user/dnsrenew.timer:\n  # Written by" in out
    assert "  Persistent=true" in out
    assert main(["schedule", "install"]) == 0
    assert "already runs automatically" in said(capsys)
    assert main(["schedule", "show"]) == 0
    out = said(capsys)
    assert "✓ a systemd timer of user joe: installed" in out
    assert "list-timers" in out
    assert main(shlex.split(undo)) == 0
    assert "✓ removed: a systemd timer of user joe" in said(capsys)
    assert main(["schedule", "remove"]) == 0
    assert "nothing was removed" in said(capsys)


@pytest.mark.parametrize("host", [DEBIAN_USER, MAC_USER, WINDOWS_USER, replace(DEBIAN_USER, systemd=False)])
def test_the_language_of_a_schedule(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: Host
) -> None:
    """Runs of a schedule speak the language in which it was installed; in any other it is shown as installed."""
    machine(host)
    spoken = ["zh"]
    monkeypatch.setattr(formatting, "current", lambda: spoken[0])  # a language is for a whole process
    for given, language in (([], "zh"), (["--lang", "en"], "en"), ([], "zh")):
        assert main([*given, "schedule", "install", "--json"]) == 0
        text = "".join(file["text"] for file in json.loads(capsys.readouterr().out)["files"])
        assert re.search(rf"--lang( |</string>\s*<string>){language}\b", text), text
    spoken[0] = "en"
    assert main(["schedule", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "same"
    assert main(["schedule", "install", "--json"]) == 0
    assert "--lang" not in capsys.readouterr().out
    spoken[0] = "zh"
    assert main(["schedule", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "same"


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_a_second_configuration(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    """Two configurations are scheduled beside each other, and `remove` removes the entry of its configuration only."""
    machine()
    second = tmp_path / "c2" / "dnsrenew.toml"
    second.parent.mkdir()
    second.write_text((tmp_path / "dnsrenew.toml").read_text())
    second.chmod(0o600)
    for given in ([], ["--config", str(second)]):
        assert main(["schedule", "install", "--kind", kind, *given]) == 0
        assert "now runs automatically" in said(capsys)
    for given, path in (([], tmp_path / "dnsrenew.toml"), (["--config", str(second)], second)):
        assert main(["schedule", "show", *given]) == 0
        out = said(capsys)
        assert ("installed\n" in out, f"--config {path}\n" in out) == (True, True), out
    assert main(["schedule", "remove"]) == 0
    out = " ".join(said(capsys).split())
    assert f"which ran {tmp_path / 'dnsrenew.toml'} " in out
    assert f"installed for {second}." in out  # the other one stays
    assert main(["schedule", "remove"]) == 0
    out = " ".join(said(capsys).split())
    assert "nothing was removed" in out
    command = named_in(out, "schedule remove --config {config}")
    assert main(["schedule", "show", "--config", str(second)]) == 0
    assert "installed\n" in said(capsys)
    second.unlink()
    assert main(command.split()) == 0  # as the message says, also after the configuration is gone
    assert "removed: " in said(capsys)


def test_which_of_several_is_removed_is_asked(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a configuration a single schedule is removed; of several, one has to be named."""
    machine()
    second = tmp_path / "other.toml"
    second.write_text((tmp_path / "dnsrenew.toml").read_text())
    second.chmod(0o600)
    for given in ([], ["--config", str(second)]):
        assert main(["schedule", "install", "--kind", "cron", *given]) == 0
    (tmp_path / "dnsrenew.toml").unlink()
    monkeypatch.delenv("DNSRENEW_CONFIG")
    monkeypatch.chdir(tmp_path)
    said(capsys)
    assert main(["schedule", "remove"]) == 2
    out = said(capsys)
    assert f"{tmp_path}/dnsrenew.toml, {second}" in out
    assert main(shlex.split(named_in(out, "schedule remove --config {first}"))) == 0
    assert main(["schedule", "remove"]) == 0
    assert "removed: " in said(capsys)


def test_programs_read_json(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json each action prints one document."""
    machine()
    documents = []
    for action in ("show", "install", "show", "remove"):
        assert main(["schedule", action, "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert [document.get("installed") for document in documents] == [False, True, True, None]
    assert documents[0]["files"][0]["text"] is None
    assert documents[2] == documents[1]
    assert documents[3] == {"version": 1, "removed": ["systemd"]}


def test_a_job_written_by_hand(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`show` recognizes a job written by hand. `install` warns that two jobs would run."""
    machine()
    names = {"cron": "/etc/cron.d/certs", "systemd": "dnsrenew.timer"}
    jobs = [RunningSchedule(kind, name, "dnsrenew", "") for kind, name in names.items()]
    found = ActiveSchedule(True, "cron", name="/etc/cron.d/certs", running=tuple(jobs[:1]))
    for module in (schedule_command, detect):
        monkeypatch.setattr(module, "detect", lambda _config, **_: found)
    assert main(["schedule", "show"]) == 0
    out = said(capsys)
    assert out.startswith("✓ cron renews automatically. It was not installed by `dnsrenew schedule install`.\n")
    assert "Nothing renews" not in out
    assert main(["schedule", "install"]) == 0
    warning = "renews these certificates too. One schedule is enough. To stop it, remove its line."
    assert f"! /etc/cron.d/certs {warning}" in said(capsys)
    found = replace(found, running=tuple(jobs))
    assert main(["schedule", "install"]) == 0
    out = said(capsys)
    assert f"! /etc/cron.d/certs {warning}" in out
    assert out.count(warning) == 1  # dnsrenew.timer is what was installed


def test_only_one_kind_at_a_time(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A second schedule of another kind is refused. `remove` finds the installed one, whatever its kind."""
    run = machine()
    assert main(["schedule", "install", "--kind", "cron"]) == 0
    assert "Cron does not catch up" in said(capsys)
    assert main(["schedule", "install"]) == 2
    out = said(capsys)
    assert "already installed: a cron job of user joe" in out
    assert main(shlex.split(named_in(out, "schedule remove"))) == 0
    assert run.crontab == ""


def test_a_kind_that_is_not_here(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """An unavailable --kind is an error. In a container the fix is to install cron, or `dnsrenew run`."""
    machine()
    assert main(["schedule", "install", "--kind", "launchd"]) == 2
    assert "launchd is not available on this machine" in said(capsys)
    machine(CONTAINER)
    assert main(["schedule", "install"]) == 2
    fix = said(capsys)
    assert "`sudo apt install cron`" in fix
    assert "use `dnsrenew run`" in fix
    assert main(["schedule", "install", "--kind", "launchd"]) == 2
    assert main(shlex.split(named_in(said(capsys), "schedule show"))) == 0


@pytest.mark.parametrize("kind", ["launchd", "windows"])
def test_xml_declares_the_encoding_in_which_it_is_shown(
    machine: Machine, capfdbinary: pytest.CaptureFixture[bytes], kind: str
) -> None:
    """An XML parser reads what `show --kind` writes to a pipe."""
    machine(DEBIAN_USER)
    assert main(["schedule", "show", "--kind", kind]) == 0
    assert len(ElementTree.fromstring(capfdbinary.readouterr().out)) > 0  # noqa: S314  # it is ours


@pytest.mark.parametrize("host", [DEBIAN_USER, CONTAINER, MAC_USER, WINDOWS_USER])
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("systemd", "\nOnCalendar=*-*-* "),
        ("cron", "\n@reboot "),
        ("launchd", "<key>StartCalendarInterval</key>"),
        ("windows", "<CalendarTrigger>"),
    ],
)
def test_what_would_be_written_can_be_looked_at_anywhere(
    machine: Machine, capsys: pytest.CaptureFixture[str], host: Host, kind: str, line: str
) -> None:
    """`show --kind` prints any of the four kinds for a file. Further information is on standard error."""
    machine(host)
    assert main(["schedule", "show", "--kind", kind]) == 0
    out, err = capsys.readouterr()
    assert "No schedule is installed" not in out + err
    assert line in out
    assert os.environ["DNSRENEW_CONFIG"] in out
    assert "This would be installed: " in err
    assert ("This is for another machine" in err) is (kind not in kinds(host))
    assert main(["schedule", "show", "--kind", kind, "-q"]) == 0
    assert capsys.readouterr() == (out, "")
    assert main(["schedule", "show", "--kind", kind, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["installed"], document["state"]) == (kind, False, "none")
    assert [file["text"] for file in document["files"]] == [None for _ in document["would_write"]]
    assert "Written by: dnsrenew schedule install" in document["would_write"][0]["text"]


def test_a_container_has_nothing_installed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """In a container `show` succeeds, reports that no schedule is installed and names the alternative."""
    machine(CONTAINER)
    assert main(["schedule", "show"]) == 0
    out = said(capsys)
    assert "! No schedule is installed" in out
    assert "→ This machine has neither systemd nor cron, like most containers. Install cron (`sudo apt" in out
    assert "or use `dnsrenew run`:" in out
    assert main(["schedule", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "version": 1, "kind": None, "installed": False, "state": "none", "files": [], "would_write": [],
    }  # fmt: skip


def test_without_a_configuration_an_example_is_shown(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`show` works without a configuration and shows an example."""

    def none(_self: object) -> Path:
        raise ConfigError("config-missing", "There is none.", fix="Write one.")

    machine()
    monkeypatch.setattr(invocation.Invocation, "config_path", none)
    assert main(["schedule", "show"]) == 0
    assert "No configuration was found; /etc/dnsrenew/dnsrenew.toml is a placeholder for yours." in said(capsys)


def test_secrets_of_the_terminal_are_warned_of(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Installing warns of a secret in an environment variable, which the schedule would not have."""
    machine(secret='"env:TSIG_SECRET"')
    assert main(["schedule", "install", "-q"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "TSIG_SECRET is read from the environment" in err


def test_lingering_is_said(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Lingering is more than a schedule: it is said when it is turned on, and that a removal leaves it."""
    machine()
    assert main(["schedule", "install"]) == 0
    assert "All services of joe now run even while joe is logged out. To undo that, run: loginctl" in said(capsys)
    run = machine(replace(DEBIAN_USER, lingers=True))
    assert main(["schedule", "install"]) == 0
    assert "logged out" not in said(capsys)
    assert not [line for line in run.ran if "loginctl" in line]
    assert main(["schedule", "remove"]) == 0
    assert "Other services of joe still run while joe is logged out. To stop that, run: loginctl" in said(capsys)


def test_what_may_fail_is_said(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """If lingering cannot be enabled, the schedule is installed with a warning.

    A timer that does not start is a failure.
    """
    machine(refuse=["loginctl"])
    assert main(["schedule", "install"]) == 0
    assert "! loginctl enable-linger joe failed. Until an administrator" in said(capsys)
    assert main(["schedule", "remove"]) == 0
    machine(refuse=["systemctl"])
    assert main(["schedule", "install"]) == 1
    assert "failed: Access denied." in said(capsys)
    assert main(["schedule", "show"]) == 0
    assert "! No schedule is installed" in said(capsys)


def test_what_was_removed_fits_the_window(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line about what was removed is broken between words."""
    machine()
    assert main(["schedule", "install"]) == 0
    monkeypatch.setattr("dnsrenew.cli.terminal.Output.size", lambda _self: (40, 24))
    capsys.readouterr()
    assert main(["schedule", "remove"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✓ removed: a systemd timer of user joe"
    assert all(len(line) <= 40 or " " not in line.strip() for line in lines), lines


def test_what_is_not_switched_on_is_said(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A schedule that is installed but inactive is reported with its reason. Installing again activates it."""
    machine()
    assert main(["schedule", "install"]) == 0
    machine(refuse=["systemctl --user is-enabled"])
    capsys.readouterr()
    assert main(["schedule", "show"]) == 0
    out = said(capsys)
    assert "! The schedule is installed (a systemd timer of user joe), but not active, so nothing renews." in out
    assert "→ Run: dnsrenew schedule install" in out
    assert "reason   systemctl --user is-enabled dnsrenew.timer: Access denied" in out
    assert main(["schedule", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["installed"], document["state"]) == (False, "same")
    assert main(["schedule", "install"]) == 0
    assert "now runs automatically" in said(capsys)


def test_an_agent_that_is_not_loaded_is_loaded_again(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command that `status` names for an agent that launchd does not run lets launchd run it."""
    run = machine(MAC_USER)

    def output(*words: str) -> str:
        return "state" if words[1] == "version" or any("launchctl bootstrap" in line for line in run.ran) else ""

    def launchctl(arguments: Sequence[str], text: str | None = None) -> ProgramResult:
        done = run(arguments, text)
        return ProgramResult(113, "", "Could not find service") if not output(*arguments) else done

    mac = schedule_machine.Machine(root=tmp_path, home=tmp_path, platform="darwin", output=output)
    monkeypatch.setattr("dnsrenew.schedule.machine.this_machine", lambda: mac)
    monkeypatch.setattr(installer, "run_program", launchctl)
    assert main(["schedule", "install"]) == 0
    run.ran.clear()  # as `launchctl bootout` does
    capsys.readouterr()
    assert main(["status"]) == 0
    out = said(capsys)
    assert "but launchd has not loaded dnsrenew" in " ".join(out.split())
    assert main(shlex.split(named_in(out, "schedule install"))) == 0
    assert "now runs automatically" in said(capsys)
    assert main(["status"]) == 0
    assert "launchd renews automatically." in said(capsys)


def test_somebody_who_may_not_use_cron(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A kind that cannot be read does not prevent using another one."""
    machine(refuse=["crontab"])
    assert main(["schedule", "install"]) == 0
    assert main(["schedule", "show", "--kind", "cron"]) == 1
    assert main(["schedule", "remove"]) == 0
    assert "removed" in said(capsys)


# ── what the schedule may do, and what others may change ────────────────────────────────


def test_the_sandbox_follows_the_configuration(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The sandbox depends on the configuration. After an edit `show` asks to install the unit again."""
    units = tmp_path / ".config/systemd/user"
    machine()
    assert main(["schedule", "install"]) == 0
    assert "NoNewPrivileges=yes" in (units / "dnsrenew.service").read_text()
    machine(secret=COMMAND)
    capsys.readouterr()
    assert main(["schedule", "show"]) == 0
    out = said(capsys)
    assert ("! a systemd timer of user joe: installed, but outdated: installing it again would change it") in out
    assert "→ Run: dnsrenew schedule install" in out
    assert main(["schedule", "install"]) == 0
    assert "NoNewPrivileges=yes" not in (units / "dnsrenew.service").read_text()
    for out in (said(capsys), *[said(capsys) for action in ("show",) if main(["schedule", action]) == 0]):
        assert "note" in out
        assert "dns.home.tsig_secret" in out


def test_a_preview_says_what_is_left_out(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` names the options that limit the sandbox, before anything is installed."""
    machine(secret=COMMAND)
    assert main(["schedule", "show"]) == 0
    assert "dns.home.tsig_secret" in said(capsys)


def give_away(path: Path) -> None:
    """Let everybody write to it, and give it to another user where that is possible."""
    path.chmod(path.stat().st_mode | 0o022)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)


@pytest.mark.skipif(os.name != "posix", reason="access lists of Windows are not judged")
@pytest.mark.parametrize("part", ["program", "folder", "interpreter", "package"])
def test_root_installs_no_program_that_others_can_change(
    part: str, machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may not install a program that others can change. --insist installs it, and the unit says so."""
    others = tmp_path / "others"
    others.mkdir()
    code = others / "dnsrenew"
    code.write_text("#!/bin/sh\n")
    code.chmod(0o755)
    give_away(others if part == "folder" else code)
    run = machine()
    monkeypatch.setattr("dnsrenew.config.file_checks._is_root", lambda: True)
    if part == "interpreter":
        monkeypatch.setattr(sys, "executable", str(code))
    elif part == "package":
        monkeypatch.setattr(installer, "__file__", str(code))
    else:
        monkeypatch.setattr(sys, "argv", [str(code)])
    assert main(["schedule", "install", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "config-untrusted"
    assert error["evidence"]["path"] == str(others if part == "folder" else code)
    assert error["evidence"]["command"]
    assert run.ran == []
    assert main(["schedule", "install", "--insist"]) == 0
    unit = tmp_path / ".config/systemd/user/dnsrenew.service"
    assert " renew -q --scheduled --insist --config " in unit.read_text()
    capsys.readouterr()
    assert main(["schedule", "show"]) == 0
    assert "✓ a systemd timer of user joe: installed" in said(capsys)


def test_root_installs_no_configuration_that_others_can_change(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may not schedule a configuration that others can change, because it can run programs as root."""
    run = machine()
    monkeypatch.setattr("dnsrenew.config.file_checks._is_root", lambda: True)
    give_away(tmp_path / "dnsrenew.toml")
    assert main(["schedule", "install", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "config-untrusted"
    assert run.ran == []


def test_what_is_shown_with_a_kind_can_go_into_a_file(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """One file is shown as its exact text, two each below its path. An installed schedule is shown as it is."""
    machine(MAC_USER)
    assert main(["schedule", "show", "--kind", "launchd", "-q"]) == 0
    assert capsys.readouterr().out.startswith("<?xml")
    machine(DEBIAN_USER)
    assert main(["schedule", "show", "--kind", "systemd"]) == 0
    out, err = capsys.readouterr()
    heads = [line for line in out.splitlines() if line.startswith("# /")]
    assert [head.rpartition("/")[2] for head in heads] == ["dnsrenew.service", "dnsrenew.timer"]
    assert "then run  loginctl enable-linger joe" in err
    assert "note      Until an administrator runs loginctl enable-linger joe" in err
    assert main(["schedule", "install", "--kind", "systemd", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["schedule", "show", "--kind", "systemd", "-q"]) == 0
    assert capsys.readouterr().out == out
