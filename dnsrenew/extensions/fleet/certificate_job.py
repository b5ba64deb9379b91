"""The job of one certificate: the renewal by :mod:`dnsrenew.renewal`, and the time of its next check."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.base import extensions
from dnsrenew.base.model import CertificateSpec, Outcome, RenewBefore
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.config.documents import CertificateDocuments
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.served_certificates import DueDates, WantedRow
from dnsrenew.extensions.fleet.queue import HandedBack
from dnsrenew.renewal import due
from dnsrenew.renewal.batch import DRIVEN, Batch, LazyServices
from dnsrenew.store import State

_logger = logging.getLogger("dnsrenew.extensions.fleet")
_OTHERS: Final = 8
"""How often a certificate is passed to other workers, whose files may have the account that ours lacks."""
_OTHERS_AGAIN: Final = 2
"""The same limit for a certificate for which no worker had an account before."""
_RETURN_AFTER: Final = (1.0, 5.0)
"""The minimum and maximum seconds after which the next worker may take it."""

_LOOK_AGAIN: Final = (0.2, 0.8)
"""The minimum and maximum seconds after which a worker checks a locked certificate again.

Workers look for jobs once a second, so it is taken within two seconds of the release, and no worker waits for it.
"""


class CertificateJobs(Frozen):
    """Does the jobs of a worker, each in its own thread.

    :ivar pay_debts: starts the servers of this machine that interrupted workers have stopped, before any other work.
    :ivar ended: called with the certificate, or None if unknown, and the outcome of each job.
    """

    store: DatabaseStore
    dates: DueDates
    services: SharedServices
    pay_debts: Callable[[threading.Event], None]
    ended: Callable[[CertificateSpec | None, Outcome], object]

    def do(self, name: str, tries: int, cancel: threading.Event) -> None:
        """Check a certificate, renew it if it is due, and set the time of its next check.

        :param tries: how often the job was already handed back.
        :param cancel: set when the job must end at once.
        :raises HandedBack: the job is for another worker, or the database was lost.
        """
        try:
            with self.services.use() as run:
                self.pay_debts(cancel)
                row = self.dates.row(name)
                if row is not None:  # it was not removed in between
                    self._do(run, name, row, tries, cancel)
        except StoreError as error:  # the due time stays, so nothing is forgotten
            _logger.debug("%s: %s", name, error.message)
            raise HandedBack from None

    def _do(self, run: WorkerRun, name: str, row: WantedRow, tries: int, cancel: threading.Event) -> None:
        lacks = tuple(run.documents.lacks(row.document))
        if lacks:
            self._pass_on(run, name, row, lacks, tries)
            return
        if row.lacks:
            self.dates.forget(name, "lacks")
        context = replace(run.context, cancel=cancel, guards=[])
        try:
            spec = self._spec(run, name, row)
            with self.store.locks.only_wanted(name):  # it may be removed before its lock is taken
                self._check(run, spec, row, context)
        except (HandedBack, StoreError):
            raise
        except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the worker
            # A document of another version, or a bug: the next check is not in a minute.
            own = context.for_certificate(name)
            cause = error if isinstance(error, ConfigError) else due.unexpected(error, own)
            outcome = Outcome(name=name, status="failed", reason=None, domains=(), error=cause)
            own.emit("certificate-finished", **outcome.to_dict())
            self._settle_later(run, name, row)
            self.ended(None, outcome)

    def _spec(self, run: WorkerRun, name: str, row: WantedRow) -> CertificateSpec:
        """Return the wanted certificate, and record a refused document.

        :raises ConfigError: the document is refused.
        """
        try:
            spec = run.documents.spec(row.document, name)
        except ConfigError as error:
            keys = [each["key"] for each in error.evidence.get("mistakes", ())]
            self.dates.note(name, "refused", keys or [error.code])
            raise
        if row.refused:
            self.dates.forget(name, "refused")
        return spec

    def _check(self, run: WorkerRun, spec: CertificateSpec, row: WantedRow, context: Context) -> None:
        wanted = spread(spec, row.slot, self.store.read_state(spec.name))
        outcome = Batch(run.config, self.store, run.services.get, context, run.options).one(wanted)
        if outcome.status == "interrupted":  # the job goes back into the queue, and is still due
            return
        if outcome.status == "locked":  # by another machine, or because its zone allows one value at a time
            raise HandedBack(context.clock.now() + timedelta(seconds=context.random.uniform(*_LOOK_AGAIN)))
        self._settle(run, spec, row, outcome)
        self._explain(run, spec, outcome)
        self.ended(spec, outcome)
        if isinstance(outcome.error, StoreError) and outcome.error.code == "store-unreachable":
            raise HandedBack  # it stays due: any worker that reaches the database takes over

    # ── the next check ──────────────────────────────────────────────────────────────────

    def _settle(self, run: WorkerRun, spec: CertificateSpec, row: WantedRow, outcome: Outcome) -> None:
        """Set the time of the next check of the certificate. If the database is lost, it stays due."""
        with contextlib.suppress(StoreError):
            if (since := self.dates.since(spec.name)) is not None:
                state = self.store.read_state(spec.name)
                state = state if state.ca in run.config.cas else replace(state, ca="")  # no CA is polled
                at = next_check(spec, row.slot, state, outcome, run.context.clock.now())
                self.dates.settle(spec.name, at, since=since, mark=row.mark)

    def _settle_later(self, run: WorkerRun, name: str, row: WantedRow) -> None:
        if (since := self.dates.since(name)) is not None:
            at = run.context.clock.now() + UNKNOWN * (1 + row.slot)
            self.dates.settle(name, at, since=since, mark=row.mark)

    def _pass_on(self, run: WorkerRun, name: str, row: WantedRow, lacks: tuple[str, ...], tries: int) -> None:
        """Pass the certificate to another worker. After many, record that no worker seems to have what it needs.

        :raises HandedBack: to the next one.
        """
        if tries < (_OTHERS_AGAIN if row.lacks else _OTHERS):
            after = timedelta(seconds=run.context.random.uniform(*_RETURN_AFTER))
            raise HandedBack(run.context.clock.now() + after)
        self.dates.note(name, "lacks", lacks)
        self._settle_later(run, name, row)

    def _explain(self, run: WorkerRun, spec: CertificateSpec, outcome: Outcome) -> None:
        """Look for the cause of a failure, once a minute for each error, because hundreds of jobs may have the same."""
        if outcome.status != "failed" or outcome.error is None or outcome.error.code in run.explained:
            return
        run.explained.add(outcome.error.code)
        config = replace(run.config, certificates=(spec,))
        with run.context.redactor.guard_logs(*DRIVEN):
            for diagnosis in extensions.plugged(lambda each: each.diagnosis):
                diagnosis.explain(run.context, config, self.store, [outcome], run.services)


# ── spread ─────────────────────────────────────────────────────────────────────────────

# The time of the next check of a certificate, so that no hour has more than its share of them. Pure functions.
#
# Each certificate has a slot, ``0 ≤ slot < 1``, from a sequence that fills the interval evenly. Its renewal by its
# own rule is earlier by that part of :data:`SHARE` of its lifetime. A missing or expired certificate, and one that its
# CA asks to renew (ARI, RFC 9773), is not moved.

SHARE: Final = 0.1
"""The part of a lifetime over which renewals are spread: of 100,000 certificates for 90 days, 463 in each hour."""
_POLLS: Final = 0.25
"""The part of the pause before the next poll of renewal information over which polls are spread.

