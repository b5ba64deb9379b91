"""The connections of the queue: procrastinate's, with deadlines, and in which a lost database is noticed.

Imported late: it loads procrastinate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import procrastinate
import psycopg
import psycopg_pool
from procrastinate import exceptions
from psycopg.pq import TransactionStatus

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds after which a database that does not answer counts as gone."""
_MOST: Final = 4
"""Connections at once; each statement takes milliseconds."""
_OUR_RULES: Final = ("P0", "23")
"""SQLSTATE classes of what the queue itself refuses, such as a job that another worker has ended."""


class _LimitedConnection(psycopg.AsyncConnection[Any]):
    """A connection that is closed when the server is silent for too long: psycopg itself would wait for ever."""

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """Wait for the end of an operation."""
        try:
            return await super().wait(*arguments, **{**options, "timeout": DEADLINE})
        except BaseException:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # what is under way there is of no interest: even a rollback would wait again
            raise


class QueueConnector(procrastinate.PsycopgConnector):
    """procrastinate's connections, with a deadline; tells when the database is lost.

    A job whose end could not be written would stay "doing" as long as its worker lives, so the worker then starts anew.

    :param conninfo: the address of the database.
    :param connection: options of its connections, for psycopg.
    :param on_lost: called with the cause when the database is lost.
    """

    def __init__(
        self, conninfo: str, connection: Mapping[str, Any], on_lost: Callable[[BaseException], object]
    ) -> None:
        super().__init__(
            conninfo=conninfo,
            kwargs=dict(connection),
            configure=_commit_each,
            connection_class=_LimitedConnection,
            min_size=1,
            max_size=_MOST,
            timeout=DEADLINE,
            pool_factory=_pool,
        )
        self._on_lost = on_lost
        self._conninfo, self._options = conninfo, dict(connection)

    async def open_async(self, pool: Any = None) -> None:
        """Connect.

        :raises ConnectorException: the database does not answer, or refuses the connection.
        """
        try:
            # The pool connects in the background, and says only that it took too long: this one tells the reason.
            async with asyncio.timeout(DEADLINE):
                await (await _LimitedConnection.connect(self._conninfo, **self._options)).close()
            await super().open_async(pool)
        except (TimeoutError, psycopg.Error) as error:
            raise exceptions.ConnectorException from error

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Execute a statement."""
        await self._within(super().execute_query_async(query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Execute a statement, and return its row."""
        return await self._within(super().execute_query_one_async(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Execute a statement, and return its rows."""
        return await self._within(super().execute_query_all_async(query, **arguments))

    async def _within(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            # The connection gives up first: psycopg takes ten seconds to cancel what is under way.
            async with asyncio.timeout(2 * DEADLINE):
                return await call
        except TimeoutError as error:
            self._on_lost(error)
            raise exceptions.ConnectorException from None
        except exceptions.UniqueViolation:
            raise
        except exceptions.ConnectorException as error:
            cause = error.__cause__ or error
            if not str(getattr(cause, "sqlstate", None) or "").startswith(_OUR_RULES):
                self._on_lost(cause)
            raise


class _LimitedPool(psycopg_pool.AsyncConnectionPool[Any]):
    """A pool that gives up at the deadline."""

    async def open(self, wait: bool = False, timeout: float = 0) -> None:  # noqa: ARG002, FBT001, FBT002, ASYNC109
        """Connect."""
        await super().open(wait, DEADLINE)


def _pool(**options: Any) -> psycopg_pool.AsyncConnectionPool[Any]:
    """Return a pool that does not try each connection before it is used: a dead one makes the worker start anew."""
    return _LimitedPool(**{**options, "check": None})


async def _commit_each(connection: Any) -> None:
    """Let each statement commit by itself: BEGIN and COMMIT would make three of one."""
    await connection.set_autocommit(True)
