"""Connections to a real PostgreSQL: deadlines, refusals of the server, faults of the network, poolers."""

from __future__ import annotations

import contextlib
import pickle
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from dnsrenew.base import threads
from dnsrenew.errors import SecretError, StoreError
from dnsrenew.secrets import Secret
from dnsrenew.store.database.connection import Address, Database
from tests.kit.postgres import LOOPBACK, PASSWORD, DatabaseAddress, Postgres, Proxy
from tests.kit.postgres_pooler import Pooler

SHORT = 0.2
"""Seconds that a test waits for a server that does not answer."""
_ACTIVE = b"SELECT 1 FROM pg_stat_activity WHERE datname = %s AND state = 'active'"
SOON = 5.0
"""Seconds within which everything else has happened on a busy machine."""


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """A database with an empty table ``t``."""
    with contextlib.closing(Database(address)) as database:
        database.execute("CREATE TABLE t (i int PRIMARY KEY)")
        yield database


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with Proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def distant(address: DatabaseAddress, proxy: Proxy) -> Iterator[Database]:
    """A database behind the proxy; it may be silent for a short time only."""
    with contextlib.closing(Database(address.at(proxy.port), patience=SHORT)) as database:
        yield database


def failure(of: Callable[[], object], code: str) -> StoreError:
    """The error of a call; it has the code, and the password is nowhere in it or around it."""
    with pytest.raises(StoreError) as caught:
        of()
    error = caught.value
    assert error.code == code, error
    seen = [str(error), repr(error.evidence), *traceback.format_exception(error)]
    assert not [text for text in seen if PASSWORD in text]
    assert error.__cause__ is None
    assert not [each for each in _contexts(error) if type(each).__module__.startswith("psycopg")]
    assert pickle.loads(pickle.dumps(error)).evidence == error.evidence
    return error


def _contexts(error: BaseException) -> Iterator[BaseException]:
    while error.__context__ is not None:
        error = error.__context__
        yield error


def _ask(address: Address, patience: float = 10.0) -> list[tuple[Any, ...]]:
    with contextlib.closing(Database(address, patience=patience)) as database:
        return database.fetch("SELECT 1")


# ── statements ──────────────────────────────────────────────────────────────────────────


def test_values_go_in_and_come_out(database: Database) -> None:
    """Rows are tuples; times are in UTC, whatever the server's zone is."""
    row = database.one("SELECT %s::text, 2, now(), %s::bytea", ("ü", b"\0\1"))

    assert row is not None
    assert row[:2] == ("ü", 2)
    assert row[2].tzname() == "UTC"
    assert bytes(row[3]) == b"\0\1"
    assert database.one("SELECT %(a)s::int", {"a": 7}) == (7,)
    assert database.one("SELECT 1 WHERE false") is None
    assert database.one("SELECT 'a%'") == ("a%",)


def test_a_statement_tells_how_many_rows_it_changed(database: Database) -> None:
    """`execute` returns the number of rows."""
    assert database.execute("INSERT INTO t SELECT generate_series(1, 3)") == 3
    assert database.execute("DELETE FROM t WHERE i > 1") == 2


def test_queries_are_counted(database: Database) -> None:
    """BEGIN and COMMIT count too; an idle connection is used again without a question."""
    before = database.queries
    database.fetch("SELECT 1")
    with database.transaction() as transaction:
        transaction.one("SELECT 1")

    assert database.queries - before == 4


def test_a_transaction_takes_effect_as_a_whole(database: Database) -> None:
    """Nothing is there of one that failed."""
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO t VALUES (1)")
        assert database.fetch("SELECT * FROM t") == []

    def fail() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO t VALUES (2)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert database.fetch("SELECT * FROM t") == [(1,)]


def test_an_error_inside_a_transaction_is_ours(database: Database) -> None:
    """A caller inside the block meets a StoreError; catching it does not make the transaction succeed."""

    def swallow() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO t VALUES (1)")
            failure(lambda: transaction.execute("INSERT INTO t VALUES (1)"), "store-failed")

    failure(swallow, "store-failed")
    assert database.fetch("SELECT * FROM t") == []


def test_a_stream_is_read_in_parts(database: Database) -> None:
    """Rows come one by one; a stream that is closed early gives its connection back."""
    database.execute("INSERT INTO t SELECT generate_series(1, 2500)")

    assert sum(i for (i,) in database.stream("SELECT i FROM t WHERE i <= %s", (2400,))) == 2400 * 2401 // 2
    stream = database.stream("SELECT i FROM t ORDER BY i", at_once=10)
    before = database.queries
    assert next(stream) == (1,)
    stream.close()
    assert database.queries - before <= 5
    assert database.fetch("SELECT count(*) FROM t") == [(2500,)]


