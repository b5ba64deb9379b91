"""Installing and removing a schedule: only files of dnsrenew are changed, repeatedly, and as a whole."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import installer
from dnsrenew.schedule.host import make_plan
from dnsrenew.schedule.plan import Host, ScheduledJob, SchedulePlan
from tests.kit.schedule_stage import (
    DEBIAN_ROOT,
    DEBIAN_USER,
    JOB_OF_JOE,
    JOB_ON_WINDOWS,
    MAC_USER,
    WINDOWS_USER,
    Programs,
    in_folder,
)

OTHER_JOB = replace(JOB_OF_JOE, config="/home/joe/other.toml")
FOREIGN = "MAILTO=joe\n5 4 * * * backup\n"


def units(folder: Path, job: ScheduledJob = JOB_OF_JOE, host: Host = DEBIAN_USER) -> SchedulePlan:
    """A timer with its units in the folder."""
    return make_plan("systemd", job, in_folder(host, folder))


def state_of(plan: SchedulePlan, run: Programs) -> str:
    """The installed state of a plan."""
    return installer.installed_state(plan, installer.read_installed(plan, run))


def test_units_are_installed_and_removed(tmp_path: Path) -> None:
    """Units are installed and started, then stopped and removed. A repetition changes nothing."""
    plan, run = units(tmp_path), Programs()
    assert state_of(plan, run) == "none"
    assert installer.install(plan, run) == []
    assert state_of(plan, run) == "same"
    assert run.ran[-1] == "systemctl --user enable --now dnsrenew.timer"
    before = [os.stat(file.path).st_mtime_ns for file in plan.files]
    installer.install(plan, run)
    assert [os.stat(file.path).st_mtime_ns for file in plan.files] == before
    assert installer.remove(plan, run)
    assert run.ran[-2:] == ["systemctl --user disable --now dnsrenew.timer", "systemctl --user daemon-reload"]
    assert not installer.remove(plan, run)
    assert list((tmp_path / ".config/systemd/user").iterdir()) == []


def test_files_of_an_older_version_are_replaced(tmp_path: Path) -> None:
    """Files of an older version are replaced."""
    run = Programs()
    installer.install(units(tmp_path, replace(JOB_OF_JOE, program=("/old/dnsrenew",))), run)
    assert state_of(units(tmp_path), run) == "older"
    installer.install(units(tmp_path), run)
    assert state_of(units(tmp_path), run) == "same"


def test_another_configuration_is_not_replaced(tmp_path: Path) -> None:
    """The schedule of another configuration is not replaced. `remove` removes it."""
    run = Programs()
    installer.install(units(tmp_path, OTHER_JOB), run)
    assert state_of(units(tmp_path), run) == "other"
    with pytest.raises(ConfigError) as caught:
        installer.install(units(tmp_path), run)
    assert caught.value.code == "schedule-other"
    assert installer.remove(units(tmp_path), run)


def test_a_foreign_file_is_kept(tmp_path: Path) -> None:
    """A file that dnsrenew did not write is neither replaced nor removed."""
    plan, run = units(tmp_path), Programs()
    path = Path(plan.files[0].path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe mine")
    with pytest.raises(ConfigError) as caught:
        installer.install(plan, run)
    assert caught.value.code == "schedule-foreign"
    assert str(path) in caught.value.message
    assert not installer.remove(plan, run)
    assert path.read_bytes() == b"\xff\xfe mine"
    assert run.ran == []


@pytest.mark.parametrize("before", [None, "", FOREIGN, FOREIGN.rstrip()])
def test_the_crontab_keeps_its_other_lines(before: str | None) -> None:
    """The block is added once at the end and removed again. Other lines stay."""
    plan, run = make_plan("cron", JOB_OF_JOE, DEBIAN_USER), Programs(crontab=before)
    installer.install(plan, run)
    installer.install(plan, run)
    assert run.crontab == (FOREIGN if before else "") + plan.files[0].text
    assert state_of(plan, run) == "same"
    assert run.ran.count("crontab -") == 1
    assert state_of(make_plan("cron", OTHER_JOB, DEBIAN_USER), run) == "other"
    run.crontab += "6 6 * * * more\n"
    newer = make_plan("cron", replace(JOB_OF_JOE, minute=1), DEBIAN_USER)
    installer.install(newer, run)
    assert run.crontab == (FOREIGN if before else "") + newer.files[0].text + "6 6 * * * more\n"
    assert installer.remove(plan, run)
    assert run.crontab == (FOREIGN if before else "") + "6 6 * * * more\n"


def test_an_unreadable_crontab_is_not_overwritten() -> None:
    """A crontab that cannot be read is an error and is not overwritten."""
    plan, run = make_plan("cron", JOB_OF_JOE, DEBIAN_USER), Programs(crontab=FOREIGN, refuse=["crontab -l"])
    with pytest.raises(DnsRenewError, match="Access denied") as caught:
        installer.install(plan, run)
    assert caught.value.code == "schedule-failed"
    assert run.crontab == FOREIGN


def test_optional_commands_are_reported_and_required_ones_stop(tmp_path: Path) -> None:
    """A failing loginctl is reported. A failing systemctl is an error."""
    failed = installer.install(units(tmp_path), Programs(refuse=["loginctl"]))
    assert [command.arguments[0] for command in failed] == ["loginctl"]
    assert "only while you are logged in" in failed[0].fix
    with pytest.raises(DnsRenewError) as caught:
        installer.install(units(tmp_path), Programs(refuse=["systemctl"]))
    assert caught.value.code == "schedule-failed"
    assert "systemctl --user daemon-reload failed: Access denied." in caught.value.message


@pytest.mark.parametrize("refused", ["systemctl --user daemon-reload", "systemctl --user enable"])
def test_a_schedule_that_cannot_be_started_is_removed(tmp_path: Path, refused: str) -> None:
    """A schedule that cannot be started is removed, so that it does not look installed. An earlier one stays."""
    plan, run = units(tmp_path), Programs(refuse=[refused])
    with pytest.raises(DnsRenewError, match="Access denied"):
        installer.install(plan, run)
    assert state_of(plan, run) == "none"
    assert run.ran[-2:] == ["systemctl --user disable --now dnsrenew.timer", "systemctl --user daemon-reload"]
    installer.install(units(tmp_path, replace(JOB_OF_JOE, minute=1)), Programs())
    with pytest.raises(DnsRenewError):
        installer.install(plan, run)
    assert state_of(plan, run) == "same"


def test_a_partial_installation_is_removed(tmp_path: Path) -> None:
    """If the second file cannot be written, the first is removed."""
    plan, run = units(tmp_path), Programs()
    folder, name = os.path.split(plan.files[1].path)
    Path(folder, f".{name}.{os.getpid()}.tmp").mkdir(parents=True)  # where its new content is written first
    with pytest.raises(DnsRenewError) as caught:
        installer.install(plan, run)
    assert caught.value.code == "schedule-unwritable"
    assert state_of(plan, run) == "none"


@pytest.mark.parametrize(
    ("plan", "asked"),
    [
        (make_plan("systemd", JOB_OF_JOE, DEBIAN_USER), "systemctl --user is-enabled dnsrenew.timer"),
        (make_plan("systemd", JOB_OF_JOE, DEBIAN_ROOT), "systemctl is-active dnsrenew.timer"),
        (make_plan("launchd", JOB_OF_JOE, MAC_USER), "launchctl print gui/501/dnsrenew"),
        (make_plan("windows", JOB_ON_WINDOWS, WINDOWS_USER), "schtasks /Query /TN dnsrenew"),
    ],
    ids=["is-enabled", "is-active", "launchd", "windows"],
)
def test_the_system_is_asked_whether_it_is_active(plan: SchedulePlan, asked: str) -> None:
    """The system's reason for an inactive schedule is returned."""
    assert installer.why_inactive(plan, Programs()) == ""
    assert installer.why_inactive(plan, Programs(refuse=[asked])) == f"{asked}: Access denied"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """If the folder cannot be written, it is an error and nothing is started."""
    (tmp_path / "Library").write_text("in the way")
    plan, run = make_plan("launchd", JOB_OF_JOE, in_folder(MAC_USER, tmp_path)), Programs()
    with pytest.raises(DnsRenewError) as caught:
        installer.install(plan, run)
    assert caught.value.code in ("schedule-unwritable", "schedule-unreadable")
    assert run.ran == []


def test_real_programs() -> None:
    """Output and status are returned. A missing program gives status 127."""
    assert installer.run_program(["cat"], "text").out == "text"
    assert installer.run_program(["false"]).status == 1
    assert installer.run_program(["no-such-program-4711"]).status == 127
