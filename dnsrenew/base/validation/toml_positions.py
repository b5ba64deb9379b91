"""The line of each key in a TOML text and the position of its value, which ``tomllib`` does not report.

It is needed only after a mistake, and to edit a file.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Container
from typing import Final

from dnsrenew.base.validation import HIDDEN, KeyPath, Mistake, half_width, nearest, texts

# Compiled at their first use, because a correct file does not need them.
_SPACE: Final = r"(?:[ \t\n]|#[^\n]*)*"
_BARE: Final = r"[A-Za-z0-9_-]+"
_STRING: Final = r"""(?sx)
    "{3} (?: \\. | [^\\] )*? "{3} "{0,2}
    | '{3} .*? '{3} '{0,2}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
"""
_SCALAR: Final = r"[^,\]}#\n]+"


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every table, key and list item of a valid TOML text."""
    # Lines found before an error are right, and a mistake without a line is still useful.
    return _scanned(text.replace("\r\n", "\n"))[0].lines


def value_spans(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Return where the value of every key and list item of a valid TOML text begins and ends.

    :param text: a text without carriage returns.
    :returns: empty for a text that cannot be scanned to its end.
    """
    scanner, is_whole = _scanned(text)
    return scanner.spans if is_whole else {}


def _scanned(text: str) -> tuple[_Scanner, bool]:
    """Return the scanner of a text, and whether it reached the end."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (AttributeError, IndexError, RecursionError):
        return scanner, False
    return scanner, True


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """Return the line of a key, or of the table that should have it; None for an empty file."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1 if lines else None


class _Scanner:
    """Scans a text that ``tomllib`` has accepted, without checking it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self.spans: dict[KeyPath, tuple[int, int]] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lists: dict[KeyPath, int] = {}  # the number of tables so far in each array of tables

    def document(self) -> None:
        table: KeyPath = ()
        self._skip()
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _skip(self) -> None:
        self.position = self._match(_SPACE).end()

    def _match(self, pattern: str) -> re.Match[str]:
        match = re.compile(pattern).match(self.text, self.position)
        if match is None:
            raise IndexError(self.position)
        return match

    def _record(self, path: KeyPath, position: int) -> None:
        self.lines.setdefault(path, bisect.bisect_right(self._starts, position))

    def _header(self) -> KeyPath:
        start = self.position
        is_list = self.text.startswith("[[", start)
        self.position += 2 if is_list else 1
        path: KeyPath = ()
        parts = self._key()
        for part in parts:
            path = (*path, part)
            last = len(path) - sum(isinstance(step, int) for step in path) == len(parts)
            if last and is_list:
                self._record(path, start)
                self._lists[path] = self._lists.get(path, 0) + 1
            if path in self._lists:
                path = (*path, self._lists[path] - 1)
            self._record(path, start)
        self.position += 2 if is_list else 1
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip()
            quote = self.text[self.position] in "\"'"
            match = self._match(_STRING if quote else _BARE)
            self.position = match.end()
            parts.append(tomllib.loads(f"k={match[0]}")["k"] if quote else match[0])
            self._skip()
            if self.text[self.position] != ".":
                return parts
            self.position += 1

    def _pair(self, table: KeyPath) -> None:
        start = self.position
        path = table
        for part in self._key():
            path = (*path, part)
            self._record(path, start)
        self.position += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start, first = self.position, self.text[self.position]
        if first == "[":
            self._items(path)
        elif first == "{":
            self._inline(path)
        else:
            self.position = self._match(_STRING if first in "\"'" else _SCALAR).end()
        self.spans[path] = start, self.position

    def _items(self, path: KeyPath) -> None:
        self.position += 1
        index = 0
        self._skip()
        while self.text[self.position] != "]":
            self._record((*path, index), self.position)
            self._value((*path, index))
            index += 1
            self._comma()
        self.position += 1

    def _inline(self, path: KeyPath) -> None:
        self.position += 1
        self._skip()
        while self.text[self.position] != "}":
            self._pair(path)
            self._comma()
        self.position += 1

    def _comma(self) -> None:
        self._skip()
        if self.text[self.position] == ",":
            self.position += 1
            self._skip()


# ── toml syntax ────────────────────────────────────────────────────────────────────────

# A syntax error in a TOML text: its line, with a caret at the error, and the likely cause.

_AT_LINE: Final = r" \(at line ([0-9]+), column ([0-9]+)\)$"
_AT_END: Final = " (at end of document)"
_EXPECTED: Final = "Expected "
_INVALID_VALUE: Final = "Invalid value"
_UNCLOSED: Final = "Unclosed"
_NEWLINE: Final = "Expected newline"
_SET_BEFORE: Final = "Cannot overwrite a value"
_UNCLOSED_LIST: Final = "Unclosed array"
_CLOSING: Final = "[“”„«»‘’‚＂＇][^“”„«»‘’‚＂＇\"']*$"
"""The last non-straight quote, and the text after it."""
_IN_LIST: Final = "[“”„«»‘’‚][ \u3000]*[,，、]"
_NEEDLESS: Final = "[；。;，,、]+\\s*(?:#.*)?"
_MEANT: Final = {":": "=", "(": "[", ")": "]"}
"""The TOML characters for characters that are valid only in values."""
_CAUSES: Final = (
    ("True", texts.TOML_TRUE),
    ("False", texts.TOML_FALSE),
    (r"(?i:yes|on|true|是)\b(?![.-])", texts.TOML_YES),
    (r"(?i:no|off|false|否)\b(?![.-])", texts.TOML_NO),
    (r"\s*(?:#|$)", texts.TOML_NO_VALUE),
    (r"[A-Za-z_/~@*.]", texts.TOML_NO_QUOTES),
)
"""The beginnings of invalid values, and the texts of their mistakes."""

_FIRST_WORD: Final = r"\s*+([\w-]++)\s++"
_FIRST_KEY: Final = r"\s*+([\w.\"'-]++)\s*+[=:＝：]\s*"
_KEY: Final = r"(?<![\w.\"'-])([\w.\"'-]++)\s*+=\s*"  # possessive: linear in a line of any length
_REFERENCE: Final = r"""["'](?:env|file|keyring):"""
_OPTION: Final = r"[a-z_][a-z0-9_.]*"
_HEADER: Final = r"\s*(?:\[|#|$)"
_LIST_START: Final = r"[^#=\]]*+=\s*\[[^\]]*"


def syntax_mistake(error: Exception, text: str, file: str, *, shown_keys: Container[str] | None = None) -> Mistake:
    """Return the mistake for a text that ``tomllib`` refused, which stops at the first one.

    :param shown_keys: the keys whose values can be shown; None if no value is a secret.
    """
    if not isinstance(error, tomllib.TOMLDecodeError):  # nested a thousand levels deep, or a number of 5,000 digits
        return Mistake(file, 1, texts.TOML_SYNTAX, texts.TOML_TOO_DEEP, texts.TOML)
    lines = text.replace("\r\n", "\n").split("\n")
    message, number, column = _position(str(error), lines)
    line = lines[number - 1]
    found, expected = _likely_cause(message, line[column - 1 :])
    if found == texts.NOT_CLOSED and (closing := re.search(_CLOSING, line[: column - 1])):
        column = closing.start() + 1
    if message == _UNCLOSED_LIST and (closing := re.search(_IN_LIST, line[: column - 1])):
        column = closing.start() + 1
    wide = line[column - 1 : column]
    if message.startswith(_NEWLINE) and re.fullmatch(_NEEDLESS, line[column - 1 :]):
        found, expected = texts.TOML_NEEDLESS.format(character=wide), texts.TOML_NO_PUNCTUATION
    elif half_width(wide) != wide:
        found, expected = _wide(wide, number, column)
    first = re.match(_FIRST_KEY, line)
    if first and message.startswith(_SET_BEFORE):  # tomllib reports the end of the value
        column = first.start(1) + 1
    key = first[1] if first and _is_known(first[1], shown_keys) else texts.TOML_SYNTAX
    shown = line if shown_keys is None else _without_secrets(lines, number, shown_keys)
    return Mistake(file, number, key, found, expected, column=column, source=shown.replace("\t", " "))


def _wide(character: str, line: int, column: int) -> tuple[str, str]:
    """Return the found and the expected text, for a full-width or typographic character."""
    plain = half_width(character)
    plain = _MEANT.get(plain, plain)
    if plain == " ":
        character, plain = texts.TOML_BLANK.format(code=f"{ord(character):04X}"), texts.TOML_PLAIN_BLANK
    found = texts.TOML_WIDE.format(character=character, line=line, column=column)
    return found, texts.TOML_PLAIN.format(character=plain)


def _position(reported: str, lines: list[str]) -> tuple[str, int, int]:
    """Return the message of ``tomllib`` without the position, and the line and the column."""
    if match := re.search(_AT_LINE, reported):
        message, number, column = reported[: match.start()], int(match[1]), int(match[2])
        if not (message.startswith(_UNCLOSED) and not lines[number - 1][: column - 1].strip()):
            return message, min(number, len(lines)), column
        number -= 1  # the bracket is missing before this line
    else:
        message, number = reported.removesuffix(_AT_END), len(lines)
    while number > 1 and not lines[number - 1].strip():
        number -= 1
    last = lines[number - 1].rstrip()
    if message == _INVALID_VALUE and not last.endswith("="):
        message = _UNCLOSED_LIST
    return message, number, len(last) + 1


def _likely_cause(message: str, rest: str) -> tuple[str, str]:
    """Return the found and the expected text.

    :param message: the message of ``tomllib``, without the position.
    :param rest: the line from the reported column on.
    """
    for start, found, expected in texts.TOML_CAUSES:
        if message.startswith(start):
            return found, expected
    if message.startswith(_EXPECTED):
        return texts.TOML_MISSING.format(expected=message.removeprefix(_EXPECTED)), texts.TOML
    if message != _INVALID_VALUE:
        return texts.TOML_OTHER.format(reason=f"{message[:1].lower()}{message[1:]}"), texts.TOML
    found, expected = next((cause for start, cause in _CAUSES if re.match(start, rest)), texts.TOML_UNKNOWN)
    word = re.match(r"[A-Za-z]{3,7}(?=\s*(?:#|$))", rest)
    if found == texts.TOML_NO_QUOTES[0] and word and (near := nearest(word[0], ("true", "false"))):
        return texts.TOML_NEARLY[0].format(word=word[0], nearest=near), texts.TOML_NEARLY[1]
    return found, expected


def _is_known(key: str, shown_keys: Container[str] | None) -> bool:
    """Return whether this is a key. A secret that was pasted as a line may look like a key: ``Y2FuYXJ5LTQ3MTE=``."""
    return shown_keys is None or key in shown_keys or re.fullmatch(_OPTION, key) is not None


def _without_secrets(lines: list[str], number: int, shown_keys: Container[str]) -> str:
    """Return the line up to the first value that may be a secret."""
    line = lines[number - 1]
    if re.match(_HEADER, line):
        return line
    first = re.match(_FIRST_KEY, line)
    if first is None:  # an item of a list, a key without =, or anything
        if _is_in_shown_list(lines, number, shown_keys):
            return line
        word = re.match(_FIRST_WORD, line)
        return line[: word.end()] + HIDDEN if word and word[1] in shown_keys else HIDDEN
    if not _is_known(first[1], shown_keys):
        return HIDDEN
    for match in (first, *re.compile(_KEY).finditer(line, first.end())):
        if _last_part(match[1]) not in shown_keys and not re.compile(_REFERENCE).match(line, match.end()):
            return line[: match.end()] + HIDDEN
    return line


def _is_in_shown_list(lines: list[str], number: int, shown_keys: Container[str]) -> bool:
    for line in reversed(lines[: number - 1]):
        first = re.match(_FIRST_KEY, line)
        if first is not None:
            return re.fullmatch(_LIST_START, line) is not None and _last_part(first[1]) in shown_keys
        if "]" in line:
            return False
    return False


def _last_part(key: str) -> str:
    return key.rpartition(".")[2].strip("\"'")
