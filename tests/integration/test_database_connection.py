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
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dnsrenew.base import threads
from dnsrenew.base.secrets import Secret
from dnsrenew.errors import SecretError, StoreError
from dnsrenew.extensions.fleet.database.connection import Address, Database
from tests.kit.load import allowed
from tests.kit.postgres import LOOPBACK, PASSWORD, DatabaseAddress, Postgres, Proxy
from tests.kit.postgres_pooler import pgbouncer
from tests.lab.certs import LabCA

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
    """A database behind the proxy, with a short patience."""
    with contextlib.closing(Database(address.at(proxy.port), patience=SHORT)) as database:
        yield database


def failure(of: Callable[[], object], code: str) -> StoreError:
    """Return the error of a call. It has this code, and neither the error nor its context has the password."""
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
    """Rows are tuples, and times are in UTC."""
    row = database.one("SELECT %s::text, 2, now(), %s::bytea", ("ü", b"\0\1"))

    assert row is not None
    assert row[:2] == ("ü", 2)
    assert row[2].tzname() == "UTC"
    assert bytes(row[3]) == b"\0\1"
    assert database.one("SELECT %(a)s::int", {"a": 7}) == (7,)
    assert database.one("SELECT 1 WHERE false") is None
    assert database.one("SELECT 'a%'") == ("a%",)


def test_a_statement_tells_how_many_rows_it_changed(database: Database) -> None:
    """`execute` returns the number of changed rows."""
    assert database.execute("INSERT INTO t SELECT generate_series(1, 3)") == 3
    assert database.execute("DELETE FROM t WHERE i > 1") == 2


def test_queries_are_counted(database: Database) -> None:
    """BEGIN and COMMIT are counted too. An idle connection is reused without another query."""
    before = database.queries
    database.fetch("SELECT 1")
    with database.transaction() as transaction:
        transaction.one("SELECT 1")

    assert database.queries - before == 4


def test_a_transaction_takes_effect_as_a_whole(database: Database) -> None:
    """A transaction is visible after its end. One that fails changes nothing."""
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
    """A failed statement raises StoreError. The transaction fails even if the caller catches the error."""

    def swallow() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO t VALUES (1)")
            failure(lambda: transaction.execute("INSERT INTO t VALUES (1)"), "store-failed")

    failure(swallow, "store-failed")
    assert database.fetch("SELECT * FROM t") == []


def test_a_stream_is_read_in_parts(database: Database) -> None:
    """A stream reads its rows in parts. A stream that is closed early returns its connection."""
    database.execute("INSERT INTO t SELECT generate_series(1, 2500)")

    assert sum(i for (i,) in database.stream("SELECT i FROM t WHERE i <= %s", (2400,))) == 2400 * 2401 // 2
    stream = database.stream("SELECT i FROM t ORDER BY i", at_once=10)
    before = database.queries
    assert next(stream) == (1,)
    stream.close()
    assert database.queries - before <= 5
    assert database.fetch("SELECT count(*) FROM t") == [(2500,)]


def test_threads_share_a_few_connections(address: DatabaseAddress, postgres: Postgres) -> None:
    """Twenty threads share three connections, and no call fails."""
    with contextlib.closing(Database(address, size=3)) as database:
        tasks = threads.start_all([lambda: database.one("SELECT pg_sleep(0.005)")] * 20, 20)
        for task in tasks:
            assert task.done.wait(SOON)
            task.result()
        assert len(postgres.sessions(address)) <= 3


def test_no_free_connection(address: DatabaseAddress) -> None:
    """A call that gets no connection in time fails, and the fix names the concurrency."""
    with (
        contextlib.closing(Database(address, size=1, patience=SHORT)) as database,
        database.transaction(),
    ):
        assert "concurrency" in failure(lambda: database.fetch("SELECT 1"), "store-unreachable").fix


