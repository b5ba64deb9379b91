"""The connections of a process to the database: a pool, deadlines, and errors in our words.

The pool is our own, because psycopg_pool connects in the background: a wrong password would be a time-out without a
reason, and after a restart of the server each of its connections would fail once.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from dnsrenew.base import threads
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.server import PATIENCE, Address, Params, Row, Server
from dnsrenew.store import json_files

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection

T = TypeVar("T")

__all__ = ["PATIENCE", "Address", "Database", "Params", "Row", "Transaction", "in_parts"]


def in_parts(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Yield the items in parts for one statement each."""
    left = iter(items)
    while part := list(islice(left, most)):
        yield part


class Statements(Protocol):
    """Executes statements, with psycopg's placeholders: ``%s`` or ``%(name)s``."""

    def run_one(self, sql: str, params: Params) -> tuple[list[Row], int]:
        """Execute a statement; return its rows and the number of rows that it returned or changed."""

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement and return its rows.

        :raises StoreError: the statement failed.
        """
        return self.run_one(sql, params)[0]

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """Execute a statement and return its first row, or None.

        :raises StoreError: the statement failed.
        """
        rows = self.fetch(sql, params)
        return rows[0] if rows else None

    def execute(self, sql: str, params: Params = ()) -> int:
        """Execute a statement and return the number of rows that it changed.

        :raises StoreError: the statement failed.
        """
        return self.run_one(sql, params)[1]


class Transaction(Statements):
    """Statements that take effect together or not at all. A failed statement ends it."""

    def __init__(self, server: Server, connection: DeadlineConnection) -> None:
        self._server, self._connection = server, connection

    def run_one(self, sql: str, params: Params) -> tuple[list[Row], int]:
        return self._server.run(self._connection, sql, params)


class Database(Server, Statements):
    """A PostgreSQL database. Thread-safe; it connects when it is first used, and again after a lost connection.

    Every method that contacts the server raises only :class:`~dnsrenew.errors.StoreError`: ``store-unreachable``
    (silent for ``patience`` seconds, refused, restarted, cut), ``store-refused`` (login, rights), ``store-read-only``,
    ``store-full``, ``store-schema``, ``store-pooler``, ``store-io-error``, ``store-failed``, ``store-bad-path``,
    ``store-extra-missing``; and :class:`~dnsrenew.errors.SecretError` if the password cannot be read. A failed
    statement is never repeated.

    :param size: the maximum number of connections.
    :param patience: seconds of silence after which the database counts as gone.
    """

    def __init__(self, address: Address, *, size: int = 20, patience: float = PATIENCE) -> None:
        super().__init__(address, patience, lambda: self.fetch("SELECT 1"))
        self.size = size
        self._idle: list[DeadlineConnection] = []
        self._process = os.getpid()
        self._guard = threading.Lock()
        self._free = threading.BoundedSemaphore(size)

    # ── statements ──────────────────────────────────────────────────────────────────────

    def run_one(self, sql: str, params: Params) -> tuple[list[Row], int]:
        """It commits."""
        with self._lease() as connection:
            return self.run(connection, sql, params)

    @contextlib.contextmanager
    def transaction(self, *, patience: float | None = None) -> Iterator[Transaction]:
        """Begin a transaction, which is committed at the end of the block and rolled back after an error.

        If the commit itself raises ``store-unreachable``, it is unknown whether it took effect.

        :param patience: seconds that each statement may take, for a change of the schema.
        """
        with self._lease() as connection:
            connection.patience = patience or self.patience
            self.run(connection, "BEGIN")
            if patience is not None:
                self.run(connection, f"SET LOCAL statement_timeout = {int(patience * 1000)}")
            try:
                yield Transaction(self, connection)
                if connection.info.transaction_status == 3:  # INERROR: the server would roll back without an error
                    raise self.error(texts.FAILED, reason=texts.FAILED_BEFORE)
                self.run(connection, "COMMIT")
            except BaseException:
                if not connection.closed and connection.info.transaction_status in {2, 3}:  # INTRANS, INERROR
                    with contextlib.suppress(StoreError):
                        self.run(connection, "ROLLBACK")
                raise
            finally:
                connection.patience = self.patience

    def stream(self, sql: str, params: Params = (), *, at_once: int = 1000) -> Generator[Row, None, None]:
        """Return the rows one by one. They are never in memory together, neither here nor in the server.

        The iterator keeps a connection until it ends or is closed. The consumer may take any time.

        :param at_once: rows that are fetched with one statement.
        """
        with self.transaction() as transaction:
            transaction.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            transaction.execute(f"DECLARE stream NO SCROLL CURSOR FOR {sql}", params)
            while rows := transaction.fetch(f"FETCH {at_once:d} FROM stream"):
                yield from rows

    def notifications(self, channel: str) -> contextlib.AbstractContextManager[Notifications]:
        """Listen to a channel (NOTIFY) on a separate connection."""
        return contextlib.closing(Notifications(self, channel))

    def close(self) -> None:
        """Close the connections that are not in use. A later use connects again."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # ── the pool ────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _lease(self) -> Iterator[DeadlineConnection]:
        if not self._free.acquire(timeout=self.patience):
            raise self.error(texts.BUSY, size=self.size, seconds=self.patience)
        with contextlib.ExitStack() as ended:
            ended.callback(self._free.release)
            connection = self._take() or connect(self)
            ended.callback(self._put_back, connection)
            yield connection

    def _take(self) -> DeadlineConnection | None:
        """Return an idle connection that the server has not closed, the last used one first."""
        while True:
            with self._guard:
                if self._process != os.getpid():  # a fork, whose connections belong to the parent
                    self._process, self._idle = os.getpid(), []
                connection = self._idle.pop() if self._idle else None
            if connection is None or not connection.is_cut():
                return connection
            connection.close()

    def _put_back(self, connection: DeadlineConnection) -> None:
        if connection.closed or connection.info.transaction_status != 0:  # IDLE: an interrupted call left another
            connection.close()
            return
        with self._guard:
            self._idle.append(connection)


