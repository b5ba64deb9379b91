"""The queue of a fleet, which is procrastinate's: one job for each certificate that is due, one scan each minute.

It is imported late, because it loads procrastinate and only a worker needs it. procrastinate distributes the jobs by
priority, and its heartbeats show which workers are dead. Our part is to fill the queue (:meth:`WorkQueue.scan`), and to
put the jobs of dead workers back into it (:meth:`WorkQueue.rescue`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import procrastinate
import psycopg
import psycopg_pool
from procrastinate import exceptions, jobs
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker
from psycopg.pq import TransactionStatus

from dnsrenew.base import threads
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.fleet.database.served_certificates import LOCK, RENEW, DueCertificate

if TYPE_CHECKING:
    from procrastinate.job_context import JobContext

T = TypeVar("T")
_logger = logging.getLogger("dnsrenew.extensions.fleet")

QUEUE: Final = "dnsrenew"
SCAN: Final = "dnsrenew.scan"
EACH_MINUTE: Final = "* * * * *"
AHEAD: Final = 10_000
"""The maximum number of queued certificates: what a fleet does in the minute between two scans, and some more."""
_AT_ONCE: Final = 1_000
"""The number of jobs that are deferred by one statement."""
_BULK: Final = 1_000
"""After this many new jobs, the statistics of their table are rebuilt, because it was empty and each worker searches
it.
"""
STALLED: Final = 30.0
"""Seconds without a heartbeat after which a worker counts as dead."""
_HEARTBEAT: Final = 5.0
_POLL: Final = 1.0
"""Seconds between two checks by an idle worker for jobs, and by a scan for its lock."""
_LAST_SECONDS: Final = 8.0
"""Seconds in which a handed-back job can withdraw its published values."""
_AT_ONCE_AGAIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a handed-back job may run again, independent of this machine's clock, which may be wrong."""
_HIGHEST: Final = 2**31 - 1
_TRY: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


class HandedBack(Exception):
    """Raised by a job that another worker, or this one later, must do.

    :ivar at: the time.
    """

    def __init__(self, at: datetime = _AT_ONCE_AGAIN) -> None:
        super().__init__()
        self.at = at


class QueueTasks(Frozen):
    """The functions of the jobs. Each function blocks and is called in a separate thread.

    :ivar due: returns due certificates without a job, of a number of the most urgent.
    :ivar renew: checks one certificate. It gets the name, the number of times that the job was handed back, and an
        event that is set when the job must end at once. It only raises :class:`HandedBack`.
    """

    due: Callable[[int], Sequence[DueCertificate]]
    renew: Callable[[str, int, threading.Event], None]


