"""How a table is read: its keys, each with the reader of its value.

A reader returns the value or raises ``FieldError``. The table turns the error into a mistake and continues, so that
all mistakes are reported together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from dnsrenew.base import validation
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import FieldError, KeyPath, Mistake, describe_found, kind, one_of, shown_key
from dnsrenew.base.validation.texts import MISSING, TABLE, UNKNOWN_KEY
from dnsrenew.base.validation.toml_positions import key_lines, line_of
from dnsrenew.base.values import Frozen, field
from dnsrenew.config import texts
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.errors import Phrase

TOP_LEVEL: Final = frozenset({"include", "store", "contact", "agree_terms", "default_ca"})
"""Keys of the whole file, which belong above all tables: TOML gives a line to the last [table] before it."""


class SecretUse(Frozen):
    """A secret and its key, so that ``dnsrenew check`` can report an unreadable one."""

    file: str
    path: KeyPath
    secret: Secret


class Unlocated(Frozen):
    """A mistake whose line is looked up when it is shown. It has the fields of :class:`Mistake`."""

    file: str
    path: KeyPath
    found: str
    expected: str
    nearest: str | None = None
    fix: str | None = None


class MistakeReport:
    """Collects the findings of the readers: mistakes, secrets, unsupported keys.

    :param prefix: a prefix of keys that is not shown, for a certificate made from arguments.
    :ivar sources: the text of each file.
    :ivar tables: the tables of each file.
    :ivar empty_includes: patterns of ``include`` that no file matches.
    :ivar secret_files: the files with secrets; a dict because of its order.
    :ivar plain_secrets: keys of secrets in plain text.
    :ivar file_names: keys of secrets in plain text that are the name of an existing file, with that name.
    :ivar odd_secrets: keys of secrets that look like references of an unknown kind.
    :ivar written: the keys that name a file to deploy to, by the path of the file.
    :ivar refused: whether a document has a value that only the configuration may have (:meth:`FieldScope.check_plain`).
    """

    def __init__(self, prefix: KeyPath = ()) -> None:
        self.sources: dict[str, str] = {}
        self.tables: dict[str, dict[str, Any]] = {}
        self.empty_includes: list[str] = []
        self.secrets: list[SecretUse] = []
        self.secret_files: dict[str, None] = {}
        self.plain_secrets: list[str] = []
        self.file_names: dict[str, str] = {}
        self.odd_secrets: list[str] = []
        self.written: dict[str, list[tuple[FieldScope, KeyPath]]] = {}
        self.refused = False
        self._prefix = prefix
        self._mistakes: list[Unlocated] = []
        self._located: list[Mistake] = []

    def add(self, mistake: Unlocated) -> None:
        """Add a mistake."""
        self._mistakes.append(mistake)

    def add_located(self, mistake: Mistake) -> None:
        """Add a mistake whose line is known."""
        self._located.append(mistake)

    def has_mistake(self, path: KeyPath) -> bool:
        """Return whether there is a mistake at or below a key."""
        return any(mistake.path[: len(path)] == path for mistake in self._mistakes)

    def mentions(self, key: str) -> bool:
        """Return whether a mistake is about a key at any place, or about a key that was probably meant to be it."""
        return any(key in {mistake.path[-1], mistake.nearest} for mistake in self._mistakes)

    def shown(self, file: str, path: KeyPath) -> str:
        """Return the key as it is shown: in TOML form for a file, in Python form for a program."""
        if file:
            return validation.shown_place(path, self.tables.get(file, {}))
        hidden = len(self._prefix)
        return shown_key(path[hidden:] if hidden and path[:hidden] == self._prefix else path) or texts.ARGUMENTS

    def line(self, file: str, path: KeyPath) -> int | None:
        """Return the line of a key; None if it is not in a file."""
        return line_of(path, key_lines(self.sources.get(file, "")))

    def mistakes(self) -> list[Mistake]:
        """Return all mistakes, in the order of files and lines."""
        files = {mistake.file for mistake in self._mistakes}
        lines = {file: key_lines(text) for file, text in self.sources.items() if file in files}
        mistakes = [self._locate(each, line_of(each.path, lines.get(each.file, {}))) for each in self._mistakes]
        order = {file: number for number, file in enumerate(self.sources)}
        every = [*mistakes, *self._located]
        return sorted(every, key=lambda mistake: (order.get(mistake.file, len(order)), mistake.line or 0))

    def _locate(self, mistake: Unlocated, line: int | None) -> Mistake:
        file, path = mistake.file, mistake.path
        shown = self.shown(file, path)
        key, place = (shown_key(path), shown) if file else (shown, None)
        return Mistake(file, line, key, mistake.found, mistake.expected, mistake.nearest, mistake.fix, place)

    def raise_mistakes(self) -> None:
        """Raise one error that lists all mistakes, if there are any.

        :raises ConfigError: ``config-invalid``.
        """
        if self._mistakes or self._located:
            raise validation.config_error(self.mistakes())


class FieldScope(Frozen):
    """Where a value comes from.

    :ivar file: the file's absolute path, or ``""`` for a configuration made in Python.
    :ivar folder: the base of relative paths.
    :ivar python: whether the value was made in Python.
    :ivar literal: whether a ``str`` is a secret itself and never a reference, as in a value made with keyword
        arguments, such as ``DnsAccount(…)``.
    :ivar plain: whether it is a document that may not name programs, files, secrets or deployments.
    """

    file: str
    folder: str
    python: bool
    report: MistakeReport
    checks: FileChecks
    literal: bool = False
    plain: bool = False

    def mistake(
        self, path: KeyPath, found: str, expected: str, nearest: str | None = None, fix: str | None = None
    ) -> None:
        """Add a mistake at a key."""
        self.report.add(Unlocated(self.file, path, found, expected, nearest, fix))

    def reading(self, path: KeyPath, value: object, shown: Callable[[object], str] = kind) -> _Reading:
        """Add a mistake if a reader in this block refuses a value.

        :param shown: describes the value, which may be a secret.
        """
        return _Reading((self, path, value, shown))

    def is_wide(self, value: Any, read: ReadField, path: KeyPath) -> bool:
        """Return whether full-width characters are the only fault of a refused text, which is then the mistake."""
        narrow = validation.half_width(value) if isinstance(value, str) else value
        if narrow == value:
            return False
        try:
            read(narrow, self, path)
        except FieldError:
            return False
        found = texts.WIDE_TEXT.format(found=describe_found(value))
        self.mistake(path, found, texts.WRITE.format(value=describe_found(narrow)))
        return True

    def misplaced(self, path: KeyPath) -> None:
        """Add the mistake of a top-level key in a table, because TOML gives it to the last table above it."""
        self.mistake(path, texts.MISPLACED_KEY, texts.ABOVE_TABLES, fix=texts.MOVE_ABOVE)

    def check_plain(self) -> None:
        """Raise if a value may not name a program, a file, a secret or a deployment. Its reader calls this first.

        :raises FieldError: the value is in a document that may not.
        """
        if self.plain:
            self.report.refused = True
            raise FieldError(texts.NOT_PLAIN, found=texts.NOT_HERE)

    def path_of(self, text: str) -> str:
        """Return the absolute path; a leading ``~`` is the user's home.

        :raises FieldError: as :meth:`check_plain`.
        """
        self.check_plain()
        return os.path.abspath(os.path.join(self.folder, os.path.expanduser(text)))


class _Reading(tuple[FieldScope, KeyPath, object, Callable[[object], str]]):
    """The block of :meth:`FieldScope.reading`; a generator would take three times as long."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: object, _traceback: object) -> bool:
        if not isinstance(error, FieldError):
            return False
        scope, path, value, shown = self
        scope.mistake(path, error.found or shown(value), error.expected, error.nearest)
        return True


