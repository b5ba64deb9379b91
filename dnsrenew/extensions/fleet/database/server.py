"""A database server as a process sees it: statements on one connection, and errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from dnsrenew.errors import StoreError, Text
from dnsrenew.extensions.fleet.database.clock import DatabaseClock

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection

PATIENCE: Final = 10.0
"""Seconds of silence after which a database counts as gone."""
Params = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]


class Address(Protocol):
    """Where the database is."""

    @property
    def url(self) -> str:
        """The URL, without a password."""

    def read_password(self) -> str | None:
        """Return the password, or None."""


class Server:
    """Where the database is, and what all connections to it share. Thread-safe.

    :param patience: seconds of silence after which the database counts as gone.
    :param measure: connects, if the time of the database is needed before anything else.
    :ivar queries: the number of statements so far, BEGIN and COMMIT too.
    :ivar clock: the clock of the database; it is set by each new connection.
    """

    def __init__(self, address: Address, patience: float, measure: Callable[[], object]) -> None:
        self.address = address
        self.patience = patience
        self.queries = 0
        self.clock = DatabaseClock(measure)
        self._counting = threading.Lock()
        self._place: dict[str, Any] | None = None

    def run(self, connection: DeadlineConnection, sql: str, params: Params = ()) -> tuple[list[Row], int]:
        """Execute a statement on a connection; return its rows and the number of rows that it returned or changed."""
        import psycopg

        with self._counting:
            self.queries += 1
        try:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount
        except psycopg.Error as error:
            failure = self.translate(error)
        raise failure  # outside the block above: psycopg's error holds the password, and must not be its context

    def error(self, text: Text, **evidence: Any) -> StoreError:
        """Return an error with the place of the database in its evidence."""
        return StoreError.of(text, **{**self.place(), **evidence})

    def place(self) -> dict[str, Any]:
        """Return ``server``, ``database`` and ``user`` for the evidence of an error."""
        if self._place is None:
            from dnsrenew.extensions.fleet.database.place import read_place

            self._place = read_place(self.address.url)
        return dict(self._place)

    def translate(self, error: Any) -> StoreError:  # psycopg is imported late
        """Return the error for one of psycopg."""
        from dnsrenew.extensions.fleet.database.sqlstates import translate

        return translate(error, self.place(), self.patience, self.address.read_password())