# ── new connection ─────────────────────────────────────────────────────────────────────

# How a connection to the database is opened and checked.

_OLDEST: Final = 140000
"""PostgreSQL 14. Earlier versions lack idle_session_timeout, which frees the locks of a machine that hangs."""
_NO_TRANSACTIONS: Final = "08P01"
"""PgBouncer's answer to a BEGIN if it pools single statements."""
_IDLE_IN_TRANSACTION: Final = 5_000
"""Milliseconds after which the server ends the transaction of a hanging client, and with it its row locks.

Others that wait for those rows give up after 10 s.
"""
_HANDOVER: Final = 0.1
"""Seconds for the end of a thread that has connected in time."""
_SETUP: Final = """
SELECT pg_backend_pid(), clock_timestamp(), pg_is_in_recovery(), current_setting('transaction_read_only'),
  current_setting('server_version_num')::int, current_setting('server_version'), set_config('TimeZone', 'UTC', false),
  set_config('statement_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false)
"""


def connect(server: Server) -> DeadlineConnection:
    """Open a connection, set its session up and check the server.

    :raises StoreError: it cannot connect, or the server is not suitable.
    """
    connection = _open(server)
    try:
        _prepare(server, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(server: Server) -> DeadlineConnection:
    """Connect in a thread, so that neither a resolver nor several addresses can take longer than the patience."""
    library = server.library
    lock, given_up = threading.Lock(), threading.Event()

    def connect() -> DeadlineConnection | None:
        # The options hold the password, so no variable of a traceback may have them.
        connection: DeadlineConnection = library.DeadlineConnection.connect(
            server.address.url, autocommit=True, **connection_options(server)
        )
        connection.patience = server.patience
        library.read_json(json_files.value, connection)
        with lock:
            if not given_up.is_set():
                return connection
        connection.close()
        return None

    task = threads.start(connect)
    task.done.wait(server.patience)
    with lock:
        given_up.set()
    # libpq gives up at the same moment: its error may come only now, and must not be checked earlier.
    is_done = task.done.wait(_HANDOVER)
    if is_done and isinstance(task.error, library.DatabaseError):
        raise server.translate(task.error)
    opened = task.result() if is_done else None
    if opened is None:
        raise server.error(texts.SILENT, seconds=server.patience)
    return opened


def connection_options(server: Server) -> dict[str, Any]:
    """Return libpq's parameters without those in the URL, which take precedence.

    :raises StoreError: ``store-bad-path``: the URL cannot be read.
    """
    options: dict[str, Any] = {
        "connect_timeout": max(2, math.ceil(server.patience)),
        "client_encoding": "utf8",
        "application_name": "dnsrenew",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": math.ceil(server.patience * 1000),
    }
    given = server.library.parameters_of(server.address.url)
    if given is None:
        raise StoreError.of(texts.BAD_ADDRESS)
    options = {name: value for name, value in options.items() if given.get(name) is None}
    password = server.address.read_password()
    return options if password is None else {**options, "password": password}


def _prepare(server: Server, connection: DeadlineConnection) -> None:
    limits = (str(math.ceil(server.patience * 1000)), str(_IDLE_IN_TRANSACTION))
    before = time.monotonic()
    ((pid, now, is_replica, read_only, number, version, *_),), _ = server.run(connection, _SETUP, limits)
    server.clock.note(before, now, time.monotonic())
    if number < _OLDEST:
        raise server.error(texts.TOO_OLD, version=version)
    if (is_replica or read_only == "on") and not server.reads_only:
        raise server.error(texts.REPLICA if is_replica else texts.READ_ONLY)
    if connection.info.backend_pid != pid:  # the number from the login differs: a pooler answered it
        _refuse_shared_sessions(server, connection, pid)


def _refuse_shared_sessions(server: Server, connection: DeadlineConnection, pid: int) -> None:
    """Raise an error if a pooler gives each transaction another session.

    While a second connection is in a transaction, either it got the session of the first one, or the first one gets a
    different session than before. A pooler that assigns two sessions in turn is detected the second time.
    """
    is_shared, other = False, _open(server)
    try:
        for _ in range(2):
            server.run(other, "BEGIN")
            ((second,),), _ = server.run(other, "SELECT pg_backend_pid()")
            ((again,),), _ = server.run(connection, "SELECT pg_backend_pid()")
            server.run(other, "ROLLBACK")
            is_shared = is_shared or pid == second or again != pid
    except StoreError as error:
        if error.evidence.get("sqlstate") != _NO_TRANSACTIONS and (other.closed or connection.closed):
            raise
        raise server.error(texts.POOLER) from None
    finally:
        other.close()
    if is_shared:
        raise server.error(texts.POOLER)


# ── notifications ──────────────────────────────────────────────────────────────────────

# Messages of others by NOTIFY, on a separate connection.

_BEAT: Final = 0.3
"""The silence after which the server is asked whether it still exists, as a part of the patience: 3 s of 10 s."""


class Notifications:
    """The payloads that arrive on a channel. Not thread-safe.

    After a ``store-unreachable`` the next :meth:`wait` connects again. Notifications in between are lost, so the caller
    reads the tables again whenever :attr:`connections` has changed.

    :ivar connections: the number of connections so far.
    """

    def __init__(self, server: Server, channel: str) -> None:
        self.connections = 0
        self._server, self._channel, self._beat = server, channel, server.patience * _BEAT
        self._connection: DeadlineConnection | None = None
        self._heard: list[str] = []
        self._last = 0.0

    def wait(self, seconds: float) -> list[str]:
        """Return payloads as soon as some arrive, or an empty list after some seconds.

        The first call connects, and returns at once.

        :raises StoreError: ``store-unreachable`` and others: the connection is missing or lost.
        """
        try:
            if self._connection is None:
                self._connect()
            elif not self._heard:
                self._listen(self._connection, seconds)
        except BaseException:
            self.close()
            raise
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> None:
        self._heard = []
        connection = self._connection = connect(self._server)
        connection.add_notify_handler(self._note)
        self._server.run(connection, f'LISTEN "{self._channel}"')
        self.connections += 1
        self._last = time.monotonic()

    def _listen(self, connection: DeadlineConnection, seconds: float) -> None:
        left = max(self._last + self._beat - time.monotonic(), 0)
        if connection.has_input(min(seconds, left)):
            self._read(connection)
        elif left <= seconds:
            connection.patience = self._server.patience - self._beat  # the silence so far counts too
            self._server.run(connection, "SELECT 1")
        else:
            return
        self._last = time.monotonic()

    def _read(self, connection: DeadlineConnection) -> None:
        is_cut = connection.is_cut()
        while notify := connection.pgconn.notifies():
            self._heard.append(bytes(notify.extra).decode(errors="replace"))
        if is_cut:
            raise self._server.error(texts.UNREACHABLE, reason=texts.CUT)

    def _note(self, notify: Any) -> None:  # psycopg.Notify
        self._heard.append(notify.payload)
