"""Real workers that are killed, stopped, or have a wrong clock; Pebble as the CA, BIND or DuckDNS as the DNS host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.status import fleet_status
from tests.kit.bad_night import Plan, bad_night
from tests.kit.duckdns import DuckDns
from tests.kit.fleet_killed import NAMES, WorkerProcesses
from tests.kit.fleet_stage import PATIENCE, FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress
from tests.kit.processes import Zygote
from tests.lab import Lab
from tests.lab.acmemessages import Request
from tests.lab.workspace import Workspace

EVENTS = (
    "certificate-started",
    "route-started",
    "order-created",
    "txt-writing",
    "txt-written",
    "dns-waiting",
    "dns-visible",
    "challenges-answered",
    "authorizations-valid",
    "order-finalized",
    "txt-removed",
    "certificate-stored",
    "certificate-finished",
)
POINTS = [*(f"event {kind}" for kind in EVENTS), "add, not sent", "add, done", "remove, not sent", "remove, done"]
ALWAYS = {"event txt-written", "event order-finalized"}
"""Killed there in every run of the tests; at the others by `make soak`."""
NEWEST = "SELECT chain, version, number FROM dnsrenew_version JOIN dnsrenew_certificate USING (name)"


@pytest.mark.parametrize(
    "point", [point if point in ALWAYS else pytest.param(point, marks=pytest.mark.slow) for point in POINTS]
)
def test_a_worker_is_killed(workers: WorkerProcesses, point: str) -> None:
    """After a kill another worker completes the certificates, with at most one more order for each, and cleans up."""
    stage = workers.stage
    stage.add(*NAMES)
    with workers.worker(point) as run:
        assert run.end() == -signal.SIGKILL
    workers.wait_until_dead()
    with stage.crew() as (crew,):
        workers.assert_right(*NAMES)
    ordered = workers.ordered()
    assert set(ordered) == {f"{name}.example.test" for name in NAMES}
    assert set(ordered.values()) <= {1, 2}
    assert crew.error is None
    assert len(crew.heard.of("renewed")) <= len(NAMES)
    assert fleet_status(stage.database, {}).due == 0


def test_every_event_of_a_worker_is_a_point(workers: WorkerProcesses) -> None:
    """Every event of a worker is a point at which it is killed."""
    workers.stage.add("one")
    with workers.worker() as run:
        workers.assert_right("one")
        wait_until(lambda: run.has_passed("event certificate-finished"))
        passed = {line for line in run._read("passed").splitlines() if not line.startswith("disk")}
    assert passed - {"event warning", "event dns-waiting"} == {*POINTS} - {"event dns-waiting"}


def test_values_of_a_killed_run_of_a_folder(workspace: Workspace, zygote: Zygote, address: DatabaseAddress) -> None:
    """After `fleet load` of the store of a killed run, `cleanup` of the fleet removes its TXT values from DNS."""
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    assert any(workspace.lab.all_txt().values())
    stage = FleetStage(workspace, address)  # the configuration has no folder and no certificate any more
    for command in (["fleet", "load", str(workspace.store)], ["cleanup"]):
        done = workspace.run(*command)
        assert done.returncode == 0, done.stderr
    assert not any(workspace.lab.all_txt().values())
    assert not stage.journal()
    assert "Nothing to clean up" in workspace.run("cleanup").stdout
    stage.database.close()


def test_two_workers_and_one_of_them_dies(workers: WorkerProcesses) -> None:
    """If one of two workers dies, the other one continues. Only certificates of the dead one are ordered again."""
    names = [f"n{number}" for number in range(8)]
    with workers.worker(concurrency=2):
        workers.wait_for_workers(1)
        with workers.worker("event txt-written (2)", concurrency=2) as dying:
            workers.wait_for_workers(2)
            workers.stage.add(*names)
            DueDates(workers.stage.database).scan_soon()
            assert dying.end() == -signal.SIGKILL
        workers.stage.lab.flush()
        workers.stage.database.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds' "
            "WHERE id = (SELECT max(id) FROM procrastinate_workers)"
        )
        workers.assert_right(*names)
    ordered = workers.ordered()
    assert set(ordered.values()) <= {1, 2}
    assert sum(ordered.values()) <= len(names) + 2


def test_a_worker_that_wakes_up_sends_nothing_more(workers: WorkerProcesses, duck: DuckDns) -> None:
    """A worker that was stopped for longer than the server waits has lost its zone, and sends no more requests.

    It wakes up while the value of the other one is in the zone.
    """
    stage, gate = workers.stage, Gate()
    workers.ca.on_request = gate.hold
    token = {"provider": "duckdns", "token": "env:DUCK_TOKEN"}
    stage.write(
        ca__lab__directory=workers.ca.directory_url, dns={"duck": token}, dns__home__tsig_secret=None, dns__home=None
    )
    stage.add("home", domains=["home.duckdns.org"])
    with workers.worker("event dns-visible", number=signal.SIGSTOP, FLEET_PATIENCE="3") as sleeper:
        wait_until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED)
        first = duck.values["home"]
        workers.wait_until_dead()
        status, cleaned = stage.workspace.run_json("cleanup")
        assert (status, [value["value"] for value in cleaned["removed"]], duck.values["home"]) == (0, [first], "")
        with stage.crew():
            wait_until(gate.reached.is_set)
            sent, second = [*duck.requests], duck.values["home"]
            assert first != second != ""
            os.kill(sleeper.pid, signal.SIGCONT)
            wait_until(lambda: sleeper.has_passed("event certificate-finished"))
            wait_until(lambda: len(fleet_status(stage.database, {}).workers) == 2)  # it has connected again
            assert (duck.requests, gate.asked) == (sent, ["challenge"])
            gate.opened.set()
            workers.assert_right("home")
            newest = stage.database.fetch(NEWEST)
    assert duck.values["home"] == ""
    assert stage.database.fetch(NEWEST) == newest
    assert workers.ordered() == {"home.duckdns.org": 2}


SMALL = Plan(count=60, concurrency=3, kill_every=None, kills=(0.4, 0.8), busy=4.0, quick=True)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("plan", [SMALL, pytest.param(Plan(count=2000), marks=pytest.mark.slow)], ids=["60", "2000"])
def test_a_bad_night(lab: Lab, plan: Plan) -> None:
    """All certificates are revoked at once, and all are replaced, those with the least time left first.

    Meanwhile workers are killed, the database is restarted, and the CA answers with 429, which is obeyed.
    """
    course = bad_night(plan, lab)
    assert course.order > (0.7 if plan.quick else 0.95), course  # few are much disturbed by those that are under way
    assert (course.restarts, course.early) == (1, 0)
    assert course.killed >= 2


def test_the_threads_of_a_worker_load_no_package() -> None:
    """Whatever package a job needs, the worker has it: two threads that load one at the same moment can fail."""
    code = """
import sys
import dnsrenew.extensions.fleet.worker
before = {*sys.modules}
import dnsrenew.renewal.renewal_info, dnsrenew.renewal.renew, dnsrenew.renewal.services
print([name for name in {*sys.modules} - before if hasattr(sys.modules[name], "__path__")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Gate:
    """A CA that answers no challenge until it is opened.

    :ivar asked: what it was asked for since the first challenge.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.asked: list[str] = []

    def hold(self, request: Request) -> None:
        """Hold a challenge until the gate is opened."""
        if request.kind == "challenge" or self.reached.is_set():
            self.asked.append(request.kind)
            self.reached.set()
            assert self.opened.wait(PATIENCE)
