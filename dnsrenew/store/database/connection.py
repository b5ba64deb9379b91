"""The connections of a process to the database: a pool, deadlines, and errors in our words.

The pool is ours because psycopg_pool connects in the background: a wrong password would be a time-out without a reason,
and after a restart of the server each of its connections would fail once.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from dnsrenew.base import threads
from dnsrenew.base.installation import install_command
from dnsrenew.errors import StoreError, Text
from dnsrenew.store.database import texts
from dnsrenew.store.database.clock import DatabaseClock

if TYPE_CHECKING:
    from dnsrenew.store.database.deadlines import DeadlineConnection
    from dnsrenew.store.database.notifications import Notifications

PATIENCE: Final = 10.0
"""Seconds of silence after which a database counts as gone."""
Params = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]
_OLDEST: Final = 140000
"""PostgreSQL 14: before it, idle_session_timeout does not exist, which frees the locks of a host that hangs."""
_PACKAGE: Final = "psycopg[binary,pool]"
_IDLE_IN_TRANSACTION: Final = 15_000
"""Milliseconds after which the server ends the transaction of a client that hangs, and with it its row locks."""
_SETUP: Final = """
SELECT pg_backend_pid(), clock_timestamp(), pg_is_in_recovery(), current_setting('transaction_read_only'),
  current_setting('server_version_num')::int, current_setting('server_version'), set_config('TimeZone', 'UTC', false),
  set_config('statement_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false)
"""


class Address(Protocol):
    """Where the database is."""

    @property
    def url(self) -> str:
        """The URL, without a password."""

    def read_password(self) -> str | None:
        """Return the password, or None."""


class Transaction:
    """Statements that take effect together, or not at all. A failed one ends it."""

    def __init__(self, database: Database, connection: DeadlineConnection) -> None:
        self._database = database
        self._connection = connection

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement and return its rows.

        :raises StoreError: it failed.
        """
        return self._database.run(self._connection, sql, params)[0]

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """Execute a statement and return its first row, or None.

        :raises StoreError: it failed.
        """
        rows = self.fetch(sql, params)
        return rows[0] if rows else None

    def execute(self, sql: str, params: Params = ()) -> int:
        """Execute a statement and return the number of rows that it changed.

        :raises StoreError: it failed.
        """
        return self._database.run(self._connection, sql, params)[1]


class Database:
    """A PostgreSQL database. Thread-safe; it connects when it is first used, and again after a lost connection.

    Every method that talks to the server raises :class:`~dnsrenew.errors.StoreError` only: ``store-unreachable``
    (silent for ``patience`` seconds, refused, restarted, cut), ``store-refused`` (login, rights), ``store-read-only``,
    ``store-full``, ``store-schema``, ``store-pooler``, ``store-io-error``, ``store-failed``, ``store-extra-missing``; and
    :class:`~dnsrenew.errors.SecretError` if the password cannot be read. A statement that failed is never repeated.

    :param size: connections at once, at most.
    :param patience: seconds of silence after which the database counts as gone.
    :ivar queries: the number of statements so far, BEGIN and COMMIT too.
    :ivar clock: the clock of the database; it is set by each new connection.
    """

    def __init__(self, address: Address, *, size: int = 20, patience: float = PATIENCE) -> None:
        self.address = address
        self.size = size
        self.patience = patience
        self.queries = 0
        self.clock = DatabaseClock(lambda: self.fetch("SELECT 1"))
        self._idle: list[DeadlineConnection] = []
        self._process = os.getpid()
        self._guard = threading.Lock()
        self._free = threading.BoundedSemaphore(size)
        self._place: dict[str, Any] | None = None

    # ── statements ──────────────────────────────────────────────────────────────────────

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement, which commits, and return its rows.

        :param sql: psycopg's placeholders: ``%s`` or ``%(name)s``.
        """
        with self._lease() as connection:
            return self.run(connection, sql, params)[0]

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """Execute a statement, which commits, and return its first row, or None."""
        rows = self.fetch(sql, params)
        return rows[0] if rows else None

    def execute(self, sql: str, params: Params = ()) -> int:
        """Execute a statement, which commits, and return the number of rows that it changed."""
        with self._lease() as connection:
            return self.run(connection, sql, params)[1]

    @contextlib.contextmanager
    def transaction(self, *, patience: float | None = None) -> Iterator[Transaction]:
        """Begin a transaction; it is committed at the end of the block, and rolled back by an error.

        If the commit itself raises ``store-unreachable``, nobody knows whether it took effect.

        :param patience: seconds that each statement may take, for a change of the schema.
        """
        with self._lease() as connection:
            connection.patience = patience or self.patience
            self.run(connection, "BEGIN")
            if patience is not None:
                self.run(connection, f"SET LOCAL statement_timeout = {int(patience * 1000)}")
            try:
                yield Transaction(self, connection)
                self._commit(connection)
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                connection.patience = self.patience

    def stream(self, sql: str, params: Params = (), *, at_once: int = 1000) -> Iterator[Row]:
        """Return the rows one by one; they are never in memory together, here or there.

        The iterator has a connection until it ends or is closed; the consumer may take any time.

        :param at_once: rows that are fetched with one statement.
        """
        with self.transaction() as transaction:
            transaction.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            transaction.execute(f"DECLARE stream NO SCROLL CURSOR FOR {sql}", params)
            while rows := transaction.fetch(f"FETCH {at_once:d} FROM stream"):
                yield from rows

    def notifications(self, channel: str) -> contextlib.AbstractContextManager[Notifications]:
        """Listen to a channel (NOTIFY) on a connection of its own."""
        from dnsrenew.store.database.notifications import Notifications  # few processes listen

        return contextlib.closing(Notifications(self, channel))

    def close(self) -> None:
        """Close the connections that are not in use. A later use connects again."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # ── connections: for this folder ────────────────────────────────────────────────────

    def connect(self) -> DeadlineConnection:
        """Open a connection outside the pool, prepared and checked; the caller closes it."""
        connection = self._open()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def run(self, connection: DeadlineConnection, sql: str, params: Params = ()) -> tuple[list[Row], int]:
        """Execute a statement on a connection; return its rows and the number of rows that it returned or changed."""
        import psycopg

        with self._guard:
            self.queries += 1
        try:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount
        except psycopg.Error as error:
            failure = self._translate(error)
        raise failure  # outside the block above: psycopg's error holds the password, and must not be its context

    def error(self, text: Text, **evidence: Any) -> StoreError:
        """Return an error with the place of the database in its evidence."""
        return StoreError.of(text, **{**self.place(), "seconds": self.patience, "size": self.size, **evidence})

    def place(self) -> dict[str, Any]:
        """Return ``server``, ``database`` and ``user`` for the evidence of an error."""
        if self._place is None:
            from dnsrenew.store.database.place import read_place

            self._place = read_place(self.address.url)
        return dict(self._place)

    @contextlib.contextmanager
    def _lease(self) -> Iterator[DeadlineConnection]:
        if not self._free.acquire(timeout=self.patience):
            raise self.error(texts.BUSY)
        try:
            connection = self._take() or self.connect()
            try:
                yield connection
            finally:
                self._put_back(connection)
        finally:
            self._free.release()

    def _take(self) -> DeadlineConnection | None:
        """Return an idle connection that the server has not closed meanwhile; the one used last comes first."""
        while True:
            with self._guard:
                if self._process != os.getpid():  # a fork: its connections are those of the parent
                    self._process, self._idle = os.getpid(), []
                connection = self._idle.pop() if self._idle else None
            if connection is None or _is_quiet(connection):
                return connection
            connection.close()

    def _put_back(self, connection: DeadlineConnection) -> None:
        if connection.closed or connection.info.transaction_status != 0:  # IDLE: an interrupted call left another
            connection.close()
            return
        with self._guard:
            self._idle.append(connection)

    def _commit(self, connection: DeadlineConnection) -> None:
        is_failed = connection.info.transaction_status == 3  # INERROR: the server would roll back without an error
        if is_failed:
            raise self.error(texts.FAILED, reason="a statement of the transaction had failed")
        self.run(connection, "COMMIT")

    def _roll_back(self, connection: DeadlineConnection) -> None:
        if not connection.closed and connection.info.transaction_status in {2, 3}:  # INTRANS, INERROR
            with contextlib.suppress(StoreError):
                self.run(connection, "ROLLBACK")

    # ── opening one ─────────────────────────────────────────────────────────────────────

    def _open(self) -> DeadlineConnection:
        """Connect, in a thread: neither a resolver nor several addresses may take longer than the patience."""
        try:
            import psycopg

            from dnsrenew.store.database.deadlines import DeadlineConnection
        except ImportError:
            place = {"server": self.address.url, "package": "psycopg", "command": install_command(_PACKAGE)}
            raise StoreError.of(texts.NO_PACKAGE, **place) from None
        options = self._options()
        given_up = threading.Event()

        def connect() -> DeadlineConnection:
            connection = DeadlineConnection.connect(self.address.url, autocommit=True, **options)
            if given_up.is_set():
                connection.close()
            return connection

        task = threads.start(connect)
        if not task.done.wait(self.patience):
            given_up.set()
            if task.done.is_set() and task.error is None:  # in this very moment
                task.result().close()
            raise self.error(texts.SILENT)
        if isinstance(task.error, psycopg.Error):
            raise self._translate(task.error)
        opened = task.result()
        opened.patience = self.patience
        return opened

    def _options(self) -> dict[str, Any]:
        """Return libpq's parameters; those in the URL take precedence."""
        from psycopg.conninfo import conninfo_to_dict

        options: dict[str, Any] = {
            "connect_timeout": max(2, math.ceil(self.patience)),
            "client_encoding": "utf8",
            "application_name": "dnsrenew",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": math.ceil(self.patience * 1000),
        }
        given = conninfo_to_dict(self.address.url)
        options = {name: value for name, value in options.items() if given.get(name) is None}
        password = self.address.read_password()
        return options if password is None else {**options, "password": password}

    def _prepare(self, connection: DeadlineConnection) -> None:
        limits = (str(math.ceil(self.patience * 1000)), str(_IDLE_IN_TRANSACTION))
        before = time.monotonic()
        ((pid, now, is_replica, read_only, number, version, *_),), _ = self.run(connection, _SETUP, limits)
        self.clock.note(before, now, time.monotonic())
        if number < _OLDEST:
            raise self.error(texts.TOO_OLD, version=version)
        if is_replica or read_only == "on":
            raise self.error(texts.REPLICA if is_replica else texts.READ_ONLY)
        if connection.info.backend_pid != pid:  # the number told at the login is another one: a pooler answered it
            self._refuse_shared_sessions(connection, pid)

    def _refuse_shared_sessions(self, connection: DeadlineConnection, pid: int) -> None:
        """Raise an error if a pooler gives each transaction another session.

        While a second connection is in a transaction, either it got the session of the first one, or the first one
        gets another session than before.
        """
        other = self._open()
        try:
            self.run(other, "BEGIN")
            ((second,),), _ = self.run(other, "SELECT pg_backend_pid()")
            ((again,),), _ = self.run(connection, "SELECT pg_backend_pid()")
            self.run(other, "ROLLBACK")
        except StoreError as error:
            if error.code == "store-unreachable" and other.closed:
                raise
            raise self.error(texts.POOLER) from None  # such as: it allows no transactions at all
        finally:
            other.close()
        if pid in {second} or again != pid:
            raise self.error(texts.POOLER)

    def _translate(self, error: Any) -> StoreError:  # psycopg is imported late
        from dnsrenew.store.database.sqlstates import translate

        return translate(error, self.place(), self.patience, self.address.read_password())


def _is_quiet(connection: DeadlineConnection) -> bool:
    """Tell whether the server has sent nothing to an idle connection: what it sends there is its end."""
    if connection.closed:
        return False
    poll = select.poll() if hasattr(select, "poll") else None
    if poll is None:  # Windows
        return not select.select([connection.fileno()], [], [], 0)[0]
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
