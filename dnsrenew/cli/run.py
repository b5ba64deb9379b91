"""``dnsrenew run``: renews what is due, sleeps until the next certificate is due, and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.renew import jitter
from dnsrenew.cli.run_watch import RunWatch
from dnsrenew.cli.service_log import (
    event_progress,
    use_service_log,
    write_outcomes,
    write_reload_error,
    write_service_error,
)
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.renewal.next_run import NextRun, next_run

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config

_SLICE: Final = 60.0
"""The longest single sleep (seconds): after a suspend the process is late by at most this."""


def run(invocation: Invocation) -> int:
    """Renew until a signal arrives; return the exit status for the signal.

    :raises ConfigError: the configuration has mistakes.
    :raises Cancelled: a signal arrived, and a renewal did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    use_service_log(invocation)
    config = invocation.config(needs_certificates=True)
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
    """Return the configuration as it is now; the old one if the new one has a mistake."""
    terminal = invocation.terminal
    watch.reloading()
    status = texts.CONFIG_READ_AGAIN
    try:
        new = invocation.config(needs_certificates=True)
        watch.use(new)
    except ConfigError as error:
        status = write_reload_error(terminal, error)
    else:
        config = new
        terminal.write_info(status)
    watch.ready(status)
    return config


def _round(invocation: Invocation, config: Config, watch: RunWatch) -> list[Outcome] | None:
    """Renew what is due. Return None after an error outside any certificate: a later round tries again.

    :raises Cancelled: a signal arrived, and the round did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    progress = event_progress(invocation)
    try:
        renewer = invocation.renewer(config, watch.listening(progress))
        work = partial(renewer.renew, workers=invocation.options.workers, cancel=signals.cancel)
        outcomes = signals.run(work, cleans_up=True)
    except (Cancelled, ConfigError):
        raise
    except DnsRenewError as error:
        write_service_error(terminal, error)
        return None
    except Exception as error:  # noqa: BLE001  # a bug in one round must not end all renewals
        write_service_error(terminal, error_text.unexpected(error, terminal))
        return None
    finally:
        progress.close()
    write_outcomes(invocation, outcomes)
    return outcomes


def _write_next_check(invocation: Invocation, following: NextRun) -> str:
    """Write when the next round is, and return that line."""
    fields = {
        "time": formatting.moment(following.time),
        "distance": formatting.distance(following.time, invocation.clock.now()),
        "name": following.name,
    }
    template = texts.NEXT_CHECK_FOR if following.name else texts.NEXT_CHECK
    line = template.format_map(fields)
    invocation.terminal.write_info(line)
    return line


def _sleep(invocation: Invocation, seconds: float, watch: RunWatch) -> bool:
    """Sleep until the first of both clocks is there: the monotonic one can stop while the machine is suspended.

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
