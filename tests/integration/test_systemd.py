"""What the guides say of systemd, on a machine where it is process 1: timer, service, `run`, polkit, a user's timer."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.base import x509
from tests.kit.child import ROOT
from tests.kit.processes import wait_until
from tests.kit.tool_folders import OldMachine, rsa_key
from tests.lab import Lab
from tests.lab.systemd import RELOAD, SystemdMachine, configure, status, systemd_machine

pytestmark = pytest.mark.timeout(600)  # the first one may make the root folder

TIMER, SERVICE, RUN = "dnsrenew.timer", "dnsrenew.service", "dnsrenew-run.service"
TLS: Final = "/etc/nginx/tls"
UNITS: Final = ("dnsrenew*", "tell-me@*", "certbot*", "own*")
RULE: Final = (ROOT / "docs/guides/unprivileged.md").read_text("utf-8").partition("```js\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def booted() -> Iterator[SystemdMachine]:
    """A machine that runs, for all tests here."""
    with systemd_machine() as made:
        yield made


@pytest.fixture
def machine(booted: SystemdMachine, lab: Lab) -> Iterator[SystemdMachine]:
    """The machine with a configuration, without a certificate and a schedule."""
    configure(booted, lab)
    yield booted
    installed = [path for unit in UNITS for path in (booted.disk / "etc/systemd/system").rglob(unit)]
    booted.run("systemctl", "stop", *{path.name for path in installed if path.is_file() and "@" not in path.name})
    made = [f"/{path.relative_to(booted.disk)}" for path in installed]
    booted.good("rm", "-rf", *made, "/var/lib/dnsrenew", "/etc/letsencrypt", TLS)
    booted.good("systemctl", "daemon-reload")
    booted.run("systemctl", "reset-failed")


@pytest.fixture
def nginx(machine: SystemdMachine, lab: Lab) -> Iterator[str]:
    """Where nginx serves a certificate of its own, from the folder of the guide."""
    port = lab.reserve()
    machine.good("install", "-d", "-m", "700", TLS)
    machine.write(f"{TLS}/fullchain.pem", lab.ca.certificate_pem.read_text())
    machine.write(f"{TLS}/privkey.pem", lab.ca.key_pem.read_text(), 0o600)
    tls = f"ssl_certificate {TLS}/fullchain.pem; ssl_certificate_key {TLS}/privkey.pem;"
    machine.write("/etc/nginx/conf.d/tls.conf", f"server {{ listen 127.0.0.1:{port} ssl; {tls} }}\n")
    machine.good("systemctl", "restart", "nginx")
    yield f"127.0.0.1:{port}"
    machine.good("systemctl", "stop", "nginx")


def deployed(verify: str = "") -> dict[str, Any]:
    """Return the deployment of docs/guides/systemd.md; without the port of nginx, only its files."""
    files = {"to": "files", "certificate": f"{TLS}/fullchain.pem", "key": f"{TLS}/privkey.pem"}
    return {"certificate.0.deploy": [{**files, "reload": RELOAD, "verify": verify} if verify else files]}


def enable_certbot(machine: SystemdMachine) -> None:
    """Enable the timer of Debian's certbot, which is installed here."""
    for unit in ("certbot.timer", "certbot.service"):
        machine.write(f"/etc/systemd/system/{unit}", Path("/usr/lib/systemd/system", unit).read_text())
    machine.good("systemctl", "enable", "--now", "certbot.timer")


def served(address: str) -> str:
    """Return the serial number of the certificate that is served."""
    host, port = address.split(":")
    return x509.read_certificate(ssl.get_server_certificate((host, int(port)))).serial


def exposure(machine: SystemdMachine, unit: str, *options: str, user: str = "root") -> str:
    """Return the figure of `systemd-analyze security`."""
    text = machine.good("systemd-analyze", "security", "--no-pager", *options, unit, user=user)
    return text.partition("Overall exposure level for ")[2].split()[1]


