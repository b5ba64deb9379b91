"""Reads a passphrase: from a file, or typed at the terminal, where it is not shown."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import files
from dnsrenew.base.secrets import Secret
from dnsrenew.cli import texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.terminal import yellow
from dnsrenew.errors import DnsRenewError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnsrenew.cli.invocation import Invocation

_PATIENCE: Final = 30.0
"""Seconds for a pipe, such as that of a password manager."""
_LONGEST: Final = 4096
SHORTEST: Final = 8
"""Characters of a new passphrase."""


def new_passphrase(invocation: Invocation, command: str) -> Secret:
    """Return a new passphrase; at the terminal it is typed twice.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: nobody can be asked, the file cannot be read, or it is too short.
    :raises DnsRenewError: ``declined``: the two do not match.
    """
    passphrase = _from_file(invocation, command)
    if passphrase is None:
        passphrase = _typed(invocation, texts.ASK_NEW)
        if _is_long(passphrase) and _typed(invocation, texts.ASK_AGAIN) != passphrase:
            raise DnsRenewError.of(texts.PASSPHRASES_DIFFER)
    if not _is_long(passphrase):
        raise usage(texts.PASSPHRASE_SHORT, command, least=SHORTEST)
    return passphrase


def known_passphrase(invocation: Invocation, command: str) -> Secret:
    """Return the passphrase of a sealed file.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: nobody can be asked, or the file cannot be read.
    """
    passphrase = _from_file(invocation, command)
    return _typed(invocation, texts.ASK_KNOWN) if passphrase is None else passphrase


def _from_file(invocation: Invocation, command: str) -> Secret | None:
    """Return the passphrase of ``--passphrase-file``, without one final newline; None if somebody can be asked."""
    path = invocation.options.passphrase_file
    if path is None:
        if not invocation.terminal.is_attended:
            raise usage(texts.PASSPHRASE_MISSING, command)
        return None
    try:
        data = files.read_or_drain(path, _PATIENCE)
        return Secret(data.decode("utf-8").removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        reason = texts.NOT_UTF8
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise usage(texts.FILE_UNREADABLE, command, option="--passphrase-file", path=path, reason=reason)


def _typed(invocation: Invocation, question: str) -> Secret:
    terminal = invocation.terminal
    try:
        with _hidden_input():
            terminal.err.write(terminal.err.render(terminal.err.encodable(f"{yellow('?')} {question}")) + " ")
            terminal.drain()
            line = invocation.signals.run(_read_line)
    finally:
        terminal.err.write("\n")  # the newline that was typed is not shown either
    return Secret(line.removesuffix("\n").removesuffix("\r"))


def _is_long(passphrase: Secret) -> bool:
    return len(passphrase.reveal()) >= SHORTEST


def _read_line() -> str:
    """Read a line. Not with ``input``: after Ctrl-C its lock would stop the interpreter's exit."""
    if sys.platform == "win32":
        import getpass

        return getpass.getpass("")
    return os.read(sys.stdin.fileno(), _LONGEST).decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _hidden_input() -> Iterator[None]:
    """Do not show what is typed. This is done in the main thread, which also undoes it after Ctrl-C."""
    if sys.platform == "win32":
        yield
        return
    import termios

    handle = sys.stdin.fileno()
    before: list[Any] = termios.tcgetattr(handle)
    hidden = before[:]
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(handle, termios.TCSAFLUSH, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSANOW, before)