def test_the_clock_is_that_of_the_database(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of a database does not use the clock of this machine."""
    from dnsrenew.base.clock import SystemClock

    with contextlib.closing(Database(address)) as database:
        ((now,),) = database.fetch("SELECT clock_timestamp()")
        monkeypatch.setattr(SystemClock, "now", lambda _: pytest.fail("the clock of this machine was asked"))
        assert abs((database.clock.now() - now).total_seconds()) < SOON


def test_the_clock_without_a_database() -> None:
    """The clock of this machine is used until the database has been queried."""
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
    """A refused login, an unreachable server and a bad URL have different codes, and the fix says where to look."""
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    monkeypatch.delenv("PGPASSWORD", raising=False)

    error = failure(lambda: _ask(replace(address, **change)), code)

    assert words in error.fix
    assert "wrong-password" not in str(error)


def test_a_password_that_cannot_be_read(address: DatabaseAddress) -> None:
    """If the secret of the password fails, its own error is raised."""
    from dnsrenew.base.model.spec import StoreAddress

    with pytest.raises(SecretError):
        _ask(StoreAddress(address.url, Secret.env("DNSRENEW_TEST_NOT_SET")))


def test_a_missing_package(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the fix names the package to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "dnsrenew.extensions.fleet.database.deadlines", raising=False)
    monkeypatch.delattr("dnsrenew.extensions.fleet.database.deadlines", raising=False)

    error = failure(lambda: _ask(address), "store-extra-missing")

    assert "dnsrenew[fleet]" in error.fix


def test_no_rights(database: Database, postgres: Postgres, address: DatabaseAddress) -> None:
    """The fix for a role without rights names the `grant` that it needs."""
    postgres.new_role(f"guest_{address.name}")
    with contextlib.closing(Database(replace(address, user=f"guest_{address.name}"))) as guest:
        error = failure(lambda: guest.fetch("SELECT * FROM t"), "store-refused")
        assert "grant" in error.fix
        failure(lambda: guest.execute("CREATE TABLE mine ()"), "store-refused")


def test_a_role_that_only_reads(postgres: Postgres, address: DatabaseAddress) -> None:
    """A role whose sessions are read-only is refused when it connects, and the fix names the role."""
    role = f"reader_{address.name}"
    postgres.new_role(role, f"ALTER ROLE {role} SET default_transaction_read_only = on")

    assert role in failure(lambda: _ask(replace(address, user=role)), "store-read-only").fix


def test_too_many_connections(postgres: Postgres, address: DatabaseAddress) -> None:
    """If the server allows no more connections, the error is `store-unreachable`, so that a worker waits."""
    role = f"many_{address.name}"
    postgres.new_role(role, f"ALTER ROLE {role} CONNECTION LIMIT 0")

    assert "max_connections" in failure(lambda: _ask(replace(address, user=role)), "store-unreachable").fix


def test_read_only_meanwhile(database: Database) -> None:
    """A write in a transaction that is read-only fails with `store-read-only`."""

    def write() -> None:
        with database.transaction() as transaction:
            transaction.execute("SET TRANSACTION READ ONLY")
            transaction.execute("INSERT INTO t VALUES (1)")

    failure(write, "store-read-only")


def test_a_replica() -> None:
    """A replica is refused when it is connected to, and the fix says to set the primary's address."""
    with Postgres.running(standby=True) as replica:
        error = failure(lambda: _ask(DatabaseAddress("postgres", replica.port)), "store-read-only")

        assert "primary" in error.fix


@pytest.mark.skipif("os.geteuid() != 0", reason="a file system can be mounted by root only")
def test_a_full_disk() -> None:
    """A full disk of the server is reported as `store-full`, and stored rows can be read."""
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
    """An error without its own code quotes the server's message."""
    error = failure(lambda: database.fetch("SELEC 1"), "store-failed")

    assert error.evidence["sqlstate"] == "42601"
    assert "syntax error" in error.message


def test_a_password_in_the_words_of_the_server(database: Database) -> None:
    """The password is removed from a server's message."""
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'it is {PASSWORD}'; END $$"

    assert "•••" in failure(lambda: database.execute(sql), "store-failed").message


def test_too_old(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is too old is refused, and the error names the oldest supported version."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.database.connection._OLDEST", 990000)

    assert "14 or later" in failure(lambda: _ask(address), "store-refused").message


# ── silence ─────────────────────────────────────────────────────────────────────────────


def test_a_server_that_accepts_and_never_answers() -> None:
    """A login ends after the patience, which may be shorter than libpq's minimum of 2 s."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        start = time.monotonic()
        failure(lambda: _ask(DatabaseAddress("d", silent.getsockname()[1]), SHORT), "store-unreachable")

        assert SHORT <= time.monotonic() - start < allowed(2)


def test_a_late_login_is_closed(address: DatabaseAddress, proxy: Proxy, postgres: Postgres) -> None:
    """A login that ends after its time-out is closed."""
    proxy.hang()
    failure(lambda: _ask(address.at(proxy.port), SHORT), "store-unreachable")
    proxy.flow()

    end = time.monotonic() + SOON
    while proxy.connections or postgres.sessions(address):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_connection_that_hangs(distant: Database, proxy: Proxy) -> None:
    """Each statement ends after the patience, and statements work again when the network is back."""
    distant.fetch("SELECT 1")
    proxy.hang()
    for _ in range(2):
        start = time.monotonic()
        failure(lambda: distant.fetch("SELECT 1"), "store-unreachable")
        assert time.monotonic() - start < allowed(SHORT + 1)
    proxy.flow()

    assert distant.fetch("SELECT 2") == [(2,)]


def test_a_transaction_that_hangs(distant: Database, proxy: Proxy) -> None:
    """A transaction whose statement timed out does not wait for a rollback too."""
    start = time.monotonic()

    def work() -> None:
        with distant.transaction() as transaction:
            proxy.hang()
            transaction.execute("SELECT 1")

    failure(work, "store-unreachable")
    assert time.monotonic() - start < allowed(2 * SHORT + 1)


def test_a_slow_statement_ends_on_the_server_too(address: DatabaseAddress, postgres: Postgres) -> None:
    """After the time-out of a statement, the server cancels it too."""
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
    """While a proxy refuses connections, calls fail. Afterwards they work again."""
    proxy.cut(refuse=True)
    failure(lambda: distant.fetch("SELECT 1"), "store-unreachable")
    proxy.flow()

    assert distant.fetch("SELECT 1") == [(1,)]


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill -9"])
def test_a_restart_of_the_server(database: Database, postgres: Postgres, kill: bool) -> None:
    """While the server is down, calls fail with `store-unreachable`. Afterwards committed rows can be read."""
    database.execute("INSERT INTO t VALUES (1)")
    with postgres.stopped(kill=kill):
        failure(lambda: database.fetch("SELECT 1"), "store-unreachable")

    assert database.fetch("SELECT * FROM t") == [(1,)]


def test_a_fork_uses_connections_of_its_own(database: Database) -> None:
    """A child process does not use or close the connections of its parent."""
    database.fetch("SELECT 1")
    parent = database._idle[0]
    database._process -= 1  # as in a child

    database.fetch("SELECT 1")

    assert parent not in database._idle
    assert not parent.closed
    parent.close()


# ── poolers and TLS ─────────────────────────────────────────────────────────────────────


def test_a_pooler_by_transaction_is_refused(address: DatabaseAddress, postgres: Postgres) -> None:
    """PgBouncer in transaction mode is refused at the first connection, because it does not keep locks."""
    with pgbouncer(postgres, "transaction") as pooler:
        for _ in range(3):
            assert "pool_mode = session" in failure(lambda: _ask(address.at(pooler.port)), "store-pooler").fix


@pytest.mark.parametrize("idle", range(4))
def test_a_pooler_that_takes_sessions_in_turn_is_refused(
    address: DatabaseAddress, postgres: Postgres, idle: int
) -> None:
    """PgBouncer in transaction mode is refused however many sessions it has and in whatever order it gives them."""
    with pgbouncer(postgres, "transaction", server_round_robin="1") as pooler, contextlib.ExitStack() as clients:
        at = address.at(pooler.port)
        others = [clients.enter_context(psycopg.connect(at.url, password=PASSWORD)) for _ in range(idle)]
        for other in others:
            other.execute("SELECT 1")
        for other in others:
            other.rollback()
        for _ in range(4):
            failure(lambda: _ask(at), "store-pooler")


def test_a_pooler_that_takes_one_statement_at_a_time_is_refused(address: DatabaseAddress, postgres: Postgres) -> None:
    """PgBouncer in statement mode, which knows no transactions, is refused in the same way."""
    with pgbouncer(postgres, "statement") as pooler:
        assert "pool_mode = session" in failure(lambda: _ask(address.at(pooler.port)), "store-pooler").fix


def test_a_pooler_by_session_is_used(address: DatabaseAddress, postgres: Postgres) -> None:
    """PgBouncer in session mode is accepted, and passes notifications on."""
    with (
        pgbouncer(postgres, "session") as pooler,
        contextlib.closing(Database(address.at(pooler.port))) as database,
        database.notifications("c") as feed,
    ):
        feed.wait(0)
        database.fetch("SELECT pg_notify('c', 'heard')")
        assert feed.wait(SOON) == ["heard"]


def test_tls(tmp_path: Path) -> None:
    """A server that wants TLS is used with its own root, is not with another root, and never without TLS."""
    own, other = LabCA(tmp_path / "own"), LabCA(tmp_path / "other")
    with Postgres.running(tls=own) as server:
        address = server.new_database()
        trusted = f"sslmode=verify-full&sslrootcert={own.trust_pem}"
        with contextlib.closing(Database(replace(address, query=trusted))) as database:
            used = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert database.fetch(used) == [("TLSv1.3",)]
        wrong = replace(address, query=trusted.replace(str(own.trust_pem), str(other.trust_pem)))
        assert "certificate" in failure(lambda: _ask(wrong), "store-unreachable").evidence["reason"]
        plain = failure(lambda: _ask(replace(address, query="sslmode=disable")), "store-refused")
        assert "no encryption" in plain.evidence["reason"]


# ── notifications ───────────────────────────────────────────────────────────────────────


def test_what_is_reported_is_heard(database: Database) -> None:
    """Notifications arrive in order, after the commit of their transaction."""
    with database.notifications("dnsrenew_changed") as feed:
        assert feed.wait(0) == []
        with database.transaction() as transaction:
            transaction.fetch("SELECT pg_notify('dnsrenew_changed', 'a')")
            assert feed.wait(0) == []
            transaction.fetch("SELECT pg_notify('dnsrenew_changed', 'b')")
        assert feed.wait(SOON) == ["a", "b"]
        assert feed.wait(0) == []


def test_a_feed_that_hangs(distant: Database, database: Database, proxy: Proxy) -> None:
    """A feed notices a silent server within the patience, and connects again at the next call."""
    with distant.notifications("c") as feed:
        feed.wait(0)
        proxy.hang()
        start = time.monotonic()
        failure(lambda: [feed.wait(0.01) for _ in range(10_000)], "store-unreachable")
        assert time.monotonic() - start < allowed(SHORT + 1)
        proxy.flow()
        feed.wait(0)
        database.fetch("SELECT pg_notify('c', 'again')")
        assert feed.wait(SOON) == ["again"]
        assert feed.connections == 2


def test_a_feed_that_is_cut(distant: Database, proxy: Proxy) -> None:
    """A feed whose connection is cut raises at once."""
    with distant.notifications("c") as feed:
        feed.wait(0)
        proxy.cut()
        start = time.monotonic()
        failure(lambda: feed.wait(60), "store-unreachable")
        assert time.monotonic() - start < allowed(SOON)


def test_a_quiet_feed_asks_whether_the_server_is_there(database: Database) -> None:
    """While a quiet feed checks its connection, no notification is lost."""
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
