"""Mistakes in a configuration or a provider file: place, found value, expected value and nearest word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, Final
from unicodedata import east_asian_width

from dnsrenew.base.validation import texts
from dnsrenew.base.values import Frozen
from dnsrenew.errors import ConfigError, Message, Phrase, series

KeyPath = tuple[str | int, ...]
"""The keys and list indexes that lead to a value: ``("certificate", 0, "routes", 1, "dns")``."""

HIDDEN: Final = "…"
"""The end of a line that is cut before a possible secret."""
_WIDE_BLANK: Final = "\u3000"
"""A full-width blank."""
_HALF_WIDTH: Final = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},  # "!" to "~"
    **str.maketrans("\u3000\xa0、。【】「」“”„«»‘’‚", "  ,.[]" + '"' * 7 + "'" * 3),
}
"""The characters that a Chinese input method or a word processor types in place of ASCII characters."""
_LONGEST: Final = 60
"""The maximum number of characters of a quoted text."""
_MOST: Final = 14
"""The maximum number of words in an enumeration; the rest is counted."""
_LARGE: Final = 10**18
_TYPES: Final = ((bool, texts.TRUE_OR_FALSE), (int, texts.NUMBER), (float, texts.NUMBER), (str, texts.TEXT))
_ERRORS: Final = {
    "config-invalid": (texts.CONFIG_INVALID_ONE, texts.CONFIG_INVALID),
    "document-refused": (texts.DOCUMENT_REFUSED_ONE, texts.DOCUMENT_REFUSED),
    "config-syntax": (texts.CONFIG_SYNTAX_ONE, texts.CONFIG_SYNTAX),
    "provider-invalid": (texts.PROVIDER_INVALID_ONE, texts.PROVIDER_INVALID),
}


class Mistake(Frozen):
    """One mistake; ``str()`` is the line that is shown.

    :ivar file: the file, or ``""`` for a configuration made in Python.
    :ivar line: counted from 1; None without a file.
    :ivar key: the key, such as ``certificate[0].routes[1].dns``.
    :ivar found: the value, its type, or a sentence about it; never a secret.
    :ivar expected: a valid value, or a sentence that says what to write.
    :ivar nearest: the valid word nearest to the value.
    :ivar fix: a sentence to show instead of ``expected``, if the value is valid but does not work.
    :ivar place: the key as people read it, such as ``certificate home, route 2, dns``; None if it is ``key``.
    :ivar column: the column of a syntax error, counted from 1.
    :ivar source: the line of a syntax error, without possible secrets.
    """

    file: str
    line: int | None
    key: str
    found: str
    expected: str
    nearest: str | None = None
    fix: str | None = None
    place: str | None = None
    column: int | None = None
    source: str | None = None

    def __str__(self) -> str:
        return str(self.text)

    @property
    def text(self) -> Message:
        """The line that is shown."""
        return _line_of(self)

    @property
    def position(self) -> str:
        """``FILE:LINE``, as editors read it; ``FILE:LINE:COLUMN`` for a syntax error."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    @property
    def sentence(self) -> Message:
        """The key, then a sentence about the mistake and one about the fix."""
        return texts.MISTAKE.format(key=self.place or self.key, wrong=_wrong(self), advice=_advice(self))

    def excerpt(self, columns: int = 100) -> list[str]:
        """Return the line of a syntax error with a caret below its column; empty for other mistakes.

        :param columns: the width. Only the part of a longer line around the column is shown.
        """
        if self.source is None or self.column is None:
            return []
        gutter = f"  {self.line} | "
        width = max(columns - len(gutter) - 1, 10)  # the caret can be one column after the line
        caret = min(self.column - 1, len(self.source) - self.source.endswith(HIDDEN))
        start = max(0, min(caret - width * 2 // 3, len(self.source) - width))
        shown = self.source[start : start + width]
        if start:
            shown = f"…{shown[1:]}"
        if start + width < len(self.source):
            shown = f"{shown[:-1]}…"
        before = self.source[start:caret]
        blanks = "".join(_WIDE_BLANK if east_asian_width(character) in "WF" else " " for character in before)
        return [gutter + shown, f"{' ' * (len(gutter) - 2)}| {blanks}^"]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in the evidence of an error."""
        return dict(vars(self))


class FieldError(ValueError):
    """Raised by the reader of a field for an invalid value. The table turns it into a :class:`Mistake`."""

    def __init__(self, expected: str, *, found: str | None = None, nearest: str | None = None) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.nearest = nearest


def quoted(text: str) -> str:
    """Return the text in quotes, shortened to 60 characters and without control characters."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if not cut.isprintable():
        cut = cut.encode("unicode_escape").decode("ascii")
    return f'"{cut}"'


def kind(value: object) -> str:
    """Return the type of a value, without showing the value."""
    for python_type, name in _TYPES:
        if isinstance(value, python_type):
            return name
    if isinstance(value, Mapping):
        return texts.TABLE
    if isinstance(value, (list, tuple)):
        return texts.LIST
    if value is None:
        return texts.NOTHING
    return of_type(type(value).__name__)


def of_type(name: str) -> str:
    """Return a type with its article."""
    return (texts.OF_TYPE_VOWEL if name[:1] in "AEIOaeio" else texts.OF_TYPE).format(type=name)


def describe_found(value: object) -> str:
    """Return a value that is not secret in the form in which it is shown."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if -_LARGE < value < _LARGE else texts.LARGE_NUMBER
    return str(value) if isinstance(value, float) else kind(value)


def nearest(word: object, words: Iterable[str]) -> str | None:
    """Return the valid word that was probably meant."""
    import difflib  # needed only after a mistake

    if not isinstance(word, str):
        return None
    by_lower = {valid.lower(): valid for valid in words}
    wanted = word[:_LONGEST].lower()
    close = sorted(difflib.get_close_matches(wanted, by_lower), key=[*by_lower].index)  # the first of those as near
    return by_lower[max(close, key=lambda each: difflib.SequenceMatcher(None, each, wanted).ratio())] if close else None


def half_width(text: str) -> str:
    """Return a full-width text in ASCII; any other text unchanged."""
    narrow = text.translate(_HALF_WIDTH)
    return narrow if narrow.isascii() else text


def one_of(words: Sequence[str]) -> str:
    """Return the words as an enumeration, ``"a", "b" or "c"``; more than four after 14 words are counted."""
    if not words:
        return texts.NONE
    most = _MOST if len(words) > _MOST + 4 else len(words)
    shown = [quoted(word) for word in words[:most]]
    shown += [texts.OTHERS.format(count=len(words) - most)] if len(words) > most else []
    return shown[0] if len(shown) == 1 else texts.ONE_OF.format(words=shown[:-1], last=shown[-1])


def shown_key(path: KeyPath) -> str:
    """Return the path in its shown form: ``certificate[0].routes[1].dns``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
        text += f"{'.' if text else ''}{part if plain else quoted(part)}"
    return text


def shown_place(path: KeyPath, table: Mapping[str, Any]) -> str:
    """Return the key as people read it, counted from 1: ``certificate home, route 2, dns``.

    :param table: the table of the whole file, which has the names of the certificates.
    """
    parts: list[str] = []
    keys: KeyPath = ()
    for step in path:
        if isinstance(step, str):
            keys = (*keys, step)
            continue
        if not parts and keys == ("certificate",) and (name := _certificate_name(table, step)):
            parts.append(texts.CERTIFICATE_NAMED.format(name=name))
        else:
            key = shown_key(keys)
            parts.append(texts.ITEMS.get(key, texts.ITEM).format(number=step + 1, key=key))
        keys = ()
    if keys or not parts:
        parts.append(shown_key(keys))
    return reduce(lambda outer, inner: texts.WITHIN.format(outer=outer, inner=inner), parts)


def _certificate_name(table: Mapping[str, Any], index: int) -> str | None:
    try:
        name = table["certificate"][index]["name"]
    except (LookupError, TypeError):
        return None
    return shown_key((name,)) if isinstance(name, str) and name else None


def _wrong(mistake: Mistake) -> str:
    """Return the sentence about a mistake. Each kind has its own template."""
    found = mistake.found
    if found.endswith((".", "?")):
        return found
    if found in texts.OF_KEY:
        return texts.OF_KEY[found]
    if isinstance(found, Message):
        return texts.WRONG_TYPE.format(found=found)
    limits = getattr(mistake.expected, "template", "")
    if limits in texts.RANGES and found.removeprefix("-").isdecimal():
        return texts.OUT_OF_RANGE.format(found=found)
    return (texts.NOT_ONE_OF if limits == texts.ONE_OF.template else texts.WRONG_VALUE).format(found=found)


def _advice(mistake: Mistake) -> str:
    """Return the sentence that says what to write."""
    expected = mistake.expected
    nearest = mistake.nearest if expected != f'"{mistake.nearest}"' else None  # no other word is right
    if mistake.fix:
        return mistake.fix
    use = texts.SET if mistake.found == texts.MISSING else texts.USE_KEY if mistake.found in texts.OF_KEY else texts.USE
    expected = expected if expected.endswith(".") else (texts.USE_OTHER if nearest else use).format(expected=expected)
    return texts.NEAREST.format(nearest=nearest, advice=expected) if nearest else expected


def _line_of(mistake: Mistake) -> Message:
    return series([mistake.position, mistake.sentence], ": ") if mistake.file else mistake.sentence


def config_error(mistakes: Sequence[Mistake], *, code: str = "config-invalid") -> ConfigError:
    """Return the error that lists all mistakes, one line each; a syntax error is followed by its line of the file.

    :param code: ``config-invalid``, ``document-refused``, ``config-syntax`` or ``provider-invalid``.
    """
    lines = [_line_of(mistake) for mistake in mistakes]
    shown = series([*lines, *mistakes[-1].excerpt()], "\n")  # only a syntax error has an excerpt, and it is alone
    in_python = code == "config-invalid" and not any(mistake.file or mistake.line for mistake in mistakes)
    one, several = (texts.ARGUMENT_INVALID, texts.ARGUMENTS_INVALID) if in_python else _ERRORS[code]
    fields, listed = {"lines": shown, "count": len(mistakes)}, [mistake.to_dict() for mistake in mistakes]
    return ConfigError.of(one if len(mistakes) == 1 else several, shown=fields, mistakes=listed)


# ── callbacks ──────────────────────────────────────────────────────────────────────────

# Callbacks and events from a program: a wrong object would only fail in the middle of a run.

_COROUTINE: Final = 0x80  # inspect.CO_COROUTINE


def check_listener(on_event: Any) -> None:
    """Check the argument ``on_event``.

    :raises ConfigError: ``config-invalid``: it cannot be called, or would have to be awaited.
    """
    if on_event is not None and (not callable(on_event) or _is_async(on_event)):
        raise _mistake("on_event", on_event, texts.LISTENER)


def check_cancel(cancel: Any) -> None:
    """Check the argument ``cancel``.

    :raises ConfigError: ``config-invalid``: the object is not a ``threading.Event``.
    """
    methods = [getattr(cancel, name, None) for name in ("set", "is_set", "wait")]
    if cancel is not None and (not all(map(callable, methods)) or any(map(_is_async, methods))):
        raise _mistake("cancel", cancel, texts.THREADING_EVENT)


def _is_async(function: Any) -> bool:
    """Return whether a call returns a coroutine, like ``inspect``, which is slow to import."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004  # of an object
    return code is not None and bool(code.co_flags & _COROUTINE)


def _mistake(key: str, value: object, expected: Phrase) -> ConfigError:
    module = type(value).__module__
    if callable(value):
        found: str = texts.COROUTINE_FUNCTION
    else:
        found = kind(value) if module == "builtins" else of_type(f"{module}.{type(value).__name__}")
    return config_error([Mistake("", None, key, found, expected)])