class _RetryReturned(BaseRetryStrategy):
    """Puts a job back into the queue that was handed back, or that ended because its worker was stopped."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision | None:  # noqa: ARG002  # procrastinate's interface
        if isinstance(exception, HandedBack):
            return RetryDecision(retry_at=exception.at)
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_at=_AT_ONCE_AGAIN)
        return None


class WorkQueue:
    """The queue, and a worker on it. Used in one event loop.

    :param connection: the address of the database and options of its connections, for psycopg.
    :param registrations: the ids under which this process has taken jobs. Jobs of earlier queues, which could not end
        them, go back into the queue.
    :ivar lost: set when the database no longer answers, which ends :meth:`work`.
    """

    def __init__(
        self, conninfo: str, connection: Mapping[str, Any], tasks: QueueTasks, registrations: set[int] | None = None
    ) -> None:
        self.lost = asyncio.Event()
        self.cause: BaseException | None = None
        self._tasks, self._registrations = tasks, set() if registrations is None else registrations
        self._connector = QueueConnector(conninfo, connection, self._note_lost)
        self.app = procrastinate.App(connector=self._connector)
        self.app.task(name=RENEW, queue=QUEUE, pass_context=True, retry=_RetryReturned())(self._renew)
        scan = self.app.task(name=SCAN, queue=QUEUE, queueing_lock=SCAN, retry=_RetryReturned())(self.scan)
        self.app.periodic(cron=EACH_MINUTE, queueing_lock=SCAN, priority=_HIGHEST, queue=QUEUE)(scan)

    def _note_lost(self, cause: BaseException) -> None:
        self.cause = self.cause or cause
        self.lost.set()

    # ── the worker ──────────────────────────────────────────────────────────────────────

    async def work(self, concurrency: int, stop: asyncio.Event, graceful: float) -> None:
        """Take jobs until ``stop`` or :attr:`lost` is set, then end the jobs in progress.

        :param concurrency: the number of jobs at once.
        :param graceful: seconds in which jobs can end after ``stop``. After that, they are handed back.
        """
        worker = Worker(
            self.app,
            queues=[QUEUE],
            concurrency=concurrency,
            fetch_job_polling_interval=_POLL,
            listen_notify=False,  # ten thousand new jobs would be as many messages to every worker
            shutdown_graceful_timeout=graceful,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=_HEARTBEAT,
            stalled_worker_timeout=STALLED,
        )
        run: asyncio.Task[None] = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]  # of procrastinate
        signs = [asyncio.create_task(event.wait()) for event in (stop, self.lost)]
        try:
            await asyncio.wait([run, *signs], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sign in signs:
                sign.cancel()
            ended = run.done()
            worker.stop()  # type: ignore[no-untyped-call]  # while it connects, wait_for of Python 3.11 may swallow a cancel
            run.cancel()
            (result,) = await asyncio.gather(run, return_exceptions=True)
        if ended or (result is not None and not isinstance(result, asyncio.CancelledError)):
            # Its heartbeat, deferrer or listener failed: because of the database, or it would not have been noticed.
            cause = result if isinstance(result, BaseException) else ConnectionError()
            self._note_lost(cause.__cause__ or cause)

    async def _open(self) -> None:
        await self.app.open_async()
        for former in [*self._registrations]:  # its jobs then count at once as jobs of a dead worker
            await self.app.job_manager.unregister_worker(former)
            self._registrations.discard(former)

    @contextlib.asynccontextmanager
    async def opened(self, stop: asyncio.Event | None = None) -> AsyncIterator[None]:
        """Connect, and disconnect at the end.

        :param stop: ends the attempt to connect. The block then runs without a connection.
        :raises ConnectorException: the database does not answer, or its tables do not fit.
        """
        try:
            await unless(stop or asyncio.Event(), self._open())
            yield
        finally:
            with contextlib.suppress(Exception):  # the connections may be dead
                async with asyncio.timeout(DEADLINE):
                    await self.app.close_async()

    # ── the jobs ────────────────────────────────────────────────────────────────────────

    async def _renew(self, context: JobContext, name: str) -> None:
        cancel = threading.Event()
        if context.job.worker_id is not None:
            self._registrations.add(context.job.worker_id)
        await in_thread(partial(self._tasks.renew, name, context.job.attempts, cancel), cancel)

    async def scan(self, timestamp: int = 0) -> int:  # noqa: ARG002  # procrastinate passes it
        """Queue due certificates without a job, most urgent first; return their number.

        Scans of several workers wait for each other, so that each certificate gets one job.
        """
        async with self._alone("scan", wait=True):
            found = await in_thread(partial(self._tasks.due, AHEAD), threading.Event())
            for start in range(0, len(found), _AT_ONCE):
                await self._defer([_job(one) for one in found[start : start + _AT_ONCE]])
        if len(found) >= _BULK:
            await self._connector.execute_query_async("ANALYZE procrastinate_jobs")
        return len(found)

    async def _defer(self, new: list[jobs.Job]) -> None:
        """Defer jobs; skip certificates that already have one."""
        try:
            await self.app.job_manager.batch_defer_jobs_async(new)
        except exceptions.AlreadyEnqueued:
            if len(new) > 1:
                half = len(new) // 2
                await self._defer(new[:half])
                await self._defer(new[half:])

    async def rescue(self) -> int:
        """Put the jobs of dead workers back into the queue; return their number."""
        manager = self.app.job_manager
        async with self._alone("rescue") as alone:
            stalled = [*await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED)] if alone else []
            for job in stalled:
                try:
                    await manager.retry_job(job, retry_at=_AT_ONCE_AGAIN)
                except exceptions.UniqueViolation:  # its certificate is already queued again
                    await manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
                except exceptions.ConnectorException as error:  # its worker is alive, and has finished it
                    if self.lost.is_set():
                        raise
                    _logger.debug("a job was not rescued: %r", error.__cause__)
        return len(stalled)

    @contextlib.asynccontextmanager
    async def _alone(self, what: str, *, wait: bool = False) -> AsyncIterator[bool]:
        """Hold a lock until the end of the block; yield whether it could be taken.

        A lost connection ends the session, as in a statement of procrastinate. The pool alone would only replace the
        connection, without another check of the version of the tables.
        """
        try:
            while True:
                async with self._connector.pool.connection() as connection, connection.transaction():
                    ((alone,),) = await (await connection.execute(_TRY, (f"dnsrenew:{what}",))).fetchall()
                    if alone or not wait:
                        yield alone
                        return
                await asyncio.sleep(_POLL)  # a statement that waits would look like a lost database
        except psycopg.Error as error:
            self._note_lost(error)
            raise


def _job(due: DueCertificate) -> jobs.Job:
    """Return the job of a certificate. The less time it has left, the higher its priority."""
    priority = max(min(-int(due.seconds_left), _HIGHEST - 1), -_HIGHEST)
    lock = f"{LOCK}{due.name}"
    return jobs.Job(
        queue=QUEUE, task_name=RENEW, task_kwargs={"name": due.name}, lock=None, queueing_lock=lock, priority=priority
    )


async def unless(stop: asyncio.Event, call: Coroutine[Any, Any, object]) -> None:
    """Wait for a call; cancel it once ``stop`` is set."""
    task, sign = asyncio.create_task(call), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, sign], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sign.cancel()
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(result, BaseException) and not (stop.is_set() and isinstance(result, asyncio.CancelledError)):
        raise result


async def in_thread(function: Callable[[], T], cancel: threading.Event) -> T:
    """Call a function in a daemon thread, and wait for it.

    :param cancel: set if this is cancelled; the function then has a few seconds to end.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def call() -> T:
        try:
            return function()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is no waiter
                loop.call_soon_threadsafe(ended.set)

    task = threads.start(call)
    try:
        await ended.wait()
    except asyncio.CancelledError:
        cancel.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await ended.wait()
        raise
    task.done.wait()  # it is set right after
    return task.result()


