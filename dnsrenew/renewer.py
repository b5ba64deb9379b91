"""The Python API: a configuration, and the operations on its certificates."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base import extensions, threads
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.events import Emitter, Event, Post, ProgramListener
from dnsrenew.base.names import covers
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.validation import check_cancel, check_listener
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.operations import event_log, selection, texts
from dnsrenew.operations import status as statuses
from dnsrenew.renewal.batch import DRIVEN, Batch, LazyServices
from dnsrenew.renewal.due import Run, RunOptions, fingerprint
from dnsrenew.renewal.due_index import DueIndex

if TYPE_CHECKING:
    import ssl

    from dnsrenew.base.model import Certificate, CertificateSpec, CertificateStatus, Diagnosis, Outcome
    from dnsrenew.challenges.http01_server import AppResponses
    from dnsrenew.challenges.leftovers import CleanupResult
    from dnsrenew.operations.accounts import AccountStatus, CaWork
    from dnsrenew.operations.by_hand import ByHand
    from dnsrenew.operations.revoke import Revocation
    from dnsrenew.renewal.services import Services
    from dnsrenew.serving.served import Served
    from dnsrenew.store import Store


class Renewer:
    """Obtains and renews the certificates of a configuration. Thread-safe.

    Its methods block, except :meth:`arenew`. In asyncio, call the others with :func:`asyncio.to_thread`; a cancelled
    ``await`` does not stop a thread: set ``cancel`` too.

    :param config: the certificates, accounts and CAs.
    :param on_event: called with every :class:`Event`, one at a time.
    :param clock: the clock; for tests.
    :param language: the language of the messages of ``[notify]``, ``en`` or ``zh``; None for the language of the
        environment.
    :raises ConfigError: ``config-invalid``: ``on_event`` cannot be called; ``extension-missing``.
    """

    __module__ = "dnsrenew"

    def __init__(
        self,
        config: Config,
        *,
        on_event: Callable[[Event], object] | None = None,
        clock: Clock | None = None,
        language: str | None = None,
    ) -> None:
        self._config = config
        self._language = language
        self._store = selection.store_of(config)
        self._clock = clock or self._store.clock or SystemClock()
        check_listener(on_event)
        self._on_event, self._event_lock = on_event, threading.RLock()
        self._listener, self._emitter = self._new_emitter()
        self._redactor = Redactor()
        self._redactor.add_known(use.secret for use in config.secrets)
        self._served_responses: AppResponses | None = None

    def renew(
        self,
        names: Iterable[str] | None = None,
        *,
        force: bool = False,
        now: bool = False,
        attended: bool = False,
        dry_run: bool = False,
        workers: int = 8,
        wait: float = 0,
        deploy: bool = True,
        cancel: threading.Event | None = None,
    ) -> list[Outcome]:
        """Obtain missing certificates and renew due ones.

        :param names: names of certificates; None for all.
        :param force: renew certificates that are not due too, even if an earlier failure defers them.
        :param now: renew a due certificate even if an earlier failure or the ledger defers it.
        :param attended: a person waits for the result: an earlier failure does not defer a certificate, but a CA that
            asked to wait does, and the ledger does after five failed orders within an hour.
        :param dry_run: use the staging CA: do everything, store nothing.
        :param workers: certificates worked on at once.
        :param wait: seconds to wait for another run that holds a lock.
        :param deploy: also try the deployments that have not succeeded yet.
        :param cancel: set it to stop; published values are withdrawn first. ``renew`` sets it itself if this thread is
            interrupted (Ctrl-C).
        :returns: one outcome for each certificate, in the order of the configuration. An outcome holds every error of
            its certificate, even a cancel or an error of the store.
        :raises ConfigError: ``certificate-unknown``: a name is not in the configuration; ``config-invalid``: ``cancel``
            is not an event. Nothing else is raised, except ``KeyboardInterrupt`` if this thread is interrupted.
        """
        context = self._context(cancel)
        specs = self._chosen(names, context)
        options = RunOptions(
            force=force,
            now=now,
            attended=attended,
            dry_run=dry_run,
            deploy=deploy,
            wait=wait,
            asked_by=statuses.asker(self._config),
            fingerprint=partial(fingerprint, self._config, self._store),
        )
        for use in self._config.secrets:  # each run reads the current values
            use.secret.forget()
        make = partial(self._make_services, context, dry_run=dry_run, wait=wait, attended=attended)
        services = LazyServices(partial(make, responses=self._served_responses))
        try:
            outcomes = Batch(self._config, self._store, services.get, context, options).go(specs, workers)
            if any(outcome.status == "failed" for outcome in outcomes):
                config = replace(self._config, certificates=tuple(specs))
                with self._redactor.guard_logs(*DRIVEN):
                    for diagnosis in extensions.plugged(lambda each: each.diagnosis):
                        diagnosis.explain(context, config, self._store, outcomes, services)
        finally:
            services.close()
        if any(outcome.status == "not-due" for outcome in outcomes):
            found = statuses.obstacles(self._config, self._store, context)
            if found:
                outcomes = [
                    replace(each, warnings=(*each.warnings, *found)) if each.status == "not-due" else each
                    for each in outcomes
                ]
        event_log.log_idle(outcomes)
        if dry_run:
            return outcomes
        return self._tell_listeners(context, specs, outcomes, whole=names is None)

    async def arenew(
        self,
        names: Iterable[str] | None = None,
        *,
        force: bool = False,
        now: bool = False,
        attended: bool = False,
        dry_run: bool = False,
        workers: int = 8,
        wait: float = 0,
        deploy: bool = True,
    ) -> list[Outcome]:
        """Do the same as :meth:`renew`, without holding up the event loop (asyncio or trio).

        Cancelling the task ends it within five seconds; published values are withdrawn first. ``on_event`` is called in
        the thread of the loop.

        :raises ConfigError: as :meth:`renew`.
        """
        cancel, own = threading.Event(), self._telling(threads.poster())
        renew = partial(own.renew, names, force=force, now=now, attended=attended, dry_run=dry_run, workers=workers)
        return await threads.call(partial(renew, wait=wait, deploy=deploy, cancel=cancel), cancel)

    def deploy(
        self,
        names: Iterable[str] | None = None,
        *,
        force: bool = False,
        workers: int = 8,
        wait: float = 0,
        cancel: threading.Event | None = None,
    ) -> list[Outcome]:
        """Deploy the stored certificates to every target that does not have them yet, without a renewal.

        Every target is checked. A target that cannot be checked (``run``, ``webhook``, ``docker``, ``synology``, a
        callable) counts as up to date if its last deployment of this certificate succeeded and each port of ``verify``
        serves it.

        :param names: names of certificates; None for all.
        :param force: activate and verify targets that already have the certificate too.
        :param workers: certificates worked on at once.
        :param wait: seconds to wait for another run that holds a lock.
        :param cancel: set it to stop; programs that were started are stopped too.
        :returns: one outcome for each certificate, with the status ``not-due`` and the results in ``deployed``. An
            outcome holds every error of its certificate.
        :raises ConfigError: ``certificate-unknown``: a name is not in the configuration.
        :raises StoreError: ``store-not-private``: others can change the store.
        """
        from dnsrenew.operations import by_hand  # not needed by other calls

        specs, context = self._chosen(names), self._context(cancel)
        with self._redactor.guard_logs(*DRIVEN):
            return by_hand.deploy_by_hand(
                context, self._checked_store(), specs, force=force, wait=wait, workers=workers
            )

    def csr(self, name: str, *, new: bool = False, wait: float = 0, cancel: threading.Event | None = None) -> str:
        """Return a certificate request (CSR, PEM) for another issuer, for the configured domains and kind of key.

        Its private key stays in the store until :meth:`install` gets the certificate. Until then the same CSR is
        returned.

        :param new: make a new key and CSR; the earlier key is deleted.
        :param wait: seconds to wait for another run that holds the lock of the certificate.
        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: the store cannot be written; ``store-not-private``: others can change it.
        :raises LockedError: another run works on the certificate.
        """
        return self._by_hand(name, cancel).signing_request(new=new, wait=wait).csr_pem

    def install(
        self,
        name: str,
        certificate: bytes,
        key: bytes | None = None,
        *,
        older: bool = False,
        deploy: bool = True,
        wait: float = 0,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Store a certificate of another issuer, and deploy it. The configured CA renews it when it is due.

        :param certificate: the content of its file, with its chain: PEM in any order, DER or PKCS#7.
        :param key: the content of the file of its private key; None for the key in ``certificate``, or the key of
            :meth:`csr`.
        :param older: install it even if it expires before the current certificate.
        :param deploy: also deploy it.
        :param wait: seconds to wait for another run that holds the lock of the certificate.
        :returns: the outcome, ``renewed``; ``not-due`` if it is already the current certificate. Failed deployments are
            in ``deployed``.
        :raises ConfigError: ``certificate-unknown``; ``key-wrong``: the key is missing, encrypted or of a wrong kind;
            ``certificate-older``: it expires before the current certificate.
        :raises CAError: ``certificate-wrong``: it does not fit the key or the domains, is not valid now, is not for
            servers, or its chain is broken; ``evidence["wrong"]`` says which.
        :raises StoreError: the store cannot be written; ``store-not-private``: others can change it.
        :raises LockedError: another run works on the certificate.
        """
        work, asked_by = self._by_hand(name, cancel), statuses.asker(self._config)
        with self._redactor.guard_logs(*DRIVEN):
            return work.install(certificate, key, asked_by=asked_by, older=older, deploy=deploy, wait=wait)

    def rollback(
        self,
        name: str,
        *,
        to: int | None = None,
        deploy: bool = True,
        wait: float = 0,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Make an older version of a certificate the current one, and deploy it.

        It stays until its renewal is due, or until the configuration needs a different certificate. If its renewal time
        has already passed, a new one is computed as if its lifetime began now.

        :param to: the number of the version, as in :attr:`CertificateStatus.versions`; None for the newest other one
            that is valid and not revoked.
        :param deploy: also deploy it.
        :param wait: seconds to wait for another run that holds the lock of the certificate.
        :returns: the outcome, ``rolled-back``; ``not-due`` if the version is already the current one. It holds every
            error; ``rollback-refused``: the version is revoked, not valid now, damaged or no longer kept.
        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: ``store-not-private``: others can change the store.
        """
        work = self._by_hand(name, cancel)
        with self._redactor.guard_logs(*DRIVEN):
            return work.rollback(to, deploy=deploy, wait=wait)

    def status(self, names: Iterable[str] | None = None, *, versions: bool = True) -> list[CertificateStatus]:
        """Return the status of each certificate from the store, without a request to a CA or DNS.

        Configured certificates come first. Certificates that are stored but no longer configured follow
        (``unconfigured``), except certificates that a program obtained. In a fleet, a certificate that is only stored
        is ``unconfigured`` if you name it.

        :param names: names of certificates, or patterns such as ``web-*``; None for all.
        :param versions: also list the stored versions of each certificate.
        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: ``store-not-private``: others can change the store.
        """
        self._store.only_read()
        context, store = self._context(None), self._checked_store()
        names = names if names is None or isinstance(names, str) else list(names)
        orphans = statuses.unconfigured(self._config, store, names)
        if (fleet := self._fleet) is not None:
            found = fleet.chosen_with(names, orphans)
            specs, left, unreadable = found.specs, found.stored, found.unreadable
        else:
            unreadable = []
            chosen = selection.selected(names, [*(spec.name for spec in self._config.certificates), *orphans])
            specs = [spec for spec in self._config.certificates if spec.name in chosen]
            left = [name for name in orphans if name in chosen]
        owed, notices = statuses.port_debts(self._config, store), statuses.obstacles(self._config, store, context)
        run = self._config, store, partial(self._make_services, context), context
        index = DueIndex(Run(*run, RunOptions(asked_by=statuses.asker(self._config))), [] if versions else specs)
        configured = [
            (not (debts := owed(spec.name)) and statuses.settled(spec, store, index))
            or statuses.status_of(spec, store, context, debts, with_versions=versions)
            for spec in specs
        ]
        if notices:
            configured = [replace(each, warnings=(*each.warnings, *notices)) for each in configured]
        configured += [statuses.unreadable_status(each, store, context) for each in unreadable]
        forgotten = [statuses.unconfigured_status(name, orphans[name], store, with_versions=versions) for name in left]
        return [*configured, *forgotten]

    def certificate(self, name: str) -> Certificate:
        """Return the current certificate.

        :raises ConfigError: ``certificate-unknown``: the name is not in the configuration.
        :raises StoreError: ``certificate-missing``: it has not been obtained yet; ``store-not-private``: others can
            change the store.
        """
        spec = self._one(name)
        store = self._checked_store()
        found = store.certificate(spec.name, store.read_state(spec.name))
        if found is None:
            raise StoreError.of(texts.CERTIFICATE_MISSING, name=name)
        store.hold(found)
        return found

    def usable_certificate(self, name: str) -> Certificate | None:
        """Return the current certificate if it is valid for all configured names, not expired and not revoked.

        :raises ConfigError: ``certificate-unknown``.
        """
        spec = self._one(name)
        try:
            store = self._checked_store()
            state = store.read_state(name)
            found = store.certificate(name, state)
        except StoreError:
            return None
        if found is None or state.revoked or found.not_after <= self._clock.now():
            return None
        if not covers(state.identifiers, spec.identifiers):
            return None
        store.hold(found)
        return found

    def serve(self, *names: str) -> Served:
        """Return the certificates of a running server, which are renewed in the background once it is entered.

        :param names: names of certificates, or patterns such as ``web-*``, first the certificate for unknown server
            names. Without a name, all certificates are served.
        :raises ConfigError: ``certificate-unknown``.
        """
        chosen = self._in_order(names)
        self._served_responses = self._responses  # set before the copy is made, which shares them
        own = self._telling(failures=logging.INFO)  # a copy, so that its events can go to an event loop
        return own._serve(chosen)  # noqa: SLF001  # as above

    def _serve(self, names: Sequence[str]) -> Served:
        from dnsrenew.serving import follower, served  # not needed by other calls

        source = follower.CertificateSource(
            names=names,
            obtain=partial(self._obtain, names),
            renew=partial(self._renew_served, names),
            certificate=self.certificate,
            mark=self._store.mark,
            status=partial(self.status, names),
            emit=self._emit,
            post_events=self._post_events,
            redact=self.redact,
            responses=self._responses,
        )
        return served.Served(source, self._clock)

    @property
    def _responses(self) -> AppResponses:
        """The http-01 responses that an app of this program serves, shared by all servers of this object."""
        from dnsrenew.challenges.http01_server import AppResponses

        if self._served_responses is None:
            self._served_responses = AppResponses(self._store.responses, self._clock)
        return self._served_responses

    def _obtain(self, names: Sequence[str], cancel: threading.Event) -> None:
        """Obtain certificates that are missing, expired or revoked. Raise unless each is usable afterwards."""
        missing = [name for name in names if self.usable_certificate(name) is None]
        for outcome in self.renew(missing, wait=event_log.OTHERS, cancel=cancel) if missing else ():
            if outcome.status not in {"renewed", "not-due"}:
                self._usable(outcome)

    def _renew_served(self, names: Sequence[str], cancel: threading.Event) -> list[Outcome]:
        """Renew due certificates, and report how long the certificates of failed renewals are kept."""
        outcomes = self.renew(names, cancel=cancel)
        for outcome in outcomes:
            if outcome.status == "failed":
                event_log.log_kept(outcome, self.usable_certificate(outcome.name), self._emit)
        return outcomes

    def _usable(self, outcome: Outcome) -> Certificate:
        """Return the stored certificate even if its renewal failed, or raise the error that stopped the renewal."""
        return event_log.usable_or_raise(outcome, self.usable_certificate(outcome.name), self._emit)

    def revoke(
        self, name: str, *, reason: str = "unspecified", wait: float = 0, cancel: threading.Event | None = None
    ) -> Revocation:
        """Revoke the current certificate and mark it, so that the next run replaces it (RFC 8555 section 7.6).

        The account signs the request, or the key of the certificate if the CA does not accept the account. An already
        revoked certificate is only marked; this is not an error.

        :param name: a name from the configuration, or of a certificate that is only in the store.
        :param reason: ``unspecified``, ``key-compromise``, ``affiliation-changed``, ``superseded`` or
            ``cessation-of-operation`` (RFC 5280 section 5.3.1).
        :param wait: seconds to wait for another run that holds its lock.
        :raises ConfigError: ``certificate-unknown``, ``reason-unknown``; ``ca-unknown``: its CA is not configured, or
            it was installed by hand.
        :raises StoreError: ``certificate-missing``, or the store cannot be written.
        :raises LockedError: another run works on the certificate.
        :raises CAError: the CA did not revoke it.
        :raises Cancelled: the run was cancelled; the certificate may or may not be revoked.
        """
        context = self._context(cancel).for_certificate(name)
        try:
            self._one(name)
        except ConfigError:
            if name not in self._checked_store().names():
                raise
        with self._at_cas(context) as work:
            return work.revoke(name, reason=reason, wait=wait)

    def accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Return the accounts as the CAs report them, without creating any.

        :param cas: names of CAs; None for all CAs with a stored account.
        :raises ConfigError: ``ca-unknown``.
        """
        with self._at_cas(self._context(cancel)) as work:
            return work.accounts(cas)

    def roll_accounts(
        self, cas: Iterable[str] | None = None, *, compromised: bool = False, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Replace the account keys (RFC 8555 section 7.3.5); arguments as for :meth:`accounts`. A crash loses no key.

        :param compromised: others may have the key. If the CA has closed the account for that, or does not support key
            changes, a new account replaces it, with a new URL and the warning ``account-replaced``.
        :raises Cancelled: the run was cancelled; both keys are kept, and the next use finds out which one is valid.
        """
        with self._at_cas(self._context(cancel)) as work:
            return work.roll(cas, compromised=compromised)

    def update_contacts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Send the configured contact to the CAs now (RFC 8555 section 7.3.2); arguments as for :meth:`accounts`.

        Without this call, the next order at a CA sends it.

        :raises ConfigError: ``ca-unknown``.
        """
        with self._at_cas(self._context(cancel)) as work:
            return work.update_contacts(cas)

    def deactivate_accounts(
        self, cas: Iterable[str] | None = None, *, cancel: threading.Event | None = None
    ) -> list[AccountStatus]:
        """Close the accounts permanently (RFC 8555 section 7.3.6); arguments as for :meth:`accounts`.

        Certificates stay valid. The keys are deleted, and the next order at a CA creates a new account.

        :raises ConfigError: ``ca-unknown``.
        """
        with self._at_cas(self._context(cancel)) as work:
            return work.deactivate(cas)

    def diagnose(
        self, name: str, *, probe: bool = False, record: bool = False, cancel: threading.Event | None = None
    ) -> Diagnosis:
        """Find out whether a certificate can be renewed now, by which route, and if it cannot, why.

        It looks at this machine, its network, DNS, the CA and the store, for at most 15 seconds, and orders nothing.

        :param probe: also write a test value to DNS with each account and remove it. This may take as long as the
            propagation of the value.
        :param record: keep the result in the store, for the ``changes`` of later diagnoses.
        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: ``record`` is set, and the store cannot be written; the database of a fleet cannot be read.
        :raises Cancelled: the run was cancelled.
        """
        (found,) = self.diagnose_all([self._one(name).name], probe=probe, record=record, cancel=cancel)
        return found

    def diagnose_all(
        self,
        names: Iterable[str] | None = None,
        *,
        probe: bool = False,
        record: bool = False,
        cancel: threading.Event | None = None,
    ) -> list[Diagnosis]:
        """Return a diagnosis for each certificate; as :meth:`diagnose`, within the same 15 seconds for all.

        :param names: names of certificates, or patterns such as ``web-*``; None for all. In a fleet, None means twenty
            certificates: failing ones first, then the ones due first.
        :raises ConfigError: as :meth:`diagnose`.
        """
        diagnosis: event_log.DiagnosisMaker | None = next(extensions.plugged(lambda each: each.diagnosis), None)
        if diagnosis is None:
            raise extensions.missing("diagnose", "doctor")
        context = self._context(cancel)
        fleet = self._fleet if names is None else None
        specs = self._chosen(names, context) if fleet is None else fleet.examined(context.warn)
        with self._redactor.guard_logs(*DRIVEN):
            return diagnosis.diagnose(context, self._config, self._store, specs, probe=probe, record=record)

    def cleanup(self, *, wait: float = 0, cancel: threading.Event | None = None) -> CleanupResult:
        """Remove the TXT values that interrupted runs left in DNS.

        The journal names the values and the account that wrote each one. Before that, ``after`` programs that
        interrupted runs did not reach are run. Old http-01 responses of routes with ``app = true`` are removed from the
        store too.

        :param wait: seconds to wait for another cleanup, and for a run that uses the same single-value name or zone.
        :raises LockedError: another cleanup is running.
        :raises StoreError: the journal cannot be read.
        :raises Cancelled: the run was cancelled; values that were already removed are deleted from the journal.
        """
        from dnsrenew.operations import by_hand  # rarely needed

        store, context = self._checked_store(), self._context(cancel)
        return by_hand.clean_up(self._config, store, context, self._responses, self._working, wait=wait)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that were used so far, for example for a traceback or a log."""
        return self._redactor.redact(text)

    def _telling(self, post: Post | None = None, *, failures: int = logging.WARNING) -> Self:
        """Return a copy of this renewer that posts events with ``post`` and logs failures at level ``failures``."""
        own, (listener, emitter) = copy.copy(self), self._new_emitter(post, failures)
        vars(own).update(_listener=listener, _emitter=emitter)
        return own

    def _new_emitter(
        self, post: Post | None = None, failures: int = logging.WARNING
    ) -> tuple[ProgramListener | None, Emitter]:
        listener = None if self._on_event is None else ProgramListener(self._on_event, self._event_lock, post)
        return listener, Emitter(self._clock, event_log.EventLog(failures), *([listener] if listener else []))

    def _post_events(self, post: Post | None) -> None:
        if self._listener is not None:
            self._listener.post = post

    def _emit(self, kind: str, name: str, **data: Any) -> None:  # JSON values
        """Emit an event about a certificate."""
        self._emitter.emit(kind, name, data)

    # ── the run ─────────────────────────────────────────────────────────────────────────

    def _tell_listeners(
        self, context: Context, specs: Sequence[CertificateSpec], outcomes: list[Outcome], *, whole: bool
    ) -> list[Outcome]:
        """Write metrics and send notifications; return the outcomes, with warnings about failed ones."""
        config, store, language = self._config, self._store, self._language
        if config.metrics is None and config.notify is None:
            return outcomes
        run = event_log.FinishedRun(
            config=config, store=store, context=context, specs=specs, outcomes=outcomes, whole=whole, language=language
        )
        listeners: list[event_log.RunListener] = [*extensions.plugged(lambda each: each.listener)]
        if not listeners:
            error = extensions.missing("[notify]" if config.notify else "[metrics]", "watch")
            before = len(context.notices)
            context.warn_of(error)
            return run.warned_since(before)
        with self._redactor.guard_logs(*DRIVEN):
            for listener in listeners:
                run = replace(run, outcomes=listener.after_run(run))
        return run.outcomes

    @property
    def _fleet(self) -> selection.SharedCertificates | None:
        """The certificates of the fleet and of the configuration tables; None if the store is a folder."""
        return selection.shared_certificates(self._config, self._store)

    def _chosen(self, names: Iterable[str] | None, context: Context | None = None) -> list[CertificateSpec]:
        if (fleet := self._fleet) is not None:
            return fleet.chosen(names, None if context is None else context.warn)
        chosen = selection.selected(names, [spec.name for spec in self._config.certificates])
        return [spec for spec in self._config.certificates if spec.name in chosen]

    def _one(self, name: str) -> CertificateSpec:
        """Return the certificate of this name (not a pattern)."""
        if (fleet := self._fleet) is not None:
            return fleet.one(name)
        found = next((spec for spec in self._config.certificates if spec.name == name), None)
        if found is None:
            known = [spec.name for spec in self._config.certificates]
            raise selection.unknown_certificate(name, known, patterns=False)
        return found

    def _in_order(self, names: Sequence[str]) -> tuple[str, ...]:
        """Expand names and patterns, in order, without duplicates. No names means all."""
        groups = [[name] for name in names] if names else [None]
        return tuple(dict.fromkeys(spec.name for group in groups for spec in self._chosen(group)))

    @contextlib.contextmanager
    def _working(self, context: Context) -> Iterator[Services]:
        """Yield the services for one operation, and close their connections afterwards."""
        self._checked_store()
        services = self._make_services(context)
        try:
            with self._redactor.guard_logs(*DRIVEN):
                yield services
        finally:
            services.close()

    @contextlib.contextmanager
    def _at_cas(self, context: Context) -> Iterator[CaWork]:
        from dnsrenew.operations.accounts import CaWork  # rarely needed

        with self._working(context) as services:
            yield CaWork(self._config, services, context)

    def _by_hand(self, name: str, cancel: threading.Event | None) -> ByHand:
        from dnsrenew.operations.by_hand import ByHand  # rarely needed

        spec, context = self._one(name), self._context(cancel).for_certificate(name)
        return ByHand(spec, self._checked_store(), context)

    def _make_services(self, context: Context, **options: Any) -> Services:
        from dnsrenew.renewal.services import make_services  # slow to load, and not needed while nothing is due

        return make_services(self._config, self._store, context, **options)

    def _checked_store(self) -> Store:
        """Return the store for one operation.

        :raises StoreError: ``store-not-private``: others can change it.
        """
        self._store.check_ground()
        return self._store

    def _context(self, cancel: threading.Event | None) -> Context:
        check_cancel(cancel)
        return Context(
            clock=self._clock, cancel=cancel or threading.Event(), redactor=self._redactor, emitter=self._emitter
        )


def ssl_context_factory(
    name: str | None = None, *, config: str | os.PathLike[str] | None = None
) -> Callable[[Any, Any], ssl.SSLContext]:
    """Return a picklable factory for ``ssl_context_factory`` of uvicorn and ``ssl_context`` of gunicorn.

    The first call in each process reads ``dnsrenew.toml`` and enters :meth:`Renewer.serve`. All calls return the
    context of that process. So any number of worker processes serve the newest certificate, and one of them renews.

    :param name: the name of the certificate, or a pattern; None for all, selected by the server name (SNI).
    :param config: the path of the configuration; None to search as the command ``dnsrenew`` does.
    :returns: a callable that takes the configuration of the server, and a second argument that it does not use; it
        raises the errors of :meth:`Config.find`, of :meth:`Renewer.serve` and of entering.
    """
    path = None if config is None else os.path.abspath(config)
    return partial(_live_context, name, path)


ssl_context_factory.__module__ = "dnsrenew"

_SERVED: Final[dict[tuple[str | None, str | None], Served]] = {}
"""The servers that :func:`ssl_context_factory` has started in this process."""


def _live_context(name: str | None, path: str | None, config: Any, default: Any = None) -> ssl.SSLContext:
    key = name, path
    if key not in _SERVED:
        made = Renewer(Config.find(path)).serve(*([] if name is None else [name]))
        _SERVED.setdefault(key, made)  # another thread may have been faster
    return _SERVED[key].ssl_context_factory(config, default)
