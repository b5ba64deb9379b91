"""Errors and log records as text."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

from dnsrenew.base.validation import Mistake
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import say, sentences
from dnsrenew.cli.terminal import INFO_LINE, Terminal, bold, dim, red, yellow
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, internal


def write_error(terminal: Terminal, error: DnsRenewError) -> None:
    """Write an error outside any certificate: to standard error, and as the JSON document."""
    columns, _ = terminal.err.size()
    mistakes = error.evidence.get("mistakes")
    if isinstance(mistakes, list) and mistakes:
        # If not on a terminal, a mistake is one line, FILE:LINE: key: …, for editors and grep.
        shown = say(error.message).splitlines() if columns is None else _mistakes(mistakes, columns)
        for line in shown:
            terminal.write_message(line)
        terminal.write_marked(yellow("→"), say(error.fix).strip())
    elif isinstance(error, Cancelled):
        terminal.write_marked(yellow("!"), sentences(error.message, error.fix))
    else:
        terminal.write_message("\n".join(lines(error, columns, f"{red('✗')} ", indent="")))
    if terminal.verbose:
        terminal.write_message(dim(details(error)))
    if isinstance(error, ConfigError):
        error.evidence.setdefault("mistakes", [])  # every document with exit status 2 has the list
    terminal.write_error_document(error)


def _mistakes(mistakes: list[dict[str, Any]], columns: int) -> Iterator[str]:
    """Return the lines for a terminal: wrapped, with paths from the current folder, and with the lines of the file."""
    from dnsrenew.config.sources import here  # slow to load

    folder = here()
    for one in mistakes:
        mistake = Mistake(**{**one, "file": formatting.relative_path(one["file"], folder)})
        head = f"{red('✗')} {bold(mistake.position)}: " if mistake.file else f"{red('✗')} "
        yield from formatting.wrap(say(mistake.sentence), columns, head, "  ")
        for line in mistake.excerpt(columns):
            gutter, bar, rest = line.partition("|")
            yield f"{dim(gutter + bar)}{rest.replace('^', red('^')) if not gutter.strip() else rest}"


def lines(error: DnsRenewError, columns: int | None, head: str, *, indent: str = "  ") -> list[str]:
    """Return the message after a head, and the fix below it."""
    message = formatting.wrap(say(error.message).strip(), columns, head, "  ")
    return [*message, *formatting.wrap(say(error.fix).strip(), columns, f"{indent}{yellow('→')} ", f"{indent}  ")]


def details(error: DnsRenewError) -> str:
    """Return code and evidence, which ``-v`` adds."""
    evidence = {key: value for key, value in error.evidence.items() if key not in {"mistakes", "checks"}}
    return f"  {error.code} {json.dumps(evidence, ensure_ascii=False, default=str) if evidence else ''}".rstrip()


def rows(error: DnsRenewError) -> list[tuple[str, str]]:
    """Return a row for the message and one for the fix."""
    message, fix = say(error.message).strip(), bold(say(error.fix).strip())
    return [(texts.LABELS["error"], message), (bold(texts.LABELS["fix"]), fix)]


def unexpected(error: BaseException, terminal: Terminal) -> DnsRenewError:
    """Return the error for an unexpected exception.

    Its text, which may have a secret, is shown redacted with ``-vv``.
    """
    write_traceback(error, terminal)
    return internal(error, type(error).__name__)


def write_traceback(error: BaseException | None, terminal: Terminal) -> None:
    """Write the traceback with ``-vv``, without the secrets of the run."""
    if error is not None and terminal.verbose > 1:
        terminal.write_message(terminal.redact("".join(traceback.format_exception(error)).rstrip()))


class LogLines(logging.Handler):
    """Writes dnsrenew's log to standard error: warnings, with ``-v`` info, with ``-vv`` debug and tracebacks."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__([logging.WARNING, logging.INFO, logging.DEBUG][min(terminal.verbose, 2)])
        self._terminal = terminal
        self.addFilter(lambda record: record.name != "dnsrenew")  # the command shows these events itself

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        line, trace = f"{record.name}: {record.getMessage()}", record.exc_text  # of a library, without secrets
        if record.exc_info:
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        line = self._terminal.redact(f"{line}\n{trace}" if trace and self._terminal.verbose > 1 else line)
        if record.levelno < logging.WARNING:
            self._terminal.write_message(dim(line), INFO_LINE)
        else:
            self._terminal.write_message(f"{yellow('!')} {line}")
