"""The program: reads the command line, runs the command, and turns whatever happens into an exit status."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew import __version__
from dnsrenew.base.subprocesses import RUNNING
from dnsrenew.cli.help import MEANWHILE
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.cli.terminal import SHOW_CURSOR, Terminal
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, LockedError, stopped

if TYPE_CHECKING:
    from dnsrenew.cli.arguments import Request
    from dnsrenew.cli.invocation import Invocation

_PAUSE: Final = 0.5
"""Seconds that Ctrl-Z waits for the terminal to take the cursor back."""


def run(argv: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    screen = Terminal(json="--json" in argv)  # until the command line is understood
    with SignalHandler() as interrupt, screen.unblocked(interrupt.left):
        try:
            request = _parsed(argv, screen)
            screen.apply_options(request.options)
            with _tidy(screen, interrupt):
                status = _answer(request, screen, interrupt)
        except DnsRenewError as error:
            status = _failed(error, screen, interrupt)
        except BaseException as error:  # noqa: BLE001  # the border: no traceback reaches a user
            status = _unexpected(error, screen, interrupt)
        return _delivered(status, screen, interrupt)


def _parsed(argv: Sequence[str], screen: Terminal) -> Request:
    from dnsrenew.cli.arguments import parse

    return parse(argv, screen.out.size()[0] or 100)


def _answer(request: Request, screen: Terminal, interrupt: SignalHandler) -> int:
    options = request.options
    if request.command is None:
        return _without_command(request, screen)
    if options.help:
        return _show(screen, request.parser.format_help())
    if request.command in MEANWHILE:
        from dnsrenew.cli.unsupported import comes_later

        raise comes_later(request.command)
    from dnsrenew.cli.invocation import make_invocation

    return _command(request.command)(make_invocation(options, screen, interrupt))


def _without_command(request: Request, screen: Terminal) -> int:
    from dnsrenew.cli.arguments import usage
    from dnsrenew.cli.help import top_help

    if request.options.version:
        screen.document({"dnsrenew": __version__})
        screen.result(f"dnsrenew {__version__}")
        return 0
    if request.options.help:
        return _show(screen, top_help())
    if not screen.json:
        screen.say(top_help().rstrip())
        return 2
    raise usage("No command was given.")


def _show(screen: Terminal, help_text: str) -> int:
    screen.document({"help": help_text})
    screen.result(help_text.rstrip())
    return 0


_COMMANDS: Final = {
    "renew": "renew",
    "status": "status",
    "check": "check",
    "revoke": "revoke",
    "cleanup": "cleanup",
    "account": "account",
    "schedule": "schedule",
    "run": "run_on",
    "providers": "providers",
}
"""The function of each, in the module of the command's name."""


def _command(name: str) -> Callable[[Invocation], int]:
    """Load one command: the others would only take time."""
    command: Callable[[Invocation], int] = getattr(importlib.import_module(f"dnsrenew.cli.{name}"), _COMMANDS[name])
    return command


def _failed(error: DnsRenewError, screen: Terminal, interrupt: SignalHandler) -> int:
    from dnsrenew.cli.error_text import tell

    tell(screen, error)
    if isinstance(error, Cancelled):
        return interrupt.status or 130
    if isinstance(error, LockedError):
        return 3
    return 2 if isinstance(error, ConfigError) else 1


def _unexpected(error: BaseException, screen: Terminal, interrupt: SignalHandler) -> int:
    from dnsrenew.cli import error_text

    if isinstance(error, KeyboardInterrupt):
        return _failed(stopped(), screen, interrupt)
    return _failed(error_text.unexpected(error, screen), screen, interrupt)


def _delivered(status: int, screen: Terminal, interrupt: SignalHandler) -> int:
    """Return the status; a result that could not be written is a failure, a reader that left early is none."""
    if screen.out.failed:
        from dnsrenew.cli.terminal import red

        screen.say(f"{red('✗')} The result could not be written to standard output: {screen.out.failed}.")
        status = status or 1
    if not screen.drain():  # told to stop, and nobody reads: the interpreter's own end would wait for that
        RUNNING.end_all()
        os._exit(interrupt.status or 130)
    return status


@contextlib.contextmanager
def _tidy(screen: Terminal, interrupt: SignalHandler) -> Iterator[None]:
    """Keep raw texts of the interpreter and of libraries off the screen, and say last words at a second signal."""
    from dnsrenew.cli.error_text import LogLines, trace

    def last_words() -> None:
        if screen.display is not None:
            screen.err.raw(f"{SHOW_CURSOR}\r\n")
        screen.error(Cancelled("cancelled", "The run was stopped at once.", fix="Run it again."))
        screen.drain()

    def pausing() -> Callable[[], None]:
        display = screen.display
        if display is None:
            return lambda: None
        screen.err.raw(f"{SHOW_CURSOR}\r\n")
        screen.err.drain(_PAUSE)
        return display.resume

    interrupt.last_words = last_words
    interrupt.pausing = pausing
    ours, everybody, log, silence = logging.getLogger("dnsrenew"), logging.root, LogLines(screen), logging.NullHandler()
    hooks, level = (threading.excepthook, sys.unraisablehook), ours.level
    ours.addHandler(log)
    everybody.addHandler(silence)  # else warnings of foreign libraries go to standard error as they are
    ours.setLevel(log.level)
    try:
        with warnings.catch_warnings():
            threading.excepthook = lambda loose: trace(loose.exc_value, screen)
            sys.unraisablehook = lambda loose: trace(loose.exc_value, screen)
            if screen.verbose <= 1 and not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        ours.removeHandler(log)
        ours.setLevel(level)
        everybody.removeHandler(silence)
