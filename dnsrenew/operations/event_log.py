"""Logs the events of a run on the logger ``dnsrenew``, for programs that do not listen to events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from dnsrenew.base import model
from dnsrenew.base.clock import Clock
from dnsrenew.base.events import Event
from dnsrenew.base.model import Outcome, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, DnsRenewError, StoreError, short_time
from dnsrenew.operations import texts
from dnsrenew.renewal import due
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.store import Store

_UNFIT: Final = frozenset({"missing", "expired", "revoked", "changed"})
"""Reasons to renew a certificate that is unusable or does not match the configuration."""

_logger = logging.getLogger("dnsrenew")


class EventLog:
    """A listener that logs information for later (INFO) and problems that need a person (WARNING).

    The lines are always English, like the messages of Python exceptions. A repeated warning is logged once. Events come
    one at a time.

    :param failures: the level of a failed renewal that needs a person. It is lower if the caller reports or raises the
        failure.
    """

    def __init__(self, failures: int = logging.WARNING) -> None:
        self._failures = failures
        self._waiting: set[str | None] = set()
        self._warned: set[tuple[str | None, str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Log one event if it deserves a line."""
        name, data = event.certificate, event.data
        match event.kind:
            case "certificate-finished":
                self._waiting.discard(name)
                _log_outcome(name, data, self._failures if _needs_person(data, event.time) else logging.INFO)
            case "dns-waiting" if name not in self._waiting:  # one comes for every change, and every few seconds
                if late := sum(server["state"] == "waiting" for server in data["servers"]):
                    self._waiting.add(name)
                    _logger.info("%s: waiting for %d name server%s", name, late, "" if late == 1 else "s")
            case "dns-visible" | "route-failed":
                self._waiting.discard(name)
            case "caches-waiting":
                _logger.info("%s: waiting %.0f s for the caches of the CA", name, data["seconds"])
            case "lock-waiting":
                waiting, pid, host = name or data["what"], data.get("pid"), data.get("host")
                _logger.info("%s: waiting for another run (process %s on %s)", waiting, pid, host)
            case "deployed":
                _logger.info("%s: deployed to %s %s", name, data["to"], data["target"])
            case "deploy-failed":
                error = _text(data["error"])
                _logger.warning("%s: not deployed to %s %s: %s", name, data["to"], data["target"], error)
            case "warning" if (warning := (name, data["code"], data["message"])) not in self._warned:
                self._warned.add(warning)
                _logger.warning("%s%s %s", f"{name}: " if name else "", data["message"], data["fix"])


def log_idle(outcomes: Iterable[Outcome]) -> None:
    """Log the certificates of a run for which nothing was attempted."""
    is_debug = _logger.isEnabledFor(logging.DEBUG)
    for outcome in outcomes:
        if outcome.status == "not-due" and is_debug:
            _logger.debug("%s: not due before %s", outcome.name, outcome.next_renewal)
        elif outcome.status == "deferred":
            again = rfc3339(outcome.next_attempt)
            _logger.info("%s: due, but not tried before %s: %s", outcome.name, again, outcome.error)


def _log_outcome(name: str | None, data: Mapping[str, Any], failed: int) -> None:
    status, domains, until = data["status"], ", ".join(data["domains"]), data["not_after"]
    if status in {"renewed", "rolled-back"}:
        did = "rolled back to the" if status == "rolled-back" else "renewed the"
        did = "obtained a" if (status, data["reason"]) == ("renewed", "missing") else did
        _logger.info("%s: %s certificate for %s, valid until %s", name, did, domains, until)
    elif status == "rehearsed":
        _logger.info("%s: the dry run succeeded for %s", name, domains)
    elif status not in {"not-due", "deferred"}:  # log_idle() logs these
        level = failed if status == "failed" else logging.INFO
        _logger.log(level, "%s: %s: %s", name, status, _text(data["error"]))


