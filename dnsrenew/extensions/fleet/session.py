"""One session of a worker: connections, locks, services and a registration with the queue that belong together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import operator
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import psycopg
from procrastinate.exceptions import ConnectorException

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.certificate_job import CertificateJobs, SharedServices, WorkerRun
from dnsrenew.extensions.fleet.database import texts as store_texts
from dnsrenew.extensions.fleet.database.connection import connection_options
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.ledger import SharedBuckets, forget_full_buckets
from dnsrenew.extensions.fleet.database.schema import forget_old_locks, reseal
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import QueueTasks, WorkQueue, in_thread, unless
from dnsrenew.extensions.fleet.status import note_tables
from dnsrenew.extensions.watch.notify import Notifier
from dnsrenew.operations.event_log import EventLog
from dnsrenew.renewal.batch import DRIVEN, Batch, LazyServices
from dnsrenew.renewal.due import Fingerprints, RunOptions
from dnsrenew.renewal.services import make_services  # not in the threads of jobs: two that load a package can fail

_logger = logging.getLogger("dnsrenew.extensions.fleet")

GRACEFUL: Final = 60.0
"""Seconds in which a worker that is stopped ends what is under way; it hands back the rest."""
CLEAN_UP_EVERY: Final = 10.0
"""Seconds between two looks for what dead workers left: jobs, TXT values, renames."""
_NOTIFY_EVERY: Final = 60.0
"""Seconds between two messages: one tells all that has happened since the last one."""
_FORGET: Final = 3600.0
"""Seconds between two times at which obsolete rows are removed."""
_MOST_UNSENT: Final = 10_000
"""Outcomes that wait for the next message, at most; the latest stay."""
_POLL: Final = 0.1
_UNFIT: Final = ("42", "3F")
"""SQLSTATE classes of tables that are missing, of another version, or not ours to use."""
_NAMED: Final = {"42501", "42P05", "3F000"}
"""Those for which the store has words of its own."""


class SessionSettings(Frozen):
    """What a session gets from its worker.

    :ivar config: returns the configuration of now.
    :ivar on_event: called with every event, or None.
    :ivar language: the language of messages.
    :ivar is_over: whether the session is to end.
    :ivar ready: called once it takes jobs.
    :ivar alive: called from time to time.
    :ivar ended: called with the outcome of each job.
    :ivar registrations: the ids of this process in the queue; each session adds its own.
    """

    config: Callable[[], Config]
    redactors: RunRedactors
    on_event: Callable[[Event], object] | None
    language: str | None
    concurrency: int
    is_over: Callable[[], bool]
    ready: Callable[[], object]
    alive: Callable[[], object]
    ended: Callable[[Outcome], object]
    registrations: set[int]


class WorkerSession:
    """A session of a worker.

    :param store: is connected.
    :param seals: those of the store: what other seals sealed is sealed anew.
    """

    def __init__(self, store: DatabaseStore, seals: Seals, settings: SessionSettings) -> None:
        self._store = store
        self._seals: Seals | None = seals
        self._settings = settings
        self._clock = store.database.clock
        self._log = EventLog()
        self._emitter = Emitter(self._clock, self._hear)
        self._buckets = SharedBuckets(store.database)
        self._guard = threading.Lock()
        self._unsent: deque[tuple[CertificateSpec, Outcome]] = deque(maxlen=_MOST_UNSENT)
        self._notified_at = time.monotonic()
        self._forget_at = 0.0
        self.services = SharedServices(self._new_run, self._clock.monotonic)
        self._dates = DueDates(store.database)
        jobs = CertificateJobs(store, self._dates, self.services, self._ended)
        self._tasks = QueueTasks(self._dates.due, jobs.do)

    async def run(self) -> StoreError | None:
        """Work until the session is over, or the database is lost; return how it was lost.

        :raises StoreError: the tables of the queue cannot be used: ``store-schema``, ``store-refused``.
        """
        queue = self._queue()
        stop = asyncio.Event()
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

    def _queue(self) -> WorkQueue:
        database = self._store.database
        # The options hold the password: no variable of a traceback may have them.
        return WorkQueue(database.address.url, connection_options(database), self._tasks, self._settings.registrations)

    async def _work(self, queue: WorkQueue, stop: asyncio.Event) -> None:
        await unless(stop, queue.rescue())  # before it says that it is ready: this uses the tables
        await in_thread(partial(self._try, self._note_tables), threading.Event())
        await in_thread(self._dates.scan_soon, threading.Event())
        beside = asyncio.create_task(self._clean_up_regularly(queue, stop))
        self._settings.ready()
        try:
            await queue.work(self._settings.concurrency, stop, GRACEFUL)
        finally:
            stop.set()
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
            await in_thread(partial(self._try, self._notify), threading.Event())

    def _loss(self, cause: BaseException) -> StoreError:
        """Return the error for what ended the queue.

        :raises StoreError: to wait would not help.
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
        """Set ``stop`` once the session is to end."""
        while not stop.is_set():
            self._settings.alive()
            if self._settings.is_over():
                stop.set()
            await asyncio.sleep(_POLL)

    async def _clean_up_regularly(self, queue: WorkQueue, stop: asyncio.Event) -> None:
        """Look for what dead workers left, again and again."""
        while not stop.is_set():
            try:
                await queue.rescue()
            except Exception as error:  # noqa: BLE001  # the border: the next look meets it again
                _logger.debug("jobs of dead workers were not looked for: %r", error)
            cancel = threading.Event()
            await in_thread(partial(self._clean_up_once, cancel), cancel)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAN_UP_EVERY):
                    await stop.wait()

    def _clean_up_once(self, cancel: threading.Event) -> None:
        """Do all that is to be done beside the jobs; what fails stops nothing else."""
        self._try(self._note_tables)  # registers this process again if its connection was lost
        self._try(partial(self._clean_up, cancel))
        if time.monotonic() - self._notified_at >= _NOTIFY_EVERY:
            self._try(self._notify)
        self._try(self._forget_old_rows)
        self._try(self._reseal)

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # the border: the next look meets it again
            _logger.debug("a look beside the jobs failed: %r", error)

    def _note_tables(self) -> None:
        """Record which accounts and CAs this worker has; the configuration may be another one by now."""
        holder, fleet = self._store.locks.holder, self._settings.config().fleet
        if fleet is not None:
            note_tables(self._store.database, holder, fleet.documents)

    def _clean_up(self, cancel: threading.Event) -> None:
        """Remove TXT values and complete renames of dead workers."""
        with self.services.use() as run:
            context = replace(run.context, cancel=cancel)
            Batch(run.config, self._store, run.services.get, context, run.options).clean_up()

    def _forget_old_rows(self) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET
            forget_old_locks(self._store.database)
            forget_full_buckets(self._store.database)

    def _reseal(self) -> None:
        if self._seals is not None:
            reseal(self._store.database, self._seals)
            self._seals = None

    def _notify(self) -> None:
        """Send messages about what has changed."""
        self._notified_at = time.monotonic()
        with self._guard:
            unsent = [*self._unsent]
            self._unsent.clear()
        config = self._settings.config()
        if not unsent or config.notify is None:
            return
        context = self._context()
        with context.redactor.guard_logs(*DRIVEN):
            notifier = Notifier(config.notify, self._store, context, self._settings.language)
            notifier.notify([spec for spec, _ in unsent], [outcome for _, outcome in unsent], whole=False)

    # ── what the jobs share ─────────────────────────────────────────────────────────────

    def _new_run(self) -> WorkerRun:
        """Return a new run; its services are made when they are first needed."""
        config = self._settings.config()
        for use in config.secrets:  # each run uses the values of its time
            use.secret.forget()
        self._log = EventLog()  # it remembers what it has logged
        context = self._context()
        context.redactor.add_known(use.secret for use in config.secrets)
        services = LazyServices(partial(make_services, config, self._store, context))
        options = RunOptions(fingerprint=Fingerprints(config, self._store).of)
        if config.fleet is None:
            raise ValueError("a worker needs a fleet")
        return WorkerRun(config, config.fleet.documents, context, services, options)

    def _context(self) -> Context:
        return Context(
            clock=self._clock, redactor=self._settings.redactors.new(), emitter=self._emitter, buckets=self._buckets
        )

    def _hear(self, event: Event) -> None:
        self._log(event)
        self._settings.alive()
        if self._settings.on_event is not None:
            self._settings.on_event(event)

    def _ended(self, spec: CertificateSpec | None, outcome: Outcome) -> None:
        if spec is not None and spec.notify and self._settings.config().notify is not None:
            with self._guard:
                self._unsent.append((spec, outcome))
        self._settings.ended(outcome)


# ── run redactors ──────────────────────────────────────────────────────────────────────

# The secrets of a process that lives for months: those in use are redacted, those of long ago are forgotten.
#
# Sessions and tokens are new each time; a redactor that keeps all of them makes each line slower than the one before.

_LATEST: Final = 8
"""Redactors that are kept although nothing uses them any more: a line about a run may come after its end."""


class RunRedactors:
    """The redactors of the runs of a process. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._used: weakref.WeakSet[Redactor] = weakref.WeakSet()
        self._latest: deque[Redactor] = deque(maxlen=_LATEST)

    def new(self) -> Redactor:
        """Return the redactor of a new run; it counts as long as something refers to it, and for a while after that."""
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
