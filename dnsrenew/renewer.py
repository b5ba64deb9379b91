"""Many certificates: who is due, in which threads, in which order the outcomes come back."""

from __future__ import annotations

import difflib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew import due, memory, workers
from dnsrenew.clock import Clock, SystemClock
from dnsrenew.context import Context
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.events import Emitter, Event
from dnsrenew.model import Certificate, CertificateSpec, Outcome, rfc3339
from dnsrenew.renewal import Services, Wishes, glance, renew_certificate, why
from dnsrenew.secrets import Redactor
from dnsrenew.store import State, Store
from dnsrenew.wishes import ask, is_to_be_asked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.ca import CAClient
    from dnsrenew.config import Config
    from dnsrenew.model import CA
    from dnsrenew.store.ledger import Ledger

_DRIVEN = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "lexicon", "tldextract", "filelock", "dns")
"""Loggers, ours and those of libraries we drive, whose lines are cleaned of secrets during a run."""

_logger = logging.getLogger("dnsrenew.renewer")

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
        wishes = Wishes(force=force, now=now, rehearse=dry_run, wait=wait, edition=self._config.edition)
        services = _Once(partial(make_services, self._config, self._store, context, rehearse=dry_run))
        try:
            states = {spec.name: self._read(spec) for spec in specs}
            states |= self._ask_wishes(states, services.get, context)
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
        self, states: Mapping[str, State | None], services: Callable[[], Services], context: Context
    ) -> dict[str, State]:
        """Ask the CAs when they would like certificates renewed, where the time for that has come."""
        now = context.clock.now()
        asked = {
            name: state
            for name, state in states.items()
            if state is not None and state.ca in self._config.cas and is_to_be_asked(state, now)
        }
        if not asked:
            return {}
        try:
            ask(asked, services(), context)
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

    def _status(self, spec: CertificateSpec, context: Context) -> CertificateStatus:
        try:
            state = self._store.read_state(spec.name)
            reason = why(spec, self._store, state, context, Wishes())
        except StoreError as error:  # of this one: the others can be told of
            failure = {"time": rfc3339(self._clock.now()), "code": error.code, "message": error.message}
            state, reason = replace(State(), last_failure=failure), "missing"
        stands = state.version is not None and reason != "missing"
        words = {None: "valid", "missing": "missing", "expired": "expired", "revoked": "revoked"}
        return CertificateStatus(
            name=spec.name,
            domains=spec.domains,
            ca=state.ca or spec.ca,
            issuer=state.issuer if stands else None,
            serial=state.serial if stands else None,
            not_before=state.not_before if stands else None,
            not_after=state.not_after if stands else None,
            state=words.get(reason, "due"),
            next_renewal=due.next_renewal(spec, state) if stands else None,
            reason=reason or due.next_reason(spec, state),
            last_failure=None if state.last_failure is None else dict(state.last_failure),
            next_attempt=memory.deferred_until(state, self._clock.now()),
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

    def close(self) -> None:
        if self._value is not None:
            self._value.close()


def make_services(config: Config, store: Store, run: Context, *, rehearse: bool = False) -> Services:
    """Return what a run works with: one look at DNS, one client for each CA."""
    from dnsrenew.ca import CAClient  # slow to import: nothing due needs none of them
    from dnsrenew.challenges.dns01 import Dns01
    from dnsrenew.challenges.http01 import Http01
    from dnsrenew.challenges.mix import Challenges
    from dnsrenew.dns import DnsView
    from dnsrenew.http import HttpClient

    clients: dict[str, CAClient] = {}
    connections: list[HttpClient] = []
    lock = threading.Lock()

    def connect(trust: Path | str | None = None) -> HttpClient:
        connections.append(HttpClient(trust=trust))
        return connections[-1]

    def close() -> None:
        for connection in connections:
            connection.close()

    def client(name: str) -> CAClient:
        with lock:
            if name not in clients:
                ca = config.cas[name]
                clients[name] = CAClient(
                    ca,
                    connect(ca.trust),
                    store.accounts(ca.directory, name, run),
                    contact=config.contact,
                    agree_terms=config.agree_terms,
                )
            return clients[name]

    def ledger(name: str) -> Ledger:
        return store.ledger(config.cas[name].directory, name, run)

    def lock_zone(context: Context, zone: str) -> AbstractContextManager[None]:
        return store.lock_zone(zone, context=context)

    dns = DnsView(config.resolver, connect)
    challenges = Challenges(Dns01(dns, config.accounts, config.providers, lock_zone), Http01())
    authority = Twins(config.cas) if rehearse else _Itself()
    return Services(store, dns, challenges, client, ledger, authority, close)


class _Itself(dict[str, str]):
    """The CA that is really asked, outside a rehearsal: the one that is named."""

    def __missing__(self, name: str) -> str:
        return name


class Twins(dict[str, str]):
    """The staging twin of each CA, for a rehearsal.

    :raises ConfigError: ``no-staging``, when one is asked for that has none.
    """

    def __init__(self, authorities: Mapping[str, CA]) -> None:
        super().__init__()
        self._authorities = authorities

    def __missing__(self, name: str) -> str:
        twin = self._authorities[name].staging
        if twin is None:
            raise ConfigError(
                "no-staging",
                f"There is no staging CA to rehearse {name} with.",
                fix=f'Name one with staging = "…" in [ca.{name}].',
                evidence={"ca": name},
            )
        return twin
