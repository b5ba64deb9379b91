"""One run over many certificates: which are due, in which threads they are renewed, and their outcomes in order."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import Cancelled, DnsRenewError, LockedError, SecretError, StoreError, about
from dnsrenew.renewal import due, history
from dnsrenew.renewal.due import Due, Run, check_due, why
from dnsrenew.renewal.due_index import DueIndex

if TYPE_CHECKING:
    from dnsrenew.renewal.renew import Renewals
    from dnsrenew.renewal.services import Services
    from dnsrenew.store import State

DRIVEN: Final = ("dnsrenew", "urllib3", "requests", "acme", "josepy", "tldextract", "filelock", "dns")
"""Our loggers and the loggers of the libraries, whose lines are redacted during a run."""

_DAY: Final = timedelta(days=1)

_logger = logging.getLogger("dnsrenew.renewal.batch")


class LazyServices:
    """Creates the services when they are first needed, once for all threads."""

    def __init__(self, make: Callable[[], Services]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Services | None = None

    def get(self) -> Services:
        """Return the services."""
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value

    def close(self) -> None:
        """Close all connections, if any were opened."""
        with self._lock:
            if self._value is not None:
                self._value.close()


class Batch(Run):
    """One run over many certificates: selects the due ones, and returns the outcome of each."""

    def go(self, specs: Sequence[CertificateSpec], limit: int) -> list[Outcome]:
        """Clean up after interrupted runs, poll renewal information, renew; return the outcomes in order.

        :param limit: the number of certificates renewed at once.
        """
        try:
            self.store.check_ground()
        except (StoreError, SecretError) as error:  # the password of a database is a secret
            return [self._refused(spec, error) for spec in specs]
        try:
            self.store.close_root()
        except StoreError as error:
            self.context.warn_of(error)
        self.clean_up()
        found = self._check_all(specs)
        waiting = [(spec, one) for spec, one in zip(specs, found, strict=True) if not isinstance(one, Outcome)]
        if not waiting:
            return [one for one in found if isinstance(one, Outcome)]
        self.context.emit("run-started", certificates=[spec.name for spec, _ in waiting])
        with self.context.redactor.guard_logs(*DRIVEN):
            renewed = iter(self._renewals().go(waiting, limit))
        outcomes = [one if isinstance(one, Outcome) else next(renewed) for one in found]
        self.context.emit("run-finished", statuses=dict(Counter(one.status for one in outcomes)))
        return outcomes

    def _refused(self, spec: CertificateSpec, error: DnsRenewError) -> Outcome:
        """Return the outcome of a certificate in a store that others can change, without reading from the store."""
        refused = Outcome(name=spec.name, status="failed", reason=None, domains=spec.domains, error=error)
        self.context.for_certificate(spec.name).emit("certificate-finished", **refused.to_dict())
        return refused

    def one(self, spec: CertificateSpec) -> Outcome:
        """Do the same for one certificate, for a caller that checks the store's path and cleans up by itself."""
        (found,) = self._check_all([spec])
        if isinstance(found, Outcome):
            return found
        with self.context.redactor.guard_logs(*DRIVEN):
            done = self._renewals().renew(spec, found)
        if done.status != "locked":  # the caller checks again and again
            self.context.for_certificate(spec.name).emit("certificate-finished", **done.to_dict())
        return done

    def clean_up(self) -> None:
        """Run the ``after`` programs of interrupted runs, and remove their TXT values. An error stops no renewal."""
        if self.store.has_journal:
            with self.context.redactor.guard_logs(*DRIVEN):
                self._renewals().clean_up()

    def _renewals(self) -> Renewals:
        from dnsrenew.renewal.renew import Renewals  # slow to load, and not needed while nothing is due

        return Renewals(**vars(self))

    # ── what is due, before the locks ───────────────────────────────────────────────────

    def _check_all(self, specs: Sequence[CertificateSpec]) -> list[Due | Outcome | None]:
        """Return for each certificate why it is due, or its outcome, or None if its state cannot be read now.

        Only the states to poll are in memory at once.
        """
        now, polled, index = self.context.clock.now(), {}, DueIndex(self, specs)
        found: list[Due | Outcome | None] = []
        for spec in specs:
            if (known := index.outcome(spec)) is not None:
                found.append(known)
                continue
            mark, state = index.mark(spec.name), self._read(spec)
            if state is not None and self._is_polled(spec, state, now):
                polled[spec.name] = state
                found.append(None)
            else:
                found.append(self._check(spec, state))
                index.note(spec, mark, state, found[-1])
        index.save()
        if not polled:
            return found
        polled |= self._poll(polled)
        pairs = zip(specs, found, strict=True)
        return [self._check(spec, polled[spec.name]) if spec.name in polled else one for spec, one in pairs]

    def _read(self, spec: CertificateSpec) -> State | None:
        try:
            return self.store.read_state(spec.name)
        except StoreError:
            return None  # the renewal of this certificate meets the error again, and reports it

    def _check(self, spec: CertificateSpec, state: State | None) -> Due | Outcome | None:
        if state is None:
            return None
        try:
            found = check_due(spec, state, self.store, self.context, self.options)
            if isinstance(found, Outcome) and self.store.repair(spec.name, state, self.context):
                state = self.store.read_state(spec.name)
                found = check_due(spec, state, self.store, self.context, self.options)
            if isinstance(found, Due):
                return found
            if self._is_asker_news(state):
                self._note_asker(spec, state)
            if found.status == "not-due" and state.last_failure is not None:
                self._forget_failure(spec, state)
            return self._check_deployed(spec, state, found) if spec.deploy else found
        except StoreError:
            return None  # as in _read

    def _is_asker_news(self, state: State) -> bool:
        """Return whether to record the asker of the certificate: after a change, and for a program once a day."""
        if state.asked_by != self.options.asked_by:
            return True
        if state.asked_by:
            return False
        before, now = state.asked_at, self.context.clock.now()
        return before is None or not before <= now < before + _DAY

    def _note_asker(self, spec: CertificateSpec, state: State) -> None:
        """Record the present asker of the certificate, so that ``status`` and ``remove`` know whether it is used."""
        if self.options.dry_run or state.version is None or state.rebuilt:
            return
        asked_by, now = self.options.asked_by, self.context.clock.now()
        self._note(spec, lambda old: old.asked(asked_by, now))

    def _forget_failure(self, spec: CertificateSpec, state: State) -> None:
        """Forget the last failure of a certificate that is good again. The waits that a CA asked for remain."""
        if history.was_asked_to_wait(state) and history.deferred_until(state, self.context.clock.now()) is not None:
            return
        self._note(spec, lambda old: old.recovered() if old.last_failure == state.last_failure else old)

    def _note(self, spec: CertificateSpec, change: Callable[[State], State]) -> None:
        """Change the stored state, unless another run holds the lock or it cannot be written. It is not essential."""
        with contextlib.suppress(StoreError, LockedError, Cancelled), self.store.lock(spec.name, context=self.context):
            self.store.update(spec.name, change, sync=False)

    def _check_deployed(self, spec: CertificateSpec, state: State, found: Outcome) -> Outcome | None:
        """Return the outcome with the results of its deployments, or None if one is pending or may have changed."""
        from dnsrenew.renewal import deploying  # few certificates are deployed

        if not self.options.deploy or self.options.dry_run:
            return found
        results = deploying.settled(spec, state, self.store)
        return None if results is None else replace(found, deployed=results)

    def _is_polled(self, spec: CertificateSpec, state: State, now: datetime) -> bool:
        """Return whether to poll the renewal information (RFC 9773): if it is not due, and this is not a dry run."""
        is_poll_due = due.is_poll_due(state, now) and state.ca in self.config.cas and not self.options.dry_run
        return is_poll_due and not self._is_due(spec, state)

    def _poll(self, polled: Mapping[str, State]) -> dict[str, State]:
        """Poll the renewal information of certificates; return their new states."""
        from dnsrenew.renewal.renewal_info import poll  # as Renewals

        try:
            return poll(polled, self.store, self.get_services().ca, self.context)
        except Exception as error:  # noqa: BLE001  # it stops no renewal: a real problem occurs again, and is reported
            redacted = self.context.redactor.redact(repr(error))
            _logger.debug("renewal information was not polled: %s", redacted)
            return {}

    def _is_due(self, spec: CertificateSpec, state: State) -> bool:
        try:
            return why(spec, state, self.store, self.context, self.options) is not None
        except StoreError:
            return True  # unknown


