"""Locks in a real PostgreSQL: threads, processes, dead and hanging holders, fences."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import threads
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.runtime import Context
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.extensions.fleet.database import connection, schema
from dnsrenew.extensions.fleet.database import locks as lock_connection
from dnsrenew.extensions.fleet.database import locks as locks_module
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.extensions.fleet.database.seal import Seals
from tests.kit.load import allowed
from tests.kit.postgres import DatabaseAddress, Postgres, Proxy
from tests.kit.postgres_pooler import pgbouncer

KEY, WHAT = "certificate-home", "certificate home"
SHORT = 0.25
SOON = 10.0
_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> DatabaseAddress:
    """A database with the tables."""
    address = postgres.new_database()
    with contextlib.closing(Database(address)) as database:
        schema.initialize(database, Seals([]))
    return address


@pytest.fixture
def address(postgres: Postgres, template: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A new database with the tables."""
    address = postgres.new_database(template)
    yield address
    postgres.drop(address)


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """A database with the tables."""
    with contextlib.closing(Database(address)) as database:
        yield database


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with Proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def distant(address: DatabaseAddress, proxy: Proxy) -> Iterator[Database]:
    """The database behind the proxy."""
    with contextlib.closing(Database(address.at(proxy.port))) as database:
        yield database


@contextlib.contextmanager
def session(database: Database, *, worker: bool = False) -> Iterator[LockSession]:
    """The locks of a process."""
    with contextlib.closing(LockSession(database, worker=worker)) as locks:
        yield locks


@contextlib.contextmanager
def child(address: DatabaseAddress, key: str = KEY) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds a lock, and its id as a holder."""
    argv = [sys.executable, "-m", "tests.kit.lock_child", address.name, str(address.port), key]
    with subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def take(locks: LockSession, key: str = KEY, wait: float = 0, context: Context | None = None) -> None:
    """Take a lock and free it."""
    with locks.hold(key, WHAT, wait=wait, context=context or Context()):
        pass


def refused(locks: LockSession, key: str = KEY) -> dict[str, Any]:
    """Return the evidence of the LockedError."""
    with pytest.raises(LockedError) as caught:
        take(locks, key)
    assert caught.value.code == "locked"
    return caught.value.evidence


def lost(call: Callable[[], object]) -> StoreError:
    """Return the error of a call that finds its connection lost."""
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.code == "store-unreachable"
    return caught.value


def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# ── one at a time ───────────────────────────────────────────────────────────────────────


def test_two_sessions_exclude_each_other(database: Database) -> None:
    """Only one session holds a lock. The error of another one has process, host and time."""
    with session(database) as one, session(database) as two:
        with one.hold(KEY, WHAT, wait=0, context=Context()):
            evidence = refused(two)
            assert (evidence["pid"], evidence["host"]) == (os.getpid(), os.uname().nodename)
            assert evidence["since"].endswith("Z")
            take(two, "certificate-other")
        take(two)


def test_threads_exclude_each_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process exclude each other, without a query to the server."""
    monkeypatch.setattr(locks_module, "_LONGEST_PAUSE", 0.02)
    with session(database) as locks:
        with locks.hold(KEY, WHAT, wait=0, context=Context()):
            before = database.queries
            evidence = refused(locks)
            assert evidence["pid"] == os.getpid()
            assert database.queries == before
        inside: list[int] = []

        def work() -> None:
            with locks.hold(KEY, WHAT, wait=SOON, context=Context()):
                inside.append(1)
                assert sum(inside) == 1
                inside.append(-1)

        for task in threads.start_all([work] * 8, 8):
            assert task.done.wait(SOON)
            task.result()


def test_a_lock_takes_two_statements(database: Database) -> None:
    """A lock takes one statement to acquire, with its fence, and one to release."""
    with session(database) as locks:
        take(locks)
        before = database.queries
        take(locks)
        assert database.queries - before == 2


