"""Mistakes in a configuration or a provider file: what was found where, what is expected, and the nearest word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dnsrenew.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Where a value stands: ``("certificate", 0, "routes", 1, "dns")``."""

_LONGEST: Final = 60
_MOST: Final = 12
_LARGE: Final = 10**18
_KINDS: Final = ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text"))


class Mistake(NamedTuple):
    """One mistake; ``str()`` is the line that a person reads.

    :ivar file: the file, or ``""`` for a configuration made in Python.
    :ivar line: counted from 1; None where there is no file.
    :ivar key: such as ``certificate[0].routes[1].dns``.
    :ivar found: what stands there, or that it is missing; never a secret.
    :ivar expected: what should stand there.
    :ivar nearest: the valid word nearest to what stands there.
    """

    file: str
    line: int | None
    key: str
    found: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{place}{self.key}: {self.found}, expected {self.expected}{hint}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in the evidence of an error."""
        return self._asdict()


class FieldError(ValueError):
    """A reader's answer to a value it cannot take; the table that called it makes a :class:`Mistake` of it."""

    def __init__(self, expected: str, *, found: str | None = None, nearest: str | None = None) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.nearest = nearest


def quoted(text: str) -> str:
    """Return the text in quotes, cut, and with nothing in it that a terminal would obey."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if not cut.isprintable():
        cut = cut.encode("unicode_escape").decode("ascii")
    return f'"{cut}"'


def kind(value: object) -> str:
    """Return what sort of value it is, without showing it."""
    for python_type, words in _KINDS:
        if isinstance(value, python_type):
            return words
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "nothing" if value is None else f"a {type(value).__name__}"


def describe_found(value: object) -> str:
    """Return how a value that is no secret is shown."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if -_LARGE < value < _LARGE else "a very large number"
    return str(value) if isinstance(value, float) else kind(value)


def nearest(word: object, words: Iterable[str]) -> str | None:
    """Return the valid word that was probably meant."""
    import difflib  # wanted only after a mistake

    if not isinstance(word, str):
        return None
    by_lower = {valid.lower(): valid for valid in words}
    close = difflib.get_close_matches(word[:_LONGEST].lower(), by_lower, 1)
    return by_lower[close[0]] if close else None


def one_of(words: Sequence[str]) -> str:
    """Return the words as an enumeration: ``"a", "b" or "c"``; of very many only some."""
    if not words:
        return "none"
    shown = [quoted(word) for word in words[:_MOST]]
    shown += [f"one of {len(words) - _MOST:,} more"] if len(words) > _MOST else []
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def shown_key(path: KeyPath) -> str:
    """Return the path as people write it: ``certificate[0].routes[1].dns``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
        text += f"{'.' if text else ''}{part if plain else quoted(part)}"
    return text


def config_error(mistakes: Sequence[Mistake], *, code: str = "config-invalid") -> ConfigError:
    """Return the error that names all mistakes, one line each."""
    count = "this mistake" if len(mistakes) == 1 else f"these {len(mistakes)} mistakes"
    return ConfigError(
        code,
        "\n".join(str(mistake) for mistake in mistakes) + ("" if mistakes[-1].nearest else "."),
        fix=f"Correct {count} and start again: nothing was sent anywhere.",
        evidence={"mistakes": [mistake.to_dict() for mistake in mistakes]},
    )
