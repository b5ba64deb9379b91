"""Files of shell assignments, read without a shell: ``KEY='value'``, as acme.sh writes its settings.

Nothing in them is run: a value with ``$`` or a backquote is the text itself.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.reading import LONGEST_VALUE

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.extensions.setup.importing.reading import Notes

_LINE: Final = re.compile(
    r"""^[ \t]*+(?:export[ \t]++)?+(?P<key>[A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+
    (?:'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]|\\[\s\S])*+)"|(?P<bare>[^\s;'"]*+))[ \t]*+;?[ \t]*+(?:\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\([\\\"$`])")
_BASE64: Final = re.compile(r"__ACME_BASE64__START_(.*)__ACME_BASE64__END_", re.DOTALL)


class Assigned(Frozen):
    """A value, and the line where it stands, from 1."""

    value: str
    line: int


class ShellSettings:
    """The settings of a file.

    :ivar file: the file.
    :ivar unread: the numbers of the lines that are no assignments, or have a value of any length.
    """

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        text = text.replace("\r\n", "\n")
        found = dict(_assignments(text))
        self._values = {key: each for key, each in found.items() if len(each.value) <= LONGEST_VALUE}
        rest = _LINE.sub(lambda match: "\n" * match[0].count("\n"), text)
        lines = enumerate(rest.split("\n"), 1)
        self.unread = [number for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
        self.unread += [each.line for key, each in found.items() if key not in self._values]

    def __iter__(self) -> Iterator[tuple[str, Assigned]]:
        return iter(self._values.items())

    def get(self, *keys: str) -> str:
        """Return the first of some settings that is not empty; "" if there is none.

        :param keys: their names without the prefix ``SAVED_``, which acme.sh adds to those of its scripts.
        """
        names = [name for key in keys for name in (f"SAVED_{key}", key)]
        return next((found.value for name in names if (found := self._values.get(name)) and found.value), "")

    def place(self, key: str) -> tuple[Path, int | None, str]:
        """Return where a setting stands, and its name, for a note; a value may be a secret."""
        name = key if key in self._values else f"SAVED_{key}"
        found = self._values.get(name)
        return (self.file, None, "") if found is None else (self.file, found.line, name)


def read_settings(file: Path, notes: Notes, *, loses: bool = False) -> ShellSettings | None:
    """Return the settings of a file, with a note for each line that is no assignment; None if it cannot be read.

    :param loses: whether a certificate is missing without it; a note says so. A file that does not exist has no note.
    """
    text = notes.text(file, loses=loses) if os.path.lexists(file) else None
    if text is None:
        return None
    settings = ShellSettings(file, text)
    for line in settings.unread:
        notes.add(texts.NOT_AN_ASSIGNMENT, file, line)
    return settings


def _assignments(text: str) -> Iterator[tuple[str, Assigned]]:
    """Give the assignments; a later one of the same name wins, as in a shell."""
    number, position = 1, 0
    for match in _LINE.finditer(text):
        number += match.string.count("\n", position, match.start("key"))
        position = match.start("key")
        double = match["double"]
        value = _ESCAPED.sub(r"\1", double) if double is not None else match["single"] or match["bare"] or ""
        yield match["key"], Assigned(_decoded(value), number)


def _decoded(value: str) -> str:
    """Return a value that may be in base64, as acme.sh keeps commands."""
    inner = _BASE64.fullmatch(value.strip())
    if inner is None:
        return value
    try:
        return base64.b64decode(inner[1], validate=False).decode("utf-8", "replace")
    except ValueError:
        return ""
