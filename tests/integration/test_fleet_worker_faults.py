"""Faults of workers and of the status: databases that are lost, wrong tables, secrets, clocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from procrastinate.schema import SchemaManager

from dnsrenew.base.model import CA
from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.commands.fleet_add import status_lines
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.schema import reseal
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.metrics import FleetReading, fleet_lines
from dnsrenew.extensions.fleet.status import fleet_status
from dnsrenew.extensions.fleet.worker import RunRedactors, WorkerSession
from dnsrenew.store.state import Meta, State
from tests.kit.fleet_stage import Crew, FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress, Postgres, Proxy, postgres  # noqa: F401  # fixtures
from tests.kit.postgres import fleet_address as address  # noqa: F401
from tests.kit.program import named_in
from tests.lab.workspace import Workspace

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers of the test look often, and give up early."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.CLEAN_UP_EVERY", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue.DEADLINE", 2.0)


@pytest.fixture
def stage(workspace: Workspace, address: DatabaseAddress) -> Iterator[FleetStage]:  # noqa: F811
    """A fleet without certificates."""
    made = FleetStage(workspace, address)
    yield made
    made.database.close()


def session_of(crew: Crew) -> WorkerSession:
    """The session of a worker that is ready."""
    wait_until(lambda: crew.heard.starts)
    assert crew.worker._session is not None
    return crew.worker._session


# ── the database goes away, or does not fit ─────────────────────────────────────────────


@pytest.fixture
def lost_early(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Call `do` once, between the check of the store and the opening of the queue."""
    at = SimpleNamespace(do=lambda: None, done=False)
    run = WorkerSession.run

    async def wrapped(session: WorkerSession) -> Any:
        if not at.done:
            at.done = True
            at.do()
        return await run(session)

    monkeypatch.setattr(WorkerSession, "run", wrapped)
    return at


def test_a_database_that_stops_before_the_queue_opens(
    stage: FleetStage,
    postgres: Postgres,  # noqa: F811
    lost_early: SimpleNamespace,
) -> None:
    """A worker whose database stops before the queue is open reports it, waits, and starts when it is back."""
    lost_early.do = postgres.stop
    try:
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.waits or crew.error)
            postgres.start()
            wait_until(lambda: crew.heard.starts or crew.error)
    finally:
        postgres.restart()
    assert crew.error is None
    assert {error.code for error in crew.heard.waits} == {"store-unreachable"}


def test_a_stop_is_seen_while_the_queue_opens(
    stage: FleetStage,
    address: DatabaseAddress,  # noqa: F811
    lost_early: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker ends when it is stopped, even if a silent server delays the opening of its queue."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue.DEADLINE", 50.0)
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.PATIENCE", 1.0)
    with Proxy(address.port) as proxy:
        stage.address = address.at(proxy.port)
        stage.write()
        lost_early.do = proxy.hang
        with stage.crew() as (crew,):
            wait_until(lambda: lost_early.done)
            crew.worker.stop()
            crew._thread.join(20)
            assert not crew.is_alive
    assert crew.error is None


