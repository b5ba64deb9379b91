"""The job of one certificate: the story of :mod:`dnsrenew.renewal`, and when a worker looks at it next."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base import extensions
from dnsrenew.base.model import Outcome
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.fleet.queue import HandedBack
from dnsrenew.extensions.fleet.spread import UNKNOWN, next_check, spread
from dnsrenew.renewal.batch import DRIVEN, Batch
from dnsrenew.renewal.outcomes import unexpected

if TYPE_CHECKING:
    import threading

    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
    from dnsrenew.extensions.fleet.database.due_dates import DueDates, WantedRow
    from dnsrenew.extensions.fleet.shared_services import SharedServices, WorkerRun
    from dnsrenew.store import State

_logger = logging.getLogger("dnsrenew.extensions.fleet")
_OTHERS: Final = 8
"""How often a certificate is handed to other workers, whose files may have the account that ours lacks."""
_OTHERS_AGAIN: Final = 2
"""The same, for one that no worker had an account for before."""
_RETURN_AFTER: Final = (1.0, 5.0)
"""Seconds after which the next worker may take it, at least and at most."""


class CertificateJobs(Frozen):
    """Does the jobs of a worker; each in a thread of its own.

    :ivar ended: called with the certificate, or None if it is not known, and the outcome of each job.
    """

    store: DatabaseStore
    dates: DueDates
    services: SharedServices
    ended: Callable[[CertificateSpec | None, Outcome], object]

    def do(self, name: str, tries: int, cancel: threading.Event) -> None:
        """Look at a certificate, renew it if it is due, and set when a worker looks at it next.

        :param tries: how often the job was handed back before.
        :param cancel: set when the job has to end at once.
        :raises HandedBack: the job is for another worker, or the database was lost.
        """
        try:
            with self.services.use() as run:
                row = self.dates.row(name)
                if row is not None:  # it was not removed meanwhile
                    self._do(run, name, row, tries, cancel)
        except StoreError as error:  # due stays as it is: nothing is forgotten
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
            # A document of another version, or a bug: the next look is not in a minute.
            own = context.for_certificate(name)
            cause = error if isinstance(error, ConfigError) else unexpected(error, own)
            outcome = Outcome(name=name, status="failed", reason=None, domains=(), error=cause)
            own.emit("certificate-finished", **outcome.to_dict())
            self._settle_later(run, name, row)
            self.ended(None, outcome)

    def _spec(self, run: WorkerRun, name: str, row: WantedRow) -> CertificateSpec:
        """Return what is wanted; a document that is refused is noted.

        :raises ConfigError: it is refused.
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
        self._settle(run, spec, row, outcome)
        self._explain(run, spec, outcome)
        self.ended(spec, outcome)
        if isinstance(outcome.error, StoreError) and outcome.error.code == "store-unreachable":
            raise HandedBack  # as it is still due, whoever reaches the database goes on

    # ── what comes next ─────────────────────────────────────────────────────────────────

    def _settle(self, run: WorkerRun, spec: CertificateSpec, row: WantedRow, outcome: Outcome) -> None:
        """Set when a worker looks at the certificate next; where the database is lost, it stays due."""
        with contextlib.suppress(StoreError):
            since = self.dates.since(spec.name)
            if since is None:
                return
            state: State = self.store.read_state(spec.name)
            at = next_check(spec, row.slot, state, outcome, run.context.clock.now())
            self.dates.settle(spec.name, at, since=since, mark=row.mark)

    def _settle_later(self, run: WorkerRun, name: str, row: WantedRow) -> None:
        since = self.dates.since(name)
        if since is not None:
            at = run.context.clock.now() + UNKNOWN * (1 + row.slot)
            self.dates.settle(name, at, since=since, mark=row.mark)

    def _pass_on(self, run: WorkerRun, name: str, row: WantedRow, lacks: tuple[str, ...], tries: int) -> None:
        """Hand the certificate to another worker; note it after so many that it seems that none has what it needs.

        :raises HandedBack: to the next one.
        """
        if tries < (_OTHERS_AGAIN if row.lacks else _OTHERS):
            after = timedelta(seconds=run.context.random.uniform(*_RETURN_AFTER))
            raise HandedBack(run.context.clock.now() + after)
        self.dates.note(name, "lacks", lacks)
        self._settle_later(run, name, row)

    def _explain(self, run: WorkerRun, spec: CertificateSpec, outcome: Outcome) -> None:
        """Look for the cause of a failure, once a minute for each error: hundreds of jobs may have the same."""
        if outcome.status != "failed" or outcome.error is None or outcome.error.code in run.explained:
            return
        run.explained.add(outcome.error.code)
        config = replace(run.config, certificates=(spec,))
        with run.context.redactor.guard_logs(*DRIVEN):
            for diagnosis in extensions.plugged(lambda each: each.diagnosis):
                diagnosis.explain(run.context, config, self.store, [outcome], run.services)