# ── after run ──────────────────────────────────────────────────────────────────────────

# What follows from the outcomes of a run: the exit status of the command, and the next run of a running one.

INTERVAL: Final = 43_200.0
"""Seconds between two runs if no certificate is due earlier: twice a day."""

_SHORTEST: Final = timedelta(minutes=1)
"""Seconds before the next run after a failure, or for a certificate that is due again right after its renewal."""
_SOONEST: Final = timedelta(seconds=1)
"""Seconds before the next run for a future renewal time, because some certificates are valid for seconds."""
_PART_OF_LIFETIME: Final = 10
_AFTER_A_FAILURE: Final = timedelta(hours=1)
_AFTER_A_LOCK: Final = timedelta(minutes=10)


class NextRun(Frozen):
    """The next run.

    :ivar name: the certificate that is due then; None at the end of the interval.
    """

    time: datetime
    name: str | None = None


def next_run(outcomes: Sequence[Outcome] | None, now: datetime, interval: float = INTERVAL) -> NextRun:
    """Return the next run: when a certificate is due or can be tried again, at most one interval from now.

    :param outcomes: the outcomes of the last run; None if it failed as a whole.
    :param interval: the interval in seconds.
    """
    last = now + timedelta(seconds=interval)
    if outcomes is None:
        return NextRun(min(last, now + _AFTER_A_FAILURE))
    times = [(time, outcome.name) for outcome in outcomes if (time := _time(outcome, now)) is not None]
    first, name = min(times, default=(last, None))
    if first >= last:
        return NextRun(last)
    return NextRun(first, name)


