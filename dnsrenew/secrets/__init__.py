"""Secrets as a type, references to them, and their removal from every text that leaves us."""

from __future__ import annotations

import contextlib
import copy
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.files import read_or_drain
from dnsrenew.errors import SecretError

if TYPE_CHECKING:
    import logging

HIDDEN: Final = "•••"
COMMAND_TIMEOUT: Final = 30.0
COMMAND_LIMIT: Final = 64 * 1024
"""Seconds, and bytes, that a program may take to tell a secret."""
_SHORTEST: Final = 3
"""A shorter secret is not searched for in texts: it would tear holes everywhere."""

_Read = Callable[["threading.Event | None"], str]


class Secret:
    """A value that is shown to nobody: its text, repr, format, pickle and JSON are ``•••``.

    It may be a reference (``Secret.env("NAME")``), which is followed when :meth:`reveal` is first called.
    """

    __slots__ = ("_failure", "_lock", "_read", "_value", "reference")

    def __init__(self, value: str) -> None:
        self.reference = "literal"
        self._value: str | None = value
        self._read: _Read | None = None
        self._failure: tuple[float, SecretError] | None = None
        self._lock = threading.Lock()

    @classmethod
    def _reference(cls, reference: str, read: _Read) -> Secret:
        secret = cls("")
        secret.reference = reference
        secret._value = None
        secret._read = read
        return secret

    @classmethod
    def env(cls, name: str) -> Secret:
        """Refer to an environment variable."""
        return cls._reference(f"env:{name}", lambda _: _from_environment(name))

    @classmethod
    def file(cls, path: str | os.PathLike[str]) -> Secret:
        """Refer to a file (UTF-8); one final newline is dropped."""
        return cls._reference(f"file:{os.fspath(path)}", lambda _: _from_file(Path(path)))

    @classmethod
    def keyring(cls, service_and_user: str) -> Secret:
        """Refer to ``SERVICE/USER`` in the system's keyring (split at the last ``/``; needs ``dnsrenew[keyring]``)."""
        service, _, user = service_and_user.rpartition("/")
        return cls._reference(f"keyring:{service_and_user}", lambda _: _from_keyring(service, user))

    @classmethod
    def command(cls, arguments: Iterable[str], *, env: Iterable[str] = ()) -> Secret:
        """Refer to what a program prints (a list of arguments, no shell or terminal; one final newline is dropped).

        It may take 30 s and print 64 KiB.

        :param env: names of environment variables that it gets besides those that every program needs
            (:mod:`dnsrenew.base.subprocesses`), such as the token of a password store.
        """
        arguments, names = list(arguments), list(env)
        reference = f"command:{arguments[0] if arguments else ''}"
        return cls._reference(reference, lambda cancel: _from_command(arguments, names, cancel))

    def reveal(self, *, cancel: threading.Event | None = None) -> str:
        """Return the value, following the reference the first time.

        :param cancel: ends a program that is asked, when set.
        :raises Cancelled: when cancelled.
        :raises SecretError: ``secret-missing`` when the reference leads to nothing.
        """
        asked = time.monotonic()
        with self._lock:
            if self._failure is not None and self._failure[0] >= asked:  # while we waited for who asks
                raise copy.copy(self._failure[1])
            if self._value is None and self._read is not None:
                try:
                    self._value = self._read(cancel)
                except SecretError as error:
                    self._failure = time.monotonic(), copy.copy(error)
                    raise
            return self._value or ""

    def __eq__(self, other: object) -> bool:
        """Compare what they refer to; two values are equal when their texts are."""
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

    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (HIDDEN,)


def _missing(reference: str, what: str, fix: str, **evidence: object) -> SecretError:
    return SecretError(
        "secret-missing",
        f"The secret {reference} cannot be read: {what}.",
        fix=fix,
        evidence={"reference": reference, **evidence},
    )


