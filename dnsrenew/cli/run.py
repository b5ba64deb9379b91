"""``dnsrenew run``: renews what is due, sleeps until the next certificate is due, and repeats."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.event_lines import EventLines, log_line
from dnsrenew.cli.journal_lines import use_journal
from dnsrenew.cli.language import say, sentences
from dnsrenew.cli.line_fields import ERROR, INFO, WARNING, LineFields, outcome_fields
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.renew import jitter
from dnsrenew.cli.run_watch import RunWatch
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.renewal.next_run import NextRun, next_run

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.cli.terminal import Terminal
    from dnsrenew.config import Config
    from dnsrenew.model import Outcome

_SLICE: Final = 60.0
"""The longest single sleep (seconds): after a suspend the process is late by at most this."""


def run(invocation: Invocation) -> int:
    """Renew until a signal arrives; return the exit status for the signal.

    :raises ConfigError: the configuration has mistakes.
    :raises Cancelled: a signal arrived, and a renewal did not end in time.
    """
    gc.enable()  # the process lives for months
    terminal, signals = invocation.terminal, invocation.signals
    terminal.err.colour = False
    terminal.log_line = partial(log_line, invocation)
    signals.reload_on_hangup(lambda: _is_gone(terminal))
    use_journal(terminal)
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
        _write_error(terminal, error)
        status = texts.CONFIG_KEPT
        terminal.write_message(status)
    else:
        config = new
        terminal.write_info(status)
    watch.ready(status)
    return config


def _is_gone(terminal: Terminal) -> bool:
    """Return whether standard error is a terminal that was closed; that sends SIGHUP too."""
    if not terminal.err.is_terminal or terminal.err.stream is None:
        return False
    try:
        os.tcgetpgrp(terminal.err.stream.fileno())
    except OSError as error:
        return error.errno == errno.EIO
    return False


def _round(invocation: Invocation, config: Config, watch: RunWatch) -> list[Outcome] | None:
    """Renew what is due. Return None after an error outside any certificate: a later round tries again.

    :raises Cancelled: a signal arrived, and the round did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    progress = _event_lines(invocation) if terminal.json else PlainProgress(terminal, show_errors=False)
    try:
        renewer = invocation.renewer(config, watch.listening(progress))
        work = partial(renewer.renew, workers=invocation.options.workers, cancel=signals.cancel)
        outcomes = signals.run(work, cleans_up=True)
    except (Cancelled, ConfigError):
        raise
    except DnsRenewError as error:
        _write_error(terminal, error)
        return None
    except Exception as error:  # noqa: BLE001  # a bug in one round must not end all renewals
        _write_error(terminal, error_text.unexpected(error, terminal))
        return None
    finally:
        progress.close()
    _write_outcomes(invocation, outcomes)
    return outcomes


def _event_lines(invocation: Invocation) -> EventLines:
    hidden = frozenset() if invocation.terminal.verbose else frozenset({"dns-waiting"})
    return EventLines(invocation, hidden=hidden)


def _write_error(terminal: Terminal, error: DnsRenewError) -> None:
    terminal.write_message(f"✗ {sentences(error.message, error.fix)}", LineFields(ERROR, code=error.code))


def _write_outcomes(invocation: Invocation, outcomes: Sequence[Outcome]) -> None:
    """Write one line for each certificate; for those that are not due only with ``-v``."""
    terminal = invocation.terminal
    outcome_text = OutcomeText(invocation.clock.now(), None, verbose=False)
    for outcome in outcomes:
        deployed = all(result.ok for result in outcome.deployed)
        if outcome.status == "not-due" and deployed and not terminal.verbose:
            continue
        line = _outcome_line(outcome_text, outcome)
        if outcome.error is not None or not deployed:
            terminal.write_message(line, outcome_fields(outcome))
        elif terminal.quiet:
            for warning in outcome_text.lost_routes(outcome):
                terminal.write_message(warning, LineFields(WARNING, outcome.name))
        else:
            terminal.write_info(line, LineFields(INFO, outcome.name))


def _outcome_line(outcome_text: OutcomeText, outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return "; ".join(" ".join(line.split()) for line in outcome_text.lines(outcome))
    next_attempt = outcome_text.next_attempt(outcome)
    template = texts.LOG_LINE_NEXT if next_attempt else texts.LOG_LINE
    message = say(error.evidence.get("failure", error.message)).strip()  # the way not to wait is for people at a prompt
    fields = {"outcome": outcome_text.head(outcome), "message": message, "fix": say(error.fix).strip()}
    return template.format_map({**fields, "next_attempt": next_attempt})


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
