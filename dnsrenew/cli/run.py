"""``dnsrenew run``: renews due certificates, sleeps until the next one is due, and repeats."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, Self

from dnsrenew.base import extensions
from dnsrenew.base.events import Event
from dnsrenew.base.model import Outcome
from dnsrenew.base.systemd_notify import LifeSign, ServiceNotifier, Watchdog, watchdog_period
from dnsrenew.cli import error_text, formatting, service_log, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.renew import jitter
from dnsrenew.config import Config, config_to_renew
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.operations.event_log import MetricsEndpoint, RunListener, WatchedNumbers
from dnsrenew.renewal.batch import NextRun, next_run

_SLICE: Final = 60.0
"""The longest single sleep in seconds. After a suspend, the process is late by at most this."""


def run(invocation: Invocation) -> int:
    """Renew until a signal arrives; return the exit status for the signal.

    :raises ConfigError: the configuration has mistakes.
    :raises Cancelled: a signal arrived, and a renewal did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    service_log.use_service_log(invocation)
    config = invocation.config(needs_certificates=True, read=config_to_renew)
    with RunWatch(invocation) as watch:
        watch.use(config)
        outcomes = _rounds(invocation, config, watch)
    interrupted = any(outcome.status == "interrupted" for outcome in outcomes)
    terminal.write_info(texts.STOPPED_RENEWING if interrupted else texts.STOPPED)
    terminal.write_document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    return signals.status or 130


def _rounds(invocation: Invocation, config: Config, watch: RunWatch) -> Sequence[Outcome]:
    """Renew in rounds until a signal arrives; return the outcomes of the last round.

    :raises Cancelled: a signal arrived, and a renewal did not end in time.
    """
    signals = invocation.signals
    outcomes: Sequence[Outcome] = ()
    delay = jitter(invocation)
    watch.ready(texts.STATUS_STARTED)
    while _sleep(invocation, delay, watch):
        if signals.take_hangup():
            config = _read_again(invocation, config, watch)
        watch.round_started()
        result = _round(invocation, config, watch)
        watch.round_ended(result)
        outcomes = result or ()
        if signals.status is not None:
            break
        following = next_run(result, invocation.clock.now(), invocation.options.interval)
        watch.status(_write_next_check(invocation, following))
        delay = (following.time - invocation.clock.now()).total_seconds() + jitter(invocation)
    return outcomes


def _read_again(invocation: Invocation, config: Config, watch: RunWatch) -> Config:
    """Return the current configuration, or the old one if the new one has a mistake."""
    terminal = invocation.terminal
    watch.reloading()
    status = texts.CONFIG_READ_AGAIN
    try:
        new = invocation.config(needs_certificates=True, read=config_to_renew)
        watch.use(new)
        config = new
        terminal.write_info(status)
    except ConfigError as error:
        status = service_log.write_reload_error(terminal, error)
    watch.ready(status)
    return config


def _round(invocation: Invocation, config: Config, watch: RunWatch) -> list[Outcome] | None:
    """Renew due certificates. Return None after an error outside any certificate; a later round tries again.

    :raises Cancelled: a signal arrived, and the round did not end in time.
    """
    terminal = invocation.terminal
    progress = service_log.event_progress(invocation)
    try:
        renewer = invocation.renewer(config, watch.listening(progress))
        outcomes = invocation.work(renewer.renew, workers=invocation.options.workers)
    except (Cancelled, ConfigError):
        raise
    except Exception as error:  # noqa: BLE001  # a bug in one round must not end all renewals
        shown = error if isinstance(error, DnsRenewError) else error_text.unexpected(error, terminal)
        service_log.write_service_error(terminal, shown)
        return None
    finally:
        progress.close()
    service_log.write_outcomes(invocation, outcomes)
    return outcomes


def _write_next_check(invocation: Invocation, following: NextRun) -> str:
    """Write when the next round is, and return that line."""
    time, distance = formatting.moment(following.time), formatting.distance(following.time, invocation.clock.now())
    template = texts.NEXT_CHECK_FOR if following.name else texts.NEXT_CHECK
    line = template.format(time=time, distance=distance, name=following.name)
    invocation.terminal.write_info(line)
    return line


def _sleep(invocation: Invocation, seconds: float, watch: RunWatch) -> bool:
    """Sleep until the first of both clocks reaches the time; the monotonic clock may stop during a suspend.

    :returns: False after a signal to stop. SIGHUP ends the sleep.
    """
    clock, signals = invocation.clock, invocation.signals
    started, end = clock.now(), clock.monotonic() + seconds

    def sleep() -> None:
        while (left := min(end - clock.monotonic(), seconds - (clock.now() - started).total_seconds())) > 0:
            watch.asleep()
            if clock.wait(min(left, _SLICE), signals.wake):
                return

    try:
        signals.run(sleep)
        signals.check()
    except Cancelled:
        return False
    return True


