"""``dnsrenew run``: renews what is due, sleeps until the next thing is, and so on until it is told to stop."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import error_text, text
from dnsrenew.cli.outcome_text import WORDS, OutcomeText
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
"""The longest single sleep (seconds): a machine that was asleep itself is late by no more."""


def run_on(session: Invocation) -> int:
    """Renew until told to stop; return the exit status that the signal asks for.

    :raises ConfigError: for the mistakes of the configuration.
    :raises Cancelled: told to stop, and a renewal did not end in time.
    """
    gc.enable()  # it goes on for months
    screen, interrupt = session.screen, session.interrupt
    screen.err.colour = False
    screen.log_line = partial(_line, session)
    config = session.config()
    outcomes: Sequence[Outcome] = ()
    going = _sleep(session, jitter(session))
    while going:
        done = _round(session, config)
        outcomes = done or ()
        if interrupt.status is not None:
            break
        look = next_run(done, session.clock.now(), session.options.interval)
        _say_when(session, look)
        going = _sleep(session, (look.time - session.clock.now()).total_seconds() + jitter(session))
    cut_short = any(outcome.status == "interrupted" for outcome in outcomes)
    screen.note("Stopped as asked; a renewal was cut short." if cut_short else "Stopped as asked.")
    screen.document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    return interrupt.status or 130


def _round(session: Invocation, config: Config) -> list[Outcome] | None:
    """Renew what is due; None if that could not even be tried: it is told, and tried again later.

    :raises Cancelled: told to stop, and it did not end in time.
    """
    screen, interrupt = session.screen, session.interrupt
    progress = _EventLines(session) if screen.json else PlainProgress(screen, errors=False)
    try:
        work = partial(
            session.renewer(config, progress).renew, workers=session.options.workers, cancel=interrupt.cancel
        )
        outcomes = interrupt.run(work, cleans_up=True)
    except (Cancelled, ConfigError):
        raise
    except DnsRenewError as error:
        _say_error(screen, error)
        return None
    except Exception as error:  # noqa: BLE001  # the border: a bug in one round must not end all renewals
        _say_error(screen, error_text.unexpected(error, screen))
        return None
    finally:
        progress.close()
    _say_outcomes(session, outcomes)
    return outcomes


def _say_error(screen: Terminal, error: DnsRenewError) -> None:
    screen.say(f"✗ {error.message.strip()} {error.fix.strip()}")


def _say_outcomes(session: Invocation, outcomes: Sequence[Outcome]) -> None:
    """Say what came of it, one line for each certificate; what is not due only with ``-v``."""
    screen = session.screen
    writer = OutcomeText(session.clock.now(), None, verbose=False)
    for outcome in outcomes:
        deployed = all(target.get("ok", True) for target in outcome.deployed)
        if outcome.status == "not-due" and deployed and not screen.verbose:
            continue
        error = outcome.error
        if error is None:
            line = "; ".join(" ".join(line.split()) for line in writer.lines(outcome))
        else:
            mark = "✗" if outcome.status == "failed" else "!"
            word = WORDS.get(outcome.status, outcome.status)
            line = f"{mark} {outcome.name} {word}: {error.message.strip()} {error.fix.strip()}{writer.again(outcome)}"
        if outcome.error is not None or not deployed:
            screen.say(line)
        elif screen.quiet:
            for warning in writer.broken(outcome):
                screen.say(warning)
        else:
            screen.note(line)


def _say_when(session: Invocation, look: NextRun) -> None:
    why = f"for {look.name}" if look.name else "nothing is due before that"
    at = look.time.strftime("%Y-%m-%d %H:%M UTC")
    session.screen.note(f"Looking again at {at} (in {text.distance(look.time, session.clock.now())}): {why}.")


def _sleep(session: Invocation, seconds: float) -> bool:
    """Sleep by both clocks, whichever is first: only one goes on while a machine is suspended.

    :returns: False when told to stop.
    """
    clock, context = session.clock, session.context()
    began, end = clock.now(), clock.monotonic() + seconds

    def sleep() -> None:
        while (left := min(end - clock.monotonic(), seconds - (clock.now() - began).total_seconds())) > 0:
            context.wait(min(left, _SLICE))

    try:
        session.interrupt.run(sleep)
    except Cancelled:
        return False
    return True


# ── the log ─────────────────────────────────────────────────────────────────────────────


def _line(session: Invocation, words: str) -> str:
    """Return what is said as lines of the log, each with its time."""
    time = rfc3339(session.clock.now())
    words = session.screen.err.dressed(words)
    if session.screen.json:
        return json.dumps({"time": time, "message": words})
    return "\n".join(f"{time} {line}" for line in words.splitlines())


class _EventLines(Progress):
    """Every event as a JSON object in a line of its own; the waiting for DNS with ``-v`` only."""

    def __init__(self, session: Invocation) -> None:
        super().__init__(session.screen)
        self._quiet = session.screen.quiet
        self._kinds: set[str] = set() if session.screen.verbose else {"dns-waiting"}

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if self.closed or event.kind in self._kinds or (self._quiet and not _matters(event.data, event.kind)):
            return
        self.screen.err.line(json.dumps(event.to_dict(), default=str))


def _matters(data: Any, kind: str) -> bool:  # JSON values
    """Tell whether ``-q`` shows it: warnings, and certificates that something stopped."""
    return kind == "warning" or (kind == "certificate-finished" and data.get("error") is not None)
