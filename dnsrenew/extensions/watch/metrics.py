"""The endpoint of ``dnsrenew run``: ``/metrics`` for Prometheus, ``/healthz`` for a container's supervisor.

It is meant for the loopback interface or a private network.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

from dnsrenew.base.clock import Clock
from dnsrenew.base.files import is_closed_by_unit
from dnsrenew.base.model import CertificateSpec, CertificateState, CertificateStatus, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import ForeignLinkError, replace_file
from dnsrenew.base.small_server import PLAIN, SmallHandler, SmallServer
from dnsrenew.base.values import Frozen, field
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entries
from dnsrenew.errors import ConfigError, DnsRenewError, Phrase, StoreError, as_clause, system_reason
from dnsrenew.extensions.watch import metrics_texts as texts
from dnsrenew.operations.event_log import WatchedNumbers
from dnsrenew.operations.selection import store_of
from dnsrenew.operations.status import status_of, unconfigured, unconfigured_status
from dnsrenew.renewal.batch import exit_status
from dnsrenew.store import Store
from dnsrenew.store.state import State


class _MetricsHandler(SmallHandler):
    """Answers one request of a connection."""

    timeout = 5.0
    server: MetricsServer

    def respond(self) -> None:
        """Answer a path."""
        path, source = self.path.partition("?")[0], self.server.source
        if path not in {"/metrics", "/healthz"}:
            self._answer(404, "not found\n")
        elif path == "/metrics" and (text := source.text()) is not None:
            self._answer(200, text, CONTENT_TYPE)
        else:
            health = source.health()
            self._answer(200 if health.ok and path == "/healthz" else 503, f"{health.line}\n")

    def _answer(self, status: int, text: str, kind: str = PLAIN) -> None:
        self.answer(status, text.encode(), kind)


class MetricsServer(SmallServer):
    """Serves the metrics in daemon threads until it is stopped."""

    handler = _MetricsHandler
    most = 16
    source: WatchedNumbers

    @classmethod
    def started(cls, listen: str, source: WatchedNumbers, monotonic: Callable[[], float]) -> MetricsServer:
        """Return a running server.

        :param listen: ``HOST:PORT``; ``:PORT`` means all addresses, IPv4 and IPv6.
        :param source: the source of the answers.
        :raises ConfigError: ``metrics-port``: the port is taken, or this machine does not have the address.
        """
        try:
            server = cls.bind(listen, monotonic)
        except OSError as error:
            raise ConfigError.of(texts.PORT, value=listen, cause=system_reason(error)) from None
        server.source = source
        server.start()
        return server


# ── source ─────────────────────────────────────────────────────────────────────────────

# The data of the endpoint: read from the store at most once every few seconds, regardless of the number of requests.

MAX_AGE: Final = 5.0
"""Seconds for which an answer is reused."""


class FoundNumbers(Frozen):
    """The numbers read at one time.

    :ivar time: the monotonic time of the reading.
    :ivar certificates: the numbers; None if the store could not be read.
    :ivar error: why it could not be read.
    """

    time: float
    certificates: list[CertificateNumbers] | None
    error: DnsRenewError | None = None


class MetricsSource:
    """The numbers of a running ``dnsrenew run``. Thread-safe; it remembers the last round."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._round: LastRun | None = None
        self._round_failed = False
        self.use(config)

    def use(self, config: Config) -> None:
        """Use another configuration from now on."""
        with self._lock:
            self._config = config
            self._store = store_of(config)
            self._found: FoundNumbers | None = None

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Record the end of a round.

        :param outcomes: the outcomes; None if the round failed as a whole.
        """
        now = self._clock.now()
        with self._lock:
            self._round, self._round_failed = last_run(outcomes, now), outcomes is None
            self._found = None

    def read(self) -> tuple[FoundNumbers, LastRun | None]:
        """Return the numbers, at most :data:`MAX_AGE` seconds old, and the last finished round."""
        with self._reading:  # other requests wait for this reading and share it; the rounds do not
            with self._lock:
                found, ended, config, store = self._found, self._round, self._config, self._store
            now = self._clock.monotonic()
            if found is None or not 0 <= now - found.time < MAX_AGE:
                try:
                    found = FoundNumbers(now, collect(config, store, self._clock))
                except DnsRenewError as error:
                    found = FoundNumbers(now, None, error)
                with self._lock:
                    if ended is self._round and config is self._config:
                        self._found = found
            return found, ended

    def text(self) -> str | None:
        """Return the answer of ``/metrics``; None if the numbers cannot be read."""
        found, ended = self.read()
        return None if found.certificates is None else exposition(found.certificates, ended)

    def health(self) -> Health:
        """Return the answer of ``/healthz``."""
        found, _ = self.read()
        if found.certificates is None:
            code = found.error.code if found.error else ""
            return Health(False, texts.STORE_FAILED.format(code=code))
        return health(found.certificates, round_failed=self._round_failed)


# ── textfile ───────────────────────────────────────────────────────────────────────────

# The text file for the node exporter's textfile collector, replaced as a whole.
#
# The new content is written to a file beside it whose name the collector ignores (it reads ``*.prom``), and renamed.
# So the collector never reads a part, and a full disk leaves the old file. All users may read it.

_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def write_after_run(config: Config, store: Store, context: Context, outcomes: Sequence[Outcome]) -> None:
    """Write the file that ``[metrics]`` names, if any. A failure becomes a warning.

    In a fleet, only workers write it, because it has the numbers of the whole fleet.
    """
    path = config.metrics and config.metrics.textfile
    if not path or config.fleet is not None:
        return
    now = context.clock.now()
    try:
        text = exposition(collect(config, store, context.clock), last_run(outcomes, now))
    except DnsRenewError as error:
        context.warn(*texts.UNREADABLE.fill(path=path, failure=as_clause(error.message), failure_fix=error.fix))
    else:
        write_text(path, text, context)


def write_text(path: str, text: str, context: Context) -> None:
    """Replace the file at an absolute path. A failure becomes a warning."""
    try:
        replace_file(path, text.encode())
    except ForeignLinkError as error:
        context.warn(*texts.FOREIGN_LINK.fill(file=path, **vars(error.link)))
    except OSError as error:
        if is_closed_by_unit(error):
            context.warn(*texts.UNWRITABLE_IN_UNIT.fill(path=path, folder=os.path.dirname(path)))
        elif error.errno in _FULL:
            context.warn(*texts.UNWRITABLE_FULL.fill(path=path))
        else:
            context.warn(*texts.UNWRITABLE.fill(path=path, cause=system_reason(error)))


# ── collect ────────────────────────────────────────────────────────────────────────────

# The numbers about the certificates, read from the store.

_GOOD: Final = (0, 3)
"""The exit statuses without a problem: nothing needs attention; another run holds a lock, and nothing failed."""


class CertificateNumbers(Frozen, kw_only=True):
    """The metrics of one certificate.

    :ivar status: the status of the certificate.
    :ivar failures: the number of consecutive failed runs.
    :ivar deployed: whether each target has the current certificate, by kind of target and target.
    """

    status: CertificateStatus
    failures: int = 0
    deployed: Mapping[tuple[str, str], bool] = field(default_factory=dict)


class LastRun(Frozen):
    """The last run.

    :ivar time: its end, in UTC.
    :ivar success: whether it was not interrupted and no certificate needs attention.
    """

    time: datetime
    success: bool


def last_run(outcomes: Sequence[Outcome] | None, now: datetime) -> LastRun:
    """Return the run that ends now.

    :param outcomes: the outcomes; None if the run failed as a whole.
    """
    return LastRun(now, outcomes is not None and exit_status(outcomes, now) in _GOOD)


def collect(config: Config, store: Store, clock: Clock) -> list[CertificateNumbers]:
    """Return the numbers of all certificates, first the configured ones, then those no longer configured.

    :raises StoreError: ``store-not-private``: others can change the store.
    """
    store.check_ground()
    context = Context(clock=clock)  # without listeners, because only a run reports damage
    orphans = unconfigured(config, store)
    known = [_numbers(spec, store, context) for spec in config.certificates]
    return known + [CertificateNumbers(status=unconfigured_status(name, orphans[name], store)) for name in orphans]


def _numbers(spec: CertificateSpec, store: Store, context: Context) -> CertificateNumbers:
    status, state = status_of(spec, store, context), None
    with contextlib.suppress(StoreError):  # the status says that it cannot be read
        if status.last_failure is not None or status.deployment_pending:
            state = store.read_state(spec.name, quarantine=False)
    failures = 0 if status.last_failure is None else max(state.failures if state is not None else 0, 1)
    # Several entries may have the same target. Prometheus refuses two values of one series, so all must have it.
    deployed: dict[tuple[str, str], bool] = {}
    for to, target, ok in _entries(spec, status, state) if spec.deploy else ():
        deployed[to, target] = deployed.get((to, target), True) and ok
    return CertificateNumbers(status=status, failures=failures, deployed=deployed)


def _entries(spec: CertificateSpec, status: CertificateStatus, state: State | None) -> list[tuple[str, str, bool]]:
    """Return kind and target of each deployment, and whether it has the current certificate."""
    if not status.deployment_pending:
        return [(result.to, result.target, result.ok) for result in status.deployed]
    found: list[tuple[str, str, bool]] = []
    if state is None:
        return found
    changed = {(result.to, result.target) for result in status.deployed if not result.ok}
    for one in entries(spec.deploy):
        record = state.deployments.get(one.id)
        ok = record is not None and bool(record["ok"]) and record.get("serial") == state.serial
        ok = ok and (one.to, str((record or {}).get("target"))) not in changed
        target = one.target if record is None else str(record.get("target", one.target))
        found.append((one.to, target, ok))
    return found


# ── exposition ─────────────────────────────────────────────────────────────────────────

# The numbers as text, in the Prometheus text format 0.0.4.
#
# Its rules: https://prometheus.io/docs/instrumenting/exposition_formats/. All samples of a metric are together, times
# are seconds since 1970-01-01 UTC, and unknown values have no sample.

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
STATES: Final[tuple[str, ...]] = get_args(CertificateState)
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_TIMES: Final = {
    "not_before": "Start of the validity of the certificate",
    "not_after": "End of the validity of the certificate",
    "next_renewal": "Time at which the renewal of the certificate becomes due",
}


def exposition(certificates: Sequence[CertificateNumbers], last_run: LastRun | None) -> str:
    """Return the text.

    :param last_run: the last run; None before the first has ended.
    """
    return "".join(f"{line}\n" for line in _lines(certificates, last_run))


def _lines(certificates: Sequence[CertificateNumbers], last_run: LastRun | None) -> Iterator[str]:
    named = [(one.status.name, one) for one in certificates]
    for when, meaning in _TIMES.items():
        times = ((labels(name=name), getattr(one.status, when)) for name, one in named)
        samples = ((labelled, epoch_seconds(time)) for labelled, time in times if time is not None)
        yield from metric(f"certificate_{when}_seconds", f"{meaning}, in seconds since the epoch.", samples)
    states = ((labels(name=name, state=each), int(each == one.status.state)) for name, one in named for each in STATES)
    yield from metric("certificate_state", "1 for the state that the certificate has, 0 for others.", states)
    failures = ((labels(name=name), one.failures) for name, one in named)
    yield from metric("certificate_failures", "Runs in a row that failed to renew the certificate.", failures)
    targets = ((name, *target, ok) for name, one in named for target, ok in one.deployed.items())
    deployed = ((labels(name=name, to=to, target=target), int(ok)) for name, to, target, ok in targets)
    yield from metric("certificate_deployed", "1 if the target has the certificate in force, else 0.", deployed)
    if last_run is not None:
        end = ("", epoch_seconds(last_run.time))
        yield from metric("last_run_timestamp_seconds", "End of the last run, in seconds since the epoch.", [end])
        success = ("", int(last_run.success))
        yield from metric("last_run_success", "1 if no certificate of the last run needs attention, else 0.", [success])


def metric(name: str, meaning: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    """Yield the lines of one metric. All are gauges."""
    yield f"# HELP dnsrenew_{name} {meaning}"
    yield f"# TYPE dnsrenew_{name} gauge"
    for labelled, value in samples:
        yield f"dnsrenew_{name}{labelled} {value}"


def labels(**values: str) -> str:
    """Return labels in the form that follows the name of a metric."""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in values.items()) + "}"


def epoch_seconds(time: datetime) -> int:
    """Return a time as seconds since 1970-01-01 UTC."""
    return int(time.timestamp())


# ── health ─────────────────────────────────────────────────────────────────────────────

# One line for ``/healthz``: whether all certificates are OK, and if not, which ones are not.

_SHOWN: Final = 10
"""The number of names in a line; the rest is counted."""
_PROBLEMS: Final[tuple[tuple[str, Phrase], ...]] = (("expired", texts.EXPIRED), ("missing", texts.MISSING))


class Health(Frozen):
    """The answer of ``/healthz``.

    :ivar ok: False for status 503.
    :ivar line: "ok", or the problem.
    """

    ok: bool
    line: str


def health(certificates: Sequence[CertificateNumbers], *, round_failed: bool) -> Health:
    """Return the answer. It is bad if a certificate is expired or missing, or if the last round failed as a whole."""
    parts = [texts.ROUND_FAILED.format()] if round_failed else []
    for state, phrase in _PROBLEMS:
        if names := [one.status.name for one in certificates if one.status.state == state]:
            parts.append(phrase.format(names=_listed(names)))
    return Health(False, "; ".join(parts)) if parts else Health(True, texts.HEALTHY)


def _listed(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    return texts.MORE.format(names=shown, count=more) if more > 0 else shown