def test_the_timer_renews_in_its_sandbox_and_nginx_is_reloaded(machine: SystemdMachine, lab: Lab, nginx: str) -> None:
    """The restricted service renews, deploys and reloads nginx; systemd finds no fault in its units."""
    configure(machine, lab, **deployed(nginx))
    assert "now runs automatically" in machine.good("dnsrenew", "schedule", "install")
    assert machine.good("systemd-analyze", "verify", TIMER, SERVICE) == ""
    assert exposure(machine, SERVICE) == "2.6"
    assert TIMER in machine.good("systemctl", "list-timers", "--no-pager", TIMER)
    old = served(nginx)
    machine.good("systemctl", "start", SERVICE)
    (certificate,) = status(machine)["certificates"]
    assert served(nginx) == certificate["serial"] != old
    fields = ["--output=json", "--output-fields=MESSAGE,PRIORITY,DNSRENEW_CERTIFICATE", "DNSRENEW_CERTIFICATE=home"]
    (entry,) = map(json.loads, machine.run("journalctl", "--quiet", f"--unit={SERVICE}", *fields).stdout.splitlines())
    assert (entry["PRIORITY"], "now served" in entry["MESSAGE"]) == ("6", True), entry
    assert "systemd renews automatically" in machine.good("dnsrenew", "status", "--check")


def test_a_failed_run_starts_what_on_failure_names(machine: SystemdMachine, lab: Lab, nginx: str) -> None:
    """A run that fails starts the unit of `OnFailure=`, and the unit stays failed until a run succeeds."""
    configure(machine, lab, **deployed(nginx))
    machine.good("dnsrenew", "schedule", "install")
    machine.write(f"/etc/systemd/system/{SERVICE}.d/override.conf", "[Unit]\nOnFailure=tell-me@%n.service\n")
    tell = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo %i has failed'\n"
    machine.write("/etc/systemd/system/tell-me@.service", tell)
    machine.good("systemctl", "daemon-reload")
    machine.good("systemctl", "stop", "nginx")
    assert machine.run("systemctl", "start", SERVICE).returncode == 1
    wait_until(lambda: f"{SERVICE} has failed" in machine.journal(f"tell-me@{SERVICE}.service"))
    assert machine.shown(SERVICE, "ExecMainStatus") == "1"
    assert SERVICE in machine.good("systemctl", "--failed", "--no-pager")
    machine.good("systemctl", "start", "nginx")
    machine.good("systemctl", "start", SERVICE)
    assert SERVICE not in machine.good("systemctl", "--failed", "--no-pager")
    assert served(nginx) == status(machine)["certificates"][0]["serial"]


def test_a_run_that_was_missed_is_made_up_for(machine: SystemdMachine) -> None:
    """After two days without power the timer is due within the hour of the start; without a delay, at once."""
    machine.good("dnsrenew", "schedule", "install")
    stamp = machine.disk / "var/lib/systemd/timers" / f"stamp-{TIMER}"
    for drop_in in ("", "[Timer]\nRandomizedDelaySec=0\n"):
        machine.write(f"/etc/systemd/system/{TIMER}.d/own.conf", drop_in)
        machine.cut()
        os.utime(stamp, (time.time() - 2 * 86400,) * 2)
        machine.boot()  # it waits for what is started at the start
        if not drop_in:
            at = machine.good("date", "+%s", "-d", machine.shown(TIMER, "NextElapseUSecRealtime"))
            assert 0 <= int(at) - time.time() + 60 <= 3700
            assert status(machine)["certificates"][0]["state"] == "missing"
    assert status(machine)["certificates"][0]["state"] == "valid"


