"""``dnsrenew worker``: renews due certificates of a fleet until a signal arrives, beside other workers."""

from __future__ import annotations

from collections import Counter
from typing import Final

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.run import RunWatch
from dnsrenew.cli.service_log import event_progress, use_service_log, write_outcomes, write_reload_error
from dnsrenew.cli.terminal import ERROR, LineFields
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.extensions.fleet.database.server import check_packages
from dnsrenew.extensions.fleet.metrics import FleetNumbers

SECONDS: Final = 75.0
"""Seconds from the first signal to the exit: a minute for the jobs in progress, and some seconds to hand back the rest.
"""


def worker(invocation: Invocation) -> int:
    """Work until a signal arrives; return the exit status for the signal.

    :raises ConfigError: the configuration has mistakes, or does not belong to a fleet.
    :raises StoreError: the database can be reached, but not used; ``store-extra-missing``.
    :raises Cancelled: a signal arrived, and a job did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    use_service_log(invocation)
    signals.allow(SECONDS)
    config = invocation.config()
    check_packages()
    context = Context(clock=invocation.clock, emitter=Emitter(invocation.clock, event_progress(invocation)))
    with FleetNumbers(config, invocation.clock.monotonic, context) as numbers, RunWatch(invocation, numbers) as watch:
        watch.use(config)
        work = _Work(invocation, config, watch)
        work.run()
    terminal.write_info(texts.WORKER_DONE.format(renewed=work.statuses["renewed"], failed=work.statuses["failed"]))
    terminal.write_document({"statuses": dict(work.statuses)})
    return signals.status or 130


class _Work:
    """One ``dnsrenew worker``, which listens to the worker.

    :ivar statuses: the number of jobs with each status.
    """

    def __init__(self, invocation: Invocation, config: Config, watch: RunWatch) -> None:
        self._invocation, self._terminal, self._watch = invocation, invocation.terminal, watch
        self._progress = event_progress(invocation)
        self._waits_for: str | None = None
        self._is_stopping = False
        self.statuses: Counter[str] = Counter()
        from dnsrenew.extensions.fleet.worker import FleetWorker  # it cannot be imported without the packages

        options = invocation.options
        self._worker = FleetWorker(
            config, self, on_event=self._progress, concurrency=options.concurrency, language=options.lang
        )
        self._concurrency = options.concurrency or (config.fleet.concurrency if config.fleet else 1)
        self._terminal.redact = self._worker.redactors.redact

    def run(self) -> None:
        """Work until a signal arrives."""
        try:
            self._invocation.signals.run(self._worker.run, cleans_up=True, tick=self._apply_signals)
        finally:
            self._progress.close()

    # ── signals ─────────────────────────────────────────────────────────────────────────

    def _apply_signals(self) -> None:
        signals = self._invocation.signals
        if signals.status is not None:
            if not self._is_stopping:
                self._is_stopping = True
                self._worker.stop()
                self._terminal.write_info(texts.WORKER_STOPPING)
        elif signals.take_hangup():
            self._read_again()

    def _read_again(self) -> None:
        """Use the current configuration, or the old one if the new one has a mistake."""
        self._watch.reloading()
        status = texts.CONFIG_READ_AGAIN
        try:
            config = self._invocation.config()
            self._watch.use(config)
        except ConfigError as error:
            status = write_reload_error(self._terminal, error)
        except Cancelled:
            return  # the next check of the signals stops the worker
        else:
            self._worker.use(config)
            self._terminal.write_info(status)
        self._watch.ready(status)

    # ── events of the worker ────────────────────────────────────────────────────────────

    def ready(self) -> None:
        """Write that it takes jobs, or after a wait for the database that this answers again."""
        certificates = formatting.count(self._concurrency, texts.CERTIFICATE)
        line = texts.WORKER_BACK if self._waits_for else texts.WORKER_READY.format(certificates=certificates)
        self._waits_for = None
        self._terminal.write_info(line)
        self._watch.ready(line)

    def alive(self) -> None:
        """Send a sign of life."""
        self._watch.asleep()

    def waiting(self, error: DnsRenewError, seconds: float) -> None:  # noqa: ARG002  # less than a minute
        """Write why it waits for the database, once for each reason."""
        if error.message != self._waits_for:
            line = texts.WORKER_WAITING.format(error=formatting.sentences(error.message, error.fix))
            self._terminal.write_message(f"✗ {line}", LineFields(ERROR, code=error.code))
            self._watch.status(line)
        self._waits_for = error.message

    def ended(self, outcome: Outcome) -> None:
        """Write the outcome of a job."""
        self.statuses[outcome.status] += 1
        write_outcomes(self._invocation, [outcome])
