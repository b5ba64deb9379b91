"""Where secrets come from: the environment, files, the keyring, programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import subprocesses
from dnsrenew.base.files import read_or_drain
from dnsrenew.base.secrets import texts
from dnsrenew.errors import SecretError, Text

if TYPE_CHECKING:
    import threading
    from pathlib import Path

COMMAND_TIMEOUT: Final = 30.0
COMMAND_LIMIT: Final = 64 * 1024
"""The time limit of a program that prints a secret, in seconds, and of its output, in bytes."""


def _without_newline(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def from_environment(name: str) -> str:
    """Return the value of an environment variable.

    :raises SecretError: ``secret-missing``.
    """
    value = os.environ.get(name)
    if not value:
        text = texts.VARIABLE_EMPTY if value == "" else texts.VARIABLE_NOT_SET
        raise SecretError.of(text, reference=f"env:{name}", variable=name)
    return value


def from_file(path: Path) -> str:
    """Return the content of a file, without one final newline.

    :raises SecretError: ``secret-missing``.
    """
    try:
        # It may be a pipe, of a password manager or a shell's <(…), which has the time limit of a command.
        secret = _without_newline(read_or_drain(path, COMMAND_TIMEOUT).decode("utf-8-sig"))
    except OSError as error:
        found = f"{path.name}.txt"  # Windows hides the ending that Notepad adds
        if isinstance(error, FileNotFoundError) and path.with_name(found).is_file():
            raise SecretError.of(texts.FILE_NAMED_TXT, reference=f"file:{path}", file=str(path), found=found) from None
        cause = error.strerror or type(error).__name__
        raise SecretError.of(texts.FILE_UNREADABLE, reference=f"file:{path}", file=str(path), cause=cause) from None
    except UnicodeDecodeError:
        raise SecretError.of(texts.FILE_NOT_UTF8, reference=f"file:{path}", file=str(path)) from None
    if not secret:
        raise SecretError.of(texts.FILE_EMPTY, reference=f"file:{path}", file=str(path))
    return secret


def from_keyring(service: str, user: str) -> str:
    """Return an entry of the system's keyring.

    :raises SecretError: ``secret-missing``.
    """
    reference = f"keyring:{service}/{user}"
    try:
        import keyring  # an extra, and slow to import
    except ImportError:
        from dnsrenew.base.extensions import install_command  # late: only after this error

        command = install_command("keyring")
        raise SecretError.of(texts.KEYRING_MISSING, reference=reference, command=command) from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001  # a back end may raise any exception
        raise SecretError.of(texts.KEYRING_FAILED, reference=reference, cause=type(error).__name__) from None
    if not value:
        raise SecretError.of(texts.KEYRING_NO_ENTRY, reference=reference, service=service, user=user)
    return str(value)


def from_command(arguments: list[str], names: list[str], cancel: threading.Event | None) -> str:
    """Return the output of a program, without one final newline.

    :raises SecretError: ``secret-missing``.
    """
    evidence: dict[str, Any] = {"reference": f"command:{arguments[0] if arguments else ''}"}
    problem: Text
    try:
        done = subprocesses.run(
            arguments, env=subprocesses.environment(names), seconds=COMMAND_TIMEOUT, limit=COMMAND_LIMIT, cancel=cancel
        )
    except OSError as error:  # raised below: the traceback of this error has the environment in its variables
        problem = texts.COMMAND_CANNOT_RUN
        evidence["cause"] = error.strerror or type(error).__name__
    else:
        if len(done.output) > COMMAND_LIMIT:
            problem = texts.COMMAND_OUTPUT_TOO_LONG
            evidence["limit"] = COMMAND_LIMIT // 1024
        elif done.status is None:
            problem = texts.COMMAND_TIMED_OUT
            evidence["seconds"] = round(COMMAND_TIMEOUT)
        elif done.status:
            problem = texts.COMMAND_FAILED
            evidence["status"] = done.status
        elif (secret := _decoded(done.output)) is None:
            problem = texts.COMMAND_NOT_UTF8
        elif not secret:
            problem = texts.COMMAND_PRINTED_NOTHING
        else:
            return secret
        del done  # a tool that shows the variables of a traceback must not show the output
    raise SecretError.of(problem, **evidence)


def _decoded(out: bytes) -> str | None:
    try:
        return _without_newline(out.decode("utf-8-sig"))
    except UnicodeDecodeError:  # caught here, so that it is not the context of another error: it holds the bytes
        return None
