"""Many certificates: who is due, in which threads, in which order the outcomes come back."""

from __future__ import annotations

import difflib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew import due, workers
from dnsrenew.clock import Clock, SystemClock
from dnsrenew.context import Context
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.events import Emitter, Event
from dnsrenew.model import Certificate, CertificateSpec, Outcome, rfc3339
from dnsrenew.renewal import Services, look, outcome, renew_certificate
from dnsrenew.secrets import Redactor
from dnsrenew.store import Store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.ca import CAClient
    from dnsrenew.config import Config

_DRIVEN = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "lexicon", "tldextract", "filelock", "dns")
"""Loggers, ours and those of libraries we drive, whose lines are cleaned of secrets during a run."""

_LAST_SECONDS = 5.0
"""After a cancel, each certificate has so long to put back what it had published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """What ``dnsrenew status`` says of one certificate; fields as in its JSON."""

    name: str
    domains: tuple[str, ...]
    ca: str
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    state: str
    next_renewal: datetime | None
    reason: str
    last_failure: dict[str, Any] | None
    next_attempt: datetime | None
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form = {name: getattr(self, name) for name in self.__slots__}
        for name in ("not_before", "not_after", "next_renewal", "next_attempt"):
            form[name] = rfc3339(form[name])
        form["domains"] = list(self.domains)
        form["path"] = None if self.path is None else str(self.path)
        return form


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
        now: bool = False,  # noqa: ARG002  # overrides a remembered failure; nothing is remembered yet
        workers: int = 8,
        wait: float = 0,
        cancel: threading.Event | None = None,
    ) -> list[Outcome]:
        """Obtain what is missing and renew what is due.

        :param names: certificates to look at; None: all.
        :param force: renew also what is not due.
        :param workers: certificates worked on at once.
        :param wait: seconds to wait for another run that holds a lock.
        :param cancel: set it to stop; what was published is withdrawn first.
        :returns: one outcome for each certificate, in the order of the configuration.
        :raises ConfigError: ``certificate-unknown``: a name is not in the configuration.
        """
        specs = self._chosen(names)
        context = self._context(cancel)
        services = _Once(partial(make_services, self._config, self._store, context))
        outcomes = [None if force else self._glance(spec, context) for spec in specs]
        due_specs = [spec for spec, done in zip(specs, outcomes, strict=True) if done is None]
        if due_specs:
            context.emit("run-started", certificates=[spec.name for spec in due_specs])
            with self._redactor.guard_logs(*_DRIVEN):
                renewed = iter(self._renew_all(due_specs, services.get, context, workers, force=force, wait=wait))
            outcomes = [done or next(renewed) for done in outcomes]
        finished = [done for done in outcomes if done is not None]
        if due_specs:
            context.emit("run-finished", statuses=dict(Counter(done.status for done in finished)))
        return finished

    def status(self, names: Iterable[str] | None = None) -> list[CertificateStatus]:
        """Return what stands in the store for each certificate; asks nobody.

        :raises ConfigError: ``certificate-unknown``.
        """
        context = self._context(None)
        return [self._status(spec, context) for spec in self._chosen(names)]

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

    def tell(self, kind: str, name: str, **data: Any) -> None:  # JSON values
        """Emit an event about a certificate."""
        self._emitter.emit(kind, name, data)

    # ── one certificate ─────────────────────────────────────────────────────────────────

    def _glance(self, spec: CertificateSpec, context: Context) -> Outcome | None:
        """Return the outcome of what is not due, without a thread or a lock; None for the others."""
        try:
            state, reason = look(spec, self._store, context)
        except StoreError:
            return None  # it is met again, and told, in its own turn
        if reason is not None or state is None:
            return None
        self._store.mend(spec.name, state, context)
        return outcome(spec, self._store, state, "not-due", context)

    def _renew_all(
        self,
        specs: Sequence[CertificateSpec],
        services: Callable[[], Services],
        context: Context,
        limit: int,
        *,
        force: bool,
        wait: float,
    ) -> list[Outcome]:
        calls = [
            partial(self._renew_one, spec, services, context.for_certificate(spec.name), force=force, wait=wait)
            for spec in specs
        ]
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
        self, spec: CertificateSpec, services: Callable[[], Services], context: Context, *, force: bool, wait: float
    ) -> Outcome:
        done = renew_certificate(spec, services, self._store, context, force=force, wait=wait)
        context.emit("certificate-finished", **done.to_dict())
        return done

    def _status(self, spec: CertificateSpec, context: Context) -> CertificateStatus:
        state, reason = look(spec, self._store, context)
        stands = state is not None and state.version is not None and reason != "missing"
        word = {None: "valid", "missing": "missing", "expired": "expired"}.get(reason, "due")
        return CertificateStatus(
            name=spec.name,
            domains=spec.domains,
            ca=state.ca if stands and state else spec.ca,
            issuer=state.issuer if stands and state else None,
            serial=state.serial if stands and state else None,
            not_before=state.not_before if stands and state else None,
            not_after=state.not_after if stands and state else None,
            state=word,
            next_renewal=due.next_renewal(spec, state) if stands else None,
            reason=reason or "renew-before",
            last_failure=None if state is None else state.last_failure,
            next_attempt=None if state is None else state.next_attempt,
            path=self._store.current(spec.name) if stands else None,
        )

    # ── the run ─────────────────────────────────────────────────────────────────────────

    def _chosen(self, names: Iterable[str] | None) -> list[CertificateSpec]:
        if names is None:
            return list(self._config.certificates)
        wanted = list(names)
        known = {spec.name: spec for spec in self._config.certificates}
        for name in wanted:
            if name not in known:
                raise _unknown(name, list(known))
        return [spec for spec in self._config.certificates if spec.name in wanted]

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


class _Once:
    """Makes a value when it is first wanted, once, whichever thread wants it."""

    def __init__(self, make: Callable[[], Services]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Services | None = None

    def get(self) -> Services:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value


def make_services(config: Config, store: Store, run: Context) -> Services:
    """Return what a run works with: one look at DNS, one client for each CA."""
    from dnsrenew.ca import CAClient  # slow to import: nothing due needs none of them
    from dnsrenew.challenges.dns01 import Dns01
    from dnsrenew.dns import DnsView
    from dnsrenew.http import HttpClient

    clients: dict[str, CAClient] = {}
    lock = threading.Lock()

    def client(name: str) -> CAClient:
        with lock:
            if name not in clients:
                ca = config.cas[name]
                clients[name] = CAClient(
                    ca,
                    HttpClient(trust=ca.trust),
                    store.accounts(ca.directory, name, run),
                    contact=config.contact,
                    agree_terms=config.agree_terms,
                )
            return clients[name]

    def lock_zone(context: Context, zone: str) -> AbstractContextManager[None]:
        return store.lock_zone(zone, context=context)

    dns01 = Dns01(DnsView(config.resolver, HttpClient), config.accounts, config.providers, lock_zone)
    return Services(store, dns01, client)
