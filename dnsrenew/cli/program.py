"""The program: reads the command line, runs the command, and returns the exit status."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from dnsrenew import __version__
from dnsrenew.base.subprocesses import RUNNING
from dnsrenew.cli import language, texts
from dnsrenew.cli.arguments import Request
from dnsrenew.cli.command_types import Runner
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.cli.terminal import SHOW_CURSOR, Terminal
from dnsrenew.errors import OPTIONS, Cancelled, ConfigError, DnsRenewError, LockedError, stopped

_LOGS: Final = frozenset({"run", "serve", "worker"})
"""Commands whose standard error is a log, with ``--json`` in lines of JSON."""
_SUSPEND_TIMEOUT: Final = 0.5
"""Seconds that Ctrl-Z waits for the terminal to show the cursor again."""


def run(argv: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    terminal = Terminal(json="--json" in argv)  # until the command line is parsed
    with SignalHandler() as signals, terminal.writer_threads(signals.seconds_left), _options_as_typed():
        try:
            request = _parse(argv)
            terminal.apply_options(request.options)
            with _clean_output(terminal, signals):
                status = _run_command(request, terminal, signals)
        except DnsRenewError as error:
            status = _failed(error, terminal, signals)
        except BaseException as error:  # noqa: BLE001  # users must not see a traceback
            status = _unexpected(error, terminal, signals)
        return _finish(status, terminal, signals)


@contextlib.contextmanager
def _options_as_typed() -> Iterator[None]:
    """Let messages name options as the command line has them, not as Python does."""
    before = dict(OPTIONS)
    OPTIONS.update(
        insist_option="--insist",
        now_option="`dnsrenew renew --now`",
        dry_run_option="`dnsrenew renew --dry-run`",
    )
    try:
        yield
    finally:
        OPTIONS.update(before)


def _parse(argv: Sequence[str]) -> Request:
    from dnsrenew.cli.arguments import parse, wanted_language

    try:
        request = parse(argv)
    except ConfigError:
        language.choose(wanted_language(argv), json="--json" in argv)
        raise
    options = request.options
    has_json_lines = request.command in _LOGS or getattr(options, "events", False)
    only_json = options.json and (options.help or has_json_lines)
    language.choose(options.lang, json=options.json, only_json=only_json)
    return request


def _run_command(request: Request, terminal: Terminal, signals: SignalHandler) -> int:
    options = request.options
    if options.help:
        return _show_help(terminal, request.topic)
    if request.command is None:
        return _without_command(request, terminal)
    from dnsrenew.cli import typed
    from dnsrenew.cli.commands import GROUPS
    from dnsrenew.cli.invocation import make_invocation

    typed.use(options.config)
    name = f"{request.command} {options.action}" if request.command in GROUPS else request.command
    return _runner(name)(make_invocation(options, terminal, signals))


def _without_command(request: Request, terminal: Terminal) -> int:
    from dnsrenew.cli.arguments import usage
    from dnsrenew.cli.help import top_help

    if request.options.version:
        terminal.write_document({"dnsrenew": __version__})
        terminal.write_result(f"dnsrenew {__version__}")
        return 0
    if not terminal.json:
        terminal.write_message(top_help(terminal.err.size()[0] or 80, language.template).rstrip())
        return 2
    raise usage(texts.NO_COMMAND)


def _show_help(terminal: Terminal, topic: str | None) -> int:
    from dnsrenew.cli.help import command_help, top_help

    columns = terminal.out.size()[0] or 80
    help_text = (
        top_help(columns, language.template) if topic is None else command_help(topic, columns, language.template)
    )
    terminal.write_document({"help": help_text})
    terminal.write_result(help_text.rstrip())
    return 0


def _runner(name: str) -> Runner:  # noqa: C901, PLR0912  # a row for each command
    """Return the function that runs a command. Loading those of the others would take time."""
    from dnsrenew.cli.commands import plugged_table

    table = plugged_table(name)
    if table is not None:
        return table.runner(name)
    match name.split():
        case ["renew"]:
            from dnsrenew.cli.renew import renew as run
        case ["status"]:
            from dnsrenew.cli.status import status as run
        case ["deploy"]:
            from dnsrenew.cli.deploy import deploy as run
        case ["check"]:
            from dnsrenew.cli.check import check as run
        case ["providers"]:
            from dnsrenew.cli.providers import providers as run
        case ["revoke"]:
            from dnsrenew.cli.revoke import revoke as run
        case ["rollback"]:
            from dnsrenew.cli.deploy import rollback as run
        case ["remove"]:
            from dnsrenew.cli.revoke import remove as run
        case ["csr"]:
            from dnsrenew.cli.install import csr as run
        case ["install"]:
            from dnsrenew.cli.install import install as run
        case ["cleanup"]:
            from dnsrenew.cli.cleanup import cleanup as run
        case ["account", _]:
            from dnsrenew.cli.account import account as run
        case ["schedule", _]:
            from dnsrenew.cli.schedule import schedule as run
        case ["run"]:
            from dnsrenew.cli.run import run
        case ["completion"]:
            from dnsrenew.cli.completion import completion as run
        case _:
            raise KeyError(name)
    return run


def _failed(error: DnsRenewError, terminal: Terminal, signals: SignalHandler) -> int:
    from dnsrenew.cli.error_text import write_error

    write_error(terminal, error)
    if isinstance(error, Cancelled):
        return signals.status or 130
    if isinstance(error, LockedError):
        return 3
    return 2 if isinstance(error, ConfigError) else 1


def _unexpected(error: BaseException, terminal: Terminal, signals: SignalHandler) -> int:
    from dnsrenew.cli import error_text

    if isinstance(error, KeyboardInterrupt):
        return _failed(stopped(), terminal, signals)
    return _failed(error_text.unexpected(error, terminal), terminal, signals)


def _finish(status: int, terminal: Terminal, signals: SignalHandler) -> int:
    """Return the exit status. It is a failure if the result could not be written, but not after a broken pipe."""
    if terminal.out.failure:
        from dnsrenew.cli.terminal import red

        terminal.write_message(f"{red('✗')} {texts.OUTPUT_FAILED.format(reason=terminal.out.failure)}")
        status = status or 1
    if not terminal.drain():  # a signal arrived and the reader is blocked: the interpreter's exit would wait for it
        RUNNING.end_all()
        os._exit(signals.status or 130)
    return status


@contextlib.contextmanager
def _clean_output(terminal: Terminal, signals: SignalHandler) -> Iterator[None]:
    """Keep output of the interpreter and of libraries off the terminal, and write a message at a second signal."""
    from dnsrenew.cli.error_text import LogLines, write_traceback

    def on_exit() -> None:
        if terminal.display is not None:
            terminal.err.write(f"{SHOW_CURSOR}\r\n")
        terminal.write_error_document(Cancelled.of(texts.STOPPED_AT_ONCE))
        terminal.drain()

    def on_suspend() -> Callable[[], None]:
        display = terminal.display
        if display is None:
            return lambda: None
        terminal.err.write(f"{SHOW_CURSOR}\r\n")
        terminal.err.drain(_SUSPEND_TIMEOUT)
        return display.resume

    signals.on_exit = on_exit
    signals.on_suspend = on_suspend
    logger, handler, null_handler = logging.getLogger("dnsrenew"), LogLines(terminal), logging.NullHandler()
    hooks, level = (threading.excepthook, sys.unraisablehook), logger.level
    logger.addHandler(handler)
    logging.root.addHandler(null_handler)  # without a handler, warnings of libraries would go to standard error
    logger.setLevel(handler.level)
    try:
        with warnings.catch_warnings():
            threading.excepthook = lambda unhandled: write_traceback(unhandled.exc_value, terminal)
            sys.unraisablehook = lambda unhandled: write_traceback(unhandled.exc_value, terminal)
            if terminal.verbose <= 1 and not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        logger.removeHandler(handler)
        logger.setLevel(level)
        logging.root.removeHandler(null_handler)
