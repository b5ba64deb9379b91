"""The cron of Debian, running and not running: "renews automatically" is only said of what does."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.kit.cron_machine import ANNA, CronMachine, configure, cron_machine, program
from tests.kit.dialogue import Dialogue
from tests.kit.processes import wait_until
from tests.kit.program import named_in
from tests.kit.users import as_root
from tests.lab import Lab
from tests.lab.settings import to_toml

USERS: Final = ("root", "anna")
OFF: Final = "cron is not running"


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
    assert (status, "Automatic renewal is not set up yet" in said) == (0, True), said
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
        ("doctor", "found no problem"),
    ):
        status, said = machine.dnsrenew(user, *command.split())
        assert (status, wanted in said, OFF in said) == (0, True, False), said


@as_root
def test_what_replaces_a_cron_that_cannot_be_started(machine: CronMachine, lab: Lab) -> None:
    """Where nothing tells how cron is started, `status` names `dnsrenew run`, which renews while it runs."""
    configure(machine, lab, "anna")
    assert machine.dnsrenew("anna", "schedule", "install")[0] == 0
    hide = "mount -t tmpfs none /etc/init.d; for each in cron anacron; do mount --bind /dev/null /usr/sbin/$each; done"
    assert machine.run("root", "sh", "-c", hide).returncode == 0
    said = machine.dnsrenew("anna", "status")[1]
    assert "Start the cron daemon, or keep" in said, said
    line = f"echo $$; exec {program()} {named_in(said, 'run')} 2>/dev/null"
    argv = machine.argv("anna", "sh", "-c", line)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        number = run.stdout.readline().strip()
        wait_until(lambda: "run` is running, and renews" in machine.dnsrenew("anna", "status")[1])
        assert machine.run("anna", "kill", number).returncode == 0
    assert OFF in machine.dnsrenew("anna", "status")[1]


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
        assert machine.dnsrenew("anna", *shlex.split(named_in(said, "schedule show")))[0] == 0
    assert "No scheduled run has started since" in machine.dnsrenew("anna", "doctor")[1]
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
    assert machine.dnsrenew("anna", *shlex.split(named_in(said, "schedule show")))[0] == 0
    assert machine.dnsrenew("anna", "schedule", "remove")[0] == 0
    status, said = machine.dnsrenew("anna", "status", "--check")
    assert (status, "Automatic renewal is not set up yet" in said) == (0, True), said


@as_root
@pytest.mark.parametrize("user", ["root", pytest.param("anna", marks=pytest.mark.slow)])
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
    assert "Automatic renewal is not set up yet" in machine.dnsrenew(user, "status")[1]
    assert "cron renews automatically." in machine.dnsrenew(user, "status", "--config", str(second))[1]


@as_root
def test_an_evening_at_home(machine: CronMachine, lab: Lab) -> None:
    """The trial at home at a terminal: anna's `init` twice, cron that does not run and then does, and the way back.

    Root sees more than she does with the command that her doctor names, and leaves nothing of his own in her store.
    """
    lab.add_zone("evening.test", "@ A 192.0.2.1\nwww A 192.0.2.1\n")
    home = machine.folder / "anna"
    account = {key: value for key, value in lab.account(lab.key).items() if key not in {"provider", "zones"}}
    (home / "ca.pem").write_bytes(lab.ca.trust_pem.read_bytes())
    ca = {"directory": lab.directory_url, "trust": str(home / "ca.pem"), "staging": "letsencrypt"}
    resolver = {"nameservers": [lab.nameserver], "authoritative_port": lab.port}
    answers = home / "answers.toml"
    answers.write_text(to_toml({"deploy": "none", "ca": {"letsencrypt": ca}, "resolver": resolver}))
    for each in (home / "ca.pem", answers):
        os.chown(each, ANNA, ANNA)
        each.chmod(0o600)

    def init(*questions: tuple[str, str], is_first: bool = False) -> str:
        argv = machine.argv("anna", program(), "init", "--answers", "answers.toml")
        with Dialogue.start(argv, home, dict(os.environ)) as talk:
            for question, answer in questions:
                talk.answer(question, answer)
            for key in ("server", "tsig_name", "tsig_algorithm") if is_first else ():
                talk.answer(f"? {key}", account[key])
            if is_first:
                talk.answer("? tsig_secret", lab.key.secret)
                talk.answer("Renew automatically", "y")
            talk.answer("Do a dry run", "n")
            assert talk.end() == 0, talk.text
        assert lab.key.secret not in talk.text
        return " ".join(talk.text.split())

    first = (("Which domain", "www.evening.test"), ("Which email address", "none"), ("Do you agree", ""))
    said = init(*first, ("Which DNS host", "rfc2136"), is_first=True)
    assert OFF in said, said
    said = machine.dnsrenew("anna", "status")[1]
    started = re.search(r"Start it: sudo (\S+ start)", said)
    assert started is not None, said
    assert machine.run("root", *started[1].split()).returncode == 0
    wait_until(lambda: "cron renews automatically." in machine.dnsrenew("anna", "status")[1])
    said = init(("Which domain", "evening.test"), ("Can the account rfc2136", "y"))
    assert OFF not in said, said
    assert machine.run("anna", "crontab", "-l").stdout.count("# BEGIN dnsrenew") == 1
    status, said = machine.dnsrenew("anna", "renew")
    assert (status, "2 certificates: 2 not due" in said) == (0, True), said
    named = re.search(r"sudo (\S*dnsrenew doctor --insist --config \S+)", machine.dnsrenew("anna", "doctor")[1])
    if named is not None:  # where there is something that only root can see
        assert machine.run("root", *shlex.split(named[1])).returncode in {0, 1}
    assert {path.stat().st_uid for path in (home / "state").rglob("*")} == {ANNA}
    text = (home / "dnsrenew.toml").read_text()
    head, _, _ = text.rpartition("[[certificate]]")
    (home / "dnsrenew.toml").write_text(head)
    said = machine.dnsrenew("anna", "status")[1]
    assert "dnsrenew remove evening.test" in said, said
    with Dialogue.start(machine.argv("anna", program(), "remove", "evening.test"), home, dict(os.environ)) as talk:
        talk.answer("evening.test", "y")
        assert talk.end() == 0, talk.text
    assert machine.dnsrenew("anna", "schedule", "remove")[0] == 0
    assert "Automatic renewal is not set up yet" in machine.dnsrenew("anna", "status")[1]