# ── run watch ──────────────────────────────────────────────────────────────────────────

# Reports of ``dnsrenew run`` about itself, to systemd (``sd_notify(3)``) and to the metrics endpoint.
#
# systemd's watchdog restarts a service that hangs. ``run`` gives a sign of life at each slice of its sleep and
# at each event of a round.

SLEEPING: Final = 150.0
"""Seconds to the next sign of life during a sleep: more than two of its slices."""
RENEWING: Final = 6 * 3600.0
"""Seconds to the next sign of life (an event) during a renewal, the same as the time limit of the timer's service.

The longest waits without an event are the waits that a CA asks for (5 minutes), and ``settle`` and ``timeout`` of the
configuration. A certificate has days or weeks left when its renewal starts, so a restart after hours is in time.
"""


class RunWatch:
    """Reports about one ``dnsrenew run`` or ``worker`` to systemd and the endpoint; a context manager.

    :param numbers: the numbers of the endpoint; None for the numbers of the configured certificates.
    """

    def __init__(self, invocation: Invocation, numbers: WatchedNumbers | None = None) -> None:
        self._invocation = invocation
        self._notifier = ServiceNotifier.from_environment(os.environ)
        self._life_sign = LifeSign(invocation.clock.monotonic)
        self._watchdog: Watchdog | None = None
        self._listen: str | None = None
        self._endpoint: MetricsEndpoint | None = None
        self._source = numbers

    def __enter__(self) -> Self:
        self.asleep()
        if (period := watchdog_period(os.environ)) is not None:
            self._watchdog = Watchdog(self._notifier, self._life_sign, period)
        return self

    def __exit__(self, *_: object) -> None:
        self._notifier.send(STOPPING=1, STATUS=texts.STATUS_STOPPING)
        if self._watchdog is not None:
            self._watchdog.stop()
        self._close()

    # ── signs of life ───────────────────────────────────────────────────────────────────

    def asleep(self) -> None:
        """Send a sign of life before or during the sleep."""
        self._life_sign.give(SLEEPING)

    def listening(self, listener: Callable[[Event], object]) -> Callable[[Event], object]:
        """Return a listener that also counts each event as a sign of life."""

        def listen(event: Event) -> None:
            self._life_sign.give(RENEWING)
            listener(event)

        return listen

    # ── the story ───────────────────────────────────────────────────────────────────────

    def ready(self, status: str) -> None:
        """Report that the service works.

        :param status: a line for ``systemctl status``.
        """
        self._notifier.send(READY=1, STATUS=status)

    def reloading(self) -> None:
        """Report that the configuration is being read again, until :meth:`ready`."""
        self._notifier.send(RELOADING=1, MONOTONIC_USEC=int(self._invocation.clock.monotonic() * 1e6))

    def round_started(self) -> None:
        """Report that a round starts."""
        self._life_sign.give(RENEWING)
        self._notifier.send(STATUS=texts.STATUS_RENEWING)

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Record the end of a round.

        :param outcomes: the outcomes; None if the round failed as a whole.
        """
        self.asleep()
        if self._source is not None:
            self._source.round_ended(outcomes)

    def status(self, text: str) -> None:
        """Report the next step."""
        self._notifier.send(STATUS=text)

    # ── the endpoint ────────────────────────────────────────────────────────────────────

    def use(self, config: Config) -> None:
        """Serve the metrics of a configuration at its address. After an error, the old address stays.

        :raises ConfigError: ``metrics-port``.
        """
        listen = config.metrics.listen if config.metrics is not None else None
        if listen != self._listen:
            before = self._listen
            self._close()  # first, because both may have the same port
            try:
                self._open(config, listen)
            except ConfigError:
                self._open(config, before)
                raise
        if self._source is not None:
            self._source.use(config)

    def _open(self, config: Config, listen: str | None) -> None:
        if listen is None:
            return
        listener: RunListener | None = next(extensions.plugged(lambda each: each.listener), None)
        if listener is None:
            raise extensions.missing("[metrics] listen", "watch")
        self._endpoint, self._source = listener.endpoint(listen, config, self._invocation.clock, self._source)
        self._listen = listen
        self._invocation.terminal.write_info(texts.METRICS_SERVED.format(address=self._endpoint.address))

    def _close(self) -> None:
        if self._endpoint is not None:
            self._endpoint.stop()
        self._endpoint = self._listen = None
