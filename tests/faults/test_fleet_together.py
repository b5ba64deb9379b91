"""Several schedulers, clocks that differ, a rolling upgrade, and a database whose disk is full."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import WorkQueue, _LimitedConnection
from dnsrenew.extensions.fleet.status import fleet_status
from tests.kit.duckdns import DuckDns
from tests.kit.fleet_faults import assert_right
from tests.kit.fleet_killed import WorkerProcesses
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.fleet_watch import Watch
from tests.kit.fleet_world import FleetWorlds
from tests.kit.postgres import DatabaseAddress, Postgres
from tests.lab.workspace import Workspace

AHEAD = 600
"""Seconds by which the clock of one machine differs."""
SCANS = """
INSERT INTO procrastinate_jobs (queue_name, task_name) SELECT 'dnsrenew', 'dnsrenew.scan' FROM generate_series(1, 4)
"""
HOUR = 3600.0


def test_schedulers_whose_clocks_differ(workers: WorkerProcesses) -> None:
    """Simultaneous scans of machines whose clocks differ by ten minutes order each certificate once."""
    names = [f"n{number}" for number in range(8)]
    workers.stage.add(*names)
    with workers.worker(FLEET_CLOCK=str(AHEAD)), workers.worker(FLEET_CLOCK=str(-AHEAD)):
        workers.stage.database.execute(SCANS)
        workers.assert_right(*names)
        workers.stage.database.execute(SCANS)
        wait_until(lambda: not workers.stage.database.fetch("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"))
        assert fleet_status(workers.stage.database, {}).due == 0
    assert workers.ordered() == {f"{name}.example.test": 1 for name in names}
    assert all(5 * HOUR < due < 8 * HOUR for due in workers.stage.dues().values())  # Pebble names six hours


@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
def test_a_dead_worker_whose_clock_was_wrong(workers: WorkerProcesses, ahead: int) -> None:
    """A worker with another clock removes the TXT values of a dead worker, because only the database's clock counts."""
    workers.stage.add("one")
    with workers.worker("event txt-written", FLEET_CLOCK=str(ahead)) as run:
        assert run.end() == -signal.SIGKILL
    assert workers.values()
    workers.wait_until_dead()
    with workers.worker(FLEET_CLOCK=str(-ahead)):
        wait_until(lambda: not workers.stage.journal() and workers.stage.versions())
    assert workers.values() == set()
    assert workers.ordered() == {"one.example.test": 2}


def test_a_rolling_upgrade(workers: WorkerProcesses, postgres: Postgres) -> None:
    """A running worker continues after a newer version changes the tables. A worker that connects later is refused."""
    stage = workers.stage
    with stage.crew() as (running,):
        wait_until(lambda: running.heard.starts)
        stage.database.execute("UPDATE dnsrenew_schema SET version = version + 1")
        with stage.crew() as (refused,):
            wait_until(lambda: not refused.is_alive)
        assert isinstance(refused.error, StoreError)
        assert refused.error.code == "store-newer"
        stage.add("one")
        DueDates(stage.database).scan_soon()
        wait_until(stage.versions)
        postgres.terminate(stage.address)
        wait_until(lambda: not running.is_alive)
        assert isinstance(running.error, StoreError)
        assert running.error.code == "store-newer"
    assert workers.ordered() == {"one.example.test": 1}
    assert stage.journal() == 0


ALL = 4
"""Connections of a queue at most."""


@pytest.mark.parametrize("act", ["rescue", "scan"])
def test_what_meets_the_end_of_all_sessions_first(workers: WorkerProcesses, postgres: Postgres, act: str) -> None:
    """A worker whose sessions have ended begins anew, whatever notices it, also if nothing else does."""
    stage, ended = workers.stage, list[str]()
    first = getattr(WorkQueue, act)

    async def meet(queue: WorkQueue, *arguments: int) -> int:
        if running.heard.starts and not ended:
            ended.append(act)
            postgres.terminate(stage.address)
            for _ in range(ALL):  # each connection is replaced before anything else uses it
                with contextlib.suppress(psycopg.Error):
                    await first(queue, *arguments)
        found: int = await first(queue, *arguments)
        return found

    with mock.patch.object(WorkQueue, act, meet), stage.crew() as (running,):
        wait_until(lambda: running.heard.starts > 1)
        assert [error.code for error in running.heard.waits] == ["store-unreachable"]
        stage.add("one")
        DueDates(stage.database).scan_soon()
        wait_until(stage.versions)


