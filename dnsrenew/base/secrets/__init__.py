"""Secrets as a type, references to them, and faults of pasted secrets."""

from __future__ import annotations

import copy
import os
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import subprocesses
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.extensions import install_command
from dnsrenew.base.files import read_or_drain
from dnsrenew.base.secrets import texts
from dnsrenew.errors import ConfigError, Message, Phrase, SecretError, Text, system_reason

HIDDEN: Final = texts.HIDDEN
_READ_AT_WILL: Final = frozenset({"literal", "env", "file"})
"""Schemes whose values can be read repeatedly. A program or a keyring may ask a person."""

_Read = Callable[["threading.Event | None"], str]


class Secret:
    """A value that is never shown: its ``str``, ``repr`` and ``format`` are ``•••``.

    It may be a reference (``Secret.env("NAME")``), which :meth:`reveal` resolves on the first call. A copy is the same
    secret. A pickle has the reference and never the value: :meth:`reveal` of an unpickled secret fails.

    :raises ConfigError: ``config-invalid``: the value is not a ``str``.
    """

    __module__ = "dnsrenew"
    __slots__ = {
        **dict.fromkeys(("_details", "_failure", "_lock", "_read", "_value")),
        "reference": "Where the value comes from, such as ``env:NAME``; ``literal`` for a value itself.",
    }
    reference: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise _mistake("Secret", value, texts.A_STR)
        self.reference = "literal"
        self._details = ""
        self._value: str | None = value
        self._read: _Read | None = None
        self._failure: tuple[float, SecretError] | None = None
        self._lock = threading.Lock()

    @classmethod
    def _reference(cls, reference: str, read: _Read, *, details: str = "") -> Secret:
        secret = cls("")
        secret.reference = reference
        secret._details = details
        secret._value = None
        secret._read = read
        return secret

    @classmethod
    def env(cls, name: str) -> Secret:
        """Refer to an environment variable.

        :raises ConfigError: ``config-invalid``: the name is empty or not a ``str``; the same applies to the other
            references.
        """
        _check_text("Secret.env", name, texts.VARIABLE)
        return cls._reference(f"env:{name}", lambda _: from_environment(name))

    @classmethod
    def file(cls, path: str | os.PathLike[str]) -> Secret:
        """Refer to a file (UTF-8); one final newline is removed.

        :raises ConfigError: ``config-invalid``: the path is empty.
        """
        name = os.fspath(path)
        _check_text("Secret.file", name, texts.FILE)
        return cls._reference(f"file:{name}", lambda _: from_file(Path(name)))

    @classmethod
    def keyring(cls, service_and_user: str) -> Secret:
        """Refer to ``SERVICE/USER`` in the system's keyring (split at the last ``/``; needs the package keyring).

        :raises ConfigError: ``config-invalid``: service or user is missing.
        """
        _check_text("Secret.keyring", service_and_user, texts.KEYRING)
        service, _, user = service_and_user.rpartition("/")
        if not (service and user):
            raise _mistake("Secret.keyring", service_and_user, texts.KEYRING, found=texts.NO_USER)
        return cls._reference(f"keyring:{service_and_user}", lambda _: from_keyring(service, user))

    @classmethod
    def command(cls, arguments: Iterable[str], *, env: Iterable[str] = ()) -> Secret:
        """Refer to the output of a program (a list of arguments, no shell or terminal; one final newline is removed).

        It has 30 s, and may print 64 KiB. A relative path of the program is relative to the current folder.

        :param env: names of environment variables for the program, such as the token of a password store, in addition
            to the variables that every program needs (``PATH``, ``HOME`` …).
        :raises ConfigError: ``config-invalid``: the program is missing.
        """
        arguments = _texts("Secret.command", arguments, texts.ARGUMENTS)
        names = _texts("Secret.command(env=…)", env, texts.NAMES)
        if not arguments or not arguments[0]:
            found = texts.EMPTY_TEXT if arguments else texts.EMPTY_LIST
            raise _mistake("Secret.command", arguments, texts.ARGUMENTS, found=found)
        reference = f"command:{arguments[0]}"
        details = repr((arguments, names))
        return cls._reference(reference, lambda cancel: from_command(arguments, names, cancel), details=details)

    def reveal(self, *, cancel: threading.Event | None = None) -> str:
        """Return the value; resolve the reference on the first call.

        :param cancel: kills the program of a ``command`` when set.
        :raises Cancelled: the caller cancelled.
        :raises SecretError: ``secret-missing``: the reference cannot be resolved, or its value has an invisible
            character, which no service accepts.
        """
        called = time.monotonic()
        with self._lock:
            if self._failure is not None and self._failure[0] >= called:  # another thread failed during this wait
                raise copy.copy(self._failure[1])
            if self._value is None and self._read is not None:
                try:
                    value = self._read(cancel)
                    fault = invisible(value, texts.IT)
                    if fault is not None:
                        del value  # a tool that shows the variables of a traceback must not show it
                        raise SecretError.of(texts.UNUSABLE, reference=self.reference, fault=fault)
                    self._value = value
                except SecretError as error:
                    self._failure = time.monotonic(), copy.copy(error)
                    raise
            return self._value or ""

    def as_reference(self) -> str | dict[str, list[str]] | None:
        """Return the reference of this secret in a file, ``env:NAME`` or ``{command = […]}``; None for a value."""
        scheme = self.reference.partition(":")[0]
        if scheme == "command":
            import ast  # rarely needed

            arguments, names = ast.literal_eval(self._details)
            return {"command": arguments, "env": names} if names else {"command": arguments}
        return None if scheme == "literal" else self.reference

    def forget(self) -> None:
        """Let the next :meth:`reveal` resolve the reference again, so that each run uses the current value.

        A value that can be read only once, such as from a pipe, is kept.
        """
        if self._read is not None and self._value is not None and not self._is_pipe():
            with self._lock:
                self._value = None

    def identity(self) -> str:
        """Return a text that changes with the secret: its value, or only the reference of a command or keyring.

        It can contain the value, so make a keyed hash of it at once.
        """
        scheme = self.reference.partition(":")[0]
        if scheme not in _READ_AT_WILL or self._is_pipe():
            return f"{self.reference} {self._details}"
        try:
            return f"{self.reference} {self.reveal()}"
        except SecretError:
            return self.reference

    def _is_pipe(self) -> bool:
        scheme, _, path = self.reference.partition(":")
        return scheme == "file" and os.path.exists(path) and not os.path.isfile(path)

    def __eq__(self, other: object) -> bool:
        """Compare the references; two literal values are equal if their texts are."""
        if not isinstance(other, Secret):
            return NotImplemented
        if self.reference == other.reference == "literal":
            return self._value == other._value
        return self.reference == other.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.reference,)


