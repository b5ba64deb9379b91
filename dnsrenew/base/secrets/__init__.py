"""Secrets as a type, and references to them."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.secrets import pasted, sources, texts
from dnsrenew.errors import ConfigError, Phrase, SecretError

HIDDEN: Final = texts.HIDDEN
_READ_AT_WILL: Final = frozenset({"literal", "env", "file"})
"""Schemes whose values can be read again and again. A program or a keyring may ask a person."""

_Read = Callable[["threading.Event | None"], str]


class Secret:
    """A value that is never shown: its ``str``, ``repr`` and ``format`` are ``•••``.

    It may be a reference (``Secret.env("NAME")``), which :meth:`reveal` resolves on the first call. A copy is the same
    secret. A pickle has the reference and never the value: :meth:`reveal` of an unpickled secret fails.

    :raises ConfigError: ``config-invalid``: the value is no ``str``.
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

        :raises ConfigError: ``config-invalid``: the name is empty or no ``str``; the same for the other references.
        """
        _check_text("Secret.env", name, texts.VARIABLE)
        return cls._reference(f"env:{name}", lambda _: sources.from_environment(name))

    @classmethod
    def file(cls, path: str | os.PathLike[str]) -> Secret:
        """Refer to a file (UTF-8); one final newline is removed.

        :raises ConfigError: ``config-invalid``: the path is empty.
        """
        name = os.fspath(path)
        _check_text("Secret.file", name, texts.FILE)
        return cls._reference(f"file:{name}", lambda _: sources.from_file(Path(name)))

    @classmethod
    def keyring(cls, service_and_user: str) -> Secret:
        """Refer to ``SERVICE/USER`` in the system's keyring (split at the last ``/``; needs the package keyring).

        :raises ConfigError: ``config-invalid``: service or user is missing.
        """
        _check_text("Secret.keyring", service_and_user, texts.KEYRING)
        service, _, user = service_and_user.rpartition("/")
        if not (service and user):
            raise _mistake("Secret.keyring", service_and_user, texts.KEYRING, found=texts.NO_USER)
        return cls._reference(f"keyring:{service_and_user}", lambda _: sources.from_keyring(service, user))

    @classmethod
    def command(cls, arguments: Iterable[str], *, env: Iterable[str] = ()) -> Secret:
        """Refer to the output of a program (a list of arguments, no shell or terminal; one final newline is removed).

        It has 30 s, and may print 64 KiB. A relative path of the program is relative to the current folder.

        :param env: names of environment variables for the program, such as the token of a password store, in addition
            to those that every program needs (``PATH``, ``HOME`` …).
        :raises ConfigError: ``config-invalid``: there is no program.
        """
        arguments = _texts("Secret.command", arguments, texts.ARGUMENTS)
        names = _texts("Secret.command(env=…)", env, texts.NAMES)
        if not arguments or not arguments[0]:
            found = texts.EMPTY_TEXT if arguments else texts.EMPTY_LIST
            raise _mistake("Secret.command", arguments, texts.ARGUMENTS, found=found)
        reference = f"command:{arguments[0]}"
        details = repr((arguments, names))
        return cls._reference(reference, lambda cancel: sources.from_command(arguments, names, cancel), details=details)

    def reveal(self, *, cancel: threading.Event | None = None) -> str:
        """Return the value; resolve the reference on the first call.

        :param cancel: kills the program of a ``command`` when set.
        :raises Cancelled: the caller cancelled.
        :raises SecretError: ``secret-missing``, the reference cannot be resolved, or its value has a character that
            cannot be seen, which no service takes.
        """
        called = time.monotonic()
        with self._lock:
            if self._failure is not None and self._failure[0] >= called:  # another thread failed during this wait
                raise copy.copy(self._failure[1])
            if self._value is None and self._read is not None:
                try:
                    value = self._read(cancel)
                    fault = pasted.invisible(value, texts.IT)
                    if fault is not None:
                        del value  # a tool that shows the variables of a traceback must not show it
                        raise SecretError.of(texts.UNUSABLE, reference=self.reference, fault=fault)
                    self._value = value
                except SecretError as error:
                    self._failure = time.monotonic(), copy.copy(error)
                    raise
            return self._value or ""

    def as_reference(self) -> str | dict[str, list[str]] | None:
        """Return what a configuration says for this secret, ``env:NAME`` or ``{command = […]}``; None for a value."""
        scheme = self.reference.partition(":")[0]
        if scheme == "command":
            import ast  # rarely needed

            arguments, names = ast.literal_eval(self._details)
            return {"command": arguments, "env": names} if names else {"command": arguments}
        return None if scheme == "literal" else self.reference

    def forget(self) -> None:
        """Let the next :meth:`reveal` resolve the reference again, so that each run uses the value of its time.

        What can be read only once, such as a pipe, is kept.
        """
        if self._read is not None and self._value is not None and not self._is_pipe():
            with self._lock:
                self._value = None

    def identity(self) -> str:
        """Return a text that changes with the secret: its value, or of a command and a keyring only the reference.

        It can contain the value: make a keyed hash of it at once.
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
    """Return a list of texts. One text is a mistake: it would be taken as a list of letters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise _mistake(call, values, expected)
    listed = list(values)
    for each in listed:
        if not isinstance(each, str):
            raise _mistake(call, each, expected)
    return listed


def _mistake(call: str, value: object, expected: Phrase, found: Phrase | None = None) -> ConfigError:
    """Return the error of a wrong argument; the value may be a secret, so only its type is shown."""
    values = {"key": call, "found": found or _kind(value), "expected": expected}
    evidence = {"mistakes": [{"file": "", "line": None, **values, "nearest": None}]}
    code, message, fix = texts.ARGUMENT.fill(**values)
    return ConfigError(code, message, fix=fix, evidence=evidence)


def _kind(value: object) -> str:
    if value is None:
        return texts.NOTHING
    if isinstance(value, (int, float)):
        return texts.NUMBER
    return texts.EMPTY_TEXT if value == "" else texts.OF_TYPE.format(type=type(value).__name__)
