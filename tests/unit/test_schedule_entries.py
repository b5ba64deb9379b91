"""Several configurations at one scheduler: each has an entry of its own, which names its path."""

from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.schedule import installer
from dnsrenew.schedule.entries import ScheduleEntry, entries, entry_of
from dnsrenew.schedule.host import make_plan
from dnsrenew.schedule.plan import Host, ScheduledJob, ScheduleKind
from tests.kit.schedule_stage import (
    DEBIAN_USER,
    JOB_OF_JOE,
    MAC_USER,
    WINDOWS_USER,
    Programs,
    in_folder,
)

FIRST = replace(JOB_OF_JOE, config="/home/joe/100% mine/$HOME.toml")
SECOND = replace(JOB_OF_JOE, config="/home/joe/c2/dnsrenew.toml")
LONGER = replace(JOB_OF_JOE, config="/srv/home/joe/c2/dnsrenew.toml")
"""Its path ends with that of another one."""
KINDS: list[tuple[ScheduleKind, Host]] = [
    ("systemd", DEBIAN_USER),
    ("cron", DEBIAN_USER),
    ("launchd", MAC_USER),
    ("windows", WINDOWS_USER),
]


def installed(kind: ScheduleKind, job: ScheduledJob, host: Host, run: Programs) -> ScheduleEntry:
    """Install the entry of a configuration, and return it."""
    plan = make_plan(kind, replace(job, name=entry_of(kind, job, host, run).plan.name), host)
    installer.install(plan, run)
    return entry_of(kind, job, host, run)


@pytest.mark.parametrize(("kind", "host"), KINDS)
def test_each_configuration_has_its_own_entry(kind: ScheduleKind, host: Host, tmp_path: Path) -> None:
    """Entries do not replace each other, each names its configuration, and removing one leaves the others."""
    run, host = Programs(), in_folder(host, tmp_path)
    jobs = [FIRST, SECOND, LONGER]
    found = [installed(kind, job, host, run) for job in jobs]
    assert [entry.state for entry in found] == ["same"] * 3
    assert found[0].plan.name == "dnsrenew"
    assert len({entry.plan.name for entry in found}) == 3
    nothing = replace(FIRST, config="")
    if kind != "windows":  # its files cannot be listed here
        assert {entry.config for entry in entries(kind, nothing, host, run)} == {job.config for job in jobs}
    assert installer.remove(found[0].plan, run)
    assert [entry_of(kind, job, host, run).state for job in jobs] == ["none", "same", "same"]
    assert [entry_of(kind, job, host, run).config for job in jobs[1:]] == [SECOND.config, LONGER.config]
    again = installed(kind, FIRST, host, run)
    assert (again.plan.name, again.state) == ("dnsrenew", "same")
    assert installed(kind, SECOND, host, run).plan.name == found[1].plan.name


def test_names_at_the_scheduler_differ(tmp_path: Path) -> None:
    """The timer, the job of launchd and the task have the name of the entry, not only the file."""
    for kind, host in KINDS:
        plan = make_plan(kind, replace(SECOND, name="dnsrenew-12345678"), in_folder(host, tmp_path))
        commands = [" ".join(command.arguments) for command in (*plan.enable, *plan.disable) if kind != "cron"]
        text = "".join(file.text for file in plan.files)
        assert "dnsrenew-12345678" in text + "".join(file.path for file in plan.files)
        assert all(
            "dnsrenew-12345678" in command
            for command in commands
            if not command.endswith(("daemon-reload", DEBIAN_USER.user))
        )