def _unpickled(reference: str) -> Secret:
    def refuse(_cancel: threading.Event | None) -> str:
        raise SecretError.of(texts.UNPICKLED, reference=reference)

    return Secret._reference(reference, refuse)  # noqa: SLF001  # a constructor of this module


def _check_text(call: str, value: object, expected: Phrase) -> None:
    if not isinstance(value, str) or not value:
        raise _mistake(call, value, expected)


def _texts(call: str, values: object, expected: Phrase) -> list[str]:
    """Return a list of texts. A single text is a mistake, because it would count as a list of letters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise _mistake(call, values, expected)
    listed = list(values)
    for each in listed:
        if not isinstance(each, str):
            raise _mistake(call, each, expected)
    return listed


def _mistake(call: str, value: object, expected: Phrase, found: Phrase | None = None) -> ConfigError:
    """Return the error of a wrong argument. The value may be a secret, so only its type is shown."""
    values = {"key": call, "found": found or _kind(value), "expected": expected}
    mistakes = [{"file": "", "line": None, **values, "nearest": None}]
    return ConfigError.of(texts.ARGUMENT, shown=values, mistakes=mistakes)


def _kind(value: object) -> str:
    if value is None:
        return texts.NOTHING
    if isinstance(value, (int, float)):
        return texts.NUMBER
    return texts.EMPTY_TEXT if value == "" else texts.OF_TYPE.format(type=type(value).__name__)


# ── pasted ─────────────────────────────────────────────────────────────────────────────

# Faults of a pasted secret: invisible characters, a second line, letters that no key has.
#
# The message says where the fault is, and shows no other part of the secret.

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_PLAIN: Final = frozenset(" \t\r\n")
_DOCUMENT: Final = re.compile(r"\s*(?:\{|-----BEGIN )")
"""The beginning of a secret with several lines: JSON, PEM."""
_QUOTED: Final = re.compile(r"""(["'`]).*\1""")


def invisible(value: str, secret: str) -> Message | None:
    """Return where a secret has an invisible character, as copied from web pages or editors, or None.

    :param secret: the name of the secret.
    """
    for number, line in enumerate(re.split(r"\r?\n", value), 1):
        for position, character in enumerate(line, 1):
            if unicodedata.category(character) in _INVISIBLE and character not in _PLAIN:
                point = f"U+{ord(character):04X}"
                return texts.INVISIBLE.format(secret=secret, character=point, line=number, position=position)
    return None


def fault(value: str, secret: str, *, is_key: bool) -> Message | None:
    """Return the fault of a service's secret (surrounding blanks are harmless), or None if it can be right.

    :param is_key: whether it is a token or a key and not a password, so that it has only ASCII letters.
    """
    text = value.strip()
    lines = text.splitlines()
    if (found := invisible(text, secret)) is not None or _DOCUMENT.match(text):
        return found
    if len(lines) > 1:
        return texts.SEVERAL_LINES.format(secret=secret, count=len(lines))
    for position, character in enumerate(text if is_key else "", 1):
        if not character.isascii():
            text_of = texts.FULL_WIDTH if "\uff00" < character < "\uff5f" else texts.NOT_ASCII
            return text_of.format(secret=secret, position=position)
    return texts.QUOTED.format(secret=secret) if is_key and _QUOTED.fullmatch(text) else None


# ── sources ────────────────────────────────────────────────────────────────────────────

# The sources of secrets: the environment, files, the keyring, programs.

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
    if value is None or not value.strip():
        text = texts.VARIABLE_NOT_SET if value is None else texts.VARIABLE_EMPTY
        raise SecretError.of(text, reference=f"env:{name}", variable=name)
    return value


def from_file(path: Path) -> str:
    """Return the content of a file, without one final newline.

    :raises SecretError: ``secret-missing``.
    """
    try:
        # It may be a pipe, of a password manager or a shell's <(…), which has the time limit of a command.
        secret = _without_newline(read_or_drain(path, COMMAND_TIMEOUT, SystemClock()).decode("utf-8-sig"))
    except OSError as error:
        found = f"{path.name}.txt"  # Windows hides the suffix that Notepad adds
        if isinstance(error, FileNotFoundError) and path.with_name(found).is_file():
            raise SecretError.of(texts.FILE_NAMED_TXT, reference=f"file:{path}", file=str(path), found=found) from None
        cause = system_reason(error)
        raise SecretError.of(texts.FILE_UNREADABLE, reference=f"file:{path}", file=str(path), cause=cause) from None
    except UnicodeDecodeError:
        raise SecretError.of(texts.FILE_NOT_UTF8, reference=f"file:{path}", file=str(path)) from None
    if not secret.strip():
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
    except OSError as error:  # raised below, because the traceback of this error has the environment in its variables
        problem = texts.COMMAND_CANNOT_RUN
        evidence["cause"] = system_reason(error)
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
    except UnicodeDecodeError:  # caught here, so that it is not the context of another error: it has the bytes
        return None
