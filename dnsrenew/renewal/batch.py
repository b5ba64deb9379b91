"""One run over many certificates: which are due, in which threads they are renewed, and their outcomes in order."""

from __future__ import annotations

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.base.model import Outcome
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import Cancelled, DnsRenewError, LockedError, SecretError, StoreError
from dnsrenew.fallback import history
from dnsrenew.renewal import due
from dnsrenew.renewal.check_due import Due, check_due, why
from dnsrenew.renewal.renewal_info import is_poll_due, poll

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.renewal.due import RunOptions
    from dnsrenew.renewal.job import Services
    from dnsrenew.store import State, Store

DRIVEN: Final = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "tldextract", "filelock", "dns")
"""Loggers, ours and those of the libraries we use, whose lines are redacted during a run."""

_DAY: Final = timedelta(days=1)

_logger = logging.getLogger("dnsrenew.renewal.batch")

_PATIENCE: Final = 60.0
"""Seconds that a new certificate waits for the other renewals of its run, so that they are deployed together."""
_LAST_SECONDS: Final = 5.0
"""Seconds that each certificate has to withdraw what it published after a cancel."""


class Batch(Frozen):
    """One run over many certificates.

    :ivar services: called only if there is something to do.
    """

    config: Config
    store: Store
    services: Callable[[], Services]
    context: Context
    options: RunOptions

    def go(self, specs: Sequence[CertificateSpec], limit: int) -> list[Outcome]:
        """Clean up after killed runs, poll renewal information, renew what is due; return the outcomes in order.

        :param limit: number of certificates renewed at once.
        """
        try:
            self.store.check_ground()
        except (StoreError, SecretError) as error:  # the password of a database is a secret
            return [self._refused(spec, error) for spec in specs]
        self._close_store()
        self.clean_up()
        found = self._check_all(specs)
        waiting = [(spec, one) for spec, one in zip(specs, found, strict=True) if not isinstance(one, Outcome)]
        if not waiting:
            return [one for one in found if isinstance(one, Outcome)]
        self.context.emit("run-started", certificates=[spec.name for spec, _ in waiting])
        with self.context.redactor.guard_logs(*DRIVEN):
            renewed = iter(self._renew_all(waiting, limit))
        outcomes = [one if isinstance(one, Outcome) else next(renewed) for one in found]
        self.context.emit("run-finished", statuses=dict(Counter(one.status for one in outcomes)))
        return outcomes

    def _refused(self, spec: CertificateSpec, error: DnsRenewError) -> Outcome:
        """Return the outcome of a certificate in a store that others can change; nothing is read from it."""
        refused = Outcome(name=spec.name, status="failed", reason=None, domains=spec.domains, error=error)
        self.context.for_certificate(spec.name).emit("certificate-finished", **refused.to_dict())
        return refused

    def _close_store(self) -> None:
        """Make the store private, also when nothing is due: a restore may have opened its keys to others."""
        try:
            self.store.close_root()
        except StoreError as error:
            self.context.warn(error.code, error.message, error.fix)

    def one(self, spec: CertificateSpec) -> Outcome:
        """Do the same for one certificate, for a caller that checks the ground and cleans up by itself."""
        (found,) = self._check_all([spec])
        if isinstance(found, Outcome):
            return found
        with self.context.redactor.guard_logs(*DRIVEN):
            done = self._renew(spec, found, None, self.options)
        if done.status != "locked":  # the caller looks again and again
            self.context.for_certificate(spec.name).emit("certificate-finished", **done.to_dict())
        return done

    def clean_up(self) -> None:
        """Pay what killed runs owe, and remove their TXT values, before anything else; an error stops no renewal."""
        if not self.store.has_journal:
            return
        from dnsrenew.challenges.dns01 import leftovers  # rarely needed
        from dnsrenew.renewal import deploying, port_programs
        from dnsrenew.store.zone_locks import ZoneLocks

        port_programs.pay_debts(self.store.debts, self.context, insist=self.config.insist)
        deploying.complete_renames_of_killed_runs(self.store, self.context)
        locks = ZoneLocks(self.store)
        with self.context.redactor.guard_logs(*DRIVEN):
            served = self.services().dns.values
            accounts, providers = self.config.accounts, self.config.providers
            leftovers.cleanup_before_run(self.context, self.store.journal, accounts, providers, locks, served=served)

    # ── what is due, before the locks ───────────────────────────────────────────────────

    def _check_all(self, specs: Sequence[CertificateSpec]) -> list[Due | Outcome | None]:
        """Return for each certificate why it is due, or its outcome; None if its state cannot be read now."""
        states = {spec.name: self._read(spec) for spec in specs}
        if not self.options.dry_run:  # a dry run keeps nothing
            states |= self._poll(specs, states)
        return [self._check(spec, states[spec.name]) for spec in specs]

    def _read(self, spec: CertificateSpec) -> State | None:
        try:
            return self.store.read_state(spec.name)
        except StoreError:
            return None  # the renewal of this certificate meets the error again, and reports it

    def _check(self, spec: CertificateSpec, state: State | None) -> Due | Outcome | None:
        if state is None:
            return None
        try:
            found = self._check_due(spec, state)
            if isinstance(found, Outcome) and self.store.repair(spec.name, state, self.context):
                state = self.store.read_state(spec.name)
                found = self._check_due(spec, state)
            if isinstance(found, Outcome) and self._is_asker_news(state):
                self._note_asker(spec, state)
            if isinstance(found, Outcome) and found.status == "not-due" and state.last_failure is not None:
                self._forget_failure(spec, state)
            if isinstance(found, Outcome) and spec.deploy:
                return self._check_deployed(spec, state, found)
        except StoreError:
            return None  # as in _read
        return found

    def _is_asker_news(self, state: State) -> bool:
        """Return whether to record what asks for the certificate: if that changed, and of a program once a day."""
        if state.asked_by != self.options.asked_by:
            return True
        before, now = state.asked_at, self.context.clock.now()
        return not state.asked_by and (before is None or not before <= now < before + _DAY)

    def _note_asker(self, spec: CertificateSpec, state: State) -> None:
        """Record what asks for it now, so that ``status`` and ``remove`` can tell whether it is used."""
        if self.options.dry_run or state.version is None or state.rebuilt:
            return
        asked_by, now = self.options.asked_by, self.context.clock.now()
        with contextlib.suppress(StoreError, LockedError, Cancelled), self.store.lock(spec.name, context=self.context):
            self.store.update(spec.name, lambda old: old.asked(asked_by, now), sync=False)

    def _forget_failure(self, spec: CertificateSpec, state: State) -> None:
        """Forget the last failure of a certificate that is in order again; what a CA asked for still holds."""
        if history.was_asked_to_wait(state) and history.deferred_until(state, self.context.clock.now()) is not None:
            return
        with contextlib.suppress(StoreError, LockedError, Cancelled), self.store.lock(spec.name, context=self.context):
            self.store.update(
                spec.name, lambda old: old.recovered() if old.last_failure == state.last_failure else old, sync=False
            )

    def _check_deployed(self, spec: CertificateSpec, state: State, found: Outcome) -> Outcome | None:
        """Return the outcome with the results of its deployments, or None if one is pending or seems to be changed."""
        from dnsrenew.renewal import deploying  # few certificates are deployed

        if not self.options.deploy or self.options.dry_run:
            return found
        results = deploying.settled(spec, state, self.store)
        return None if results is None else replace(found, deployed=results)

    def _check_due(self, spec: CertificateSpec, state: State) -> Due | Outcome:
        # A context for each certificate takes time, and only a warning needs it.
        has_warning = due.ari_warnings(state) or due.state_warnings(spec, state)
        context = self.context.for_certificate(spec.name) if has_warning else self.context
        return check_due(spec, state, self.store, context, self.options)

    def _poll(self, specs: Sequence[CertificateSpec], states: Mapping[str, State | None]) -> dict[str, State]:
        """Poll the renewal information (RFC 9773) of certificates that are not due; return their new states."""
        now = self.context.clock.now()
        polled = {
            spec.name: state
            for spec in specs
            if (state := states[spec.name]) is not None
            and state.ca in self.config.cas
            and is_poll_due(state, now)
            and not self._is_due(spec, state)
        }
        if not polled:
            return {}
        try:
            return poll(polled, self.store, self.services().ca, self.context)
        except Exception as error:  # noqa: BLE001  # it stops no renewal: a real problem is met again, and reported
            redacted = self.context.redactor.redact(repr(error))
            _logger.debug("renewal information was not polled: %s", redacted)
            return {}

    def _is_due(self, spec: CertificateSpec, state: State) -> bool:
        try:
            return why(spec, state, self.store, self.context, self.options) is not None
        except StoreError:
            return True  # unknown

    # ── the renewals ────────────────────────────────────────────────────────────────────

    def _renew_all(self, waiting: Sequence[tuple[CertificateSpec, Due | None]], limit: int) -> list[Outcome]:
        """Renew and deploy; certificates whose programs stop a server come last, when all others are deployed."""
        from dnsrenew.renewal.port_programs import stops_others  # slow to load, and not needed while nothing is due

        groups: dict[object, list[tuple[CertificateSpec, Due | None]]] = {None: []}
        for each in waiting:
            key = (each[0].before, each[0].after) if stops_others(each[0]) else None
            groups.setdefault(key, []).append(each)
        done: dict[str, Outcome] = {}
        for programs, group in groups.items():
            # Where a server is stopped, no deployment may need it: it comes when all of the group have ended.
            done |= self._renew_group(group, limit, patience=math.inf if programs else _PATIENCE)
        return [done[spec.name] for spec, _ in waiting]

    def _renew_group(
        self, group: Sequence[tuple[CertificateSpec, Due | None]], limit: int, *, patience: float
    ) -> dict[str, Outcome]:
        """Renew certificates at the same time, and deploy them together.

        :param patience: seconds to wait for the others; those that have ended are deployed then.
        """
        pool = threads.ThreadPool(limit)
        options = replace(self.options, deploy=False)
        tasks = pool.start([partial(self._renew, spec, before, pool, options) for spec, before in group])
        left = dict(zip((spec for spec, _ in group), tasks, strict=True))
        outcomes: dict[str, Outcome] = {}
        try:
            while left:
                waited = 0.0
                for task in left.values():
                    while waited < patience and not task.done.wait(threads.SLICE):
                        waited += threads.SLICE
                ended = [spec for spec, task in left.items() if task.done.is_set()]
                outcomes |= self._deploy_all([(spec, left.pop(spec).result()) for spec in ended], limit)
        except BaseException:
            # Ctrl-C in the caller's own thread: let every certificate withdraw what it has published.
            clock = self.context.clock
            self.context.cancel.set()
            end = clock.monotonic() + _LAST_SECONDS
            for task in tasks:
                task.done.wait(max(0.0, end - clock.monotonic()))
            raise
        return outcomes

    def _deploy_all(self, renewed: Sequence[tuple[CertificateSpec, Outcome]], limit: int) -> dict[str, Outcome]:
        """Deploy what is pending of certificates whose renewal has ended; return their outcomes."""
        from dnsrenew.renewal import deploying
        from dnsrenew.renewal.renew import may_deploy

        done = {spec.name: outcome for spec, outcome in renewed}
        some = [
            spec
            for spec, outcome in renewed
            if may_deploy(spec, self.options)
            and outcome.status not in {"locked", "interrupted"}
            and not isinstance(outcome.error, StoreError)
        ]
        jobs = [partial(self._deploy_one, spec, done[spec.name]) for spec in some]
        done |= {one.name: one for one in deploying.deploy_together(jobs, self.context, limit)}
        for spec, _ in renewed:
            if may_deploy(spec, self.options):
                self.context.for_certificate(spec.name).emit("certificate-finished", **done[spec.name].to_dict())
        return done

    def _deploy_one(self, spec: CertificateSpec, outcome: Outcome, together: threads.Together) -> Outcome:
        from dnsrenew.renewal import deploying

        context, wait = self.context.for_certificate(spec.name), self.options.wait
        return deploying.deploy_after_renewal(spec, outcome, self.store, context, wait=wait, together=together)

    def _renew(
        self, spec: CertificateSpec, before: Due | None, pool: threads.ThreadPool | None, options: RunOptions
    ) -> Outcome:
        self._warm_up(spec)
        from dnsrenew.renewal.renew import may_deploy, renew_certificate  # not needed while nothing is due

        context = replace(self.context.for_certificate(spec.name), pool=pool)
        done = renew_certificate(spec, before, self.services, self.store, context, options=options)
        if pool is not None and not may_deploy(spec, self.options):  # else it is deployed later
            context.emit("certificate-finished", **done.to_dict())
        return done

    def _warm_up(self, spec: CertificateSpec) -> None:
        """Let the drivers that are used first get ready while the modules for the CA are loaded and the order is made.

        Nothing is done for a route that leaves the choice between several accounts.
        """
        from dnsrenew.challenges import CHALLENGES  # slow to load

        route = spec.routes[0] if spec.routes else None
        accounts = self.config.accounts
        if route is None or not CHALLENGES[route.challenge].writes_dns or not (route.dns or len(accounts) == 1):
            return
        from dnsrenew.drivers.loading import warm_up  # not needed while nothing is due

        for name in route.dns or accounts:
            warm_up(self.config.providers[accounts[name].provider], self.context.remembered.setdefault(name, {}))
