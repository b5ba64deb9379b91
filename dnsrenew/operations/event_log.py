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
"""Reasons to renew a certificate that cannot be used, or is not what the configuration asks for."""

_logger = logging.getLogger("dnsrenew")


class EventLog:
    """A listener that logs what a person wants to know later (INFO), and what needs one (WARNING).

    The lines are English in every language, as the messages of Python exceptions are. A warning that is repeated is
    logged once. The events come one at a time.

    :param failures: the level of a failed renewal that needs a person; lower where the caller tells or raises it.
    """

    def __init__(self, failures: int = logging.WARNING) -> None:
        self._failures = failures
        self._waiting: set[str | None] = set()
        self._warned: set[tuple[str | None, str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Log one event, if it is worth a line."""
        name, data = event.certificate, event.data
        match event.kind:
            case "certificate-finished":
                self._waiting.discard(name)
                _log_outcome(name, data, self._failures if _needs_person(data, event.time) else logging.INFO)
            case "dns-waiting" if name not in self._waiting:  # there is one for every change, and every few seconds
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
    """Log the certificates of a run for which nothing was tried."""
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
    elif status not in {"not-due", "deferred"}:  # those are logged by log_idle()
        level = failed if status == "failed" else logging.INFO
        _logger.log(level, "%s: %s: %s", name, status, _text(data["error"]))


def _needs_person(data: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a failed renewal needs a person: the stored certificate cannot serve, or its own time has come.

    Otherwise it was renewed early, as the CA suggested or a caller forced, and later runs try again in good time.
    """
    if data["reason"] in _UNFIT or data["not_before"] is None or data["not_after"] is None:
        return True
    begin, end = datetime.fromisoformat(data["not_before"]), datetime.fromisoformat(data["not_after"])
    return now >= min(end, due.renewal_time(begin, end, None))


def _text(error: Mapping[str, Any] | None) -> str:
    return "" if error is None else f"{error['message']} {error['fix']}"


# ── listeners ──────────────────────────────────────────────────────────────────────────

# What listens to a run, and what finds out why it failed: the interfaces that extensions implement.


Specs = Sequence[model.CertificateSpec]


class FinishedRun(Frozen, kw_only=True):
    """A run that has ended, with its outcomes on disk.

    :ivar specs: the certificates that it was about.
    :ivar outcomes: one for each of them, in the same order.
    :ivar whole: whether it was about all certificates of the configuration.
    :ivar language: the language for messages; None: that of the environment.
    """

    config: Config
    store: Store
    context: Context
    specs: Specs
    outcomes: list[Outcome]
    whole: bool
    language: str | None = None

    def warned_since(self, before: int) -> list[Outcome]:
        """Return the outcomes, each with the warnings of the run after the first ``before``."""
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
        """Return whether all is well: the value that the endpoint answers with."""


class MetricsEndpoint(Protocol):
    """A server for monitoring."""

    @property
    def address(self) -> str:
        """Where it listens, ``HOST:PORT``."""

    def stop(self) -> None:
        """Stop listening."""


class RunListener(Protocol):
    """Is told of every run that has ended."""

    def after_run(self, run: FinishedRun) -> list[Outcome]:
        """Return the outcomes, with a warning for what could not be told to others. Raise nothing."""

    def endpoint(
        self, listen: str, config: Config, clock: Clock, numbers: WatchedNumbers | None
    ) -> tuple[MetricsEndpoint, WatchedNumbers]:
        """Start the endpoint of ``dnsrenew run``; return it and what it shows.

        :param listen: its address.
        :param numbers: what it shows; None: the numbers of the certificates of the configuration.
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
        """Add the checks that fit to the errors of failed outcomes, as ``evidence["checks"]``."""


# ── fallback to stored ─────────────────────────────────────────────────────────────────

# The error of a certificate that could not be obtained, and of which no usable one is stored.

_NO_APP: Final = "http-no-app"
OTHERS: Final = 180.0
"""Seconds to wait for another process that works on a certificate, if no usable one is stored.

A server may start several workers at once, and each of them asks for the certificate. A renewal seldom takes longer.
"""


def usable_or_raise(outcome: Outcome, stored: model.Certificate | None, emit: Callable[..., None]) -> model.Certificate:
    """Return the stored certificate although its renewal did not succeed; otherwise raise what stopped the renewal.

    :param stored: the current certificate if it can be used: valid, not revoked, for all names; None: there is none.
    :param emit: emits an event: kind, name, data.
    :raises RenewalFailed: there is none.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: the run was cancelled.
    """
    error = _error(outcome)
    if isinstance(error, Cancelled | StoreError):
        raise error
    if stored is None:
        # Without its traceback, whose frames may hold secrets: some tools show the variables of a cause.
        raise not_obtained(outcome, error) from error.with_traceback(None)
    log_kept(outcome, stored, emit)
    return stored


def log_kept(outcome: Outcome, stored: model.Certificate | None, emit: Callable[..., None]) -> None:
    """Log and emit that the renewal failed, until when the stored certificate is valid, and when it is tried again."""
    error, again = _error(outcome), rfc3339(outcome.next_attempt)
    next_try = f"; it is tried again at {again}" if again else ""
    if stored is None:  # it has expired, is revoked, or lacks a name; a server keeps using it anyway
        _logger.warning("%s could not be renewed%s: %s", outcome.name, next_try, error)
        return
    until = rfc3339(stored.not_after)
    _logger.warning("%s could not be renewed and is kept until %s%s: %s", outcome.name, until, next_try, error)
    emit("kept", outcome.name, error=error.to_dict(), not_after=until, next_attempt=again)


def not_obtained(outcome: Outcome, cause: DnsRenewError) -> model.RenewalFailed:
    """Return the error of a failed renewal: every attempt, the cause and its fix.

    Its code is ``renewal-failed``; ``http-no-app`` if nothing but the app of a server was missing.
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
    """Yield one sentence for each failed attempt, and the whole message of the cause."""
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
