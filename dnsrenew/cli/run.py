"""``dnsrenew run``: renews what is due, sleeps until the next certificate is due, and repeats."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.cli.progress import PlainProgress, Progress
from dnsrenew.cli.renew import jitter
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.model import rfc3339
from dnsrenew.schedule import NextRun, next_run

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.cli.terminal import Terminal
    from dnsrenew.config import Config
    from dnsrenew.events import Event
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
    terminal.log_line = partial(_log_line, invocation)
    config = invocation.config(needs_certificates=True)
    outcomes: Sequence[Outcome] = ()
    slept = _sleep(invocation, jitter(invocation))
    while slept:
        result = _round(invocation, config)
        outcomes = result or ()
        if signals.status is not None:
            break
        following = next_run(result, invocation.clock.now(), invocation.options.interval)
        _write_next_check(invocation, following)
        slept = _sleep(invocation, (following.time - invocation.clock.now()).total_seconds() + jitter(invocation))
    interrupted = any(outcome.status == "interrupted" for outcome in outcomes)
    terminal.write_info(texts.STOPPED_RENEWING if interrupted else texts.STOPPED)
    terminal.write_document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    return signals.status or 130


def _round(invocation: Invocation, config: Config) -> list[Outcome] | None:
    """Renew what is due. Return None after an error outside any certificate: a later round tries again.

    :raises Cancelled: a signal arrived, and the round did not end in time.
    """
    terminal, signals = invocation.terminal, invocation.signals
    progress = _EventLines(invocation) if terminal.json else PlainProgress(terminal, show_errors=False)
    try:
        renewer = invocation.renewer(config, progress)
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


def _write_error(terminal: Terminal, error: DnsRenewError) -> None:
    terminal.write_message(f"✗ {error.message.strip()} {error.fix.strip()}")


def _write_outcomes(invocation: Invocation, outcomes: Sequence[Outcome]) -> None:
    """Write one line for each certificate; for those that are not due only with ``-v``."""
    terminal = invocation.terminal
    outcome_text = OutcomeText(invocation.clock.now(), None, verbose=False)
    for outcome in outcomes:
        deployed = all(target.get("ok", True) for target in outcome.deployed)
        if outcome.status == "not-due" and deployed and not terminal.verbose:
            continue
        line = _outcome_line(outcome_text, outcome)
        if outcome.error is not None or not deployed:
            terminal.write_message(line)
        elif terminal.quiet:
            for warning in outcome_text.lost_routes(outcome):
                terminal.write_message(warning)
        else:
            terminal.write_info(line)


def _outcome_line(outcome_text: OutcomeText, outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return "; ".join(" ".join(line.split()) for line in outcome_text.lines(outcome))
    next_attempt = outcome_text.next_attempt(outcome)
    template = texts.LOG_LINE_NEXT if next_attempt else texts.LOG_LINE
    fields = {"outcome": outcome_text.head(outcome), "message": error.message.strip(), "fix": error.fix.strip()}
    return template.format_map({**fields, "next_attempt": next_attempt})


def _write_next_check(invocation: Invocation, following: NextRun) -> None:
    fields = {
        "time": following.time.strftime("%Y-%m-%d %H:%M UTC"),
        "distance": formatting.distance(following.time, invocation.clock.now()),
        "name": following.name,
    }
    template = texts.NEXT_CHECK_FOR if following.name else texts.NEXT_CHECK
    invocation.terminal.write_info(template.format_map(fields))


def _sleep(invocation: Invocation, seconds: float) -> bool:
    """Sleep until the first of both clocks is there: the monotonic one can stop while the machine is suspended.

    :returns: False after a signal.
    """
    clock, context = invocation.clock, invocation.context()
    started, end = clock.now(), clock.monotonic() + seconds

    def sleep() -> None:
        while (left := min(end - clock.monotonic(), seconds - (clock.now() - started).total_seconds())) > 0:
            context.wait(min(left, _SLICE))

    try:
        invocation.signals.run(sleep)
    except Cancelled:
        return False
    return True


# ── the log ─────────────────────────────────────────────────────────────────────────────


def _log_line(invocation: Invocation, text: str) -> str:
    """Return a text as log lines, each with the time."""
    time = rfc3339(invocation.clock.now())
    text = invocation.terminal.err.render(text)
    if invocation.terminal.json:
        return json.dumps({"time": time, "message": text})
    return "\n".join(f"{time} {line}" for line in text.splitlines())


class _EventLines(Progress):
    """Writes each event as one line of JSON; ``dns-waiting`` only with ``-v``."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation.terminal)
        self._quiet = invocation.terminal.quiet
        self._hidden: set[str] = set() if invocation.terminal.verbose else {"dns-waiting"}

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if self.closed or event.kind in self._hidden or (self._quiet and not _is_problem(event.data, event.kind)):
            return
        self.terminal.err.write_line(json.dumps(event.to_dict(), default=str))


def _is_problem(data: Any, kind: str) -> bool:  # JSON values
    """Return whether ``-q`` shows the event: a warning, or a certificate that ended with an error."""
    return kind == "warning" or (kind == "certificate-finished" and data.get("error") is not None)
