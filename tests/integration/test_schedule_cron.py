"""The cron of Debian, running and not running: "renews automatically" is only said of what does."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.kit.cron_machine import CronMachine, configure, cron_machine, program
from tests.kit.processes import wait_until
from tests.kit.users import as_root
from tests.lab import Lab

USERS: Final = ("root", "anna")
OFF: Final = "no cron daemon runs here"


@pytest.fixture
def machine() -> Iterator[CronMachine]:
    """A machine with cron, which does not run, and two users."""
    with cron_machine() as made:
        yield made


def aged(machine: CronMachine, user: str, age: timedelta) -> None:
    """Let the store remember that everything of a schedule was so long ago."""
    path = machine.folder / user / "dnsrenew-state" / "scheduled.json"
    document = json.loads(path.read_text())
    time = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    for schedule in document["schedules"].values():
        schedule.update(dict.fromkeys(schedule, time))
    path.write_text(json.dumps(document))


@as_root
@pytest.mark.parametrize("user", USERS)
def test_cron_that_does_not_run_is_said_until_it_does(machine: CronMachine, lab: Lab, user: str) -> None:
    """Where cron is installed and does not run, each command says so, with the command that starts it."""
    configure(machine, lab, user)
    status, said = machine.dnsrenew(user, "renew")
    assert (status, "Nothing renews this yet" in said) == (0, True), said
    status, said = machine.dnsrenew(user, "schedule", "install")
    assert (status, OFF in said, "now runs automatically" in said) == (0, True, False), said
    for command, ends in (("schedule show", 0), ("status", 0), ("status --check", 1), ("status -q --check", 1)):
        status, said = machine.dnsrenew(user, *command.split())
        assert (status, OFF in said, "renews automatically." in said) == (ends, True, False), said
    status, said = machine.dnsrenew(user, "doctor")
    assert OFF in said, said
    document = json.loads(machine.run(user, program(), "status", "--json", "-q").stdout)
    name = "/etc/cron.d/dnsrenew" if user == "root" else "crontab"
    expected = {"installed": True, "kind": "cron", "name": name, "running": False, "others": [], "last_run": None}
    assert document["schedule"] == expected
    started = re.search(r"Start it: (?:sudo )?(/etc/init.d/cron start)", machine.dnsrenew(user, "status")[1])
    assert started is not None
    assert machine.run("root", *started[1].split()).returncode == 0  # what `sudo` would do
    wait_until(lambda: OFF not in machine.dnsrenew(user, "status")[1])
    for command, wanted in (
        ("status --check", "cron renews automatically."),
        ("schedule show", "installed runs daily at"),
        ("schedule install", "already runs automatically"),
        ("doctor", "found nothing wrong"),
    ):
        status, said = machine.dnsrenew(user, *command.split())
        assert (status, wanted in said, OFF in said) == (0, True, False), said


@as_root
def test_the_runs_of_cron_are_remembered(machine: CronMachine, lab: Lab) -> None:
    """A run that cron starts is remembered, one by hand is not, and `status` warns when none came for two days."""
    config = configure(machine, lab, "anna")
    assert machine.dnsrenew("anna", "renew")[0] == 0
    machine.dnsrenew("anna", "schedule", "install")
    last_run = [json.loads(machine.run("anna", program(), "status", "--json", "-q").stdout)["schedule"]["last_run"]]
    assert last_run == [None]
    line = f"@reboot {program()} renew -q --scheduled --config {shlex.quote(str(config))}\n"
    crontab = machine.run("anna", "sh", "-c", f"(crontab -l; echo {shlex.quote(line)}) | crontab -")
    assert crontab.returncode == 0, crontab.stdout
    assert machine.run("root", "/etc/init.d/cron", "start").returncode == 0
    scheduled = machine.folder / "anna" / "dnsrenew-state" / "scheduled.json"
    wait_until(lambda: "last" in scheduled.read_text())
    assert machine.dnsrenew("anna", "status", "--check")[0] == 0
    aged(machine, "anna", timedelta(days=3))
    for command in ("renew", "renew --scheduled --dry-run"):
        machine.dnsrenew("anna", *command.split())  # by hand, or a rehearsal
        status, said = machine.dnsrenew("anna", "status", "--check")
        assert (status, "The last scheduled run was 3 days ago" in said) == (1, True), said
        assert "renews automatically." not in said
    assert "No scheduled run has come since" in machine.dnsrenew("anna", "doctor")[1]
    assert machine.dnsrenew("anna", "renew", "--scheduled")[0] == 0
    status, said = machine.dnsrenew("anna", "status", "--check")
    assert (status, "cron renews automatically." in said) == (0, True), said


@as_root
def test_anacron_catches_up(machine: CronMachine, lab: Lab) -> None:
    """After days off, anacron runs a daily script once; the run is remembered, and `status` names what renews."""
    config = configure(machine, lab, "root")
    assert machine.dnsrenew("root", "renew")[0] == 0
    assert machine.run("root", "/etc/init.d/cron", "start").returncode == 0
    script = f"#!/bin/sh\nexec {program()} renew -q --scheduled --config {shlex.quote(str(config))}\n"
    write = [
        "sh",
        "-c",
        f"printf %s {shlex.quote(script)} >/etc/cron.daily/dnsrenew; chmod 755 /etc/cron.daily/dnsrenew",
    ]
    assert machine.run("root", *write).returncode == 0
    old = (datetime.now() - timedelta(days=3)).strftime("%Y%m%d")  # noqa: DTZ005  # anacron counts local days
    assert machine.run("root", "sh", "-c", f"echo {old} >/var/spool/anacron/cron.daily").returncode == 0

    def last_run() -> object:
        return json.loads(machine.run("root", program(), "status", "--json", "-q").stdout)["schedule"]["last_run"]

    assert last_run() is None
    for jobs in (1, 0):  # and not again on the same day
        done = machine.run("root", "anacron", "-d", "-n", "-s", "cron.daily")
        assert (done.returncode, f"({jobs} job" in done.stdout) == (0, True), done.stdout
    assert last_run() is not None
    status, said = machine.dnsrenew("root", "status", "--check")
    assert (status, "cron renews automatically." in said) == (0, True), said


@as_root
def test_a_schedule_that_never_ran_is_noticed(machine: CronMachine, lab: Lab) -> None:
    """A schedule that has not run within two days of its installation is reported, until it is removed."""
    configure(machine, lab, "anna")
    assert machine.run("root", "/etc/init.d/cron", "start").returncode == 0
    assert machine.dnsrenew("anna", "renew")[0] == 0
    assert machine.dnsrenew("anna", "schedule", "install")[0] == 0
    aged(machine, "anna", timedelta(days=3))
    status, said = machine.dnsrenew("anna", "status", "--check")
    assert (status, "installed 3 days ago and has not run since" in said) == (1, True), said
    assert machine.dnsrenew("anna", "schedule", "remove")[0] == 0
    status, said = machine.dnsrenew("anna", "status", "--check")
    assert (status, "Nothing renews this yet" in said) == (0, True), said


@as_root
@pytest.mark.parametrize("user", USERS)
def test_two_configurations_beside_each_other(machine: CronMachine, lab: Lab, user: str) -> None:
    """Each configuration has an entry of its own at cron, and removing one leaves the other."""
    assert machine.run("root", "/etc/init.d/cron", "start").returncode == 0
    configure(machine, lab, user)
    second = configure(machine, lab, user, "second.toml")
    for given in ([], ["--config", str(second)]):
        status, said = machine.dnsrenew(user, "schedule", "install", *given)
        assert (status, "now runs automatically" in said) == (0, True), said
    for given in ([], ["--config", str(second)]):
        assert "cron renews automatically." in machine.dnsrenew(user, "status", *given)[1]
    assert machine.dnsrenew(user, "schedule", "remove")[0] == 0
    assert "Nothing renews this yet" in machine.dnsrenew(user, "status")[1]
    assert "cron renews automatically." in machine.dnsrenew(user, "status", "--config", str(second))[1]