def test_threads_share_a_few_connections(address: DatabaseAddress, postgres: Postgres) -> None:
    """Twenty threads with three connections wait for each other; nobody fails."""
    with contextlib.closing(Database(address, size=3)) as database:
        tasks = threads.start_all([lambda: database.one("SELECT pg_sleep(0.005)")] * 20, 20)
        for task in tasks:
            assert task.done.wait(SOON)
            task.result()
        assert len(postgres.sessions(address)) <= 3


def test_no_free_connection(address: DatabaseAddress) -> None:
    """A call that gets no connection in time fails instead of waiting for ever."""
    with (
        contextlib.closing(Database(address, size=1, patience=SHORT)) as database,
        database.transaction(),
    ):
        assert "concurrency" in failure(lambda: database.fetch("SELECT 1"), "store-unreachable").fix


def test_the_clock_is_that_of_the_database(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is wrong by ten minutes reads the time of the database."""
    from dnsrenew.base.clock import SystemClock

    with contextlib.closing(Database(address)) as database:
        ((now,),) = database.fetch("SELECT clock_timestamp()")
        monkeypatch.setattr(SystemClock, "now", lambda _: pytest.fail("the clock of this host was asked"))
        assert abs((database.clock.now() - now).total_seconds()) < SOON


def test_the_clock_without_a_database() -> None:
    """As long as the database cannot be asked, the clock of this host is used."""
    database = Database(DatabaseAddress("none", 1))

    assert abs(database.clock.now().timestamp() - time.time()) < SOON


# ── refusals ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"password": "wrong-password"}, "store-refused", "pg_hba.conf"),
        ({"password": None}, "store-refused", "pg_hba.conf"),
        ({"user": "stranger"}, "store-refused", "stranger"),
        ({"name": "missing"}, "store-refused", "createdb -O dnsrenew missing"),
        ({"port": 1}, "store-unreachable", f"{LOOPBACK}:1"),
        ({"host": "db.invalid"}, "store-unreachable", "db.invalid"),
        ({"name": "d%zz"}, "store-bad-path", "postgresql://USER@HOST/DATABASE"),
    ],
)
def test_no_login(
    address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], code: str, words: str
) -> None:
    """A refused login and a server that is not there have codes of their own, and say where to look."""
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    monkeypatch.delenv("PGPASSWORD", raising=False)

    error = failure(lambda: _ask(replace(address, **change)), code)

    assert words in error.fix
    assert "wrong-password" not in str(error)


def test_a_password_that_cannot_be_read(address: DatabaseAddress) -> None:
    """The error of the secret is raised as it is."""
    from dnsrenew.model.store_address import StoreAddress

    with pytest.raises(SecretError):
        _ask(StoreAddress(address.url, Secret.env("DNSRENEW_TEST_NOT_SET")))


def test_a_missing_package(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    error = failure(lambda: _ask(address), "store-extra-missing")

    assert "psycopg[binary,pool]" in error.fix


def test_no_rights(database: Database, postgres: Postgres, address: DatabaseAddress) -> None:
    """A role without rights is told which to grant."""
    postgres.new_role(f"guest_{address.name}")
    with contextlib.closing(Database(replace(address, user=f"guest_{address.name}"))) as guest:
        error = failure(lambda: guest.fetch("SELECT * FROM t"), "store-refused")
        assert "grant" in error.fix
        failure(lambda: guest.execute("CREATE TABLE mine ()"), "store-refused")


def test_a_role_that_only_reads(postgres: Postgres, address: DatabaseAddress) -> None:
    """A session that is read-only is refused at the start, before anything is ordered."""
    role = f"reader_{address.name}"
    postgres.new_role(role, f"ALTER ROLE {role} SET default_transaction_read_only = on")

    assert role in failure(lambda: _ask(replace(address, user=role)), "store-read-only").fix


def test_too_many_connections(postgres: Postgres, address: DatabaseAddress) -> None:
    """A limit of the server is named; a worker waits, as for a server that is down."""
    role = f"many_{address.name}"
    postgres.new_role(role, f"ALTER ROLE {role} CONNECTION LIMIT 0")

    assert "max_connections" in failure(lambda: _ask(replace(address, user=role)), "store-unreachable").fix


def test_read_only_meanwhile(database: Database) -> None:
    """A write that the server refuses because it only reads has the same code."""

    def write() -> None:
        with database.transaction() as transaction:
            transaction.execute("SET TRANSACTION READ ONLY")
            transaction.execute("INSERT INTO t VALUES (1)")

    failure(write, "store-read-only")


def test_a_replica() -> None:
    """A real replica is refused at the start: its primary is the address to set."""
    with Postgres.running(standby=True) as replica:
        error = failure(lambda: _ask(DatabaseAddress("postgres", replica.port)), "store-read-only")

        assert "primary" in error.fix


@pytest.mark.skipif("os.geteuid() != 0", reason="a file system can be mounted by root only")
def test_a_full_disk() -> None:
    """A full disk under the database is said; what is stored stays readable."""
    with Postgres.running(small_disk=4) as server:
        address = server.new_database()
        with server.admin() as admin:
            admin.execute(f"CREATE TABLESPACE small OWNER dnsrenew LOCATION '{server.small_disk}'".encode())
        with contextlib.closing(Database(address)) as database:
            database.execute("CREATE TABLE big (b bytea) TABLESPACE small")
            database.execute("ALTER TABLE big ALTER COLUMN b SET STORAGE PLAIN")
            database.execute("INSERT INTO big VALUES ('kept')")
            fill = "INSERT INTO big SELECT repeat('x', 7000)::bytea FROM generate_series(1, 1000)"
            error = failure(lambda: database.execute(fill), "store-full")

            assert "No space left" in error.evidence["reason"]
            assert database.fetch("SELECT b FROM big") == [(b"kept",)]


def test_other_errors_are_quoted(database: Database) -> None:
    """What has no code of its own quotes the server."""
    error = failure(lambda: database.fetch("SELEC 1"), "store-failed")

    assert error.evidence["sqlstate"] == "42601"
    assert "syntax error" in error.message


def test_a_password_in_the_words_of_the_server(database: Database) -> None:
    """A server that quotes the password gets it removed."""
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'it is {PASSWORD}'; END $$"

    assert "•••" in failure(lambda: database.execute(sql), "store-failed").message


def test_too_old(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot free the locks of a host that hangs is refused."""
    monkeypatch.setattr("dnsrenew.store.database.new_connection._OLDEST", 990000)

    assert "14 or later" in failure(lambda: _ask(address), "store-refused").message


# ── silence ─────────────────────────────────────────────────────────────────────────────


def test_a_server_that_accepts_and_never_answers() -> None:
    """The login ends after the patience, which libpq's own time-out of at least 2 s is not."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        start = time.monotonic()
        failure(lambda: _ask(DatabaseAddress("d", silent.getsockname()[1]), SHORT), "store-unreachable")

        assert SHORT <= time.monotonic() - start < 2


def test_a_late_login_is_closed(address: DatabaseAddress, proxy: Proxy, postgres: Postgres) -> None:
    """A connection that comes when nobody waits for it any more is closed."""
    proxy.hang()
    failure(lambda: _ask(address.at(proxy.port), SHORT), "store-unreachable")
    proxy.flow()

    end = time.monotonic() + SOON
    while proxy.connections or postgres.sessions(address):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_connection_that_hangs(distant: Database, proxy: Proxy) -> None:
    """A statement ends after the patience; so does the next one; and when the network is back, all is well."""
    distant.fetch("SELECT 1")
    proxy.hang()
    for _ in range(2):
        start = time.monotonic()
        failure(lambda: distant.fetch("SELECT 1"), "store-unreachable")
        assert time.monotonic() - start < SHORT + 1
    proxy.flow()

    assert distant.fetch("SELECT 2") == [(2,)]


def test_a_transaction_that_hangs(distant: Database, proxy: Proxy) -> None:
    """Its end waits no second time: a rollback would not be answered either."""
    start = time.monotonic()

    def work() -> None:
        with distant.transaction() as transaction:
            proxy.hang()
            transaction.execute("SELECT 1")

    failure(work, "store-unreachable")
    assert time.monotonic() - start < 2 * SHORT + 1


def test_a_slow_statement_ends_on_the_server_too(address: DatabaseAddress, postgres: Postgres) -> None:
    """What this process gave up on does not go on there."""
    with contextlib.closing(Database(address, patience=SHORT)) as database:
        failure(lambda: database.fetch("SELECT pg_sleep(30)"), "store-unreachable")
        end = time.monotonic() + SOON
        with postgres.admin() as admin:
            while admin.execute(_ACTIVE, (address.name,)).fetchall():
                assert time.monotonic() < end
                time.sleep(0.01)


# ── cuts ────────────────────────────────────────────────────────────────────────────────


def test_idle_connections_that_were_cut_are_not_used(distant: Database, proxy: Proxy) -> None:
    """After a cut, the next statement connects again instead of failing."""
    distant.fetch("SELECT 1")
    proxy.cut()

    assert distant.fetch("SELECT 2") == [(2,)]


def test_a_cut_in_the_middle(distant: Database, proxy: Proxy) -> None:
    """A statement whose connection is cut fails, and is not repeated."""
    distant.execute("CREATE SEQUENCE s")

    def work() -> None:
        with distant.transaction() as transaction:
            transaction.one("SELECT nextval('s')")
            proxy.cut()
            transaction.one("SELECT nextval('s')")

    failure(work, "store-unreachable")
    assert distant.one("SELECT nextval('s')") == (2,)


def test_a_network_that_refuses(distant: Database, proxy: Proxy) -> None:
    """A proxy or firewall that resets connections."""
    proxy.cut(refuse=True)
    failure(lambda: distant.fetch("SELECT 1"), "store-unreachable")
    proxy.flow()

    assert distant.fetch("SELECT 1") == [(1,)]


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill -9"])
def test_a_restart_of_the_server(database: Database, postgres: Postgres, kill: bool) -> None:
    """While it is down: store-unreachable; afterwards everything committed is there."""
    database.execute("INSERT INTO t VALUES (1)")
    with postgres.stopped(kill=kill):
        failure(lambda: database.fetch("SELECT 1"), "store-unreachable")

    assert database.fetch("SELECT * FROM t") == [(1,)]


def test_a_fork_uses_connections_of_its_own(database: Database) -> None:
    """The connections of the parent are left alone in a child process."""
    database.fetch("SELECT 1")
    parent = database._idle[0]
    database._process -= 1  # as in a child

    database.fetch("SELECT 1")

    assert parent not in database._idle
    assert not parent.closed
    parent.close()


# ── poolers ─────────────────────────────────────────────────────────────────────────────


def test_a_pooler_by_transaction_is_refused(address: DatabaseAddress, postgres: Postgres) -> None:
    """Locks would not hold behind it; it is found at the first connection, also when nobody else uses it."""
    with Pooler(postgres, address.name, by_transaction=True) as pooler:
        for _ in range(3):
            assert "session" in failure(lambda: _ask(address.at(pooler.port)), "store-pooler").fix


def test_a_pooler_by_session_is_used(address: DatabaseAddress, postgres: Postgres) -> None:
    """A pooler that keeps sessions apart is no obstacle."""
    with Pooler(postgres, address.name, by_transaction=False) as pooler:
        assert _ask(address.at(pooler.port)) == [(1,)]


# ── notifications ───────────────────────────────────────────────────────────────────────


def test_what_is_told_is_heard(database: Database) -> None:
    """Payloads come in order, those of a transaction when it is committed."""
    with database.notifications("dnsrenew_changed") as feed:
        assert feed.wait(0) == []
        with database.transaction() as transaction:
            transaction.fetch("SELECT pg_notify('dnsrenew_changed', 'a')")
            assert feed.wait(0) == []
            transaction.fetch("SELECT pg_notify('dnsrenew_changed', 'b')")
        assert feed.wait(SOON) == ["a", "b"]
        assert feed.wait(0) == []


def test_a_feed_that_hangs(distant: Database, database: Database, proxy: Proxy) -> None:
    """A silent server is noticed within the patience; the feed connects again when it is asked again."""
    with distant.notifications("c") as feed:
        feed.wait(0)
        proxy.hang()
        start = time.monotonic()
        failure(lambda: [feed.wait(0.01) for _ in range(10_000)], "store-unreachable")
        assert time.monotonic() - start < SHORT + 1
        proxy.flow()
        feed.wait(0)
        database.fetch("SELECT pg_notify('c', 'again')")
        assert feed.wait(SOON) == ["again"]
        assert feed.connections == 2


def test_a_feed_that_is_cut(distant: Database, proxy: Proxy) -> None:
    """A cut wakes the feed at once."""
    with distant.notifications("c") as feed:
        feed.wait(0)
        proxy.cut()
        start = time.monotonic()
        failure(lambda: feed.wait(60), "store-unreachable")
        assert time.monotonic() - start < SOON


def test_a_quiet_feed_asks_whether_the_server_is_there(database: Database) -> None:
    """The question itself disturbs nobody, and what was told meanwhile is heard."""
    database.patience = SHORT
    with database.notifications("c") as feed:
        feed.wait(0)
        teller = threading.Timer(SHORT, lambda: database.fetch("SELECT pg_notify('c', 'late')"))
        teller.start()
        heard: list[str] = []
        while not heard:
            heard = feed.wait(0.01)
        teller.join()

    assert heard == ["late"]