# ── queue connections ──────────────────────────────────────────────────────────────────

# The connections of the queue: procrastinate's, with deadlines, and with detection of a lost database.
#
# Imported late, because it loads procrastinate.

DEADLINE: Final = 10.0
"""Seconds after which a database that does not answer counts as gone."""
_MOST: Final = 4
"""The maximum number of connections; each statement takes milliseconds."""
_OUR_RULES: Final = ("P0", "23")
"""SQLSTATE classes of refusals by the queue itself, such as a job that another worker has ended."""


class _LimitedConnection(psycopg.AsyncConnection[Any]):
    """A connection that is closed when the server is silent for too long; psycopg itself would wait forever."""

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """Wait for the end of an operation."""
        try:
            return await super().wait(*arguments, **{**options, "timeout": DEADLINE})
        except BaseException:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # the operation in progress does not matter, and even a rollback would wait again
            raise


class QueueConnector(procrastinate.PsycopgConnector):
    """procrastinate's connections with a deadline. It reports when the database is lost.

    A job whose end could not be written would stay "doing" while its worker lives, so the worker then starts again.

    :param conninfo: the address of the database.
    :param connection: options of its connections, for psycopg.
    :param on_lost: called with the cause when the database is lost.
    """

    def __init__(self, conninfo: str, options: Mapping[str, Any], on_lost: Callable[[BaseException], object]) -> None:
        super().__init__(
            conninfo=conninfo,
            kwargs={**options, "autocommit": True},  # BEGIN and COMMIT would make three statements of one
            connection_class=_LimitedConnection,
            min_size=1,
            max_size=_MOST,
            timeout=DEADLINE,
            pool_factory=_pool,
        )
        self._on_lost, self._connect = on_lost, partial(_LimitedConnection.connect, conninfo, **options)

    async def open_async(self, pool: Any = None) -> None:
        """Connect.

        :raises ConnectorException: the database does not answer, or refuses the connection.
        """
        try:
            # The pool connects in the background, and reports only that it took too long. This one reports the reason.
            async with asyncio.timeout(DEADLINE):
                await (await self._connect()).close()
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
            # The connection gives up first, because psycopg takes ten seconds to cancel an operation in progress.
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


def _pool(**options: Any) -> psycopg_pool.AsyncConnectionPool[Any]:
    """Return a pool that does not test each connection before use. A dead one makes the worker start again."""
    return psycopg_pool.AsyncConnectionPool(**{**options, "check": None})
