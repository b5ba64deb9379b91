"""The log of a command that runs for months, ``run`` and ``worker``: what it writes to standard error, and when not."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import texts
from dnsrenew.cli.event_lines import EventLines, log_line
from dnsrenew.cli.journal_lines import use_journal
from dnsrenew.cli.language import say, sentences
from dnsrenew.cli.line_fields import ERROR, INFO, WARNING, LineFields, outcome_fields
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.cli.progress import PlainProgress, Progress

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.cli.terminal import Terminal
    from dnsrenew.errors import ConfigError, DnsRenewError


def use_service_log(invocation: Invocation) -> None:
    """Write log lines from now on, take SIGHUP as a wish to read the configuration again, and collect garbage."""
    gc.enable()  # the process lives for months
    terminal = invocation.terminal
    terminal.err.colour = False
    terminal.log_line = partial(log_line, invocation)
    invocation.signals.reload_on_hangup(lambda: _is_gone(terminal))
    use_journal(terminal)


def _is_gone(terminal: Terminal) -> bool:
    """Return whether standard error is a terminal that was closed; that sends SIGHUP too."""
    if not terminal.err.is_terminal or terminal.err.stream is None:
        return False
    try:
        os.tcgetpgrp(terminal.err.stream.fileno())
    except OSError as error:
        return error.errno == errno.EIO
    return False


def event_progress(invocation: Invocation) -> Progress:
    """Return what writes each event: as a line for people, with ``--json`` as a line of JSON."""
    if not invocation.terminal.json:
        return PlainProgress(invocation.terminal, show_errors=False)
    hidden = frozenset() if invocation.terminal.verbose else frozenset({"dns-waiting"})
    return EventLines(invocation, hidden=hidden)


def write_service_error(terminal: Terminal, error: DnsRenewError) -> None:
    """Write an error that is about no certificate."""
    terminal.write_message(f"✗ {sentences(error.message, error.fix)}", LineFields(ERROR, code=error.code))


def write_reload_error(terminal: Terminal, error: ConfigError) -> str:
    """Write why a configuration cannot be read again, and that the old one stays in use; return the latter."""
    if error.evidence.get("mistakes"):  # each says what is expected; to run a command again helps nobody here
        terminal.write_message(f"✗ {say(error.message).strip()}", LineFields(ERROR, code=error.code))
    else:
        write_service_error(terminal, error)
    terminal.write_message(texts.CONFIG_KEPT)
    return texts.CONFIG_KEPT


def write_outcomes(invocation: Invocation, outcomes: Sequence[Outcome]) -> None:
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
    next_attempt = "" if outcome.status == "deferred" else outcome_text.next_attempt(outcome)  # its head says it
    template = texts.LOG_LINE_NEXT if next_attempt else texts.LOG_LINE
    message = say(error.evidence.get("failure", error.message)).strip()  # the way not to wait is for people at a prompt
    fields = {"outcome": outcome_text.head(outcome), "message": message, "fix": say(error.fix).strip()}
    return template.format_map({**fields, "next_attempt": next_attempt})
