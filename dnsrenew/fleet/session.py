"""One session of a worker: connections, locks, services and a registration with the queue that belong together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.events import Emitter, Event
from dnsrenew.fleet.certificate_job import CertificateJobs
from dnsrenew.fleet.queue import QueueTasks, WorkQueue, in_thread
from dnsrenew.fleet.shared_services import SharedServices, WorkerRun
from dnsrenew.operations.event_log import EventLog
from dnsrenew.renewal.batch import DRIVEN, Batch
from dnsrenew.renewal.fingerprints import Fingerprints
from dnsrenew.renewal.options import RunOptions
from dnsrenew.renewal.services import LazyServices, make_services
from dnsrenew.runtime.context import Context
from dnsrenew.store.database.due_dates import DueDates
from dnsrenew.store.database.pace import SharedBuckets
from dnsrenew.store.database.schema import reseal

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.model import CertificateSpec, Outcome
    from dnsrenew.secrets import Redactor
    from dnsrenew.store.database.database_store import DatabaseStore
    from dnsrenew.store.database.seal import Seals

_logger = logging.getLogger("dnsrenew.fleet")

GRACEFUL: Final = 60.0
"""Seconds in which a worker that is stopped ends what is under way; it hands back the rest."""
LOOK: Final = 10.0
"""Seconds between two looks for what dead workers left: jobs, TXT values, renames."""
_TELL: Final = 60.0
"""Seconds between two messages: one tells all that has happened since the last one."""
_POLL: Final = 0.1


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
    redactor: Redactor
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
        self._untold: list[tuple[CertificateSpec, Outcome]] = []
        self._told_at = time.monotonic()
        self.services = SharedServices(self._new_run, self._clock.monotonic)
        self._dates = DueDates(store.database)
        jobs = CertificateJobs(store, self._dates, self.services, self._ended)
        self._tasks = QueueTasks(self._dates.due, jobs.do)

    async def run(self) -> None:
        """Work until the session is over, or the database is lost."""
        from procrastinate.exceptions import ConnectorException

        queue = WorkQueue(*self._connection(), self._tasks, self._settings.registrations)
        stop = asyncio.Event()
        try:
            async with queue.opened():
                await in_thread(self._dates.scan_soon, threading.Event())
                watch = asyncio.create_task(self._watch(stop))
                look = asyncio.create_task(self._look(queue, stop))
                self._settings.ready()
                try:
                    await queue.work(self._settings.concurrency, stop, GRACEFUL)
                finally:
                    stop.set()
                    look.cancel()
                    await asyncio.gather(watch, look, return_exceptions=True)
                    await in_thread(self._tell, threading.Event())
        except ConnectorException as error:
            queue.cause = queue.cause or error
        finally:
            self.services.renew()  # closes the connections
        if queue.cause is not None:
            _logger.debug("the database was lost: %r", queue.cause)

    def _connection(self) -> tuple[str, dict[str, Any]]:
        """Return the address of the database and the options of procrastinate's connections."""
        database = self._store.database
        options: dict[str, Any] = {"connect_timeout": 10, "application_name": "dnsrenew", "tcp_user_timeout": 10_000}
        password = database.address.read_password()
        return database.address.url, options if password is None else {**options, "password": password}

    # ── beside the jobs ─────────────────────────────────────────────────────────────────

    async def _watch(self, stop: asyncio.Event) -> None:
        """Set ``stop`` once the session is to end."""
        while not stop.is_set():
            self._settings.alive()
            if self._settings.is_over():
                stop.set()
            await asyncio.sleep(_POLL)

    async def _look(self, queue: WorkQueue, stop: asyncio.Event) -> None:
        """Look for what dead workers left, again and again."""
        while not stop.is_set():
            cancel = threading.Event()
            try:
                await queue.rescue()
                await in_thread(partial(self._clean_up, cancel), cancel)
            except Exception as error:  # noqa: BLE001  # the border: the next look meets it again
                _logger.debug("the look for what dead workers left failed: %r", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await stop.wait()

    def _clean_up(self, cancel: threading.Event) -> None:
        """Remove TXT values and complete renames of dead workers; tell what has happened."""
        _ = self._store.locks.holder  # registers this process again if the connection of its locks was lost
        with self.services.use() as run:
            context = replace(run.context, cancel=cancel)
            Batch(run.config, self._store, run.services.get, context, run.options).clean_up()
        if time.monotonic() - self._told_at >= _TELL:
            self._tell()
        if self._seals is not None:
            reseal(self._store.database, self._seals)
            self._seals = None

    def _tell(self) -> None:
        """Send messages about what has changed."""
        self._told_at = time.monotonic()
        with self._guard:
            untold, self._untold = self._untold, []
        config = self._settings.config()
        if not untold or config.notify is None:
            return
        from dnsrenew.watch.notify.tell import Teller  # needed only with [notify]

        context = self._context()
        with self._settings.redactor.guard_logs(*DRIVEN):
            teller = Teller(config.notify, self._store, context, self._settings.language)
            teller.tell([spec for spec, _ in untold], [outcome for _, outcome in untold], whole=False)

    # ── what the jobs share ─────────────────────────────────────────────────────────────

    def _new_run(self) -> WorkerRun:
        """Return a new run; its services are made when they are first needed."""
        config = self._settings.config()
        for use in config.secrets:  # each run uses the values of its time
            use.secret.forget()
        self._log = EventLog()  # it remembers what it has logged
        context = self._context()
        services = LazyServices(partial(make_services, config, self._store, context))
        options = RunOptions(fingerprint=Fingerprints(config, self._store).of)
        if config.fleet is None:
            raise ValueError("a worker needs a fleet")
        return WorkerRun(config, config.fleet.documents, context, services, options)

    def _context(self) -> Context:
        return Context(
            clock=self._clock, redactor=self._settings.redactor, emitter=self._emitter, buckets=self._buckets
        )

    def _hear(self, event: Event) -> None:
        self._log(event)
        self._settings.alive()
        if self._settings.on_event is not None:
            self._settings.on_event(event)

    def _ended(self, spec: CertificateSpec | None, outcome: Outcome) -> None:
        if spec is not None and spec.notify and self._settings.config().notify is not None:
            with self._guard:
                self._untold.append((spec, outcome))
        self._settings.ended(outcome)
