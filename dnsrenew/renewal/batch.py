"""One run over many certificates: what is due, in which threads, in which order the outcomes come back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import StoreError
from dnsrenew.renewal import due
from dnsrenew.renewal.renew import glance, renew_certificate, why
from dnsrenew.renewal.renewal_info import is_poll_due, poll

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.model import CertificateSpec, Outcome
    from dnsrenew.renewal.job import RunOptions, Services
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store

DRIVEN: Final = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "lexicon", "tldextract", "filelock", "dns")
"""Loggers, ours and those of libraries we drive, whose lines are cleaned of secrets during a run."""

_logger = logging.getLogger("dnsrenew.renewal.batch")

_LAST_SECONDS: Final = 5.0
"""After a cancel, each certificate has so long to put back what it had published."""


class Batch(Frozen):
    """One run.

    :ivar services: called only when there is something to do.
    """

    config: Config
    store: Store
    services: Callable[[], Services]
    context: Context
    options: RunOptions

    def go(self, specs: Sequence[CertificateSpec], limit: int) -> list[Outcome]:
        """Sweep, ask the CAs for their wishes, renew what is due; one outcome for each certificate, in their order.

        :param limit: certificates worked on at once.
        """
        self._close_store()
        self._sweep()
        states = {spec.name: self._read(spec) for spec in specs}
        if not self.options.dry_run:  # nothing is kept
            states |= self._ask_wishes(specs, states)
        outcomes = [self._glance(spec, states[spec.name]) for spec in specs]
        due = [spec for spec, done in zip(specs, outcomes, strict=True) if done is None]
        if due:
            self.context.emit("run-started", certificates=[spec.name for spec in due])
            with self.context.redactor.guard_logs(*DRIVEN):
                renewed = iter(self._renew_all(due, limit))
            outcomes = [done or next(renewed) for done in outcomes]
        finished = [done for done in outcomes if done is not None]
        if due:
            self.context.emit("run-finished", statuses=dict(Counter(done.status for done in finished)))
        return finished

    def _close_store(self) -> None:
        """Keep others out of the store, also where nothing is due: its keys may have been open since a restore."""
        try:
            self.store.close_root()
        except StoreError as error:
            self.context.warn(error.code, error.message, error.fix)

    def _sweep(self) -> None:
        """Remove what dead runs left in DNS, before anything else; it stops no renewal."""
        if not self.store.has_journal:
            return
        from dnsrenew.challenges.dns01 import leftovers  # hardly ever needed
        from dnsrenew.store.zone_locks import ZoneLocks

        locks = ZoneLocks(self.store)
        with self.context.redactor.guard_logs(*DRIVEN):
            look = self.services().dns.values
            accounts, providers = self.config.accounts, self.config.providers
            leftovers.cleanup_before_run(self.context, self.store.journal, accounts, providers, locks, look=look)

    # ── what is not due ─────────────────────────────────────────────────────────────────

    def _read(self, spec: CertificateSpec) -> State | None:
        try:
            return self.store.read_state(spec.name)
        except StoreError:
            return None  # it is met again, and told, in its own turn

    def _glance(self, spec: CertificateSpec, state: State | None) -> Outcome | None:
        """Return the outcome of what is not to be done now, without a thread or a lock; None for the others."""
        if state is None:
            return None
        try:
            done = glance(spec, self.store, state, self._telling(spec, state), self.options)
            if done is None or not self.store.repair(spec.name, state, self.context):
                return done
            mended = self.store.read_state(spec.name)
            return glance(spec, self.store, mended, self._telling(spec, mended), self.options)
        except StoreError:
            return None  # it is met again, and told, in its own turn

    def _telling(self, spec: CertificateSpec, state: State) -> Context:
        """Return the context of a certificate where there is something to be told of it; making it takes a while."""
        return self.context.for_certificate(spec.name) if state.notices or due.explanation(state) else self.context

    def _ask_wishes(self, specs: Sequence[CertificateSpec], states: Mapping[str, State | None]) -> dict[str, State]:
        """Ask the CAs when they would like certificates renewed, where the time for that has come.

        Not about those that are due anyway: no wish makes that later.
        """
        now = self.context.clock.now()
        asked = {
            spec.name: state
            for spec in specs
            if (state := states[spec.name]) is not None
            and state.ca in self.config.cas
            and is_poll_due(state, now)
            and not self._is_due(spec, state)
        }
        if not asked:
            return {}
        try:
            poll(asked, self.store, self.services().ca, self.context)
            return {name: self.store.read_state(name) for name in asked}
        except Exception as error:  # noqa: BLE001  # a wish stops no renewal: what is wrong is met again, and told, there
            redacted = self.context.redactor.redact(repr(error))
            _logger.debug("the CAs were not asked for their wishes: %s", redacted)
            return {}

    def _is_due(self, spec: CertificateSpec, state: State) -> bool:
        try:
            return why(spec, self.store, state, self.context, self.options) is not None
        except StoreError:
            return True  # or nobody can tell

    # ── what is due ─────────────────────────────────────────────────────────────────────

    def _renew_all(self, specs: Sequence[CertificateSpec], limit: int) -> list[Outcome]:
        pool = threads.ThreadPool(limit)
        tasks = pool.start([partial(self._renew, spec, pool) for spec in specs])
        try:
            for task in tasks:
                while not task.done.wait(threads.SLICE):
                    pass
        except BaseException:
            # Ctrl-C in the caller's own thread: let every certificate put back what it has published.
            clock = self.context.clock
            self.context.cancel.set()
            end = clock.monotonic() + _LAST_SECONDS
            for task in tasks:
                task.done.wait(max(0.0, end - clock.monotonic()))
            raise
        return [task.result() for task in tasks]

    def _renew(self, spec: CertificateSpec, pool: threads.ThreadPool) -> Outcome:
        context = replace(self.context.for_certificate(spec.name), pool=pool)
        done = renew_certificate(spec, self.services, self.store, context, self.options)
        context.emit("certificate-finished", **done.to_dict())
        return done
