"""A mass revocation: by renewal information the CA asks for the immediate replacement of all certificates.

Real for all: the scan, procrastinate's queue, the decision what is due, the spread, due dates, the pace of requests
that all workers share. Every twentieth job is completely real: poll, locks and fences, the ledger, storing. The
outcomes of the others are written by one statement for many. A stand-in for the CA and DNS counts against a model of
the limits, and the clock is simulated.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.figures import COUNT, Figure, Unit
from bench.fleet import simulated
from bench.fleet.generated import KEPT, figure, fill
from bench.fleet.quick_jobs import QuickJobs
from bench.fleet.simulated import SimulatedClock, StandIn, simulated_database
from bench.processes import RunFailedError
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.extensions.fleet.certificate_job import CertificateJobs, SharedServices, WorkerRun
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.ledger import SharedBuckets
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import QUEUE, QueueTasks, WorkQueue
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.renewal.due import RunOptions

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Outcome
    from tests.kit.postgres import DatabaseAddress, Postgres

_HOURS: Final = Unit(" h", 1, 1 / 3600)
_DAY: Final = 24 * 3600.0
_MINUTE: Final = 60.0
_SECOND: Final = 250.0
"""Requests a second that Let's Encrypt allows an address."""
_POLL_PART: Final = 0.2
"""The time of a poll, as a part of that of a renewal."""
_WHOLE: Final = 20
"""One job of so many is done as a worker does it."""
_AHEAD: Final = 50
"""Jobs that are taken from the queue together, because their rows are read with one statement."""


@dataclass
class Course:
    """The course of a simulated mass revocation.

    :ivar seconds: the simulated time until the last certificate was replaced.
    :ivar halves: the simulated time until half of the certificates were replaced.
    """

    seconds: float = 0.0
    halves: float = 0.0
    replaced: int = 0
    jobs: int = 0


def revocation(server: Postgres, count: int, each_second: float) -> list[Figure]:
    """Simulate a mass revocation.

    :param each_second: the renewals per second of all workers of the fleet together.
    """
    with simulated_database(server) as (address, database, clock):
        fill(database, count, first=timedelta())
        with server.admin(address.name) as admin:
            admin.execute(b"VACUUM ANALYZE")
        chain = database.fetch("SELECT chain FROM dnsrenew_version LIMIT 1")[0][0]
        begin = time.perf_counter()
        ca = StandIn(clock, chain)
        with contextlib.closing(DatabaseStore(database, Seals([]), worker=True)) as store, ca.in_place():
            course = asyncio.run(_Day(address, store, clock, ca, each_second).go(count))
        left = database.fetch(
            "SELECT count(*) FROM dnsrenew_certificate WHERE version IS DISTINCT FROM 1 AND version <= %s", (KEPT,)
        )[0][0]
    if left or course.replaced < count:
        raise RunFailedError(f"{left} are not replaced: {course}")
    spent = time.perf_counter() - begin
    return _figures(count, course, ca, spent)


def _figures(count: int, course: Course, ca: StandIn, spent: float) -> list[Figure]:
    what = f"a mass revocation: {count:,} certificates replaced, simulated time"
    halves = f"half of them after {course.halves / 3600:.1f} h; {course.jobs:,} jobs in {spent:.0f} s of real time"
    orders = f"{ca.orders:,} orders, {ca.exempt:,} of them exempt; at least {ca.limits.orders.least} of 300 left"
    most, beyond = float(max(ca.requests.values())), float(len(ca.limits.exceeded))
    return [
        figure("revocation", what, (_HOURS, course.seconds), _DAY, halves),
        figure("revocation-limits", "its orders beyond a limit of the CA", (COUNT, beyond), 0.0, orders),
        figure("revocation-requests", "its requests in the busiest second", (COUNT, most), _SECOND),
    ]


class _Day:
    """The day after the revocation; one thread does what the workers of the fleet do."""

    def __init__(
        self, address: DatabaseAddress, store: DatabaseStore, clock: SimulatedClock, ca: StandIn, each_second: float
    ) -> None:
        self._clock = clock
        self._each = 1 / each_second
        self._course = Course()
        self._failed: list[str] = []
        dates = DueDates(store.database)
        run = partial(_new_run, _config(address), store, clock, ca, SharedBuckets(store.database))
        services = SharedServices(run, clock.monotonic)
        self._jobs = CertificateJobs(store, dates, services, lambda _: None, self._ended)  # nothing is owed
        self._quick = QuickJobs(store.database, run(), ca, self._ended)
        queue = QueueTasks(dates.due, _not_called)
        self._queue = WorkQueue(address.url, {"password": address.read_password()}, queue)
        self._next_scan = 0.0

    async def go(self, count: int) -> Course:
        """Let time pass until all are replaced, or a day is over."""
        course, manager = self._course, self._queue.app.job_manager
        async with self._queue.opened():
            worker = await manager.register_worker()
            while course.replaced < count and self._clock.monotonic() < _DAY and not self._failed:
                await self._scan_in_time()
                jobs: list[Any] = []
                while len(jobs) < _AHEAD and (job := await manager.fetch_job([QUEUE], worker)) is not None:
                    jobs.append(job)
                if jobs:
                    await self._do(jobs)
                else:
                    self._clock.advance(self._next_scan - self._clock.monotonic())
                if course.replaced >= count / 2 and not course.halves:
                    course.halves = self._clock.monotonic()
        if self._failed:
            raise RunFailedError(self._failed[0])
        course.seconds = self._clock.monotonic()
        return course

    async def _scan_in_time(self) -> None:
        if self._clock.monotonic() >= self._next_scan:
            self._next_scan += _MINUTE
            await self._queue.scan()

    async def _do(self, jobs: Sequence[Any]) -> None:
        """Do jobs one after the other, and let the time pass that each takes."""
        from procrastinate.jobs import Status

        names = [job.task_kwargs["name"] for job in jobs]
        quick = {name for number, name in enumerate(names, self._course.jobs) if number % _WHOLE}
        with self._quick.taken(sorted(quick)) as do_quickly:
            for job, name in zip(jobs, names, strict=True):
                before = self._course.replaced
                do_quickly(name) if name in quick else self._jobs.do(name, 0, threading.Event())
                self._clock.advance(self._each * (1.0 if self._course.replaced > before else _POLL_PART))
                await self._queue.app.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
                self._course.jobs += 1

    def _ended(self, _spec: CertificateSpec | None, outcome: Outcome) -> None:
        self._course.replaced += outcome.status == "renewed"
        if outcome.status not in {"renewed", "not-due"}:
            self._failed.append(f"{outcome.name}: {outcome.status}: {outcome.error}")


def _new_run(
    config: Config, store: DatabaseStore, clock: SimulatedClock, ca: StandIn, buckets: SharedBuckets
) -> WorkerRun:
    context = Context(clock=clock, random=random.Random(1), buckets=buckets)
    assert config.fleet is not None
    services = LazyServices(lambda: ca.services(store, context))
    return WorkerRun(config, config.fleet.documents, context, services, RunOptions())


def _config(address: DatabaseAddress) -> Config:
    return Config.from_dict(
        {
            "store": {"url": address.url, "password": "x"},
            "contact": ["me@example.test"],
            "agree_terms": True,
            "default_ca": simulated.CA,
            "ca": {simulated.CA: {"directory": simulated.DIRECTORY}},
            "dns": {"home": {"provider": "duckdns", "token": "literal:none"}},
            "fleet": {"defaults": {"routes": [{"challenge": "dns-01", "dns": "home"}]}},
        }
    )


def _not_called(*_: object) -> None:
    raise AssertionError
