"""SIGKILL at every point of a renewal that stops a server by `before`: the next run starts it again.

So it is in a fleet, for each of its machines; and there such a renewal is alone on its machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import psutil
import pytest

from dnsrenew import Config
from dnsrenew.base import threads
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.fleet import store_of
from dnsrenew.extensions.fleet.worker import WorkerSession
from dnsrenew.operations.by_hand import deploy_by_hand
from dnsrenew.store import zone_locks
from dnsrenew.store.paths import Paths
from tests.kit.fleet_killed import WorkerProcesses
from tests.kit.fleet_stage import Crew, Heard, wait_until
from tests.kit.processes import NEVER, Zygote
from tests.kit.users import NOBODY, as_root
from tests.lab.workspace import Workspace

ZONE, FLEET = "stopped-server.test", "stopped-fleet.test"


@pytest.fixture(scope="module")
def dying() -> Iterator[Zygote]:
    """The loaded program, of which processes are forked; its points include the programs that it runs."""
    with Zygote("tests.kit.dying_deploy") as started:
        yield started


def configure(workspace: Workspace, *others: dict[str, Any], before: Sequence[str] = ()) -> None:
    """Configure a certificate by http-01, with a server that runs while the file `running` is there."""
    running = workspace.path / "running"
    running.touch()
    home = {
        "certificate.0.name": "home",
        "certificate.0.domains": [ZONE],
        "certificate.0.routes": [{"challenge": "http-01", "listen": f"127.0.0.1:{workspace.lab.pebble.http_port}"}],
        "certificate.0.before": [*before] or ["rm", str(running)],
        "certificate.0.after": ["touch", str(running)],
    }
    workspace.write({**home, **{f"certificate.{number}": each for number, each in enumerate(others, 1)}})


def test_killed_at_every_point(workspace: Workspace, dying: Zygote) -> None:
    """Wherever the run is killed, the next one leaves the server running and a certificate, and owes nothing."""
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    running = workspace.path / "running"
    configure(workspace)
    whole = dying.start(workspace, NEVER, "renew").ended()
    assert (whole.status, running.exists()) == (0, True), whole
    first = whole.passed.index("program: run")
    points = whole.passed[first - 4 : whole.passed.index("program: done (2)") + 4]
    noted = next(number for number, point in enumerate(whole.passed) if point.endswith(".after"))
    assert noted < first
    stopped = 0
    for point in dict.fromkeys(points):
        shutil.rmtree(workspace.store)
        configure(workspace)
        end = dying.start(workspace, point, "renew").ended()
        assert end.status == -signal.SIGKILL, (point, end)
        was_stopped = not running.exists()
        stopped += was_stopped
        status = dying.start(workspace, NEVER, "status", "--check", "--json").ended()
        assert "listen-after-owed" in status.out or not was_stopped, (point, status)
        end = dying.start(workspace, NEVER, "renew", "--json").ended()
        (outcome,) = json.loads(end.out)["outcomes"]
        assert (end.status, outcome["error"], running.exists()) == (0, None, True), (point, end)
        assert {notice["code"] for notice in outcome["warnings"]} <= {"listen-after-owed"}, (point, outcome)
        assert list((workspace.store / "journal").glob("*.after")) == []
    assert stopped > 5


def test_cleanup_starts_the_server(workspace: Workspace, dying: Zygote) -> None:
    """`cleanup` pays too, though the certificate is gone from the configuration."""
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    configure(workspace)
    running = workspace.path / "running"
    end = dying.start(workspace, "event order-created", "renew").ended()
    assert (end.status, running.exists()) == (-signal.SIGKILL, False)
    changes: dict[str, Any] = {"certificate.0.name": "other", "certificate.0.domains": ["other.example.test"]}
    workspace.write(changes)
    status, document = workspace.run_json("status", "--check")
    assert (status, [one["after_owed"] for one in document["certificates"]]) == (1, [True])
    assert "✓" not in workspace.run("status").stdout
    done = workspace.run("cleanup")
    assert (done.returncode, running.exists(), done.stdout) == (0, True, "Nothing else to clean up.\n")
    assert "touch" in done.stderr


def test_a_command_beside_a_run_that_has_stopped_the_server(workspace: Workspace, dying: Zygote) -> None:
    """While `renew` has stopped a server, deployments and renewals of other processes wait until it runs again.

    Their programs may need the server, or start it.
    """
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    running, go_on = workspace.path / "running", workspace.path / "go-on"
    deploy = [{"to": "run", "run": ["test", "-e", str(running)]}]
    before = ["sh", "-c", f"rm {running}; while [ ! -e {go_on} ]; do sleep 0.02; done"]
    configure(workspace, {"name": "other", "domains": ["other.example.test"], "deploy": deploy}, before=before)
    for _ in range(2):
        assert dying.start(workspace, NEVER, "renew", "--force", "other").ended().status == 0
    for command in ("deploy", "--force", "other"), ("rollback", "other"), ("renew", "--force", "other"):
        workspace.lab.flush()
        run = dying.start(workspace, NEVER, "renew", "--force", "home")
        wait_until(lambda: not running.exists())
        beside = dying.start(workspace, NEVER, *command)
        wait_until(lambda: beside.has_passed("event lock-waiting") or beside.has_passed("program: run"))  # noqa: B023  # called here
        was_early = beside.has_passed("program: run")
        go_on.touch()
        end = beside.ended()
        assert (was_early, end.status, "program: done" in end.passed, run.end()) == (False, 0, True, 0), (command, end)
        go_on.unlink()


# ── the run that pays ───────────────────────────────────────────────────────────────────


def test_the_run_that_pays_is_killed(workspace: Workspace, dying: Zygote) -> None:
    """Wherever the run that pays is killed, the run after it pays: the server runs, and nothing is owed."""
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    running = workspace.path / "running"

    def stop() -> None:
        shutil.rmtree(workspace.store, ignore_errors=True)
        configure(workspace)
        assert dying.start(workspace, "event order-created", "renew").ended().status == -signal.SIGKILL
        assert not running.exists()

    stop()
    passed = dying.start(workspace, NEVER, "cleanup").ended().passed
    points = passed[: passed.index("event warning") + 2]
    assert {"program: run", "program: done"} <= {*points}
    for point in points:
        stop()
        assert dying.start(workspace, point, "cleanup").ended().status == -signal.SIGKILL, point
        end = dying.start(workspace, NEVER, "cleanup").ended()
        assert (end.status, running.exists()) == (0, True), (point, end)
        assert list((workspace.store / "journal").glob("*.after")) == [], point


# ── a fleet ─────────────────────────────────────────────────────────────────────────────


def want(workers: WorkerProcesses, name: str, **more: Any) -> None:
    """Let the fleet want a certificate for which a server is stopped that runs while the file `running` is there."""
    running = workers.stage.workspace.path / "running"
    running.touch()
    listen = f"127.0.0.1:{workers.stage.lab.pebble.http_port}"
    programs = {"before": ["rm", "-f", str(running)], "after": ["touch", str(running)], **more}
    workers.stage.add(
        name, domains=[f"{name}.{FLEET}"], routes=[{"challenge": "http-01", "listen": listen}], **programs
    )


KILLS = {"program: run", "program: done", "event order-created", "program: run (2)", "program: done (2)"}
"""Where workers are killed in every run of the tests; at the other points by `make soak`."""


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "every"])
def test_a_worker_is_killed_at_every_point(workers: WorkerProcesses, every: bool) -> None:
    """Wherever a worker is killed, the next one on its machine starts the server, and obtains the certificate."""
    workers.stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    workspace = workers.stage.workspace
    running = workspace.path / "running"
    want(workers, "whole")
    with workers.worker() as run:
        wait_until(lambda: run.has_passed("event certificate-finished"))
        passed = run._read("passed").splitlines()
    first, last = passed.index("program: run"), passed.index("program: done (2)")
    points = [point for point in dict.fromkeys(passed[first - 3 : last + 3]) if every or point in KILLS]
    assert next(number for number, point in enumerate(passed) if point.endswith(".after")) < first
    stopped = 0
    for number, point in enumerate(points):
        name = f"n{number}"
        want(workers, name)
        with workers.worker(point) as run:
            assert run.end() == -signal.SIGKILL, point
        was_stopped = not running.exists()
        stopped += was_stopped
        status, document = workspace.run_json("status", "--check", name)
        assert (status, document["certificates"][0]["after_owed"]) == (1, True) or not was_stopped, (point, document)
        assert bool(workspace.run_json("fleet", "status")[1]["owed"]) or not was_stopped, point
        workers.wait_until_dead()
        with workers.worker() as run:
            wait_until(lambda: len(workers.stage.versions()) == number + 2 and not workers.stage.jobs())  # noqa: B023  # called here
            wait_until(running.exists)
            assert run.has_passed("event warning") or not was_stopped, (point, run._read("err"))
        assert list((workspace.path / "state-fleet" / "journal").glob("*.after")) == [], point
    assert stopped > 2


def test_the_worker_that_pays_is_killed(workers: WorkerProcesses) -> None:
    """If the worker that pays is killed, before or after the program has run, the next one pays."""
    workers.stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    running = workers.stage.workspace.path / "running"
    want(workers, "home")
    for point, runs in (("event order-created", False), ("program: run", False), ("program: done", True)):
        with workers.worker(point) as run:
            assert (run.end(), running.exists()) == (-signal.SIGKILL, runs), point
        assert workers.stage.workspace.run_json("fleet", "status")[1]["owed"] != []
    running.unlink()
    with workers.worker():
        wait_until(running.exists)


def test_another_worker_of_the_machine_pays(workers: WorkerProcesses) -> None:
    """A worker that is alive pays what another one of its machine owes once that one is dead, and not before."""
    stage = workers.stage
    stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    running = stage.workspace.path / "running"
    want(workers, "home")
    with workers.worker("event order-created", number=signal.SIGSTOP) as run:
        wait_until(lambda: psutil.Process(run.pid).status() == psutil.STATUS_STOPPED)
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.starts)
            assert not running.exists()
            os.kill(run.pid, signal.SIGKILL)
            wait_until(running.exists)
            run.end()


def test_a_debt_is_paid_without_the_database(workers: WorkerProcesses) -> None:
    """A worker starts the server that a killed one has stopped, also while the database does not answer."""
    stage, running = workers.stage, workers.stage.workspace.path / "running"
    owe(workers, "touch", str(running))
    stage.address = stage.address.at(1)
    stage.write()
    with stage.crew() as (crew,):
        wait_until(lambda: len(crew.heard.waits) > 1)
    assert (crew.heard.starts, running.exists()) == (0, True)
    assert [event.data.get("code") for event in crew.events] == ["listen-after-owed"]


def owe(workers: WorkerProcesses, *program: str) -> None:
    """Write down a program, as a worker does that is killed while a server is stopped."""
    stage = workers.stage
    with mock.patch.dict(os.environ, stage.workspace.env), contextlib.closing(store_of(stage.config())) as store:
        assert store.debts is not None
        with store.debts.using_port(Context(), 0):
            store.debts.note(Context(certificate="home"), program)


@pytest.mark.parametrize("is_there", [True, False], ids=["the database works", "the database is gone"])
def test_a_debt_that_cannot_be_paid_is_tried_once_a_minute(workers: WorkerProcesses, is_there: bool) -> None:
    """A worker looks more often for what others left, and tries to connect more often, and still waits a minute.

    What is owed newly is paid at once, without another try of the rest.
    """
    stage, path, looks = workers.stage, workers.stage.workspace.path, list[float]()
    tries, other = path / "tries", path / "other"
    owe(workers, "sh", "-c", f"echo >> {tries}; false")
    if not is_there:
        stage.address = stage.address.at(1)
        stage.write()
    clean_up = WorkerSession._clean_up_once

    def counting(session: WorkerSession, cancel: threading.Event) -> None:
        clean_up(session, cancel)
        looks.append(time.monotonic())

    with mock.patch.object(WorkerSession, "_clean_up_once", counting), stage.crew() as (crew,):
        wait_until(lambda: len(looks if is_there else crew.heard.waits) > 3)
        owe(workers, "touch", str(other))
        wait_until(other.exists)
        with crew.worker.paying:  # the payment has ended
            assert tries.read_text() == "\n"
        with mock.patch("dnsrenew.extensions.fleet.worker._PAY_EVERY", 0.0):
            wait_until(lambda: tries.read_text() > "\n")


def test_a_worker_shows_signs_of_life_while_it_pays(workers: WorkerProcesses) -> None:
    """A program that takes long, while the database does not answer, is no reason to end the worker."""
    stage, path = workers.stage, workers.stage.workspace.path
    runs, seen = path / "runs", path / "seen"
    owe(workers, "sh", "-c", f"touch {runs}; while [ ! -e {seen} ]; do sleep 0.05; done")
    stage.address = stage.address.at(1)
    stage.write()
    signs: list[bool] = []

    def alive(_: Heard) -> None:
        signs.append(runs.exists())

    with mock.patch.object(Heard, "alive", alive), stage.crew() as (crew,):
        wait_until(lambda: signs.count(True) > 2)
        assert crew.heard.waits == []
        seen.touch()


def test_another_machine_takes_what_waits(workers: WorkerProcesses) -> None:
    """While a job is alone on a machine, the workers of other machines take what waits there."""
    stage = workers.stage
    elsewhere = stage.workspace.path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(stage.workspace.config_path, elsewhere)
    with mock.patch.dict(os.environ, stage.workspace.env), contextlib.closing(store_of(stage.config())) as store:
        other = Crew(Config.load(elsewhere / stage.workspace.config_path.name), None)
        with store.turn(Context(), alone=True), stage.crew() as (crew,):
            stage.add("one")
            wait_until(stage.jobs)
            other.start()
            wait_until(stage.versions)
            other.stop()
    assert (crew.heard.of("renewed"), other.heard.of("renewed")) == ([], ["one"])


def test_jobs_that_stop_a_server_are_alone(workers: WorkerProcesses) -> None:
    """While a server is stopped, no worker of the machine validates or deploys anything else."""
    stage = workers.stage
    stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    running = stage.workspace.path / "running"
    others, alone = [f"other-{number}" for number in range(8)], ["alone-0", "alone-1", "alone-2"]
    needs = {"to": "run", "run": ["test", "-e", str(running)]}
    for name in others[:4]:
        stage.add(name, deploy=[needs])
    for name in alone:
        want(workers, name)
    for name in others[4:]:
        stage.add(name, deploy=[needs])
    with stage.crew(2, concurrency=4) as crews:  # two workers of one machine
        wait_until(lambda: set(stage.versions()) == {*others, *alone} and not stage.jobs())
    events = [event for crew in crews for event in crew.events if event.certificate]
    events.sort(key=lambda event: event.time)
    for name in alone:
        first = next(i for i, each in enumerate(events) if (each.kind, each.certificate) == ("route-started", name))
        last = next(i for i, each in enumerate(events) if (each.kind, each.certificate) == ("certificate-stored", name))
        between = [each for each in events[first:last] if each.kind != "lock-waiting"]
        assert {each.certificate for each in between} == {name}
    outcomes = [outcome for crew in crews for outcome in crew.heard.outcomes]
    assert {outcome.name: outcome.error for outcome in outcomes if outcome.error} == {}
    assert all(result.ok for outcome in outcomes for result in outcome.deployed)


def test_a_command_beside_a_stopped_server(workers: WorkerProcesses) -> None:
    """While a server is stopped, `renew` and `deploy` on the machine are refused as `locked`; after it they work."""
    stage, workspace = workers.stage, workers.stage.workspace
    stage.add("one", deploy=[{"to": "run", "run": ["true"]}])
    with mock.patch.dict(os.environ, workspace.env), contextlib.closing(store_of(stage.config())) as store:
        with store.turn(Context(), alone=True):
            status, document = workspace.run_json("renew", "one")
            assert (status, [each["status"] for each in document["outcomes"]]) == (3, ["locked"])
            assert "a server that `before` stops" in document["outcomes"][0]["error"]["message"]
        assert workspace.run_json("renew", "one")[0] == 0
        with store.turn(Context(), alone=True):
            assert workspace.run_json("deploy", "one")[0] == 3
    assert workspace.run_json("deploy", "one")[0] == 0


def test_members_of_a_common_reload_do_not_wait_for_a_job_that_waits_for_them(workers: WorkerProcesses) -> None:
    """A job that wants to be alone meanwhile waits for all certificates that are deployed together."""
    stage, folder = workers.stage, workers.stage.workspace.path
    config, specs = stage.config(), []
    assert config.fleet is not None
    for name in "first", "second":
        files = {"certificate": str(folder / f"{name}.pem"), "key": str(folder / f"{name}.key")}
        entry = {"to": "files", **files, "reload": ["true"]}
        stage.add(name, deploy=[entry])
        specs.append(config.fleet.documents.spec({"domains": [f"{name}.example.test"], "deploy": [entry]}, name))
    with stage.crew():
        wait_until(lambda: len(stage.versions()) == 2 and not stage.jobs())
    with mock.patch.dict(os.environ, stage.workspace.env), contextlib.closing(store_of(config)) as store:
        alone: list[threads.Task[None]] = []

        def want_to_be_alone(event: Event) -> None:
            if event.kind == "deploy-started" and not alone:
                alone.append(threads.start(be_alone))
                wait_until(lambda: zone_locks.is_held(Paths(str(folder / "state-fleet")).lock("alone")))

        def be_alone() -> None:
            with store.turn(Context(), alone=True):
                pass

        context = Context(emitter=Emitter(SystemClock(), want_to_be_alone))
        outcomes = deploy_by_hand(context, store, specs, force=True, wait=0, workers=1)
        alone[0].wait()
    assert [(one.status, [result.ok for result in one.deployed]) for one in outcomes] == [("not-due", [True])] * 2


def test_a_debt_that_no_worker_can_pay(workers: WorkerProcesses) -> None:
    """A worker tries again and again, and renews meanwhile. Each command of the machine knows; `cleanup` pays."""
    stage, workspace = workers.stage, workers.stage.workspace
    running, mended = workspace.path / "running", workspace.path / "mended"
    stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    want(workers, "home", after=["cp", str(mended), str(running)])
    stage.add("other")
    with stage.crew() as (crew,):
        wait_until(lambda: set(stage.versions()) == {"home", "other"} and not stage.jobs())
        wait_until(lambda: [event.data.get("code") for event in crew.events].count("listen-after-failed") > 1)
    (owed,) = workspace.run_json("fleet", "status")[1]["owed"]
    assert owed == {"name": "home", "program": [shutil.which("cp"), str(mended), str(running)]}
    assert f"cp {mended}" in workspace.run("fleet", "status").stdout
    status, document = workspace.run_json("status", "--check")
    assert (status, {each["name"]: each["after_owed"] for each in document["certificates"]}) == (
        1,
        {"home": True, "other": False},
    )
    checks = workspace.run_json("doctor", "home")[1]["diagnoses"][0]["checks"]
    assert {"last-run"} <= {check["code"] for check in checks if check["result"] == "bad"}
    assert workspace.run("cleanup").returncode == 1
    mended.touch()
    assert (workspace.run("cleanup").returncode, running.exists()) == (0, True)
    assert workspace.run_json("fleet", "status")[1]["owed"] == []


@as_root
def test_root_does_not_pay_for_the_user_of_the_workers(workers: WorkerProcesses) -> None:
    """Root sees what the worker of another user owes, and does not run what that user wrote."""
    workspace = workers.stage.workspace
    owe(workers, "touch", str(workspace.path / "run-as-root"))
    folder = workspace.path / "state-fleet"
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    assert workspace.run_json("fleet", "status")[1]["owed"][0]["name"] == "home"
    done = workspace.run("cleanup")
    assert (done.returncode, "runuser -u nobody -- dnsrenew cleanup" in done.stderr) == (1, True), done
    assert not (workspace.path / "run-as-root").exists()


def test_a_machine_that_cannot_write_down_a_debt(workers: WorkerProcesses) -> None:
    """Where the folder of a machine cannot be used, no server is stopped there, and what stops none is renewed."""
    stage, workspace = workers.stage, workers.stage.workspace
    stage.lab.add_zone(FLEET, "* A 127.0.0.1")
    (workspace.path / "state-fleet").write_text("a file")
    want(workers, "home")
    stage.add("other")
    with stage.crew() as (crew,):
        wait_until(lambda: len({outcome.name for outcome in crew.heard.outcomes}) == 2)
    errors = {outcome.name: outcome.error and outcome.error.code for outcome in crew.heard.outcomes}
    assert errors == {"home": "store-not-a-folder", "other": None}
    assert (workspace.path / "running").exists()