def _needs_person(data: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a failed renewal needs a person: the stored certificate is unusable, or its renewal is due.

    Otherwise the renewal was early, because the CA suggested or a caller forced it, and later runs try again in time.
    """
    if data["reason"] in _UNFIT or data["not_before"] is None or data["not_after"] is None:
        return True
    begin, end = datetime.fromisoformat(data["not_before"]), datetime.fromisoformat(data["not_after"])
    return now >= min(end, due.renewal_time(begin, end, None))


def _text(error: Mapping[str, Any] | None) -> str:
    return "" if error is None else f"{error['message']} {error['fix']}"


# ── listeners ──────────────────────────────────────────────────────────────────────────

# The interfaces that extensions implement: listeners to runs, and the diagnosis of failures.


Specs = Sequence[model.CertificateSpec]


class FinishedRun(Frozen, kw_only=True):
    """A run that has ended, with its outcomes on disk.

    :ivar specs: the certificates of the run.
    :ivar outcomes: one outcome for each certificate, in the same order.
    :ivar whole: whether it included all certificates of the configuration.
    :ivar language: the language for messages; None for the language of the environment.
    """

    config: Config
    store: Store
    context: Context
    specs: Specs
    outcomes: list[Outcome]
    whole: bool
    language: str | None = None

    def warned_since(self, before: int) -> list[Outcome]:
        """Return the outcomes, each with the warnings of the run after the first ``before`` warnings."""
        warnings = self.context.notices[before:]
        return [replace(each, warnings=(*each.warnings, *warnings)) for each in self.outcomes]


class WatchedNumbers(Protocol):
    """The numbers that an endpoint shows. Thread-safe."""

    def use(self, config: Config) -> None:
        """Use another configuration from now on."""

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Record the end of a round; None if it failed as a whole."""

    def text(self) -> str | None:
        """Return the metrics; None if they cannot be read."""

    def health(self) -> Any:
        """Return whether everything works, as the value that the endpoint returns."""


class MetricsEndpoint(Protocol):
    """A server for monitoring."""

    @property
    def address(self) -> str:
        """The address at which it listens, ``HOST:PORT``."""

    def stop(self) -> None:
        """Stop listening."""


class RunListener(Protocol):
    """An object that is called after every run."""

    def after_run(self, run: FinishedRun) -> list[Outcome]:
        """Return the outcomes, with a warning for each notification or metric that failed. Raise nothing."""

    def endpoint(
        self, listen: str, config: Config, clock: Clock, numbers: WatchedNumbers | None
    ) -> tuple[MetricsEndpoint, WatchedNumbers]:
        """Start the endpoint of ``dnsrenew run``; return it and its numbers.

        :param listen: the address to listen at.
        :param numbers: the numbers that it shows; None for the numbers of the configured certificates.
        :raises ConfigError: ``metrics-port``.
        """


class DiagnosisMaker(Protocol):
    """Finds out whether certificates can be renewed, and if not, why."""

    def diagnose(
        self, context: Context, config: Config, store: Store, specs: Specs, *, probe: bool, record: bool
    ) -> list[model.Diagnosis]:
        """Return a diagnosis for each certificate; as :meth:`dnsrenew.Renewer.diagnose_all`."""

    def explain(
        self, context: Context, config: Config, store: Store, outcomes: Sequence[Outcome], services: LazyServices
    ) -> None:
        """Add the matching checks to the errors of failed outcomes, as ``evidence["checks"]``."""


# ── fallback to stored ─────────────────────────────────────────────────────────────────

# The error for a certificate that could not be obtained and has no usable stored version.

_NO_APP: Final = "http-no-app"
OTHERS: Final = 180.0
"""Seconds to wait for another process that works on a certificate, if no usable one is stored.

A server may start several workers at once, and each of them needs the certificate. A renewal seldom takes longer.
"""


def usable_or_raise(outcome: Outcome, stored: model.Certificate | None, emit: Callable[..., None]) -> model.Certificate:
    """Return the stored certificate even if its renewal failed, or raise the error that stopped the renewal.

    :param stored: the current certificate if it is usable (valid, not revoked, for all names), or None.
    :param emit: emits an event: kind, name, data.
    :raises RenewalFailed: no usable certificate is stored.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: the run was cancelled.
    """
    error = _error(outcome)
    if isinstance(error, Cancelled | StoreError):
        raise error
    if stored is None:
        # Without its traceback, whose frames may hold secrets, because some tools show the variables of a cause.
        raise not_obtained(outcome, error) from error.with_traceback(None)
    log_kept(outcome, stored, emit)
    return stored


def log_kept(outcome: Outcome, stored: model.Certificate | None, emit: Callable[..., None]) -> None:
    """Log and emit that the renewal failed, how long the stored certificate is valid, and when it is tried again."""
    error, again = _error(outcome), rfc3339(outcome.next_attempt)
    next_try = f"; it is tried again at {again}" if again else ""
    if stored is None:  # it has expired, is revoked, or lacks a name; a server keeps using it anyway
        _logger.warning("%s could not be renewed%s: %s", outcome.name, next_try, error)
        return
    until = rfc3339(stored.not_after)
    _logger.warning("%s could not be renewed and is kept until %s%s: %s", outcome.name, until, next_try, error)
    emit("kept", outcome.name, error=error.to_dict(), not_after=until, next_attempt=again)


def not_obtained(outcome: Outcome, cause: DnsRenewError) -> model.RenewalFailed:
    """Return the error of a failed renewal, with every attempt, the cause and its fix.

    Its code is ``renewal-failed``, or ``http-no-app`` if only the app of a server was missing.
    """
    details = " ".join(_details(outcome, cause))
    code, message, fix = texts.NOT_OBTAINED.fill(domains=outcome.domains, details=details, cause_fix=cause.fix)
    if {cause.code, *(attempt.error.code for attempt in outcome.attempts if attempt.error)} == {_NO_APP}:
        code = _NO_APP
    evidence = {"cause": cause.to_dict(), "attempts": [attempt.to_dict() for attempt in outcome.attempts]}
    return model.RenewalFailed(code, message, fix=fix, evidence=evidence, attempts=outcome.attempts)


def _error(outcome: Outcome) -> DnsRenewError:
    return outcome.error or model.RenewalFailed.of(texts.NO_CAUSE)


def _details(outcome: Outcome, cause: DnsRenewError) -> Iterator[str]:
    """Yield one sentence for each failed attempt, then the whole message of the cause."""
    shown: list[DnsRenewError] = []
    for attempt in outcome.attempts:
        error = attempt.error
        if error is None:
            continue
        same, other = (texts.SKIPPED_SAME, texts.SKIPPED) if model.is_skip(attempt) else (texts.TRIED_SAME, texts.TRIED)
        text = same if error in shown else other
        reason = error.message if error is cause else model.first_sentence(error.message)
        yield text.format(route=model.describe_route(attempt.route.to_dict()), reason=reason.strip())
        shown.append(error)
    if outcome.status == "deferred" and outcome.next_attempt is not None:
        text = texts.DEFERRED if shown else texts.DEFERRED_AFTER_FAILURE
        yield text.format(time=short_time(rfc3339(outcome.next_attempt) or ""))
    if cause not in shown:
        yield cause.message.strip()
