"""Many certificates: who is due, in which threads, in which order the outcomes come back."""

from __future__ import annotations

import contextlib
import difflib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew import workers
from dnsrenew.clock import Clock, SystemClock
from dnsrenew.context import Context
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.events import Emitter, Event
from dnsrenew.job import Services, Wishes
from dnsrenew.model import Certificate, CertificateSpec, Outcome
from dnsrenew.renewal import glance, renew_certificate, why
from dnsrenew.secrets import Redactor
from dnsrenew.services import Once, make_services
from dnsrenew.status import CertificateStatus, status_of
from dnsrenew.store import State, Store
from dnsrenew.wishes import ask, is_to_be_asked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.accounts import AccountStatus
    from dnsrenew.config import Config
    from dnsrenew.revocation import Revocation
    from dnsrenew.sweep import Swept

_DRIVEN = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "lexicon", "tldextract", "filelock", "dns")
"""Loggers, ours and those of libraries we drive, whose lines are cleaned of secrets during a run."""

_logger = logging.getLogger("dnsrenew.renewer")

_LAST_SECONDS = 5.0
"""After a cancel, each certificate has so long to put back what it had published."""


class Renewer:
    """Obtains and renews the certificates of a configuration. Thread-safe.

    :param config: what is wanted.
    :param on_event: called with every :class:`Event`, one at a time.
    :param clock: the time; for tests.
    """

    def __init__(
        self,
        config: Config,
        *,
        on_event: Callable[[Event], object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._store = Store(config.store)
        self._clock = clock or SystemClock()
        self._emitter = Emitter(self._clock, on_event)
        self._redactor = Redactor()

    def renew(
        self,
        names: Iterable[str] | None = None,
        *,
        force: bool = False,
        now: bool = False,
        dry_run: bool = False,
        workers: int = 8,
        wait: float = 0,
        cancel: threading.Event | None = None,
    ) -> list[Outcome]:
        """Obtain what is missing and renew what is due.

        :param names: certificates to look at; None: all.
        :param force: renew also what is not due, and although an earlier failure says later.
        :param now: renew what is due although an earlier failure or the ledger says later.
        :param dry_run: rehearse with the CA's staging twin: everything is done, nothing is kept.
        :param workers: certificates worked on at once.
        :param wait: seconds to wait for another run that holds a lock.
        :param cancel: set it to stop; what was published is withdrawn first.
        :returns: one outcome for each certificate, in the order of the configuration.
        :raises ConfigError: ``certificate-unknown``: a name is not in the configuration.
        """
        specs = self._chosen(names)
        context = self._context(cancel)
        wishes = Wishes(force=force, now=now, rehearse=dry_run, wait=wait, edition=self._config.edition_of)
        services = Once(partial(make_services, self._config, self._store, context, rehearse=dry_run))
        try:
            self._sweep(services.get, context)
            states = {spec.name: self._read(spec) for spec in specs}
            if not dry_run:  # nothing is kept
                states |= self._ask_wishes(specs, states, services.get, context, wishes)
            outcomes = [self._glance(spec, states[spec.name], context, wishes) for spec in specs]
            due_specs = [spec for spec, done in zip(specs, outcomes, strict=True) if done is None]
            if due_specs:
                context.emit("run-started", certificates=[spec.name for spec in due_specs])
                with self._redactor.guard_logs(*_DRIVEN):
                    renewed = iter(self._renew_all(due_specs, services.get, context, workers, wishes))
                outcomes = [done or next(renewed) for done in outcomes]
        finally:
            services.close()
        finished = [done for done in outcomes if done is not None]
        if due_specs:
            context.emit("run-finished", statuses=dict(Counter(done.status for done in finished)))
        return finished

    def status(self, names: Iterable[str] | None = None) -> list[CertificateStatus]:
        """Return what stands in the store for each certificate; asks nobody.

        :raises ConfigError: ``certificate-unknown``.
        """
        context = self._context(None)
        return [status_of(spec, self._store, context) for spec in self._chosen(names)]

    def certificate(self, name: str) -> Certificate:
        """Return the certificate that is in force.

        :raises ConfigError: ``certificate-unknown``: the name is not in the configuration.
        :raises StoreError: ``certificate-missing``: it has not been obtained yet.
        """
        (spec,) = self._chosen([name])
        state = self._store.read_state(spec.name)
        found = None if state is None else self._store.certificate(spec.name, state)
        if found is None:
            raise StoreError(
                "certificate-missing",
                f"The certificate {name} has not been obtained yet.",
                fix=f"Run: dnsrenew renew {name}",
                evidence={"name": name},
            )
        return found

    def valid_certificate(self, name: str) -> Certificate | None:
        """Return the certificate that is in force if it has not expired, else None."""
        try:
            found = self.certificate(name)
        except StoreError:
            return None
        return found if self._clock.now() < found.not_after else None

    def revoke(
        self, name: str, *, reason: str = "unspecified", wait: float = 0, cancel: threading.Event | None = None
    ) -> Revocation:
        """Revoke the certificate that is in force, and mark it: the next run replaces it.

        Signed by the account, or by the certificate's own key where the account is gone or is another one.
        What was revoked before is marked too, and that is no error.

        :param name: of the configuration, or of a certificate that stands in the store only.
        :param reason: a key of :data:`dnsrenew.revocation.REASONS`.
        :param wait: seconds to wait for another run that holds its lock.
        :raises ConfigError: ``certificate-unknown``, ``reason-unknown``, ``ca-unknown``: the one that issued it.
        :raises StoreError: ``certificate-missing``; the store cannot be written; LockedError: another run works on it.
        :raises CAError: the CA did not revoke it.
        :raises Cancelled: when called away; it may be revoked or not.
        """
        from dnsrenew import revocation  # rarely wanted

        context = self._context(cancel).for_certificate(name)
        spec = next((spec for spec in self._config.certificates if spec.name == name), None)
        if spec is None and name not in self._store.names():
            raise _unknown(name, [spec.name for spec in self._config.certificates])
        with self._working(context) as services:
            return revocation.revoke(name, self._config, services, context, reason=reason, wait=wait)

    def accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Return what the CAs say of our accounts; none is made.

        :param cas: names of CAs; None: all where we have an account.
        :raises ConfigError: ``ca-unknown``.
        """
        from dnsrenew import accounts

        context = self._context(cancel)
        with self._working(context) as services:
            return accounts.show(cas, self._config, services, context)

    def roll_accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Give our accounts new keys (RFC 8555 section 7.3.5), safe at any crash; arguments as for :meth:`accounts`.

        :raises Cancelled: when called away; both keys are kept, and the next use finds out which one holds.
        """
        from dnsrenew import accounts

        context = self._context(cancel)
        with self._working(context) as services:
            return accounts.roll(cas, self._config, services, context)

    def cleanup(self, *, wait: float = 0, cancel: threading.Event | None = None) -> Swept:
        """Remove from DNS what killed runs have left there: only values in the journal, by those who wrote them.

        :param wait: seconds to wait for another run that is at it.
        :raises LockedError: another run is at it.
        :raises StoreError: the journal cannot be read.
        :raises Cancelled: when called away; what was removed until then is off the journal.
        """
        from dnsrenew import sweep

        context, config = self._context(cancel), self._config
        with self._working(context) as services:
            journal, lock, look = self._store.journal, self._zone_lock, services.dns.values
            return sweep.sweep(context, journal, config.accounts, config.providers, lock, wait=wait, look=look)

    def tell(self, kind: str, name: str, **data: Any) -> None:  # JSON values
        """Emit an event about a certificate."""
        self._emitter.emit(kind, name, data)

    def _sweep(self, services: Callable[[], Services], context: Context) -> None:
        """Remove what dead runs left in DNS, before anything else; it stops no renewal."""
        if not self._store.has_journal:
            return
        from dnsrenew import sweep  # hardly ever needed

        config, journal = self._config, self._store.journal
        with self._redactor.guard_logs(*_DRIVEN):
            look = services().dns.values
            sweep.sweep_first(context, journal, config.accounts, config.providers, self._zone_lock, look=look)

    def _zone_lock(self, context: Context, zone: str) -> AbstractContextManager[None]:
        """Return the lock of a zone for a sweep, which waits for no renewal: the value is then kept."""
        return self._store.lock_zone(zone, context=context, wait=0)

    # ── one certificate ─────────────────────────────────────────────────────────────────

    def _read(self, spec: CertificateSpec) -> State | None:
        try:
            return self._store.read_state(spec.name)
        except StoreError:
            return None  # it is met again, and told, in its own turn

    def _glance(self, spec: CertificateSpec, state: State | None, context: Context, wishes: Wishes) -> Outcome | None:
        """Return the outcome of what is not to be done now, without a thread or a lock; None for the others."""
        if state is None:
            return None
        done = glance(spec, self._store, state, context, wishes)
        if done is not None:
            self._store.mend(spec.name, state, context)
        return done

    def _ask_wishes(
        self,
        specs: Sequence[CertificateSpec],
        states: Mapping[str, State | None],
        services: Callable[[], Services],
        context: Context,
        wishes: Wishes,
    ) -> dict[str, State]:
        """Ask the CAs when they would like certificates renewed, where the time for that has come.

        Not about those that are due anyway: no wish makes that later.
        """
        now = context.clock.now()
        asked = {
            spec.name: state
            for spec in specs
            if (state := states[spec.name]) is not None
            and state.ca in self._config.cas
            and is_to_be_asked(state, now)
            and why(spec, self._store, state, context, wishes) is None
        }
        if not asked:
            return {}
        try:
            ask(asked, self._store, services().ca, context)
            return {name: self._store.read_state(name) for name in asked}
        except Exception as error:  # noqa: BLE001  # a wish stops no renewal: what is wrong is met again, and told, there
            _logger.debug("the CAs were not asked for their wishes: %s", self._redactor.redact(repr(error)))
            return {}

    def _renew_all(
        self,
        specs: Sequence[CertificateSpec],
        services: Callable[[], Services],
        context: Context,
        limit: int,
        wishes: Wishes,
    ) -> list[Outcome]:
        calls = [partial(self._renew_one, spec, services, context.for_certificate(spec.name), wishes) for spec in specs]
        tasks = workers.start_all(calls, limit)
        try:
            for task in tasks:
                while not task.done.wait(workers.SLICE):
                    pass
        except BaseException:
            # Ctrl-C in the caller's own thread: let every certificate put back what it has published.
            context.cancel.set()
            end = self._clock.monotonic() + _LAST_SECONDS
            for task in tasks:
                task.done.wait(max(0.0, end - self._clock.monotonic()))
            raise
        return [task.result() for task in tasks]

    def _renew_one(
        self, spec: CertificateSpec, services: Callable[[], Services], context: Context, wishes: Wishes
    ) -> Outcome:
        done = renew_certificate(spec, services, self._store, context, wishes)
        context.emit("certificate-finished", **done.to_dict())
        return done

    # ── the run ─────────────────────────────────────────────────────────────────────────

    def _chosen(self, names: Iterable[str] | None) -> list[CertificateSpec]:
        if names is None:
            return list(self._config.certificates)
        wanted = [names] if isinstance(names, str) else list(names)
        known = {spec.name: spec for spec in self._config.certificates}
        for name in wanted:
            if name not in known:
                raise _unknown(name, list(known))
        return [spec for spec in self._config.certificates if spec.name in wanted]

    @contextlib.contextmanager
    def _working(self, context: Context) -> Iterator[Services]:
        """Hand out what one command works with, and end its connections."""
        services = make_services(self._config, self._store, context)
        try:
            with self._redactor.guard_logs(*_DRIVEN):
                yield services
        finally:
            services.close()

    def _context(self, cancel: threading.Event | None) -> Context:
        return Context(
            clock=self._clock,
            cancel=cancel or threading.Event(),
            redactor=self._redactor,
            emitter=self._emitter,
        )


def _unknown(name: str, known: list[str]) -> ConfigError:
    nearest = next(iter(difflib.get_close_matches(name, known, 1)), None)
    return ConfigError(
        "certificate-unknown",
        f"There is no certificate named {name} in the configuration.",
        fix=f"Did you mean {nearest}?" if nearest else f"Known are: {', '.join(known) or 'none'}.",
        evidence={"name": name, "nearest": nearest},
    )