def _time(outcome: Outcome, now: datetime) -> datetime | None:
    """Return when this certificate is due or can be tried again; None if unknown."""
    if outcome.status == "locked":
        return now + _AFTER_A_LOCK
    if outcome.status in ("failed", "deferred", "interrupted"):
        return max(outcome.next_attempt or now + _AFTER_A_FAILURE, now + _SHORTEST)
    if any(not result.ok for result in outcome.deployed):
        return now + _AFTER_A_FAILURE
    if outcome.next_renewal is None:
        return None
    return max(outcome.next_renewal, now + (_SOONEST if outcome.next_renewal > now else _pause(outcome)))


def _pause(outcome: Outcome) -> timedelta:
    """Return the pause before a certificate that is already due: a minute, or less for a lifetime of minutes.

    So a certificate that is due right after every renewal is not renewed without a pause.
    """
    if outcome.not_before is None or outcome.not_after is None:
        return _SHORTEST
    part = (outcome.not_after - outcome.not_before) / _PART_OF_LIFETIME
    return min(max(part, _SOONEST), _SHORTEST)


# ── exit status ────────────────────────────────────────────────────────────────────────


def needs_attention(outcome: Outcome, now: datetime) -> bool:
    """Return whether a certificate failed, is not deployed, or is deferred.

    It does not count if the CA itself asked to wait and a valid certificate exists.
    """
    if outcome.status == "failed" or any(not result.ok for result in outcome.deployed):
        return True
    if outcome.status != "deferred":
        return False
    return not (asked_by_ca(outcome) and outcome.not_after is not None and outcome.not_after > now)


def asked_by_ca(outcome: Outcome) -> bool:
    """Return whether the CA asked to wait. The ledger also defers orders that the CA would refuse."""
    errors = [error for error in (outcome.error, *(attempt.error for attempt in outcome.attempts)) if error is not None]
    by_ledger = any(error.code == "ca-ledger" and about(error).limit != "retry-after" for error in errors)
    return not by_ledger and getattr(outcome.error, "retry_after", None) is not None


def exit_status(outcomes: Sequence[Outcome], now: datetime, interrupted: int | None = None) -> int:
    """Return the exit status for the outcomes.

    :param interrupted: the exit status for the signal that interrupted the run.
    """
    statuses = {outcome.status for outcome in outcomes}
    if "interrupted" in statuses:
        return interrupted or 130
    if any(needs_attention(outcome, now) for outcome in outcomes):
        return 1
    return 3 if "locked" in statuses else 0