CUTS = 12
"""Statements of the queue before which the sessions are ended, each time in a worker of its own."""


@pytest.mark.parametrize(
    "number", [pytest.param(each, marks=[pytest.mark.slow] * (each % 4 != 1)) for each in range(CUTS)]
)
def test_sessions_that_end_at_any_statement(workers: WorkerProcesses, postgres: Postgres, number: int) -> None:
    """A worker whose sessions are ended just before, or during, any statement of its queue connects again."""
    stage, passed = workers.stage, list[int]()
    stage.add("one")
    wait = _LimitedConnection.wait

    async def cut(connection: _LimitedConnection, *arguments: Any, **options: Any) -> Any:
        if running.heard.starts:
            passed.append(number)
            if len(passed) == number + 1:
                postgres.terminate(stage.address)
        return await wait(connection, *arguments, **options)

    with mock.patch.object(_LimitedConnection, "wait", cut), stage.crew() as (running,):
        wait_until(lambda: running.heard.starts > 1)
        stage.add("two")
        DueDates(stage.database).scan_soon()
        wait_until(lambda: set(stage.versions()) == {"one", "two"})


def test_names_of_a_zone_that_takes_one_value_at_a_time(
    duck: DuckDns, workspace: Workspace, address: DatabaseAddress
) -> None:
    """Nine names of one zone that keeps one value are obtained in turn by three workers, without a pause.

    While another machine uses the zone, their jobs are put back, to be looked at again within a second.
    """
    stage = FleetStage(workspace, address)
    account = {"provider": "duckdns", "token": "env:DUCK_TOKEN"}
    stage.write(**{"dns": {"duck": account}, "dns.home.tsig_secret": None, "dns.home": None})
    names = [f"n{number}" for number in range(9)]
    for name in names:
        stage.add(name, domains=[f"{name}.home.duckdns.org"])
    back = (
        "SELECT count(*), max(extract(epoch FROM scheduled_at - now()))::float8 FROM procrastinate_jobs"
        " WHERE attempts > 1 AND task_name = 'dnsrenew.renew'"
    )
    with stage.crew(3) as crews, contextlib.closing(DatabaseStore(Database(address), Seals([]))) as other:
        with other.lock_zone("home.duckdns.org.", context=Context()):
            wait_until(lambda: (stage.database.one(back) or (0,))[0] == len(names))
            row = stage.database.one(back)
            assert row is not None
            assert row[1] < 1.0
            assert not duck.requests
        wait_until(lambda: len(stage.versions()) == len(names))
    assert sorted(name for crew in crews for name in crew.heard.of("renewed")) == names
    assert not any(crew.heard.of("failed") for crew in crews)
    stage.database.close()


# ── a full disk ─────────────────────────────────────────────────────────────────────────

FULL_AT = ("before", "event order-created", "event txt-written", "event order-finalized")
MIB = 32


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[Postgres, FleetWorlds]]:
    """Worlds in a database on a disk that can be filled."""
    with Postgres.running(small_disk=MIB) as server:
        address = server.new_database()
        with server.admin() as admin:
            admin.execute(f"CREATE TABLESPACE small OWNER dnsrenew LOCATION '{server.small_disk}'".encode())
            admin.execute(f"ALTER DATABASE {address.name} SET TABLESPACE small".encode())
        yield server, FleetWorlds(server, address)


def small_disk_of(server: Postgres) -> Path:
    """Return the folder of the small file system, which only the server sees."""
    return Path(f"/proc/{server._process.pid}/root{server.small_disk}")


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error of a call, or an empty string."""
    try:
        call()
    except StoreError as error:
        return error.code
    return ""


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system can be mounted by root only")
@pytest.mark.parametrize("at", FULL_AT)
def test_a_full_disk(small: tuple[Postgres, FleetWorlds], at: str) -> None:
    """A full disk is reported, and nothing is ordered twice, lost or left over. With free space work continues."""
    server, worlds = small
    with worlds.world() as world:  # the tables are empty, so that each needs room
        filler = small_disk_of(server) / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

        if at == "before":
            fill()
        with world.machine(Watch(at, fill)) as machine:
            try:
                codes = [code_of(machine.work)]
            finally:
                filler.unlink()
        codes += [outcome.error.code for outcome in machine.outcomes if outcome.error is not None]
        assert "store-full" in codes
        assert world.orders == (at != "before")
        assert world.ours == set()
        with world.machine() as next_one:
            next_one.work()
        assert_right(world, None)
