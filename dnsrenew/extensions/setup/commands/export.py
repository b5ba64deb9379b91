"""``dnsrenew export``: store and configuration as one file."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files
from dnsrenew.base.secrets import Secret
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.config import sources
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.setup.archive import export as archive
from dnsrenew.extensions.setup.archive import restore as restoring
from dnsrenew.extensions.setup.archive.config_files import PlaceInConfig
from dnsrenew.extensions.setup.commands import absolute, next_steps, warn

_COMMAND: Final = "dnsrenew export"


def export(invocation: Invocation) -> int:
    """Export; return the exit status.

    :raises ConfigError: the file exists, or the command line is wrong.
    :raises StoreError: the store cannot be read, or the file cannot be written.
    """
    terminal, options = invocation.terminal, invocation.options
    to_stdout = options.file == archive.STANDARD_OUTPUT
    if to_stdout and terminal.json:
        raise usage(texts.STDOUT_AND_JSON, _COMMAND)
    if to_stdout and terminal.out.is_terminal:
        raise usage(texts.STDOUT_IS_TERMINAL, _COMMAND)
    if options.passphrase_file is not None and not options.secrets:
        raise usage(texts.PASSPHRASE_ALONE, _COMMAND)
    config = invocation.config()
    archive.folder_of(config)  # before the passphrase is asked for
    passphrase = new_passphrase(invocation, _COMMAND) if options.secrets else None
    context = invocation.context()
    if to_stdout:
        terminal.drain()
        work = partial(archive.export_to, out=sys.stdout.buffer)
    else:
        work = partial(archive.export, path=absolute(options.file))
    result = invocation.signals.run(partial(work, config, context=context, passphrase=passphrase), cleans_up=True)
    terminal.write_document(result.to_dict())
    if not terminal.quiet:
        output, write = (terminal.err, terminal.write_message) if to_stdout else (terminal.out, terminal.write_result)
        write("\n".join(_lines(result, output.size()[0])))
    return 0


def _lines(result: archive.ExportResult, columns: int | None) -> list[str]:
    certificates = formatting.count(result.certificates, texts.CERTIFICATE)
    accounts = formatting.count(result.accounts, texts.CA_ACCOUNT)
    template = texts.EXPORTED_SEALED if result.sealed else texts.EXPORTED
    file = texts.STANDARD_OUTPUT if result.file == "-" else result.file
    head = template.format(certificates=certificates, accounts=accounts, file=file)
    lines = formatting.wrap(head, columns, f"{green('✓')} ", "  ")
    found = [(dim("·"), texts.MASKED.format(**_place(each))) for each in result.masked]
    found += [(yellow("!"), texts.KEPT_ARGUMENTS.format(**_place(each))) for each in result.kept]
    found += [(dim("·"), texts.REFERRED.format(**{**vars(each), **_place(each)})) for each in result.references]
    found += [(yellow("!"), texts.LEFT_OUT.format(path=each.path, reason=say(each.reason))) for each in result.left_out]
    return [*lines, *(line for mark, text in found for line in formatting.wrap(text, columns, f"{mark} ", "  "))]


def _place(place: PlaceInConfig) -> dict[str, str]:
    return {"place": f"{place.file}:{place.line}" if place.line else place.file, "key": say(place.key)}


# ── passphrase ─────────────────────────────────────────────────────────────────────────

# Reads a passphrase, from a file or typed at the terminal without being shown.

_PATIENCE: Final = 30.0
"""Seconds for a pipe, such as from a password manager."""
SHORTEST: Final = 8
"""The minimum length of a new passphrase."""


def new_passphrase(invocation: Invocation, command: str) -> Secret:
    """Return a new passphrase. At the terminal, it is typed twice, and asked for again if it is unusable.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: there is no terminal to ask at, the file cannot be read, or the passphrase is too
        short.
    :raises DnsRenewError: ``declined``: the two do not match.
    """
    passphrase = _from_file(invocation, command)
    left = 3 if passphrase is None else 1
    while True:
        left -= 1
        found = _typed(invocation, texts.ASK_NEW) if passphrase is None else passphrase
        fault: DnsRenewError = usage(texts.PASSPHRASE_SHORT, command, least=SHORTEST)
        if len(found.reveal()) >= SHORTEST:
            if passphrase is not None or _typed(invocation, texts.ASK_AGAIN) == found:
                return found
            fault = DnsRenewError.of(texts.PASSPHRASES_DIFFER)
        if not left:
            raise fault
        lines = error_text.lines(fault, invocation.terminal.err.size()[0], f"{red('✗')} ")
        invocation.terminal.write_message("\n".join(lines[:1]))


def known_passphrase(invocation: Invocation, command: str) -> Secret:
    """Return the passphrase of a sealed file.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: there is no terminal to ask at, or the file cannot be read.
    """
    passphrase = _from_file(invocation, command)
    return _typed(invocation, texts.ASK_KNOWN) if passphrase is None else passphrase


def _from_file(invocation: Invocation, command: str) -> Secret | None:
    """Return the passphrase of ``--passphrase-file``, without one final newline; None if a person can be asked."""
    path = invocation.options.passphrase_file
    if path is None:
        if not invocation.terminal.is_attended:
            raise usage(texts.PASSPHRASE_MISSING, command)
        return None
    try:
        data = files.read_or_drain(path, _PATIENCE, invocation.clock)
        return Secret(data.decode("utf-8").removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        reason = texts.NOT_UTF8
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise usage(texts.FILE_UNREADABLE, command, option="--passphrase-file", path=path, reason=reason)


def _typed(invocation: Invocation, question: str) -> Secret:
    terminal = invocation.terminal
    try:
        with hidden_input():
            terminal.err.write(terminal.err.render(terminal.err.encodable(f"{yellow('?')} {question}")) + " ")
            terminal.drain()
            line = invocation.signals.run(_read_line)
    finally:
        terminal.err.write("\n")  # the typed newline is not shown either
    return Secret(line.removesuffix("\n").removesuffix("\r"))


def _read_line() -> str:
    """Read a line. Not with ``input``, whose lock would stop the interpreter's exit after Ctrl-C."""
    if sys.platform == "win32":
        return getpass.getpass("")
    return os.read(sys.stdin.fileno(), 4096).decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def hidden_input(*, forgets: bool = True) -> Iterator[None]:
    """Hide typed text. This runs in the main thread, which also undoes it after Ctrl-C.

    :param forgets: whether text typed before is discarded.
    """
    if sys.platform == "win32":
        yield
        return
    import termios

    handle = sys.stdin.fileno()
    before: list[Any] = termios.tcgetattr(handle)
    hidden = before[:]
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(handle, termios.TCSAFLUSH if forgets else termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


# ── restore ────────────────────────────────────────────────────────────────────────────

# ``dnsrenew restore``: store and configuration from one file.

_RESTORE_COMMAND: Final = "dnsrenew restore"


def restore(invocation: Invocation) -> int:
    """Restore; return the exit status.

    :raises ConfigError: a configuration exists, or the command line is wrong.
    :raises StoreError: the file is damaged, the passphrase is wrong, a store exists, or the store cannot be written.
    """
    terminal, options = invocation.terminal, invocation.options
    path = absolute(options.file)
    target = Path(sources.new_config(options.config, os.environ, sources.here()))
    restoring.check_free(target)
    passphrase = None
    if restoring.is_sealed(path):
        passphrase = known_passphrase(invocation, _RESTORE_COMMAND)
    elif options.passphrase_file is not None:
        raise usage(texts.NOT_SEALED, _RESTORE_COMMAND, path=str(path))
    context = invocation.context()
    work = partial(restoring.restore, path, target, context, passphrase=passphrase, insist=options.insist)
    result = invocation.signals.run(work, cleans_up=True)
    terminal.write_document(result.to_dict())
    for notice in result.warnings:
        warn(terminal, notice)
    if not terminal.quiet:
        columns, _ = terminal.out.size()
        steps = next_steps(_steps(result, is_named=bool(options.config)), columns)
        terminal.write_result("\n".join([*_restore_lines(result, columns), *steps]))
    return 0


def _restore_lines(result: restoring.RestoreResult, columns: int | None) -> list[str]:
    """Return the lines about the restored parts."""
    certificates = formatting.count(result.certificates, texts.CERTIFICATE)
    accounts = formatting.count(result.accounts, texts.CA_ACCOUNT)
    if result.sealed:
        head = texts.RESTORED.format(certificates=certificates, accounts=accounts)
    else:
        known = formatting.count(result.keyless, texts.CERTIFICATE)
        head = texts.RESTORED_WITHOUT_KEYS.format(certificates=known)
    rows = [(texts.RESTORED_CONFIG, result.config), (texts.RESTORED_STORE, result.store)]
    lines = [*formatting.wrap(head, columns, f"{green('✓')} ", "  "), *formatting.fields(rows, columns)]
    for path in (path for path in result.written if path != result.config):
        lines += formatting.wrap(texts.WROTE.format(path=path), columns, f"{dim('·')} ", "  ")
    return lines


def _steps(result: restoring.RestoreResult, *, is_named: bool) -> list[str]:
    """Return the remaining steps in order.

    :param is_named: whether the commands need ``--config`` to find the configuration.
    """
    option = f" --config {shlex.quote(str(result.config))}" if is_named else ""
    steps = []
    for each in (*result.masked, *result.references):
        place = f"{each['file']}:{each['line']}" if each["line"] else each["file"]
        text = texts.SUPPLY_REFERENCE if "reference" in each else texts.FILL_IN
        steps.append(text.format(**{**each, "place": place}))
    steps += [texts.COPY_FILE.format(path=path) for path in result.missing]
    steps += [texts.CHANGE_PATHS.format(path=path) for path in result.old_paths]
    steps.append(texts.CHECK_FIRST.format(config=option))
    if result.keyless:
        keyless = formatting.count(result.keyless, texts.CERTIFICATE)
        steps.append(texts.RENEW_KEYLESS.format(certificates=keyless, config=option))
    return [*steps, texts.DEPLOY_HERE.format(config=option), texts.SCHEDULE_HERE.format(config=option)]