def test_run_tells_systemd_how_it_is(machine: SystemdMachine, lab: Lab) -> None:
    """`dnsrenew run` as a service: notify with a status, reload of a good and of a bad configuration, watchdog."""
    machine.write(f"/etc/systemd/system/{RUN}", (ROOT / "docs/monitoring" / RUN).read_text())
    machine.write(f"/etc/systemd/system/{RUN}.d/own.conf", "[Service]\nWatchdogSec=3\nRestartSec=0\n")
    machine.good("systemctl", "daemon-reload")
    machine.good("systemctl", "start", RUN)
    assert machine.shown(RUN, "ActiveState") == "active"
    wait_until(lambda: "Next check:" in machine.shown(RUN, "StatusText"))
    assert status(machine)["certificates"][0]["state"] == "valid"
    configure(machine, lab, **{"certificate.0.renew_before": "20 days"})
    machine.good("systemctl", "reload", RUN)
    wait_until(lambda: "read again" in machine.journal(RUN))
    config = machine.disk / "etc/dnsrenew/dnsrenew.toml"
    config.write_text(config.read_text() + "[certificate\n")
    machine.good("systemctl", "reload", RUN)
    wait_until(lambda: "Continuing with the previous configuration" in machine.journal(RUN))
    assert machine.shown(RUN, "ActiveState") == "active"
    configure(machine, lab)
    machine.good("systemctl", "kill", "--signal=STOP", RUN)
    wait_until(lambda: machine.shown(RUN, "NRestarts") == "1" and machine.shown(RUN, "ActiveState") == "active")
    machine.good("systemctl", "stop", RUN)
    assert machine.shown(RUN, "Result") == "success"


def test_advice_names_the_unit_that_really_runs(machine: SystemdMachine, lab: Lab) -> None:
    """A folder that a unit closes comes with the command for that unit; where all is allowed, it works."""
    machine.good("install", "-d", "-m", "700", TLS)
    machine.good("dnsrenew", "schedule", "install")
    configure(machine, lab, **deployed())
    machine.run("systemctl", "start", SERVICE)
    assert "Run `dnsrenew schedule install` again" in machine.journal(SERVICE)
    machine.good("dnsrenew", "schedule", "install")
    machine.good("systemctl", "start", SERVICE)
    machine.good("dnsrenew", "schedule", "remove")
    machine.good("rm", "-r", "/var/lib/dnsrenew")
    machine.write(f"/etc/systemd/system/{RUN}", (ROOT / "docs/monitoring" / RUN).read_text())
    machine.good("systemctl", "daemon-reload")
    machine.good("systemctl", "start", RUN)
    wait_until(lambda: f"Run `systemctl edit {RUN}`" in machine.journal(RUN))
    machine.write(f"/etc/systemd/system/{RUN}.d/override.conf", f"[Service]\nReadWritePaths={TLS}\n")
    machine.good("systemctl", "daemon-reload")
    machine.good("systemctl", "restart", RUN)
    wait_until(lambda: [each["ok"] for each in status(machine)["certificates"][0]["deployed"]] == [True])


def test_what_would_stop_the_next_run_is_said_by_one_with_nothing_to_do(machine: SystemdMachine, lab: Lab) -> None:
    """A unit that closes the store, and a secret that is gone, are in the journal while nothing is due."""
    machine.write("/etc/dnsrenew/tsig", lab.key.secret, 0o600)
    configure(machine, lab, **{"dns.home.tsig_secret": "file:/etc/dnsrenew/tsig"})
    machine.good("dnsrenew", "schedule", "install")
    machine.good("systemctl", "start", SERVICE)
    machine.write(f"/etc/systemd/system/{SERVICE}.d/own.conf", "[Service]\nReadWritePaths=\n")
    machine.good("systemctl", "daemon-reload")
    machine.good("rm", "/etc/dnsrenew/tsig")
    machine.good("systemctl", "start", SERVICE)
    said = machine.journal(SERVICE)
    assert "/var/lib/dnsrenew cannot be written: its file system is read-only. Run `dnsrenew schedule install`" in said
    assert "file:/etc/dnsrenew/tsig cannot be read" in said
    checked = machine.run("dnsrenew", "status", "--check")
    assert (checked.returncode, "1 needs attention" in checked.stdout) == (1, True), checked.stdout


