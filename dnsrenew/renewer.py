"""The door for Python programs: a configuration, and what can be done with its certificates."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.events import Emitter, Event
from dnsrenew.model import Certificate, CertificateSpec, Outcome
from dnsrenew.operations.status import CertificateStatus, status_of
from dnsrenew.renewal.batch import DRIVEN, Batch
from dnsrenew.renewal.options import RunOptions
from dnsrenew.renewal.services import LazyServices, make_services
from dnsrenew.runtime.context import Context
from dnsrenew.secrets import Redactor
from dnsrenew.store import Store
from dnsrenew.validation.mistakes import nearest

if TYPE_CHECKING:
    from dnsrenew.challenges.dns01.leftovers import CleanupResult
    from dnsrenew.config import Config
    from dnsrenew.operations.accounts import AccountStatus
    from dnsrenew.operations.revoke import Revocation
    from dnsrenew.renewal.job import Services


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
        :param cancel: set it to stop; what was published is withdrawn first. It is set here where this thread is
            interrupted (Ctrl-C in a program of one's own).
        :returns: one outcome for each certificate, in the order of the configuration. Whatever goes wrong with one of
            them is in its outcome, a store that cannot be read or written and a cancel too: none of it is raised.
        :raises ConfigError: ``certificate-unknown``: a name is not in the configuration. Nothing else is raised, but
            ``KeyboardInterrupt`` where this thread is interrupted.
        """
        specs = self._chosen(names)
        context = self._context(cancel)
        options = RunOptions(force=force, now=now, dry_run=dry_run, wait=wait, fingerprint=self._config.fingerprint_of)
        services = LazyServices(partial(make_services, self._config, self._store, context, dry_run=dry_run, wait=wait))
        try:
            return Batch(self._config, self._store, services.get, context, options).go(specs, workers)
        finally:
            services.close()

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
        found = self._store.certificate(spec.name, self._store.read_state(spec.name))
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
        :param reason: a key of :data:`dnsrenew.operations.revoke.REASONS`.
        :param wait: seconds to wait for another run that holds its lock.
        :raises ConfigError: ``certificate-unknown``, ``reason-unknown``, ``ca-unknown``: the one that issued it.
        :raises StoreError: ``certificate-missing``; the store cannot be written; LockedError: another run works on it.
        :raises CAError: the CA did not revoke it.
        :raises Cancelled: when called away; it may be revoked or not.
        """
        from dnsrenew.operations import revoke  # rarely wanted

        context = self._context(cancel).for_certificate(name)
        spec = next((spec for spec in self._config.certificates if spec.name == name), None)
        if spec is None and name not in self._store.names():
            raise _unknown(name, [spec.name for spec in self._config.certificates])
        with self._working(context) as services:
            return revoke.revoke(name, self._config, services, context, reason=reason, wait=wait)

    def accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Return what the CAs say of our accounts; none is made.

        :param cas: names of CAs; None: all where we have an account.
        :raises ConfigError: ``ca-unknown``.
        """
        from dnsrenew.operations import accounts

        context = self._context(cancel)
        with self._working(context) as services:
            return accounts.show(cas, self._config, services, context)

    def roll_accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Give our accounts new keys (RFC 8555 section 7.3.5), safe at any crash; arguments as for :meth:`accounts`.

        :raises Cancelled: when called away; both keys are kept, and the next use finds out which one holds.
        """
        from dnsrenew.operations import accounts

        context = self._context(cancel)
        with self._working(context) as services:
            return accounts.roll(cas, self._config, services, context)

    def cleanup(self, *, wait: float = 0, cancel: threading.Event | None = None) -> CleanupResult:
        """Remove from DNS what killed runs have left there: only values in the journal, by those who wrote them.

        :param wait: seconds to wait for another run that is at it, or has its value where a host keeps one.
        :raises LockedError: another run is at it.
        :raises StoreError: the journal cannot be read.
        :raises Cancelled: when called away; what was removed until then is off the journal.
        """
        from dnsrenew.challenges.dns01 import leftovers
        from dnsrenew.store.zone_locks import ZoneLocks

        context, config = self._context(cancel), self._config
        with self._working(context) as services:
            journal, locks, look = self._store.journal, ZoneLocks(self._store, wait), services.dns.values
            return leftovers.cleanup(context, journal, config.accounts, config.providers, locks, wait=wait, look=look)

    def tell(self, kind: str, name: str, **data: Any) -> None:  # JSON values
        """Emit an event about a certificate."""
        self._emitter.emit(kind, name, data)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that were used so far: for a traceback, or a log of one's own."""
        return self._redactor.redact(text)

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
            with self._redactor.guard_logs(*DRIVEN):
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
    meant = nearest(name, known)
    return ConfigError(
        "certificate-unknown",
        f"There is no certificate named {name} in the configuration.",
        fix=f"Did you mean {meant}?" if meant else f"Known are: {', '.join(known) or 'none'}.",
        evidence={"name": name, "nearest": meant},
    )