def test_a_queue_without_a_connection_says_why(stage: FleetStage, postgres: Postgres) -> None:  # noqa: F811
    """If the server has no connection left for the queue, the worker waits and reports the server's message."""
    with postgres.admin() as admin:
        admin.execute("ALTER ROLE dnsrenew CONNECTION LIMIT 2")
    stage.database.close()
    try:
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.waits)
    finally:
        with postgres.admin() as admin:
            admin.execute("ALTER ROLE dnsrenew CONNECTION LIMIT -1")
    assert crew.heard.starts == 0
    assert "no more connections" in crew.heard.waits[0].message


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE procrastinate_jobs CASCADE", "ALTER TABLE procrastinate_workers RENAME COLUMN last_heartbeat TO beat"],
)
def test_a_queue_whose_tables_do_not_fit_ends_the_worker(
    stage: FleetStage,
    postgres: Postgres,  # noqa: F811
    change: str,
) -> None:
    """A worker that cannot use the tables of the queue ends with `store-schema` before it is ready.

    What the error advises makes them anew.
    """
    with postgres.admin(stage.address.name) as admin:
        admin.execute(change.encode())
    with stage.crew() as (crew,):
        wait_until(lambda: not crew.is_alive)
    assert isinstance(crew.error, StoreError)
    assert crew.error.code == "store-schema"
    assert crew.heard.starts == 0
    line = named_in(crew.error.fix, "fleet init").split()
    assert stage.workspace.run(*line).returncode == 0
    if not change.startswith("DROP"):  # "drop all tables whose names begin with procrastinate_ and run it again"
        tables = ", ".join(f"procrastinate_{each}" for each in ("jobs", "events", "periodic_defers", "workers"))
        with postgres.admin(stage.address.name) as admin:
            admin.execute(f"DROP TABLE {tables} CASCADE".encode())
        assert stage.workspace.run(*line).returncode == 0
    with stage.crew() as (again,):
        wait_until(lambda: again.heard.starts)


def test_a_queue_that_may_not_be_used_ends_the_worker(stage: FleetStage, postgres: Postgres) -> None:  # noqa: F811
    """A worker whose role may not call a function of the queue ends, and the error names the function."""
    with postgres.admin(stage.address.name) as admin:
        admin.execute("ALTER FUNCTION procrastinate_register_worker_v1 OWNER TO postgres")
        admin.execute("REVOKE EXECUTE ON FUNCTION procrastinate_register_worker_v1 FROM PUBLIC")
    with stage.crew() as (crew,):
        wait_until(lambda: not crew.is_alive)
    assert isinstance(crew.error, StoreError)
    assert (crew.error.code, "procrastinate_register_worker_v1" in crew.error.message) == ("store-refused", True)


def test_the_tables_of_the_queue_are_those_of_one_version() -> None:
    """The installed procrastinate has the schema of the fleet. A newer one needs a step in schema.py."""
    newest = max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    assert newest == "03.04.00_50_post_add_retry_failed_job_procedure.sql"


def test_the_default_loop_is_not_used(stage: FleetStage) -> None:
    """A worker creates its own event loop, because psycopg cannot use the default one of Windows."""

    class Proactor(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            raise NotImplementedError

    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Proactor())
    try:
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.starts or crew.error)
    finally:
        asyncio.set_event_loop_policy(before)
    assert crew.error is None


