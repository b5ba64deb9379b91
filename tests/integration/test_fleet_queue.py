"""The queue of a fleet, with a real PostgreSQL: what is queued, in which order, and what becomes of it in a fault."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import HandedBack, QueueTasks, WorkQueue
from tests.kit.postgres import DatabaseAddress, Postgres, postgres  # noqa: F401  # fixtures
from tests.kit.postgres import fleet_address as address  # noqa: F401


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker look for what was handed back at once."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.05)


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:  # noqa: F811
    """A database with the tables."""
    made = Database(address)
    initialize(made, Seals([]))
    yield made
    made.close()


def add(database: Database, *names: str, due: str = "-1 hour", expires: str | None = None) -> None:
    """Add certificates to the fleet.

    :param due: when a worker is to look, from now.

    :param expires: when the stored certificate expires, from now; None: there is none.
    """
    for name in names:
        database.execute(
            "INSERT INTO dnsrenew_certificate (name, wanted, due, expires)"
            " VALUES (%s, '{}', now() + %s::interval, now() + %s::interval)",
            (name, due, expires),
        )


def queued(database: Database) -> list[str]:
    """The names in the queue, in the order in which they will be done."""
    rows = database.fetch(
        "SELECT args ->> 'name' FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'dnsrenew.renew'"
        " ORDER BY priority DESC, id"
    )
    return [name for (name,) in rows]


def statuses(database: Database) -> dict[str, str]:
    """The status of each job by the name of its certificate."""
    return dict(
        database.fetch(
            "SELECT args ->> 'name', status::text FROM procrastinate_jobs WHERE task_name = 'dnsrenew.renew'"
        )
    )


def nothing(name: str, tries: int, cancel: threading.Event) -> None:
    """A job that does nothing."""


def make_queue(database: Database, renew: Callable[[str, int, threading.Event], None] = nothing) -> WorkQueue:
    """A queue with connections of its own."""
    options = {"password": database.address.read_password()}
    return WorkQueue(database.address.url, options, QueueTasks(DueDates(database).due, renew))


def use(database: Database, act: Callable[[WorkQueue], Awaitable[Any]], *args: Any) -> Any:
    """Do something with an open queue."""

    async def run() -> Any:
        queue = make_queue(database, *args)
        async with queue.opened():
            return await act(queue)

    return asyncio.run(run())


def work(
    database: Database,
    renew: Callable[[str, int, threading.Event], None],
    *,
    until: Callable[[], bool],
    concurrency: int = 4,
    graceful: float = 30.0,
) -> WorkQueue:
    """Run a worker until a condition is met, or 20 seconds have passed."""

    async def act(queue: WorkQueue) -> WorkQueue:
        stop = asyncio.Event()
        working = asyncio.create_task(queue.work(concurrency, stop, graceful))
        async with asyncio.timeout(20):
            while not until() and not working.done():  # noqa: ASYNC110  # until looks into the database
                await asyncio.sleep(0.01)
        stop.set()
        await working
        return queue

    found: WorkQueue = use(database, act, renew)
    return found


# ── the scan ────────────────────────────────────────────────────────────────────────────


def test_scan_queues_what_is_due(database: Database) -> None:
    """A scan queues due certificates, the least time left first. Others, and those that are only stored, are not."""
    add(database, "month", expires="30 days")
    add(database, "hour", expires="1 hour")
    add(database, "expired", expires="-1 day")
    add(database, "missing")
    add(database, "later", due="1 hour", expires="1 hour")
    database.execute("INSERT INTO dnsrenew_certificate (name, due) VALUES ('stored', now())")
    assert use(database, WorkQueue.scan) == 4
    assert queued(database) == ["expired", "missing", "hour", "month"]


def test_scan_leaves_what_has_a_job(database: Database) -> None:
    """A certificate that is queued or at work gets no second job."""
    add(database, "queued", "doing", "new")
    use(database, WorkQueue.scan)
    database.execute("DELETE FROM procrastinate_jobs WHERE args ->> 'name' = 'new'")
    database.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'name' = 'doing'")
    assert use(database, WorkQueue.scan) == 1
    assert sorted(queued(database)) == ["new", "queued"]


def test_two_scans_at_once_do_no_harm(database: Database) -> None:
    """Simultaneous scans create one job for each certificate."""
    add(database, *(f"c{number}" for number in range(50)))

    async def both(queue: WorkQueue) -> None:
        other = make_queue(database)
        async with other.opened():
            await asyncio.gather(*(each.scan() for each in (queue, other) * 3))

    use(database, both)
    assert sorted(queued(database)) == sorted(f"c{number}" for number in range(50))


def test_a_job_that_appeared_meanwhile_stops_no_other(database: Database) -> None:
    """If one certificate is queued during a scan, the scan queues the others."""
    add(database, *(f"c{number}" for number in range(9)))
    found = DueDates(database).due(100)
    use(database, WorkQueue.scan)
    database.execute("DELETE FROM procrastinate_jobs WHERE args ->> 'name' <> 'c4'")

    async def scan(_: object) -> None:
        queue = WorkQueue(
            database.address.url,
            {"password": database.address.read_password()},
            QueueTasks(lambda most: found[:most], nothing),
        )
        async with queue.opened():
            await queue.scan()

    use(database, scan)
    assert sorted(queued(database)) == sorted(f"c{number}" for number in range(9))


def test_the_scan_of_each_minute_is_deferred_once(database: Database) -> None:
    """A worker defers one scan when it starts, and the finished jobs are deleted."""
    add(database, "home")
    done: list[str] = []
    work(database, lambda name, _tries, _cancel: done.append(name), until=lambda: bool(done))
    assert done == ["home"]
    assert statuses(database) == {}
    assert database.one("SELECT count(*) FROM procrastinate_periodic_defers WHERE task_name = 'dnsrenew.scan'") == (1,)


def test_a_scan_can_be_asked_for(database: Database) -> None:
    """A scan can be requested before the next minute. Two requests make one job."""
    dates = DueDates(database)
    dates.scan_soon()
    dates.scan_soon()
    assert database.fetch("SELECT task_name, queueing_lock FROM procrastinate_jobs") == [("dnsrenew.scan",) * 2]
    add(database, "home")
    database.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp)"
        " SELECT 'dnsrenew.scan', extract(epoch FROM date_trunc('minute', now() + n * interval '1 minute'))::bigint"
        " FROM generate_series(0, 1) AS n"
    )
    done: list[str] = []
    work(database, lambda name, _tries, _cancel: done.append(name), until=lambda: bool(done))
    assert done == ["home"]


# ── jobs ────────────────────────────────────────────────────────────────────────────────


def test_jobs_run_side_by_side(database: Database) -> None:
    """Twenty jobs run at the same time if the concurrency is 20."""
    add(database, *(f"c{number}" for number in range(20)))
    meeting = threading.Barrier(20, timeout=15)
    met: list[str] = []

    def renew(name: str, _tries: int, _cancel: threading.Event) -> None:
        meeting.wait()
        met.append(name)

    work(database, renew, until=lambda: len(met) == 20, concurrency=20)
    assert len(set(met)) == 20


def test_what_is_handed_back_is_done_again(database: Database) -> None:
    """A job that is handed back is taken again, with the number of its tries."""
    add(database, "home")
    seen: list[int] = []

    def renew(_name: str, tries: int, _cancel: threading.Event) -> None:
        seen.append(tries)
        if not tries:
            raise HandedBack

    work(database, renew, until=lambda: len(seen) == 2)
    assert seen == [0, 1]
    assert statuses(database) == {}


def test_what_is_handed_on_for_later_waits(database: Database) -> None:
    """A job that is handed back for later stays in the queue until then, by the database's clock."""
    add(database, "home")
    seen: list[int] = []

    def renew(_name: str, tries: int, _cancel: threading.Event) -> None:
        seen.append(tries)
        raise HandedBack(database.clock.now() + timedelta(minutes=5))

    work(database, renew, until=lambda: statuses(database) == {"home": "todo"} and bool(seen))
    assert seen == [0]
    (left,) = database.one("SELECT scheduled_at - now() FROM procrastinate_jobs") or (None,)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_a_stop_ends_what_is_under_way(database: Database) -> None:
    """A worker that is stopped finishes its job and takes no other."""
    add(database, "a", "b", "c")
    started, release, done = threading.Event(), threading.Event(), []

    def renew(name: str, _tries: int, _cancel: threading.Event) -> None:
        started.set()
        threading.Timer(0.1, release.set).start()
        release.wait(10)
        done.append(name)

    work(database, renew, until=started.is_set, concurrency=1)
    assert len(done) == 1
    assert len(queued(database)) == 2


