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
from dnsrenew.base import extensions
from dnsrenew.base.subprocesses import RUNNING
from dnsrenew.cli import arguments, error_text, formatting, texts
from dnsrenew.cli.command_types import Runner
from dnsrenew.cli.commands import GROUPS, table
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.cli.terminal import SHOW_CURSOR, Output, Terminal, red
from dnsrenew.errors import OPTIONS, Cancelled, ConfigError, DnsRenewError, LockedError, stopped

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
            is_stop = isinstance(error, KeyboardInterrupt)
            status = _failed(stopped() if is_stop else error_text.unexpected(error, terminal), terminal, signals)
        return _finish(status, terminal, signals)


@contextlib.contextmanager
def _options_as_typed() -> Iterator[None]:
    """Let messages name options as the command has them and not as Python does."""
    before = dict(OPTIONS)
    renew = "`dnsrenew renew {}`"
    OPTIONS.update(insist_option="--insist", now_option=renew.format("--now"), dry_run_option=renew.format("--dry-run"))
    try:
        yield
    finally:
        OPTIONS.update(before)


def _parse(argv: Sequence[str]) -> arguments.Request:
    try:
        request = arguments.parse(argv)
    except ConfigError:
        formatting.choose(arguments.wanted_language(argv), json="--json" in argv)
        raise
    options = request.options
    # Their standard error is a log, with ``--json`` in lines of JSON.
    has_json_lines = request.command in {"run", "serve", "worker"} or getattr(options, "events", False)
    only_json = options.json and (options.help or has_json_lines)
    formatting.choose(options.lang, json=options.json, only_json=only_json)
    return request


def _run_command(request: arguments.Request, terminal: Terminal, signals: SignalHandler) -> int:
    options = request.options
    if options.help:
        text = _help_text(request.topic, terminal.out)
        terminal.write_document({"help": f"{text}\n"})
        terminal.write_result(text)
        return 0
    if request.command is None:
        return _without_command(request, terminal)
    from dnsrenew.cli import invocation  # help does not need the configuration

    invocation.type_commands(options.config)
    name = f"{request.command} {options.action}" if request.command in GROUPS else request.command
    with extensions.needed_by(f"dnsrenew {name}"):
        return runner(name)(invocation.make_invocation(options, terminal, signals))


def runner(name: str) -> Runner:
    """Import the function that runs a command, and return it."""
    extension = table(name).runner
    if extension is not None:
        return extension(name)
    match name.partition(" ")[0]:
        case "renew":
            from dnsrenew.cli.renew import renew

            return renew
        case "status":
            from dnsrenew.cli.status import status

            return status
        case "deploy" | "rollback" | "install" | "csr":
            from dnsrenew.cli import deploy

            named = {"deploy": deploy.deploy, "rollback": deploy.rollback, "install": deploy.install, "csr": deploy.csr}
            return named[name]
        case "check" | "providers":
            from dnsrenew.cli import providers

            return providers.check if name == "check" else providers.providers
        case "schedule":
            from dnsrenew.cli.schedule import schedule

            return schedule
        case "run":
            from dnsrenew.cli.run import run

            return run
        case "completion":
            from dnsrenew.cli.completion import completion

            return completion
    from dnsrenew.cli import other_commands as other

    runners = {"revoke": other.revoke, "remove": other.remove, "cleanup": other.cleanup, "account": other.account}
    return runners[name.partition(" ")[0]]


def _without_command(request: arguments.Request, terminal: Terminal) -> int:
    if request.options.version:
        terminal.write_document({"dnsrenew": __version__})
        terminal.write_result(f"dnsrenew {__version__}")
        return 0
    if not terminal.json:
        terminal.write_message(_help_text(None, terminal.err))
        return 2
    raise arguments.usage(texts.NO_COMMAND)


def _help_text(topic: str | None, stream: Output) -> str:
    from dnsrenew.cli.help import command_help, top_help  # the commands do not need it

    columns, say = stream.size()[0] or 80, formatting.template
    return (top_help(columns, say) if topic is None else command_help(topic, columns, say)).rstrip()


def _failed(error: DnsRenewError, terminal: Terminal, signals: SignalHandler) -> int:
    error_text.write_error(terminal, error)
    if isinstance(error, Cancelled):
        return signals.status or 130
    if isinstance(error, LockedError):
        return 3
    return 2 if isinstance(error, ConfigError) else 1


def _finish(status: int, terminal: Terminal, signals: SignalHandler) -> int:
    """Return the exit status. It is a failure if the result could not be written, but not after a broken pipe."""
    if terminal.out.failure:
        terminal.write_message(f"{red('✗')} {texts.OUTPUT_FAILED.format(reason=terminal.out.failure)}")
        status = status or 1
    if not terminal.drain():  # a signal arrived and the reader is blocked: the interpreter's exit would wait for it
        RUNNING.end_all()
        os._exit(signals.status or 130)
    return status


@contextlib.contextmanager
def _clean_output(terminal: Terminal, signals: SignalHandler) -> Iterator[None]:
    """Keep output of the interpreter and of libraries off the terminal, and write a message at a second signal."""

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
    logger, handler, null_handler = logging.getLogger("dnsrenew"), error_text.LogLines(terminal), logging.NullHandler()
    hooks, level = (threading.excepthook, sys.unraisablehook), logger.level
    logger.addHandler(handler)
    logging.root.addHandler(null_handler)  # without a handler, warnings of libraries would go to standard error
    logger.setLevel(handler.level)
    try:
        with warnings.catch_warnings():
            threading.excepthook = lambda unhandled: error_text.write_traceback(unhandled.exc_value, terminal)
            sys.unraisablehook = lambda unhandled: error_text.write_traceback(unhandled.exc_value, terminal)
            if terminal.verbose <= 1 and not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        logger.removeHandler(handler)
        logger.setLevel(level)
        logging.root.removeHandler(null_handler)
