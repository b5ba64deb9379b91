"""A worker of a fleet, on any number of machines: takes due certificates until it is stopped.

It works in sessions. A session ends when the database is lost, and the next one begins when it answers again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import operator
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

import psycopg
from procrastinate.exceptions import ConnectorException

from dnsrenew.base import threads
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import CertificateSpec, Outcome, StoreAddress
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.certificate_job import CertificateJobs, SharedServices, WorkerRun
from dnsrenew.extensions.fleet.database import ledger, schema
from dnsrenew.extensions.fleet.database import texts as store_texts
from dnsrenew.extensions.fleet.database.connection import Database, connection_options
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import QueueTasks, WorkQueue, in_thread, unless
from dnsrenew.extensions.fleet.status import note_tables
from dnsrenew.extensions.watch.notify import Notifier
from dnsrenew.operations.event_log import EventLog
from dnsrenew.operations.selection import debts_of
from dnsrenew.renewal.batch import DRIVEN, LazyServices
from dnsrenew.renewal.due import RunOptions, fingerprint
from dnsrenew.renewal.port_programs import pay_debts
from dnsrenew.renewal.renew import Renewals
from dnsrenew.renewal.services import make_services  # not in the threads of jobs: two that load a package can fail
from dnsrenew.store.records import Debt

_logger = logging.getLogger("dnsrenew.extensions.fleet")
_POLL: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
"""The maximum seconds between two tries to reach the database."""
_SETTLED: Final = 60.0
"""The length of a session in seconds after which the next loss of the database counts as the first."""
PATIENCE: Final = 10.0
"""Seconds of silence after which the database counts as gone."""
_CONNECTIONS: Final = 20
"""The maximum number of connections. A statement takes milliseconds, so hundreds of jobs share them."""


class WorkerListener(Protocol):
    """Listens to a worker. Its methods are called by several threads, one at a time."""

    def ready(self) -> None:
        """Handle that the worker takes jobs."""

    def alive(self) -> None:
        """Handle a sign that the worker works or waits for a job; several times a second."""

    def waiting(self, error: DnsRenewError, seconds: float) -> None:
        """Handle that the worker waits for the database, and when it tries again."""

    def ended(self, outcome: Outcome) -> None:
        """Handle the end of a job."""


class FleetWorker:
    """A worker. Its methods are thread-safe.

    :param listener: gets the events of the worker.
    :param on_event: called with every event.
    :param concurrency: the number of certificates at once; None for the configured number.
    :param language: the language of messages.
    :ivar config: the current configuration.
    :ivar redactors: have the secrets that are or were in use within the last minutes.
    :ivar registrations: the ids of this process in the queue; each session adds its own.
    :ivar paying: held while the debts on this machine are paid.
    :ivar tried: when debts that could not be paid were last tried.
    """

    def __init__(
        self,
        config: Config,
        listener: WorkerListener,
        *,
        on_event: Callable[[Event], object] | None = None,
        concurrency: int | None = None,
        language: str | None = None,
    ) -> None:
        self.config, self.listener, self.on_event, self.language = config, listener, on_event, language
        self.redactors = RunRedactors()
        self.registrations: set[int] = set()
        self.paying = threading.Lock()
        self.tried: dict[Debt, float] = {}
        self._concurrency = concurrency
        self._hearing = threading.RLock()
        self._stop = threading.Event()
        self._again = threading.Event()
        self._session: WorkerSession | None = None

    def stop(self) -> None:
        """Take no more jobs, end jobs in progress within a minute, and hand back the rest."""
        self._stop.set()

    def use(self, config: Config) -> None:
        """Use another configuration for jobs that begin from now on.

        If the database, its seals or the concurrency differ, jobs in progress are ended first.
        """
        before, self.config = self.config, config
        session = self._session
        if (before.store, before.fleet) != (config.store, config.fleet):
            self._again.set()
        elif session is not None:
            session.services.renew()

    def run(self) -> None:
        """Work until :meth:`stop` is called; wait for a database that does not answer.

        :raises StoreError: the database can be reached, but not used: ``store-schema``, ``store-newer``,
            ``store-refused``, ``store-read-only``, ``store-pooler``, ``seal-wrong``.
        :raises SecretError: the password or a seal cannot be read.
        :raises ConfigError: ``no-fleet``: the store is a folder.
        """
        losses = 0
        while not self._stop.is_set():
            self._again.clear()
            started = time.monotonic()
            error: StoreError | None = None
            try:
                # psycopg does not support the default event loop of Windows.
                with self._opened() as session, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    error = runner.run(session.run())
            except StoreError as problem:
                if problem.code != "store-unreachable":
                    raise
                error = problem
            if self._again.is_set():
                continue
            losses = 0 if time.monotonic() - started >= _SETTLED else losses + 1
            self._pause(error, losses)

    def _pause(self, error: StoreError | None, losses: int) -> None:
        """Wait before the next try to reach the database.

        :param error: why it cannot be reached, or was lost; None if the session ended for another reason.
        :param losses: the number of consecutive failures to reach it.
        """
        longest = min(2.0 ** min(losses, 10) / 2, _LONGEST_PAUSE)
        seconds = random.SystemRandom().uniform(longest / 2, longest)  # many workers have lost it at the same moment
        if error is not None and not self._stop.is_set():
            self.tell(partial(self.listener.waiting, error, seconds))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.wait(min(left, _POLL)):
            self.tell(self.listener.alive)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[WorkerSession]:
        """Connect to the database, and disconnect at the end.

        :raises StoreError: the database does not answer, or cannot be used.
        """
        config = self.config
        if config.fleet is None or not isinstance(config.store, StoreAddress):
            raise ConfigError.of(texts.NO_FLEET)
        for use in config.secrets:
            use.secret.forget()
        database = Database(config.store, size=_CONNECTIONS, patience=PATIENCE)
        store = DatabaseStore(database, Seals(config.seals()), worker=True)
        store.debts = debts_of(config)
        try:
            session = WorkerSession(self, store, self._concurrency or config.fleet.concurrency)
            paying = threads.start(partial(session.pay_debts, self._stop))  # even without the database
            while not paying.done.wait(_POLL):
                self.tell(self.listener.alive)
            store.prove_writable()
            self._session = session
            yield session
        finally:
            self._session = None
            store.end()  # a late job must not register this worker again

    @property
    def is_over(self) -> bool:
        """Whether the session must end."""
        return self._stop.is_set() or self._again.is_set()

    def tell(self, call: Callable[[], object]) -> None:
        """Call the listener. A bug there must not stop the worker."""
        with self._hearing, contextlib.suppress(Exception):
            call()


# ── session ─────────────────────────────────────────────────────────────────────────────

# Connections, locks, services and a registration with the queue that belong together.

GRACEFUL: Final = 60.0
"""Seconds in which a stopped worker ends its jobs. After that, it hands back the rest."""
CLEAN_UP_EVERY: Final = 10.0
"""Seconds between two checks for leftovers of dead workers: jobs, TXT values, renames."""
_NOTIFY_EVERY: Final = 60.0
"""Seconds between two messages. A message contains everything since the last one."""
_PAY_EVERY: Final = 60.0
"""Seconds between two tries to start a stopped server after a failure."""
_FORGET: Final = 3600.0
"""Seconds between two removals of obsolete rows."""
_MOST_UNSENT: Final = 10_000
"""The maximum number of outcomes that wait for the next message. The latest stay."""
_UNFIT: Final = ("42", "3F")
"""SQLSTATE classes of tables that are missing, of another version, or not accessible."""
_NAMED: Final = {"42501", "42P05", "3F000"}
"""The classes for which the store has its own texts."""


class WorkerSession:
    """A session of a worker.

    :param store: the connected store.
    :param seals: the seals of the store. Values of other seals are sealed anew.
    :param concurrency: the number of certificates at once.
    """

    def __init__(self, worker: FleetWorker, store: DatabaseStore, concurrency: int) -> None:
        self._worker = worker
        self._store = store
        self._seals: Seals | None = store.seals
        self._concurrency = concurrency
        self._clock = store.database.clock
        self._log = EventLog()
        self._emitter = Emitter(self._clock, self._hear)
        self._buckets = ledger.SharedBuckets(store.database)
        self._guard = threading.Lock()
        self._unsent: deque[tuple[CertificateSpec, Outcome]] = deque(maxlen=_MOST_UNSENT)
        self._notified_at = time.monotonic()
        self._forget_at = 0.0
        self.services = SharedServices(self._new_run, self._clock.monotonic)
        self._dates = DueDates(store.database)
        jobs = CertificateJobs(store, self._dates, self.services, self.pay_debts, self._ended)
        self._tasks = QueueTasks(self._dates.due, jobs.do)

    async def run(self) -> StoreError | None:
        """Work until the session is over, or the database is lost; return how it was lost.

        :raises StoreError: the tables of the queue cannot be used: ``store-schema``, ``store-refused``.
        """
        database, stop = self._store.database, asyncio.Event()
        # The options contain the password, so no variable of a traceback may have them.
        queue = WorkQueue(database.address.url, connection_options(database), self._tasks, self._worker.registrations)
        watch = asyncio.create_task(self._watch(stop))  # before it connects, which may take a while
        try:
            async with queue.opened(stop):
                if not stop.is_set():
                    await self._work(queue, stop)
        except ConnectorException as error:
            queue.cause = queue.cause or error.__cause__ or error
        finally:
            stop.set()
            await asyncio.gather(watch, return_exceptions=True)
            self.services.renew()  # closes the connections
        return None if queue.cause is None else self._loss(queue.cause)

    async def _work(self, queue: WorkQueue, stop: asyncio.Event) -> None:
        await unless(stop, queue.rescue())  # before it reports that it is ready, because this uses the tables
        await in_thread(partial(self._try, self._note_tables), threading.Event())
        await in_thread(self._dates.scan_soon, threading.Event())
        beside = asyncio.create_task(self._clean_up_regularly(queue, stop))
        self._worker.tell(self._worker.listener.ready)
        try:
            await queue.work(self._concurrency, stop, GRACEFUL)
        finally:
            stop.set()
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
            await in_thread(partial(self._try, self._notify), threading.Event())

    def _loss(self, cause: BaseException) -> StoreError:
        """Return the error for the end of the queue.

        :raises StoreError: waiting would not help.
        """
        _logger.debug("the database was lost: %r", cause)
        database = self._store.database
        if isinstance(cause, TimeoutError):
            return database.error(store_texts.SILENT, seconds=database.patience)
        if not isinstance(cause, psycopg.Error):  # of procrastinate, and without a reason
            return database.error(store_texts.UNREACHABLE, reason=store_texts.CUT)
        error, state = database.translate(cause), cause.sqlstate or ""
        if state.startswith(_UNFIT):
            raise error if state in _NAMED else database.error(texts.QUEUE_UNFIT, reason=error.evidence["reason"])
        return error

    # ── beside the jobs ─────────────────────────────────────────────────────────────────

    async def _watch(self, stop: asyncio.Event) -> None:
        """Set ``stop`` when the session must end."""
        while not stop.is_set():
            self._worker.tell(self._worker.listener.alive)
            if self._worker.is_over:
                stop.set()
            await asyncio.sleep(_POLL)

    async def _clean_up_regularly(self, queue: WorkQueue, stop: asyncio.Event) -> None:
        """Look for leftovers of dead workers regularly."""
        while not stop.is_set():
            try:
                await queue.rescue()
            except Exception as error:  # noqa: BLE001  # the border: the next check meets it again
                _logger.debug("jobs of dead workers were not looked for: %r", error)
            cancel = threading.Event()
            await in_thread(partial(self._clean_up_once, cancel), cancel)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAN_UP_EVERY):
                    await stop.wait()

    def _clean_up_once(self, cancel: threading.Event) -> None:
        """Do all work besides the jobs. A failure does not stop the rest."""
        # The first one registers this process again if its connection was lost.
        steps: list[Callable[[], object]] = [self._note_tables]
        steps += [partial(self.pay_debts, cancel), partial(self._clean_up, cancel)]
        if time.monotonic() - self._notified_at >= _NOTIFY_EVERY:
            steps.append(self._notify)
        for step in (*steps, self._forget_old_rows, self._reseal):
            self._try(step)

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # the border: the next check meets it again
            _logger.debug("a look beside the jobs failed: %r", error)

    def _note_tables(self) -> None:
        """Record the accounts and CAs of this worker, whose configuration may have changed."""
        holder, fleet = self._store.locks.holder, self._worker.config.fleet
        if fleet is not None:
            note_tables(self._store.database, holder, fleet.documents)

    def pay_debts(self, cancel: threading.Event) -> None:
        """Start the servers of this machine that interrupted workers have stopped. The database is not needed."""
        worker, debts = self._worker, self._store.debts
        with worker.paying, self.services.use() as run:  # the other jobs wait
            now = run.context.clock.monotonic()
            lately = {debt: at for debt, at in worker.tried.items() if at > now - _PAY_EVERY}
            if debts is None or lately.keys() >= {*debts.owed()}:
                return
            with run.context.redactor.guard_logs(*DRIVEN):
                unpaid = pay_debts(debts, replace(run.context, cancel=cancel), insist=run.config.insist, later=lately)
            worker.tried = {} if cancel.is_set() else {debt: lately.get(debt, now) for debt in unpaid}

    def _clean_up(self, cancel: threading.Event) -> None:
        """Remove TXT values and complete renames of dead workers."""
        if self._store.journal.has_left_over():
            with self.services.use() as run, run.context.redactor.guard_logs(*DRIVEN):
                context = replace(run.context, cancel=cancel)
                Renewals(run.config, self._store, run.services.get, context, run.options).remove_leftovers()

    def _forget_old_rows(self) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET
            schema.forget_old_locks(self._store.database)
            ledger.forget_full_buckets(self._store.database)

    def _reseal(self) -> None:
        if self._seals is not None:
            schema.reseal(self._store.database, self._seals)
            self._seals = None

    def _notify(self) -> None:
        """Send messages about changes."""
        self._notified_at = time.monotonic()
        with self._guard:
            unsent = [*self._unsent]
            self._unsent.clear()
        config = self._worker.config
        if not unsent or config.notify is None:
            return
        context = self._context()
        with context.redactor.guard_logs(*DRIVEN):
            notifier = Notifier(config.notify, self._store, context, self._worker.language)
            notifier.notify([spec for spec, _ in unsent], [outcome for _, outcome in unsent], whole=False)

    # ── the shared parts of jobs ────────────────────────────────────────────────────────

    def _new_run(self) -> WorkerRun:
        """Return a new run, whose services are created when they are first needed."""
        config = self._worker.config
        for use in config.secrets:  # each run reads the current values
            use.secret.forget()
        self._log = EventLog()  # it remembers what it has logged
        context = self._context()
        context.redactor.add_known(use.secret for use in config.secrets)
        services = LazyServices(partial(make_services, config, self._store, context))
        options = RunOptions(fingerprint=partial(fingerprint, config, self._store))
        if config.fleet is None:
            raise ValueError("a worker needs a fleet")
        return WorkerRun(config, config.fleet.documents, context, services, options)

    def _context(self) -> Context:
        redactor = self._worker.redactors.new()
        return Context(clock=self._clock, redactor=redactor, emitter=self._emitter, buckets=self._buckets)

    def _hear(self, event: Event) -> None:
        self._log(event)
        self._worker.tell(self._worker.listener.alive)
        if self._worker.on_event is not None:
            self._worker.on_event(event)

    def _ended(self, spec: CertificateSpec | None, outcome: Outcome) -> None:
        if spec is not None and spec.notify and self._worker.config.notify is not None:
            with self._guard:
                self._unsent.append((spec, outcome))
        self._worker.tell(partial(self._worker.listener.ended, outcome))


# ── run redactors ──────────────────────────────────────────────────────────────────────

# The secrets of a process that lives for months: secrets in use are redacted, and old ones are forgotten.
#
# Sessions and tokens are new each time, and a redactor that keeps all of them makes each line slower than the last.

_LATEST: Final = 8
"""The number of unused redactors that are kept, because a line about a run may come after its end."""


class RunRedactors:
    """The redactors of the runs of a process. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._used: weakref.WeakSet[Redactor] = weakref.WeakSet()
        self._latest: deque[Redactor] = deque(maxlen=_LATEST)

    def new(self) -> Redactor:
        """Return the redactor of a new run. It is used while it is referenced, and for a while after that."""
        made = Redactor()
        with self._guard:
            self._used.add(made)
            self._latest.append(made)
        return made

    def redact(self, text: str) -> str:
        """Return the text with every secret of these runs, in any encoding, replaced by ``•••``."""
        with self._guard:
            every = [*self._used]
        return functools.reduce(operator.or_, every, Redactor()).redact(text)
