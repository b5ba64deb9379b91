"""How a table is read: a list of its keys, each with the function that takes its value.

A reader returns the value it understood or raises :class:`Wrong`; the table makes a mistake of that and goes on, so
that all mistakes are named in one go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dnsrenew.base.values import Frozen
from dnsrenew.config.unsupported import LATER
from dnsrenew.model import DnsAccount
from dnsrenew.validation.mistakes import (
    FieldError,
    KeyPath,
    Mistake,
    config_error,
    describe_found,
    kind,
    nearest,
    one_of,
    shown_key,
)

if TYPE_CHECKING:
    from dnsrenew.secrets import Secret

_TABLE: Final = "a table"


class SecretUse(NamedTuple):
    """Where a secret stands, so that ``dnsrenew check`` can name the place of one that leads to nothing."""

    file: str
    path: KeyPath
    secret: Secret


class MistakeReport:
    """What the readers found out besides the values: mistakes, plain secrets, odd ones, features that come later.

    :param inside: a prefix of all keys that is not shown; for one certificate made from arguments.
    """

    def __init__(self, inside: KeyPath = ()) -> None:
        self.texts: dict[str, str] = {}
        self.secrets: list[SecretUse] = []
        self.plain: list[str] = []
        self.odd: list[str] = []
        self.later: dict[str, list[str]] = {}
        self._inside = inside
        self._mistakes: list[tuple[str, KeyPath, str, str, str | None]] = []
        self._made: list[Mistake] = []

    def add(self, file: str, path: KeyPath, found: str, expected: str, near: str | None = None) -> None:
        """Note a mistake."""
        self._mistakes.append((file, path, found, expected, near))

    def adopt(self, mistake: Mistake) -> None:
        """Note a mistake that knows its line already."""
        self._made.append(mistake)

    def shown(self, path: KeyPath) -> str:
        """Return the key as it is shown."""
        hidden = len(self._inside)
        return shown_key(path[hidden:] if hidden and path[:hidden] == self._inside else path) or "the arguments"

    def mistakes(self) -> list[Mistake]:
        """Return all mistakes, in the order of files and lines. Here the texts are scanned for the lines."""
        from dnsrenew.validation.toml_positions import key_lines, line_of  # wanted only after a mistake

        lines = {
            file: key_lines(text) for file, text in self.texts.items() if any(m[0] == file for m in self._mistakes)
        }
        made = [
            Mistake(file, line_of(path, lines.get(file, {})), self.shown(path), found, expected, near)
            for file, path, found, expected, near in self._mistakes
        ]
        order = {file: number for number, file in enumerate(self.texts)}
        return sorted(
            [*made, *self._made], key=lambda mistake: (order.get(mistake.file, len(order)), mistake.line or 0)
        )

    def raise_mistakes(self) -> None:
        """Raise the one error that names them all.

        :raises ConfigError: ``config-invalid``.
        """
        if self._mistakes or self._made:
            raise config_error(self.mistakes())


class FieldScope(NamedTuple):
    """What a reader must know of the place of its value.

    :ivar file: the file's absolute path, or ``""`` for a configuration made in Python.
    :ivar folder: what relative paths are relative to.
    :ivar python: made in Python: a ``str`` is then never a reference to a secret.
    """

    file: str
    folder: str
    python: bool
    report: MistakeReport

    def mistake(self, path: KeyPath, found: str, expected: str, near: str | None = None) -> None:
        """Note a mistake at a key."""
        self.report.add(self.file, path, found, expected, near)

    def path_of(self, text: str) -> str:
        """Return a path that stands here as an absolute one; a ``~`` in front is the user's home."""
        return os.path.abspath(os.path.join(self.folder, os.path.expanduser(text)))

    def later(self, sentence: str, path: KeyPath) -> None:
        """Say that a feature comes later: one warning for the whole configuration."""
        self.report.later.setdefault(sentence, []).append(self.report.shown(path))


ReadField = Callable[[Any, FieldScope, KeyPath], Any]


class Key(NamedTuple):
    """One key of a table."""

    read: ReadField
    required: bool = False
    secret: bool = False


def as_table(value: object) -> Mapping[str, Any] | None:
    """Return a mapping, or one of our own values (``Route``, ``CA`` …) as the table it would be; else None."""
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


class Table:
    """The keys of one kind of table.

    :param name: as in :data:`dnsrenew.config.unsupported.LATER`.
    """

    def __init__(self, name: str, keys: Mapping[str, Key]) -> None:
        self.keys = keys
        self.name = name
        self._required = tuple(key for key, spec in keys.items() if spec.required)
        self._later = {key: LATER[f"{name}.{key}"] for key in keys if f"{name}.{key}" in LATER}

    def read(self, value: object, scope: FieldScope, path: KeyPath) -> dict[str, Any]:
        """Return the values that were understood, by key; every other one is a mistake.

        :raises Wrong: when it is not a table at all.
        """
        table = value if type(value) is dict else as_table(value)
        if table is None:
            raise FieldError(_TABLE, found=kind(value))
        values: dict[str, Any] = {}
        for key, given in table.items():
            spec = self.keys.get(key)
            if spec is None:
                self._unknown(key, scope, path)
                continue
            try:
                values[key] = spec.read(given, scope, (*path, key))
            except FieldError as wrong:
                found = wrong.found or (kind(given) if spec.secret else describe_found(given))
                scope.mistake((*path, key), found, wrong.expected, wrong.nearest)
                continue
            if values[key] and key in self._later:
                scope.later(self._later[key], (*path, key))
        for key in self._required:
            if key not in table:
                scope.mistake((*path, key), "missing", f"a value for {key}")
        return values

    def _unknown(self, key: object, scope: FieldScope, path: KeyPath) -> None:
        words = tuple(self.keys)
        scope.mistake((*path, str(key)), "an unknown key", one_of(words), nearest(key, words))
