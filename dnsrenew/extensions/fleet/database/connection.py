"""The connections of a process to the database: a pool, deadlines, and errors in our words.

The pool is ours because psycopg_pool connects in the background: a wrong password would be a time-out without a reason,
and after a restart of the server each of its connections would fail once.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import new_connection, texts
from dnsrenew.extensions.fleet.database.server import PATIENCE, Address, Params, Row, Server

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection
    from dnsrenew.extensions.fleet.database.notifications import Notifications

__all__ = ["PATIENCE", "Address", "Database", "Params", "Row", "Transaction"]


class Transaction:
    """Statements that take effect together, or not at all. A failed one ends it."""

    def __init__(self, server: Server, connection: DeadlineConnection) -> None:
        self._server = server
        self._connection = connection

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement and return its rows.

        :raises StoreError: it failed.
        """
        return self._server.run(self._connection, sql, params)[0]

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
        return self._server.run(self._connection, sql, params)[1]


class Database(Server):
    """A PostgreSQL database. Thread-safe; it connects when it is first used, and again after a lost connection.

    Every method that talks to the server raises :class:`~dnsrenew.errors.StoreError` only: ``store-unreachable``
    (silent for ``patience`` seconds, refused, restarted, cut), ``store-refused`` (login, rights), ``store-read-only``,
    ``store-full``, ``store-schema``, ``store-pooler``, ``store-io-error``, ``store-failed``, ``store-bad-path``,
    ``store-extra-missing``; and :class:`~dnsrenew.errors.SecretError` if the password cannot be read. A failed
    statement is never repeated.

    :param size: connections at once, at most.
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

    def stream(self, sql: str, params: Params = (), *, at_once: int = 1000) -> Generator[Row, None, None]:
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
        from dnsrenew.extensions.fleet.database.notifications import Notifications  # few processes listen

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
        try:
            connection = self._take() or new_connection.connect(self)
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
            if connection is None or not connection.is_cut():
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
            raise self.error(texts.FAILED, reason=texts.FAILED_BEFORE)
        self.run(connection, "COMMIT")

    def _roll_back(self, connection: DeadlineConnection) -> None:
        if not connection.closed and connection.info.transaction_status in {2, 3}:  # INTRANS, INERROR
            with contextlib.suppress(StoreError):
                self.run(connection, "ROLLBACK")