def test_the_url_decides_for_all_connections(stage: FleetStage) -> None:
    """Parameters of the URL apply to the connections of the store and of the queue."""
    store = {"url": f"{stage.address.url}?application_name=mine", "password": "env:DATABASE_PASSWORD"}
    stage.write(store=store)
    with stage.crew() as (crew,):
        session_of(crew)
        names = stage.database.fetch(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    assert names == [("mine",)]


# ── beside the jobs ─────────────────────────────────────────────────────────────────────


def test_a_step_that_fails_stops_no_other(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notifications and the re-seal run although the rescue and the cleanup fail."""
    done = threading.Event()
    notified = threading.Event()

    def fail_to_notify() -> None:
        notified.set()
        raise OSError

    monkeypatch.setattr("dnsrenew.extensions.fleet.worker._NOTIFY_EVERY", 0.0)
    monkeypatch.setattr(
        "dnsrenew.extensions.fleet.queue.WorkQueue.rescue", mock.AsyncMock(side_effect=[0, *[OSError()] * 999])
    )
    monkeypatch.setattr(WorkerSession, "_clean_up", mock.Mock(side_effect=OSError()))
    monkeypatch.setattr(WorkerSession, "_notify", mock.Mock(side_effect=fail_to_notify))
    monkeypatch.setattr("dnsrenew.extensions.fleet.database.schema.reseal", lambda *_: done.set())
    with stage.crew() as (crew,):
        wait_until(lambda: done.is_set() and notified.is_set())
    assert crew.error is None


def test_a_job_that_cannot_be_rescued_stops_no_other(stage: FleetStage) -> None:
    """If one job of a dead worker cannot be rescued, the others are."""
    stage.database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'ended meanwhile'; END $$"
    )
    stage.database.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW WHEN (OLD.priority = 1)"
        " EXECUTE FUNCTION refuse()"
    )
    stage.database.execute(
        "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 h')"
        " RETURNING id) INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, priority)"
        " SELECT 'dnsrenew', 'other', 'doing', id, n FROM worker, generate_series(1, 2) AS n"
    )
    with stage.crew() as (crew,):
        session_of(crew)
        left = "SELECT priority FROM procrastinate_jobs WHERE task_name = 'other' AND status = 'doing'"
        wait_until(lambda: stage.database.fetch(left) == [(1,)])
    assert crew.error is None


def test_outcomes_that_wait_for_a_message_are_bounded(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of outcomes that wait for a notification is limited."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker._MOST_UNSENT", 3)
    with stage.crew() as (crew,):
        unsent = session_of(crew)._unsent
        unsent.extend((mock.Mock(), mock.Mock()) for _ in range(5))
        assert len(unsent) == 3


def test_a_late_call_registers_no_worker(stage: FleetStage) -> None:
    """After the end of a session its store refuses calls, so that no worker is listed."""
    with stage.crew() as (crew,):
        store = session_of(crew)._store
    with pytest.raises(StoreError) as caught:
        store.prove_writable()
    assert caught.value.code == "store-unreachable"
    assert fleet_status(stage.database, {}).workers == ()


def test_old_secrets_are_forgotten(stage: FleetStage) -> None:
    """Each run has a redactor of its own; the worker redacts the secrets of all of them."""
    with stage.crew() as (crew,):
        session = session_of(crew)
        first, second = session._new_run(), session._new_run()
        first.context.redactor.add("sesame-open-1")
        second.context.redactor.add("sesame-open-2")
        assert crew.worker.redactors.redact("sesame-open-1 sesame-open-2") == "••• •••"
        assert first.context.redactor.redact("sesame-open-2") == "sesame-open-2"


def test_a_redactor_forgets_what_is_not_used() -> None:
    """The secrets of a run are redacted while it is referenced, and forgotten some runs later."""
    every = RunRedactors()
    used, ended = every.new(), every.new()
    used.add("in-use-0123")
    ended.add("ended-0123")
    del ended
    assert every.redact("in-use-0123 ended-0123") == "••• •••"
    for _ in range(20):
        every.new()
    assert every.redact("in-use-0123 ended-0123") == "••• ended-0123"


# ── what is sealed ──────────────────────────────────────────────────────────────────────


def test_a_start_reads_no_key_that_is_sealed(stage: FleetStage) -> None:
    """If the first seal sealed all keys, the search for other seals uses an index and reads no key."""
    seals = Seals([b"k" * 32])
    stage.database.execute(
        "INSERT INTO dnsrenew_version (name, number, chain, key, meta)"
        " SELECT 'c' || n, 1, '', %s || sha256(n::text::bytea), '{}' FROM generate_series(1, 3000) AS n",
        (seals.prefix,),
    )
    with mock.patch.object(Database, "transaction", autospec=True, side_effect=Database.transaction) as transaction:
        assert reseal(stage.database, seals) == 0
    assert transaction.call_count == 4  # for the other tables
    stage.database.execute("ANALYZE dnsrenew_version")
    plan = stage.database.fetch(
        "EXPLAIN SELECT substr(key, 1, 5) FROM dnsrenew_version ORDER BY substr(key, 1, 5) DESC LIMIT 1"
    )
    assert "dnsrenew_version_seal" in str(plan)


def test_keys_of_another_seal_are_found(stage: FleetStage) -> None:
    """A key of another seal is sealed again, wherever that seal is in the index."""
    for old, new in ((b"a" * 32, b"b" * 32), (b"b" * 32, b"a" * 32)):
        sealed = Seals([old]).seal(b"KEY", "version:c:1")
        stage.database.execute("DELETE FROM dnsrenew_version")
        stage.database.execute("INSERT INTO dnsrenew_version VALUES ('c', 1, '', %s, '{}')", (sealed,))
        assert reseal(stage.database, Seals([new, old])) == 1


# ── the status ──────────────────────────────────────────────────────────────────────────


def test_a_version_without_a_ca_counts_nowhere(stage: FleetStage) -> None:
    """A version without a CA is not counted in the last hour, and does not break the status or the metrics."""
    stage.database.execute("INSERT INTO dnsrenew_version VALUES ('x', 1, 'c', 'k', '{}', NULL)")
    stage.database.execute("INSERT INTO dnsrenew_version VALUES ('x', 2, 'c', 'k', '{}', 'lab')")
    stage.add("x")
    stage.database.execute("UPDATE dnsrenew_certificate SET tags = '{shop}'")
    assert fleet_status(stage.database, {}).last_hour == {}
    found = fleet_status(stage.database, {}, "shop")
    assert found.last_hour == {"lab": 1}
    assert status_lines(found, stage.database.clock.now(), 80)
    assert list(fleet_lines(FleetReading(status=found, expiring=0, overdue=0.0, on_demand={})))


def test_what_is_moved_was_not_issued_now(stage: FleetStage) -> None:
    """A version that ``fleet load`` writes counts as issued at its `not_before`."""
    store, now = DatabaseStore(stage.database, Seals([])), stage.database.clock.now().replace(microsecond=0)
    begin = now - timedelta(days=9)
    meta = Meta(
        issuer="x", serial="1", domains=("a.test",), identifiers=("a.test",), not_before=begin,
        not_after=now + timedelta(days=9), ca="lab",
    )  # fmt: skip
    store.add_version("a", "CHAIN", b"KEY", meta, State())
    assert stage.database.fetch("SELECT issued FROM dnsrenew_version") == [(begin,)]
    assert fleet_status(stage.database, {}).last_hour == {}
    store.close()


def test_what_a_known_limit_leaves(stage: FleetStage) -> None:
    """The status shows the known limit of a CA minus the recent orders, and zero during a Retry-After."""
    cas = {"le": CA(LETS_ENCRYPT, name="le"), "lab": CA("https://ca.test/directory", name="lab")}
    ledger = DatabaseStore(stage.database, Seals([])).ledger(LETS_ENCRYPT, "le", Context(clock=stage.database.clock))
    for directory in (ca.directory for ca in cas.values()):
        stage.database.execute("INSERT INTO dnsrenew_account (directory) VALUES (%s)", (directory,))
    stage.database.execute(
        "INSERT INTO dnsrenew_issued SELECT 'le', now() - n * interval '1 hour' FROM generate_series(1, 5) AS n"
    )
    found = fleet_status(stage.database, cas)
    assert {name: each.left for name, each in found.limits.items()} == {"le": 298, "lab": None}
    assert found.to_dict()["limits"]["le"]["left"] == 298
    stage.add("x")
    text = "\n".join(status_lines(fleet_status(stage.database, cas), stage.database.clock.now(), 60))
    assert "accepts about 298 orders now" in text
    ledger.note_retry_after(3600, None)
    assert fleet_status(stage.database, cas).limits["le"].left == 0


def test_the_clock_of_the_database_measures_the_wait(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """``fleet status`` measures the wait by the database's clock, even if the machine's clock is wrong."""
    stage.add("shop")
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now() - interval '3 hours'")
    monkeypatch.setattr("dnsrenew.base.clock.SystemClock.now", lambda _: stage.database.clock.now() + timedelta(days=9))
    from dnsrenew.extensions.fleet.commands import fleet_add

    with mock.patch.dict("os.environ", stage.workspace.env):
        found, now = fleet_add._read(stage.config(), None)
    assert "3 hours" in "\n".join(status_lines(found, now, 60))