def test_who_renews_is_said_by_name_and_state(machine: SystemdMachine) -> None:
    """`status` names what renews, or what is stopped, and what runs beside it: a second schedule, certbot's timer."""
    machine.write(f"/etc/systemd/system/{RUN}", (ROOT / "docs/monitoring" / RUN).read_text())
    machine.good("systemctl", "enable", "--now", RUN)
    assert f"Active: {RUN}." in machine.good("dnsrenew", "status")
    machine.good("systemctl", "stop", RUN)
    stopped = machine.run("dnsrenew", "status", "--check")
    assert (stopped.returncode, f"systemd has stopped {RUN}" in stopped.stdout) == (1, True), stopped.stdout
    machine.good("systemctl", "start", RUN)
    stop = (
        f"{RUN} renews these certificates too. One schedule is enough. To stop it, run: systemctl disable --now {RUN}"
    )
    assert stop in machine.good("dnsrenew", "schedule", "install")
    said = machine.good("dnsrenew", "status")
    assert (f"Active: {TIMER}." in said) != (f"Active: {RUN}." in said), said
    assert len(status(machine)["schedule"]["others"]) == 1
    machine.good("systemctl", "disable", "--now", RUN)
    machine.write("/etc/letsencrypt/renewal/home.conf", "")
    enable_certbot(machine)
    certbot = {"kind": "systemd", "name": "certbot.timer", "program": "certbot"}
    assert status(machine)["schedule"]["others"] == [certbot]
    machine.good("systemctl", "disable", "--now", "certbot.timer")
    assert status(machine)["schedule"]["others"] == []


def test_an_import_lists_only_what_is_left_to_do(machine: SystemdMachine, tmp_path: Path) -> None:
    """The steps of a second import leave out the schedule, and the stop of certbot, once these are done."""
    old, config = OldMachine(tmp_path / "old"), ["--config", "/etc/dnsrenew/imported.toml"]
    old.certbot_account(rsa_key())
    conf = old.certbot_certificate("home.test")
    conf.write_text(conf.read_text().replace(str(old.root), ""))
    shutil.copytree(old.letsencrypt, machine.disk / "etc/letsencrypt", symlinks=True)
    enable_certbot(machine)
    steps = ("dnsrenew schedule install", "systemctl disable --now certbot.timer")
    said = machine.good("dnsrenew", "import", *config)
    assert [step in said for step in steps] == [True, True], said
    machine.good("dnsrenew", "schedule", "install", *config)
    machine.good(*steps[1].split())
    said = machine.good("dnsrenew", "import", *config)
    assert [step in said for step in steps] == [False, False], said


def test_a_user_without_root_reloads_by_the_rule_of_the_guide(machine: SystemdMachine, lab: Lab, nginx: str) -> None:
    """The timer of a user renews while nobody is logged in, and polkit lets it reload nginx, and do nothing else."""
    machine.write("/etc/polkit-1/rules.d/50-dnsrenew.rules", RULE)
    machine.good("systemctl", "restart", "polkit")
    machine.good("chown", "-R", "certs:", TLS)
    configure(machine, lab, "certs", **deployed(nginx))
    config = ["--config", "/var/lib/certs/certificates/dnsrenew.toml"]
    machine.good("loginctl", "enable-linger", "certs")
    wait_until(lambda: machine.run("systemctl", "--user", "is-system-running", user="certs").stdout == "running\n")
    assert "now runs automatically" in machine.good("dnsrenew", "schedule", "install", *config, user="certs")
    assert exposure(machine, SERVICE, "--user", user="certs") == "6.6"
    old = served(nginx)
    machine.good("systemctl", "--user", "start", SERVICE, user="certs")
    assert served(nginx) != old
    assert machine.run("systemctl", "restart", "nginx.service", user="certs").returncode != 0
