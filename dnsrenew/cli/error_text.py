"""Errors as people read them."""

from __future__ import annotations

import json
import logging
import traceback

from dnsrenew.cli import text
from dnsrenew.cli.terminal import Terminal, bold, dim, red, yellow
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, internal


def tell(screen: Terminal, error: DnsRenewError) -> None:
    """Say an error that came before any certificate: on standard error, and as the JSON document."""
    columns, _ = screen.err.size()
    mistakes = error.evidence.get("mistakes")
    if isinstance(mistakes, list) and mistakes:
        for line in error.message.splitlines():  # one a mistake: FILE:LINE: key: …; never broken, for editors and grep
            screen.say(line)
        screen.say(f"{yellow('→')} {error.fix.strip()}")
    elif isinstance(error, Cancelled):
        screen.say(f"{yellow('!')} {error.message} {error.fix}")
    else:
        screen.say("\n".join(lines(error, columns, f"{red('✗')} ", indent="")))
    if screen.verbose:
        screen.say(dim(details(error)))
    if isinstance(error, ConfigError):
        error.evidence.setdefault("mistakes", [])  # a program may look for them in every answer of status 2
    screen.error(error)


def lines(error: DnsRenewError, columns: int | None, head: str, *, indent: str = "  ") -> list[str]:
    """Return what was seen, after a headline, and below it the one thing to do."""
    seen = text.wrap(error.message.strip(), columns, head, "  ")
    return [*seen, *text.wrap(error.fix.strip(), columns, f"{indent}{yellow('→')} ", f"{indent}  ")]


def details(error: DnsRenewError) -> str:
    """Return what ``-v`` adds: the code, and what the error was concluded from."""
    evidence = {key: value for key, value in error.evidence.items() if key != "mistakes"}
    return f"  {error.code} {json.dumps(evidence, ensure_ascii=False, default=str) if evidence else ''}".rstrip()


def block(
    head: str, rows: list[tuple[str, str]], error: DnsRenewError, columns: int | None, *, verbose: bool
) -> list[str]:
    """Return a headline, then what was tried, what stopped it and the one thing to do."""
    rows = [*rows, ("stopped by", error.message.strip()), (bold("what to do"), bold(error.fix.strip()))]
    told = [head, *text.fields(rows, columns)]
    return [*told, dim(details(error))] if verbose else told


def unexpected(error: BaseException, screen: Terminal) -> DnsRenewError:
    """Translate what should not have happened; its text may hold anything: it is shown with ``-vv`` only, redacted."""
    trace(error, screen)
    return internal(error, type(error).__name__)


def trace(error: BaseException | None, screen: Terminal) -> None:
    """Show the traceback with ``-vv``, without the secrets of the run."""
    if error is not None and screen.verbose > 1:
        screen.say(screen.redact("".join(traceback.format_exception(error)).rstrip()))


class LogLines(logging.Handler):
    """Our log on standard error: warnings always, more with ``-v``, all and tracebacks with ``-vv``."""

    def __init__(self, screen: Terminal) -> None:
        super().__init__([logging.WARNING, logging.INFO, logging.DEBUG][min(screen.verbose, 2)])
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        words = f"{record.name}: {record.getMessage()}"
        if record.exc_info and self._screen.verbose > 1:
            words += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        words = self._screen.redact(words)
        self._screen.say(dim(words) if record.levelno < logging.WARNING else f"{yellow('!')} {words}")
