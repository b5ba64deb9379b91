"""Installing and removing: only what is ours, twice the same, whole files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import Host, ScheduledJob, SchedulePlan, installer, make_plan
from tests.unit.schedule_stage import (
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
    """A timer whose units are in the folder."""
    return make_plan("systemd", job, in_folder(host, folder))


def stands(plan: SchedulePlan, run: Programs) -> str:
    """What stands in the plan's place."""
    return installer.state(plan, installer.read(plan, run))


def test_units_are_installed_and_removed(tmp_path: Path) -> None:
    """The files come and are started; they are stopped and go; the second time changes nothing."""
    plan, run = units(tmp_path), Programs()
    assert stands(plan, run) == "none"
    assert installer.install(plan, run) == []
    assert stands(plan, run) == "same"
    assert run.ran[-1] == "systemctl --user enable --now dnsrenew.timer"
    before = [os.stat(file.path).st_mtime_ns for file in plan.files]
    installer.install(plan, run)
    assert [os.stat(file.path).st_mtime_ns for file in plan.files] == before
    assert installer.remove(plan, run)
    assert run.ran[-2:] == ["systemctl --user disable --now dnsrenew.timer", "systemctl --user daemon-reload"]
    assert not installer.remove(plan, run)
    assert list((tmp_path / ".config/systemd/user").iterdir()) == []


def test_an_older_form_is_replaced(tmp_path: Path) -> None:
    """After an update of the program the files are brought up to date."""
    run = Programs()
    installer.install(units(tmp_path, replace(JOB_OF_JOE, program=("/old/dnsrenew",))), run)
    assert stands(units(tmp_path), run) == "older"
    installer.install(units(tmp_path), run)
    assert stands(units(tmp_path), run) == "same"


def test_another_configuration_is_not_forgotten(tmp_path: Path) -> None:
    """Installing for a second configuration would end the renewals of the first: refused; remove takes either."""
    run = Programs()
    installer.install(units(tmp_path, OTHER_JOB), run)
    assert stands(units(tmp_path), run) == "other"
    with pytest.raises(ConfigError) as caught:
        installer.install(units(tmp_path), run)
    assert caught.value.code == "schedule-other"
    assert installer.remove(units(tmp_path), run)


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A file of somebody else is neither replaced nor removed."""
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
    """Our block comes once, at the end, and goes again."""
    plan, run = make_plan("cron", JOB_OF_JOE, DEBIAN_USER), Programs(crontab=before)
    installer.install(plan, run)
    installer.install(plan, run)
    assert run.crontab == (FOREIGN if before else "") + plan.block
    assert stands(plan, run) == "same"
    assert run.ran.count("crontab -") == 1
    assert stands(make_plan("cron", OTHER_JOB, DEBIAN_USER), run) == "other"
    run.crontab += "6 6 * * * more\n"
    newer = make_plan("cron", replace(JOB_OF_JOE, minute=1), DEBIAN_USER)
    installer.install(newer, run)
    assert run.crontab == (FOREIGN if before else "") + newer.block + "6 6 * * * more\n"
    assert installer.remove(plan, run)
    assert run.crontab == (FOREIGN if before else "") + "6 6 * * * more\n"


def test_a_crontab_that_may_not_be_read_is_not_overwritten() -> None:
    """Only having none yet is no failure."""
    plan, run = make_plan("cron", JOB_OF_JOE, DEBIAN_USER), Programs(crontab=FOREIGN, refuse=["crontab -l"])
    with pytest.raises(DnsRenewError, match="Access denied") as caught:
        installer.install(plan, run)
    assert caught.value.code == "schedule-failed"
    assert run.crontab == FOREIGN


def test_what_may_fail_is_reported_and_what_must_not_stops(tmp_path: Path) -> None:
    """Without lingering the timer still works while the user is logged in; without systemctl nothing does."""
    failed = installer.install(units(tmp_path), Programs(refuse=["loginctl"]))
    assert [command.words[0] for command in failed] == ["loginctl"]
    assert "only while you are logged in" in failed[0].fix
    with pytest.raises(DnsRenewError) as caught:
        installer.install(units(tmp_path), Programs(refuse=["systemctl"]))
    assert caught.value.code == "schedule-failed"
    assert "systemctl --user daemon-reload failed: Access denied." in caught.value.message


@pytest.mark.parametrize("refused", ["systemctl --user daemon-reload", "systemctl --user enable"])
def test_what_cannot_be_started_is_not_left_behind(tmp_path: Path, refused: str) -> None:
    """Else it would look installed, and nothing would ever run; a form that stood before, and may run, stays."""
    plan, run = units(tmp_path), Programs(refuse=[refused])
    with pytest.raises(DnsRenewError, match="Access denied"):
        installer.install(plan, run)
    assert stands(plan, run) == "none"
    assert run.ran[-2:] == ["systemctl --user disable --now dnsrenew.timer", "systemctl --user daemon-reload"]
    installer.install(units(tmp_path, replace(JOB_OF_JOE, minute=1)), Programs())
    with pytest.raises(DnsRenewError):
        installer.install(plan, run)
    assert stands(plan, run) == "same"


def test_half_of_it_is_not_left_behind(tmp_path: Path) -> None:
    """The second file cannot be written: the first one goes again."""
    plan, run = units(tmp_path), Programs()
    Path(f"{plan.files[1].path}.dnsrenew-new").mkdir(parents=True)
    with pytest.raises(DnsRenewError) as caught:
        installer.install(plan, run)
    assert caught.value.code == "schedule-unwritable"
    assert stands(plan, run) == "none"


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
def test_whether_it_is_on_is_asked(plan: SchedulePlan, asked: str) -> None:
    """The system knows, not the files; what it says is handed on."""
    assert installer.why_off(plan, Programs()) == ""
    assert installer.why_off(plan, Programs(refuse=[asked])) == f"{asked}: Access denied"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file; nothing is started, nothing half is left."""
    (tmp_path / "Library").write_text("in the way")
    plan, run = make_plan("launchd", JOB_OF_JOE, in_folder(MAC_USER, tmp_path)), Programs()
    with pytest.raises(DnsRenewError) as caught:
        installer.install(plan, run)
    assert caught.value.code in ("schedule-unwritable", "schedule-unreadable")
    assert run.ran == []


def test_real_programs() -> None:
    """Output and status come back; a program that is not there is a failure, not an exception."""
    assert installer.run_program(["cat"], "text").out == "text"
    assert installer.run_program(["false"]).status == 1
    assert installer.run_program(["no-such-program-4711"]).status == 127
