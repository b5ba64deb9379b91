"""The power fails in a run of twenty certificates, at any moment; process 1 is systemd, and is killed."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.kit.processes import wait_until
from tests.lab import Lab
from tests.lab.systemd import RELOAD, SystemdMachine, configure, status, systemd_machine

SERVICE: Final = "dnsrenew.service"
MANY: Final = 20
LIVE: Final = "/etc/nginx/live"
PATIENCE: Final = 300.0
"""Seconds: the CA may have seen the values of the run that was cut off, and refuse a name until it looks again."""


@pytest.fixture
def own_lab() -> Iterator[Lab]:
    """A CA of its own, which is started anew after each power cut: Pebble may answer none of the requests any more."""
    with Lab.start() as started:
        before = started.all_txt()
        yield started
        assert started.all_txt() == before


@pytest.fixture
def machine(own_lab: Lab) -> Iterator[SystemdMachine]:
    """A machine with nginx, and the schedule of twenty certificates that it gets."""
    with systemd_machine() as made:
        made.good("install", "-d", "-m", "700", LIVE)
        files = [(f"{LIVE}/{number}.pem", f"{LIVE}/{number}.key") for number in range(MANY)]
        deploy = [{"to": "files", "certificate": one, "key": other, "reload": RELOAD} for one, other in files]
        tables = [
            {"name": f"c{number}", "domains": [f"c{number}.example.test"], "deploy": [deploy[number]]}
            for number in range(MANY)
        ]
        configure(made, own_lab, certificate=tables)
        made.write("/etc/nginx/conf.d/tls.conf", f"server {{ listen unix:/run/nginx.socket; root {LIVE}; }}\n")
        made.good("rm", "/etc/nginx/sites-enabled/default")
        made.good("systemctl", "enable", "--now", "nginx")
        made.good("dnsrenew", "schedule", "install")
        yield made


def empty(machine: SystemdMachine) -> None:
    """Forget all certificates, and what was deployed."""
    machine.good("sh", "-c", f"rm -rf /var/lib/dnsrenew/* {LIVE}/*")


def restart_ca(lab: Lab) -> int:
    """Start the CA anew, at the same ports, without the requests that were cut off; return where its log goes on."""
    lab.pebble.process.stop()
    begin = len(lab.pebble.process.log())
    lab.pebble.process.start()
    lab.pebble.wait_ready()
    return begin


def issued(lab: Lab, begin: int) -> int:
    """Return how many certificates the CA has issued since it was started."""
    return lab.pebble.process.log()[begin:].count("Issued certificate serial")


def validates(lab: Lab, begin: int) -> bool:
    """Return whether the CA is asking for values: its resolver would remember them."""
    log = lab.pebble.process.log()[begin:]
    return log.count("Pulled a task") > len(re.findall("set (?:IN)?VALID by", log))


def stored(machine: SystemdMachine) -> dict[str, str]:
    """Return the certificates in force, by name: the text of each."""
    folder = machine.disk / "var/lib/dnsrenew/certificates"
    return {path.parts[-3]: path.read_text() for path in folder.glob("*/current/fullchain.pem")}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [10, *(pytest.param(50, id=f"50-{n}", marks=pytest.mark.slow) for n in range(4))])
def test_power_cuts_at_any_moment_lose_nothing(machine: SystemdMachine, own_lab: Lab, times: int) -> None:
    """The next run completes what a power cut stopped: twenty certificates, deployed, of twenty that were issued."""
    seed = time.time_ns()
    chance = random.Random(seed)
    empty(machine)
    begin = time.monotonic()
    machine.good("systemctl", "start", SERVICE)
    longest = time.monotonic() - begin
    unfinished = 0
    for number in range(times):
        empty(machine)
        ca_log = restart_ca(own_lab)
        own_lab.flush()
        after = chance.uniform(0.3, 1) * longest  # before that, Python starts
        begin = time.monotonic()
        try:
            subprocess.run(machine.argv("systemctl", "start", SERVICE), timeout=after, check=False)
            longest = min(longest, time.monotonic() - begin)  # the other work of this machine may have ended
        except subprocess.TimeoutExpired:
            unfinished += 1
        machine.cut()
        kept = stored(machine)
        wait_until(lambda: not validates(own_lab, ca_log))  # noqa: B023  # called here
        own_lab.flush()  # before the boot: the timer may begin a run at once
        machine.boot()
        machine.good("systemctl", "start", SERVICE, timeout=PATIENCE)
        now, here = stored(machine), f"cut {number} after {after:.3f} s, of the seed {seed}"
        assert (len(now), issued(own_lab, ca_log)) == (MANY, MANY), f"{here}\n{machine.journal(SERVICE)}"
        assert kept.items() <= now.items(), here
        deployed = {f"c{path.stem}": path.read_text() for path in (machine.disk / LIVE[1:]).glob("*.pem")}
        assert deployed == now, here
    assert {each["state"] for each in status(machine)["certificates"]} == {"valid"}
    assert unfinished