def test_waiting(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiting run emits an event, and gets the lock when it is free."""
    monkeypatch.setattr(locks_module, "_EVENT_SECONDS", 0.05)
    heard: list[str] = []
    emitter = Emitter(SystemClock(), lambda event: heard.append(event.kind))
    with session(database) as one, session(database) as two:
        with one.hold(KEY, WHAT, wait=0, context=Context()):
            task = threads.start(lambda: take(two, wait=SOON, context=Context(emitter=emitter)))
            until(lambda: heard)
            assert not task.done.is_set()
        assert task.done.wait(SOON)
        task.result()
    assert heard == ["lock-waiting"]


def test_a_cancel_ends_the_wait(database: Database) -> None:
    """A cancelled wait raises Cancelled, and holds no lock afterwards."""
    context = Context()
    context.cancel.set()
    with session(database) as locks, pytest.raises(Cancelled):
        take(locks, wait=SOON, context=context)

    with session(database) as locks:
        take(locks)


def test_a_lock_that_cannot_be_written_down_is_not_held(database: Database) -> None:
    """If the fence cannot be written, the lock is released."""
    database.execute("ALTER TABLE dnsrenew_lock ADD CONSTRAINT broken CHECK (fence = 0)")
    with session(database) as one, session(database) as two:
        with pytest.raises(StoreError):
            take(one)
        database.execute("ALTER TABLE dnsrenew_lock DROP CONSTRAINT broken")
        take(two)


# ── processes ───────────────────────────────────────────────────────────────────────────


def test_kill_9_frees_the_lock(database: Database, address: DatabaseAddress) -> None:
    """The lock of a killed process is released, and the next session deletes the row of the process."""
    with session(database) as locks:
        with child(address) as (process, holder):
            assert refused(locks)["pid"] == process.pid
            assert (holder,) in database.fetch("SELECT id FROM dnsrenew_alive")
            assert database.one("SELECT worker FROM dnsrenew_holder WHERE id = %s", (holder,)) == (True,)
            process.kill()
            take(locks, wait=SOON)
        assert (holder,) not in database.fetch("SELECT id FROM dnsrenew_alive")
        with session(database) as another:
            known = {(locks.holder,), (another.holder,)}
            assert set(database.fetch("SELECT id FROM dnsrenew_holder")) == known


def test_a_process_that_ends_forgets_itself(database: Database, address: DatabaseAddress) -> None:
    """A process deletes its own row when it ends."""
    with child(address) as (process, _):
        process.communicate(timeout=SOON)
        assert process.returncode == 0

    assert database.fetch("SELECT id FROM dnsrenew_holder") == []


def test_a_stopped_process_loses_its_locks(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that sends no heartbeat loses its locks after the patience, and notices it."""
    monkeypatch.setattr(lock_connection, "_BEATS", 1e4)  # it sends no heartbeat
    context = Context()
    with (
        contextlib.closing(Database(address, patience=SHORT)) as hanging,
        contextlib.closing(Database(address)) as own,
        session(hanging) as one,
        session(own) as two,
        one.hold(KEY, WHAT, wait=0, context=context),
    ):
        start = time.monotonic()
        take(two, wait=SOON)
        assert time.monotonic() - start > SHORT
        lost(context.check)


def test_a_host_that_was_suspended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server has not answered for longer than the patience, the guard counts the lock as lost."""
    context = Context()
    with session(database) as locks, locks.hold(KEY, WHAT, wait=0, context=context):
        context.check()
        now = lock_connection._seconds()
        monkeypatch.setattr(lock_connection, "_seconds", lambda: now + database.patience + 1)
        assert WHAT in lost(context.check).message


def test_the_server_waits_longer_than_the_client(
    database: Database, address: DatabaseAddress, postgres: Postgres
) -> None:
    """The server ends a silent session after 20 s; the client gives up after 10 s."""
    with session(database) as locks:
        (row,) = locks._connected().fetch("SELECT current_setting('idle_session_timeout')")

    assert row == ("20s",)
    assert database.patience == 10


# ── a lost connection ───────────────────────────────────────────────────────────────────


def test_a_cut_is_noticed_before_the_next_step(distant: Database, proxy: Proxy) -> None:
    """After a cut, the guard of the lock stops the run and its cleanup."""
    context = Context()
    with session(distant) as locks, locks.hold(KEY, WHAT, wait=0, context=context):
        context.check()
        proxy.cut()
        assert WHAT in lost(context.check).message
        lost(context.for_cleanup(10, 10).check)
        lost(context.for_certificate("home").check)
    context.check()  # the lock is no longer held: nothing to guard


def test_after_a_new_connection_the_old_locks_stay_lost(distant: Database, proxy: Proxy) -> None:
    """A lost lock stays lost after the session has connected again for another lock."""
    context, later = Context(), Context()
    with session(distant) as locks, locks.hold(KEY, WHAT, wait=0, context=context):
        before = locks.holder
        proxy.cut()
        with locks.hold("certificate-other", "certificate other", wait=SOON, context=later):
            assert locks.holder != before
            later.check()
            lost(context.check)
    with session(distant) as locks:
        take(locks)


@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill -9"])
def test_a_restart_of_the_server_ends_all_locks(database: Database, postgres: Postgres, kill: bool) -> None:
    """After a restart of the server the old lock is lost, and another session can take it."""
    context = Context()
    with session(database) as locks, locks.hold(KEY, WHAT, wait=0, context=context):
        with postgres.stopped(kill=kill):
            lost(context.check)
            lost(lambda: take(locks, "certificate-other"))
        with session(database) as other:
            take(other)
        lost(context.check)


def test_a_connection_that_hangs(address: DatabaseAddress, proxy: Proxy) -> None:
    """The client counts its lock as lost before the server gives the lock to another session."""
    with (
        contextlib.closing(Database(address.at(proxy.port), patience=SHORT)) as distant,
        contextlib.closing(Database(address)) as near,
        session(distant) as one,
        session(near) as two,
    ):
        context = Context()
        with one.hold(KEY, WHAT, wait=0, context=context):
            proxy.hang()
            taken = threads.start(lambda: take(two, wait=SOON))

            def run() -> None:
                while not taken.done.wait(0.001):
                    context.check()

            lost(run)
            assert not taken.done.is_set()
            start = time.monotonic()
            lost(lambda: take(one, "certificate-other"))
            assert time.monotonic() - start < allowed(2 * SHORT + 1)
            assert taken.done.wait(SOON)
            taken.result()
            proxy.flow()


def test_threads_share_a_failure_to_connect(address: DatabaseAddress, proxy: Proxy) -> None:
    """Ten threads share one failed connection instead of waiting one after the other."""
    with contextlib.closing(Database(address.at(proxy.port), patience=SHORT)) as distant, session(distant) as locks:
        proxy.hang()
        start = time.monotonic()
        for task in threads.start_all([partial(take, locks, f"key-{n}") for n in range(10)], 10):
            assert task.done.wait(SOON)
            assert isinstance(task.error, StoreError)
        assert time.monotonic() - start < allowed(5 * SHORT)
        proxy.flow()


def test_the_heartbeat_keeps_the_lock(address: DatabaseAddress) -> None:
    """Heartbeats keep the lock of a run that sends no statements."""
    with contextlib.closing(Database(address, patience=SHORT)) as database, session(database) as locks:
        context = Context()
        with locks.hold(KEY, WHAT, wait=0, context=context):
            clock = database.clock._origin
            until(lambda: database.queries > 12)  # heartbeats: twelve of them take longer than twice the patience
            context.check()
            assert database.clock._origin != clock


def test_two_processes_in_one_session(
    address: DatabaseAddress, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a pooler that was not found out gives two processes one session, no lock has two holders.

    The second process is refused. The first one, in another session than its own, gets no lock and loses those it has.
    """
    monkeypatch.setattr(connection, "_refuse_shared_sessions", lambda *_: None)
    with (
        pgbouncer(postgres, "transaction", default_pool_size="1") as pooler,
        contextlib.closing(Database(address.at(pooler.port))) as database,
        session(database) as one,
        session(database) as two,
    ):
        context = Context()
        with one.hold(KEY, WHAT, wait=0, context=context):
            with pytest.raises(StoreError) as caught:
                take(two)
            assert caught.value.code == "store-pooler"
            one._connected().fetch("SELECT set_config('dnsrenew.holder', '0', false)")
            refused(one, "certificate-other")
            until(lambda: one._connection and one._connection.is_lost)
            lost(context.check)


# ── fences ──────────────────────────────────────────────────────────────────────────────


def _number(database: Database) -> Any:
    row = database.one("SELECT version FROM dnsrenew_certificate WHERE name = 'home'")
    return row and row[0]


WRITE = """
, written AS (UPDATE dnsrenew_certificate SET version = %(version)s WHERE name = 'home' AND EXISTS (SELECT FROM fence))
SELECT 1 FROM fence
"""


def cut(locks: LockSession, postgres: Postgres) -> None:
    """End the connection of the locks."""
    (pid,) = locks._connected().fetch("SELECT pg_backend_pid()")[0]
    with postgres.admin() as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_an_older_holder_does_not_overwrite(database: Database, postgres: Postgres) -> None:
    """A holder whose lock was lost cannot write after another session has held the lock."""
    database.execute("INSERT INTO dnsrenew_certificate (name, version) VALUES ('home', 0)")
    with session(database) as one, session(database) as two, one.hold(KEY, WHAT, wait=0, context=Context()):
        one.run_fenced(KEY, WRITE, {"version": 1})
        cut(one, postgres)
        one.run_fenced(KEY, WRITE, {"version": 2})  # no other session has held it since: no certificate is lost
        assert _number(database) == 2
        with two.hold(KEY, WHAT, wait=SOON, context=Context()):
            two.run_fenced(KEY, WRITE, {"version": 3})
        assert "nothing was written" in lost(lambda: one.run_fenced(KEY, WRITE, {"version": 4})).message
    assert _number(database) == 3


def test_a_new_holder_waits_for_the_write_of_the_old_one(database: Database, postgres: Postgres) -> None:
    """A new holder gets the lock only after a running write of the old holder has ended."""
    database.execute("INSERT INTO dnsrenew_certificate (name, version) VALUES ('home', 0)")
    with session(database) as one, session(database) as two, one.hold(KEY, WHAT, wait=0, context=Context()):
        with database.transaction() as transaction:
            transaction.fetch("SELECT FROM dnsrenew_certificate FOR UPDATE")
            write = threads.start(lambda: one.run_fenced(KEY, WRITE, {"version": 1}))
            while not database.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not write.done.wait(0.01)
            cut(one, postgres)
            taken = threads.start(lambda: take(two, wait=SOON))
            assert not taken.done.wait(0.1)
        assert write.done.wait(SOON)
        write.result()
        assert taken.done.wait(SOON)
        taken.result()
    assert _number(database) == 1


def test_without_a_lock_a_write_is_not_fenced(database: Database) -> None:
    """A session without a lock can write."""
    database.execute("INSERT INTO dnsrenew_certificate (name, version) VALUES ('home', 0)")
    with session(database) as locks:
        locks.run_fenced(KEY, WRITE, {"version": 1})
    assert _number(database) == 1


def test_a_fork_holds_no_locks(database: Database) -> None:
    """A child process is a holder of its own, without the locks of its parent."""
    with session(database) as locks:
        parent = locks.holder
        connection = locks._connection
        assert connection is not None
        connection._process -= 1  # as in a child
        assert locks.holder != parent
        connection._process += 1
        connection.close()


def test_signals_do_not_break_the_connection(database: Database) -> None:
    """After Ctrl-C during a statement, the session can take a lock."""
    with session(database) as locks:
        take(locks)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            locks._connected().fetch("SELECT pg_sleep(5)")
        take(locks)