def test_a_stop_reaches_a_worker_that_swallows_the_cancel(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is stopped while it connects ends, also where ``wait_for`` of Python 3.11 swallows the cancel."""
    connecting = []

    async def registered(_manager: Any) -> int:
        connecting.append(True)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(20)
        return 1

    monkeypatch.setattr("procrastinate.manager.JobManager.register_worker", registered)
    queue = work(database, nothing, until=lambda: bool(connecting))
    assert queue.cause is None


def test_a_stop_hands_back_what_does_not_end(database: Database) -> None:
    """A job that does not end in time after a stop is cancelled and put back into the queue."""
    add(database, "home")
    started, told = threading.Event(), []

    def renew(_name: str, _tries: int, cancel: threading.Event) -> None:
        started.set()
        told.append(cancel.wait(10))

    work(database, renew, until=started.is_set, graceful=0.05)
    assert told == [True]
    assert queued(database) == ["home"]
    assert database.fetch("SELECT id FROM procrastinate_workers") == []


# ── dead workers ────────────────────────────────────────────────────────────────────────


def take_job(database: Database, heartbeat: str) -> None:
    """Let a worker with this last heartbeat take the only job."""
    database.execute(
        "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + %s::interval) RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM worker)",
        (heartbeat,),
    )


def test_jobs_of_dead_workers_are_rescued_once(database: Database) -> None:
    """A job whose worker sent no heartbeat for 31 seconds is put back into the queue once."""
    add(database, "home")
    use(database, WorkQueue.scan)
    take_job(database, "-31 seconds")

    async def both(queue: WorkQueue) -> int:
        other = make_queue(database)
        async with other.opened():
            return sum(await asyncio.gather(queue.rescue(), other.rescue(), queue.rescue()))

    assert use(database, both) == 1
    assert statuses(database) == {"home": "todo"}


def test_jobs_of_live_workers_are_left_alone(database: Database) -> None:
    """A job whose worker sent a heartbeat 20 seconds ago stays with it."""
    add(database, "home")
    use(database, WorkQueue.scan)
    take_job(database, "-20 seconds")
    assert use(database, WorkQueue.rescue) == 0
    assert statuses(database) == {"home": "doing"}


def test_a_stalled_job_that_is_queued_again_is_dropped(database: Database) -> None:
    """A stalled job is deleted if its certificate already has a new job."""
    add(database, "home")
    use(database, WorkQueue.scan)
    take_job(database, "-1 hour")
    database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
        " SELECT queue_name, task_name, queueing_lock, args FROM procrastinate_jobs"
    )
    assert use(database, WorkQueue.rescue) == 1
    assert database.fetch("SELECT status::text FROM procrastinate_jobs") == [("todo",)]


def test_a_lost_database_ends_the_work(postgres: Postgres, database: Database) -> None:  # noqa: F811
    """A worker that loses its connections stops, and another one can rescue its job."""
    add(database, "home")
    started = threading.Event()

    def renew(_name: str, _tries: int, _cancel: threading.Event) -> None:
        started.set()
        postgres.terminate(database.address)  # type: ignore[arg-type]  # it is one of the kit

    queue = work(database, renew, until=lambda: False, graceful=1)
    assert queue.lost.is_set()
    assert started.is_set()
    database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    assert use(database, WorkQueue.rescue) == 1
    assert queued(database) == ["home"]