def _without_newline(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        state = "is empty" if value == "" else "is not set"
        raise _missing(f"env:{name}", f"the environment variable {state}", f"Set {name} where dnsrenew runs.")
    return value


def _from_file(path: Path) -> str:
    try:
        # A pipe may bring it, from a password manager or a shell's <(…), as a command may: within the same time.
        text = _without_newline(read_or_drain(path, COMMAND_TIMEOUT).decode("utf-8"))  # line ends stay as they are
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _missing(
            f"file:{path}", str(what), f"Put the secret into {path}, readable by the user that runs dnsrenew."
        ) from None
    if not text:
        raise _missing(f"file:{path}", "the file is empty", f"Put the secret into {path}.")
    return text


def _from_keyring(service: str, user: str) -> str:
    reference = f"keyring:{service}/{user}"
    try:
        import keyring  # an extra, and slow to import
    except ImportError:
        raise _missing(
            reference, "the package keyring is not installed", "Install it: pip install 'dnsrenew[keyring]'."
        ) from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001  # back ends raise what they like
        raise _missing(
            reference,
            "the keyring did not open",
            "Unlock the keyring for the user that runs dnsrenew.",
            cause=type(error).__name__,
        ) from None
    if not value:
        raise _missing(reference, "the keyring has no such entry", f"Run: keyring set {service} {user}.")
    return str(value)


def _from_command(arguments: list[str], names: list[str], cancel: threading.Event | None) -> str:
    from dnsrenew.base import subprocesses

    reference = f"command:{arguments[0] if arguments else ''}"
    fix = (
        "Run the command by hand, as the user that runs dnsrenew, and see what it says; what it needs of the "
        "environment, name in `env` beside it."
    )
    try:
        done = subprocesses.run(
            arguments, env=subprocesses.environment(names), seconds=COMMAND_TIMEOUT, limit=COMMAND_LIMIT, cancel=cancel
        )
    except OSError as error:  # nothing is raised here: what hangs on to this error has seen the environment
        wrong = f"it cannot be run ({error.strerror})"
    else:
        if len(done.out) > COMMAND_LIMIT:
            wrong = f"it prints more than {COMMAND_LIMIT // 1024} KiB"
        elif done.status is None:
            wrong = f"it did not end within {COMMAND_TIMEOUT:.0f} s"
        elif done.status:
            wrong = f"it ended with status {done.status}"
        elif (text := _decoded(done.out)) is None:
            wrong = "it did not print UTF-8 text"
        elif not text:
            wrong = "it printed nothing"
        else:
            return text
        del done  # what looks at the variables in a traceback must not see what it printed
    raise _missing(reference, wrong, fix)


def _decoded(out: bytes) -> str | None:
    try:
        return _without_newline(out.decode("utf-8"))
    except UnicodeDecodeError:  # not to hang on to an error of ours: it holds the bytes
        return None


class Redactor:
    """Knows the secrets revealed in a run and takes them out of any text."""

    def __init__(self) -> None:
        self._forms: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add(self, value: str) -> str:
        """Learn a secret, in the forms in which it travels, and return it."""
        from dnsrenew.secrets.encodings import encodings  # no secret, no need of it

        if len(value) >= _SHORTEST:
            with self._lock:
                self._forms |= encodings(value)
        return value

    def redact(self, text: str) -> str:
        """Return the text with every secret, however it is spelt there, replaced by ``•••``."""
        if not self._forms:
            return text
        from dnsrenew.secrets.encodings import find_secret

        pieces, done = [], 0
        for begin, end in sorted(find_secret(text, self._forms)):
            if begin >= done:
                pieces += [text[done:begin], HIDDEN]
            done = max(done, end)
        return "".join([*pieces, text[done:]])

    @contextlib.contextmanager
    def guard_logs(self, *prefixes: str) -> Iterator[None]:
        """Take secrets out of what the loggers under ``prefixes`` write meanwhile.

        A filter on a parent does not see a child's records, so each existing logger gets one; and the handlers, for
        the loggers that a library makes only when it is called.
        """
        import logging

        def is_meant(name: str) -> bool:
            return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)

        def clean(record: logging.LogRecord) -> bool:  # a function of this guard's own: guards overlap
            return self._clean(record) if is_meant(record.name) else True

        loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if is_meant(name)]
        handlers = {handler for logger in (logging.root, *loggers) for handler in logger.handlers}
        for guarded in (*loggers, *handlers):
            guarded.addFilter(clean)
        try:
            yield
        finally:
            for guarded in (*loggers, *handlers):
                guarded.removeFilter(clean)

    def _clean(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  # a library's mistake in a log call is not to end what it was about
            text = record.msg if isinstance(record.msg, str) else HIDDEN
            record.msg, record.args = text, None
        clean = self.redact(text)
        if clean != text:
            record.msg, record.args = clean, None
        if record.exc_info:
            record.exc_info, record.exc_text = None, None
        return True
