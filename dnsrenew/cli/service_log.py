"""The log on standard error of the commands that run for months, ``run`` and ``worker``."""

from __future__ import annotations

import errno
import gc
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Outcome, rfc3339
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import say, sentences
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.cli.progress import PlainProgress, Progress
from dnsrenew.cli.terminal import ERROR, INFO, WARNING, LineFields, Output, Terminal, outcome_fields

if TYPE_CHECKING:
    from dnsrenew.base.events import Event
    from dnsrenew.base.systemd_notify import SystemdJournal
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.errors import ConfigError, DnsRenewError


def use_service_log(invocation: Invocation) -> None:
    """Write log lines from now on, read the configuration again after SIGHUP, and collect garbage."""
    gc.enable()  # the process lives for months
    terminal = invocation.terminal
    terminal.err.colour = False
    terminal.log_line = partial(log_line, invocation)
    invocation.signals.reload_on_hangup(lambda: _is_gone(terminal))
    use_journal(terminal)


def _is_gone(terminal: Terminal) -> bool:
    """Return whether standard error is a closed terminal, which sends SIGHUP too."""
    if not terminal.err.is_terminal or terminal.err.stream is None:
        return False
    try:
        os.tcgetpgrp(terminal.err.stream.fileno())
    except OSError as error:
        return error.errno == errno.EIO
    return False


def event_progress(invocation: Invocation) -> Progress:
    """Return the listener that writes each event: as a line for people, or with ``--json`` as a line of JSON."""
    if not invocation.terminal.json:
        return PlainProgress(invocation.terminal, show_errors=False)
    hidden = frozenset() if invocation.terminal.verbose else frozenset({"dns-waiting"})
    return EventLines(invocation, hidden=hidden)


def write_service_error(terminal: Terminal, error: DnsRenewError) -> None:
    """Write an error that does not belong to a certificate."""
    terminal.write_message(f"✗ {sentences(error.message, error.fix)}", LineFields(ERROR, code=error.code))


def write_reload_error(terminal: Terminal, error: ConfigError) -> str:
    """Write why a configuration cannot be read again, and that the old one stays in use; return the latter."""
    if error.evidence.get("mistakes"):  # each shows what is expected; advice to run a command again would not help here
        terminal.write_message(f"✗ {say(error.message).strip()}", LineFields(ERROR, code=error.code))
    else:
        write_service_error(terminal, error)
    terminal.write_message(texts.CONFIG_KEPT)
    return texts.CONFIG_KEPT


def write_outcomes(invocation: Invocation, outcomes: Sequence[Outcome]) -> None:
    """Write one line for each certificate. Those that are not due are shown only with ``-v``."""
    terminal = invocation.terminal
    outcome_text = OutcomeText(invocation.clock.now(), None, verbose=False)
    for outcome in outcomes:
        deployed = all(result.ok for result in outcome.deployed)
        if outcome.status == "not-due" and deployed and not terminal.verbose:
            continue
        line = outcome_line(outcome_text, outcome)
        if outcome.error is not None or not deployed:
            terminal.write_message(line, outcome_fields(outcome))
        elif terminal.quiet:
            for warning in outcome_text.lost_routes(outcome):
                terminal.write_message(warning, LineFields(WARNING, outcome.name))
        else:
            terminal.write_info(line, LineFields(INFO, outcome.name))


def outcome_line(outcome_text: OutcomeText, outcome: Outcome) -> str:
    """Return the outcome of a certificate, as one line."""
    error = outcome.error
    if error is None:
        return "; ".join(" ".join(line.split()) for line in outcome_text.lines(outcome))
    next_attempt = "" if outcome.status == "deferred" else outcome_text.next_attempt(outcome)  # its head says it
    template = texts.LOG_LINE_NEXT if next_attempt else texts.LOG_LINE
    message = say(error.evidence.get("failure", error.message)).strip()  # the way not to wait is for people at a prompt
    fields = {"outcome": outcome_text.head(outcome), "message": message, "fix": say(error.fix).strip()}
    return template.format_map({**fields, "next_attempt": next_attempt})


# ── event lines ────────────────────────────────────────────────────────────────────────

# Standard error as a log for programs: each event and each message is one line of JSON.


def log_line(invocation: Invocation, text: str) -> str:
    """Return a message as log lines with the time: local time for people, UTC in JSON."""
    now = invocation.clock.now()
    text = invocation.terminal.err.render(text)
    if invocation.terminal.json:
        return json.dumps({"kind": "message", "time": rfc3339(now), "certificate": None, "data": {"message": text}})
    return "\n".join(f"{formatting.stamp(now)} {line}" for line in text.splitlines())


class EventLines(Progress):
    """Writes each event as one line of JSON.

    :param hidden: kinds of events that are left out.
    """

    def __init__(self, invocation: Invocation, *, hidden: frozenset[str] = frozenset()) -> None:
        super().__init__(invocation.terminal)
        self._hidden = hidden

    def __call__(self, event: Event) -> None:
        """Write the event."""
        has_failed = event.kind == "certificate-finished" and event.data.get("error") is not None
        is_shown = not self.terminal.quiet or has_failed or event.kind == "warning"
        if is_shown and not self.closed and event.kind not in self._hidden:
            self.terminal.err.write_line(json.dumps(event.to_dict(), default=str))


# ── journal lines ──────────────────────────────────────────────────────────────────────

# Standard error as lines of the journal of systemd, with fields to search for.
#
# ``journalctl DNSRENEW_CERTIFICATE=home`` shows the lines of one certificate, ``DNSRENEW_CODE`` the lines of one
# error, and ``-p err`` only errors. A line that the journal does not accept goes to standard error unchanged.

IDENTIFIER: Final = "dnsrenew"


def _journal_line(err: Output, journal: SystemdJournal, text: str, fields: LineFields) -> None:
    """Send a text to the journal; a text of several lines stays one entry.

    :param err: standard error, for the lines that the journal does not accept.
    """
    entry = {"MESSAGE": err.render(text), "PRIORITY": str(fields.priority), "SYSLOG_IDENTIFIER": IDENTIFIER}
    more = {"DNSRENEW_CERTIFICATE": fields.certificate, "DNSRENEW_CODE": fields.code}
    entry |= {name: value for name, value in more.items() if value is not None}

    def send() -> None:
        if not journal.send(entry):
            err.write_now(f"{err.encodable(entry['MESSAGE'])}\n")

    err.put(send)


def use_journal(terminal: Terminal, environ: Mapping[str, str] = os.environ) -> None:
    """Send messages to the journal with fields from now on, if it reads standard error; not with ``--json``."""
    stream = terminal.err.stream
    if terminal.json or stream is None or "JOURNAL_STREAM" not in environ:
        return
    from dnsrenew.base import systemd_notify  # it loads socket, and few runs need it

    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # not a file
        return
    if systemd_notify.is_read_by_journal(descriptor, environ):
        journal = systemd_notify.SystemdJournal(systemd_notify.SOCKET)
        terminal.journal_line = partial(_journal_line, terminal.err, journal)