ReadField = Callable[[Any, FieldScope, KeyPath], Any]


class Key(Frozen):
    """One key of a table."""

    read: ReadField
    required: bool = False
    secret: bool = False


def as_table(value: object) -> Mapping[str, Any] | None:
    """Return a mapping, or a value of :mod:`dnsrenew.base.model` (``Route``, ``CA`` …), as a table, or None."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    options: dict[str, Any] = {}
    if isinstance(value, Frozen):
        fields = vars(value)
    elif isinstance(value, DnsAccount):
        fields = {slot: getattr(value, slot) for slot in value.__slots__}
        options = fields.pop("options")
    else:
        return None
    return {key: field for key, field in fields.items() if field not in (None, (), "")} | options


def brackets(value: object, scope: FieldScope, path: KeyPath, expected: Phrase | str) -> FieldError:
    """Return the mistake of a list in place of a table, or the reverse. It shows how to write the table."""
    form = texts.TWO_BRACKETS if as_table(value) is not None else texts.ONE_BRACKET
    if not scope.python and isinstance(path[-1], str) and isinstance(value, (dict, list)):
        expected = form.format(key=".".join(part for part in path if isinstance(part, str)))
    return FieldError(expected, found=kind(value))


class Table(Frozen):
    """The keys of one kind of table.

    :ivar offered: the keys that the mistake of an unknown key names, if they differ from these.
    :ivar elsewhere: what to write instead of a key that is valid elsewhere; a phrase with its value.
    """

    keys: Mapping[str, Key]
    offered: tuple[str, ...] = ()
    elsewhere: Mapping[str, Phrase] = field(default_factory=dict)

    def read(self, value: object, scope: FieldScope, path: KeyPath) -> dict[str, Any]:
        """Return the valid values by key; each invalid value becomes a mistake.

        :raises FieldError: the value is not a table.
        """
        table = value if type(value) is dict else as_table(value)
        if table is None:
            raise brackets(value, scope, path, TABLE)
        values: dict[str, Any] = {}
        meant: set[str | None] = set()
        for key, given in table.items():
            spec = self.keys.get(key)
            if spec is None:
                meant.add(self._unknown(key, given, scope, path))
                continue
            try:
                values[key] = spec.read(given, scope, (*path, key))
            except FieldError as error:
                if spec.secret or not scope.is_wide(given, spec.read, (*path, key)):
                    found = error.found or (kind(given) if spec.secret else describe_found(given))
                    scope.mistake((*path, key), found, error.expected, error.nearest)
        for key, spec in self.keys.items():
            if spec.required and key not in table and key not in meant:
                scope.mistake((*path, key), MISSING, texts.A_VALUE_FOR.format(key=key))
        return values

    def into(self, make: Callable[..., Any]) -> ReadField:
        """Return a reader that makes an object of the valid values."""
        return lambda value, scope, path: make(**self.read(value, scope, path))

    def _unknown(self, key: object, given: object, scope: FieldScope, path: KeyPath) -> str | None:
        """Add the mistake of an unknown key; return the key that was probably meant."""
        if path and key in TOP_LEVEL and not scope.python:
            scope.misplaced((*path, str(key)))
            return None
        if isinstance(key, str) and key in self.elsewhere:
            example = {"dns": "home", "challenge": "dns-01"}.get(key, "")  # of keys that are looked for in a route
            value = given if isinstance(given, str) and given.isprintable() else example
            scope.mistake((*path, key), UNKNOWN_KEY, self.elsewhere[key].format(value=validation.quoted(value)))
            return None
        keys = self.offered or tuple(self.keys)
        meant = validation.nearest(key, keys)
        scope.mistake((*path, str(key)), UNKNOWN_KEY, one_of(keys), meant)
        return meant


def table_of(elsewhere: Mapping[str, Phrase] | None = None, /, **keys: Key) -> Table:
    """Return a table with these keys."""
    return Table(keys, elsewhere=elsewhere or {})