They are never earlier than the CA asked for.
"""
_LONGEST_POLL: Final = timedelta(days=1)
"""The longest pause between two polls (RFC 9773 section 4.3.2)."""
SOONEST: Final = timedelta(minutes=1)
"""The shortest time between two checks, even of a certificate that is due again at once or held by another program."""
UNKNOWN: Final = timedelta(minutes=10)
"""The time to the next check after a failure that left no time in the state, such as a full store."""
_DUE: Final = frozenset({"failed", "deferred"})
"""The outcomes after which a certificate stays due."""
DEPLOYMENTS: Final = timedelta(hours=1)
"""The time to the next try of a failed deployment."""


def spread(spec: CertificateSpec, slot: float, state: State) -> CertificateSpec:
    """Return the certificate with its renewal moved earlier by its slot; unchanged without a stored certificate."""
    if state.not_before is None or state.not_after is None:
        return spec
    own = due.renewal_time(state.not_before, state.not_after, spec.renew_before)
    lifetime, age = state.not_after - state.not_before, own - state.not_before
    earlier = own - min(slot * SHARE * lifetime, max(age / 2, timedelta(0)))
    return replace(spec, renew_before=RenewBefore(seconds=(state.not_after - earlier).total_seconds()))


def next_check(spec: CertificateSpec, slot: float, state: State, outcome: Outcome, now: datetime) -> datetime:
    """Return the time of the next check of a certificate.

    :param state: the stored state after the job.
    :param outcome: the outcome of the job.
    """
    times = [_next_try(spec, slot, state, outcome, now)]
    # A due certificate is not polled, because its next attempt alone decides.
    if outcome.status not in _DUE and (poll := _next_poll(slot, state, now)) is not None:
        times.append(poll)
    if any(not result.ok for result in outcome.deployed):
        times.append(now + DEPLOYMENTS * (1 + slot / 2))
    return max(min(times), now + SOONEST)


def _next_try(spec: CertificateSpec, slot: float, state: State, outcome: Outcome, now: datetime) -> datetime:
    """Return when the certificate is renewed, or tried again."""
    if outcome.status in _DUE:
        known = max((time for time in (outcome.next_attempt, state.next_attempt) if time is not None), default=None)
        return now + UNKNOWN * (1 + slot) if known is None or known <= now else known
    if outcome.status in {"locked", "interrupted"}:
        return now + SOONEST
    at = due.next_renewal(spread(spec, slot, state), state)
    return now + UNKNOWN if at is None else at


def _next_poll(slot: float, state: State, now: datetime) -> datetime | None:
    """Return when the CA is asked for its window again, or None."""
    if state.not_after is None or not state.ca or state.revoked:
        return None
    if state.ari is None:  # the result of the first poll was lost: it may be revoked
        return now + SOONEST * (1 + slot)
    pause = state.ari["next_poll"] - now
    if pause <= timedelta(0):  # it should have been polled, and was not
        return now + UNKNOWN * (1 + slot)
    return now + min(pause * (1 + slot * _POLLS), max(pause, _LONGEST_POLL))


# ── shared services ────────────────────────────────────────────────────────────────────

# The services that the jobs of a worker share, created anew every minute.
#
# A worker lives for months, and a run of ``dnsrenew renew`` for minutes. So data that a run may remember (CA
# directories, DNS answers, values of secrets, driver data, warnings) must not get old here, nor fill the memory.

LIFE: Final = 60.0
"""Seconds for which new jobs get the same services: five round trips to a CA in a minute, for any number of jobs."""


@dataclass(eq=False)
class WorkerRun:
    """The jobs that begin within a minute, in place of a run. They share services and warnings.

    :ivar documents: reads the documents of certificates.
    :ivar context: the context of the run.
    :ivar explained: the codes of errors whose causes were searched.
    """

    config: Config
    documents: CertificateDocuments
    context: Context
    services: LazyServices
    options: due.RunOptions
    explained: set[str] = field(default_factory=set)
    users: int = 0


class SharedServices:
    """Gives each job its run. Thread-safe.

    :param make: makes a run.
    :param monotonic: a clock in seconds.
    """

    def __init__(self, make: Callable[[], WorkerRun], monotonic: Callable[[], float]) -> None:
        self._make, self._monotonic = make, monotonic
        self._guard = threading.Lock()
        self._run: WorkerRun | None = None
        self._started = 0.0

    @contextlib.contextmanager
    def use(self) -> Iterator[WorkerRun]:
        """Yield the current run. Its connections stay open until its last job has ended."""
        with self._guard:
            if self._monotonic() - self._started >= LIFE:
                self._retire()
            if self._run is None:
                self._run, self._started = self._make(), self._monotonic()
            run = self._run
            run.users += 1
        try:
            yield run
        finally:
            with self._guard:
                run.users -= 1
                if run is not self._run and not run.users:
                    run.services.close()

    def renew(self) -> None:
        """Give new services to jobs that begin from now on."""
        with self._guard:
            self._retire()

    def _retire(self) -> None:
        run, self._run = self._run, None
        if run is not None and not run.users:
            run.services.close()
