"""A syntax error in a TOML text: its line, with a caret at the error, and the likely cause."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container
from typing import Final

from dnsrenew.base.validation import texts
from dnsrenew.base.validation.mistakes import HIDDEN, Mistake

_AT_LINE: Final = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")
_AT_END: Final = " (at end of document)"
_EXPECTED: Final = "Expected "
_INVALID_VALUE: Final = "Invalid value"
_UNCLOSED: Final = "Unclosed"
_SET_BEFORE: Final = "Cannot overwrite a value"
_UNCLOSED_LIST: Final = "Unclosed array"
_TYPOGRAPHIC: Final = tuple("“”„‘’‚«»")
_WORD: Final = re.compile(r"[A-Za-z_/~@*.]")
_YES: Final = re.compile(r"(?i:yes|on|true)\b(?![.-])")
_NO: Final = re.compile(r"(?i:no|off|false)\b(?![.-])")

_FIRST_WORD: Final = re.compile(r"\s*+([\w-]++)\s++")
_FIRST_KEY: Final = re.compile(r"\s*+([\w.\"'-]++)\s*+[=:]\s*")
_KEY: Final = re.compile(r"(?<![\w.\"'-])([\w.\"'-]++)\s*+=\s*")  # possessive: linear in a line of any length
_REFERENCE: Final = re.compile(r"""["'](?:env|file|keyring):""")
_OPTION: Final = re.compile(r"[a-z_][a-z0-9_.]*")
_HEADER: Final = re.compile(r"\s*(?:\[|#|$)")
_LIST_START: Final = re.compile(r"[^#=\]]*+=\s*\[[^\]]*")


def syntax_mistake(error: Exception, text: str, file: str, *, shown_keys: Container[str] | None = None) -> Mistake:
    """Return the mistake for a text that ``tomllib`` refused; it stops at the first.

    :param shown_keys: the keys whose values can be shown; None: no value is a secret.
    """
    if not isinstance(error, tomllib.TOMLDecodeError):  # nested a thousand levels deep, or a number of 5,000 digits
        return Mistake(file, 1, texts.TOML_SYNTAX, texts.TOML_TOO_DEEP, texts.TOML)
    lines = text.replace("\r\n", "\n").split("\n")
    message, number, column = _position(str(error), lines)
    line = lines[number - 1]
    found, expected = _likely_cause(message, line[column - 1 :])
    first = _FIRST_KEY.match(line)
    if first and message.startswith(_SET_BEFORE):  # tomllib reports the end of the value
        column = first.start(1) + 1
    key = first[1] if first and _is_known(first[1], shown_keys) else texts.TOML_SYNTAX
    shown = line if shown_keys is None else _without_secrets(lines, number, shown_keys)
    return Mistake(file, number, key, found, expected, column=column, source=shown.replace("\t", " "))


def _position(reported: str, lines: list[str]) -> tuple[str, int, int]:
    """Return the message of ``tomllib`` without the position, the line and the column."""
    if match := _AT_LINE.search(reported):
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
    """Return what was found and what is expected.

    :param message: of ``tomllib``, without the position.
    :param rest: the line from the reported column on.
    """
    for start, found, expected in texts.TOML_CAUSES:
        if message.startswith(start):
            return found, expected
    if message.startswith(_EXPECTED):
        return texts.TOML_FOUND, texts.TOML_EXPECTED.format(expected=message.removeprefix(_EXPECTED), toml=texts.TOML)
    if message != _INVALID_VALUE:
        return f"{message[:1].lower()}{message[1:]}", texts.TOML
    if rest.startswith(_TYPOGRAPHIC):
        return texts.TOML_TYPOGRAPHIC
    if rest.startswith("True"):
        return texts.TOML_TRUE
    if rest.startswith("False"):
        return texts.TOML_FALSE
    if _YES.match(rest):
        return texts.TOML_YES
    if _NO.match(rest):
        return texts.TOML_NO
    if not rest.strip() or rest.lstrip().startswith("#"):
        return texts.TOML_NO_VALUE
    return texts.TOML_NO_QUOTES if _WORD.match(rest) else texts.TOML_UNKNOWN


def _is_known(key: str, shown_keys: Container[str] | None) -> bool:
    """Tell whether this is a key; a secret that was pasted as a line can look like one: ``Y2FuYXJ5LTQ3MTE=``."""
    return shown_keys is None or key in shown_keys or _OPTION.fullmatch(key) is not None


def _without_secrets(lines: list[str], number: int, shown_keys: Container[str]) -> str:
    """Return the line, cut before the first value that can be a secret."""
    line = lines[number - 1]
    if _HEADER.match(line):
        return line
    first = _FIRST_KEY.match(line)
    if first is None:  # an item of a list, a key without =, or anything
        if _is_in_shown_list(lines, number, shown_keys):
            return line
        word = _FIRST_WORD.match(line)
        return line[: word.end()] + HIDDEN if word and word[1] in shown_keys else HIDDEN
    if not _is_known(first[1], shown_keys):
        return HIDDEN
    for match in (first, *_KEY.finditer(line, first.end())):
        if _last_part(match[1]) not in shown_keys and not _REFERENCE.match(line, match.end()):
            return line[: match.end()] + HIDDEN
    return line


def _is_in_shown_list(lines: list[str], number: int, shown_keys: Container[str]) -> bool:
    for line in reversed(lines[: number - 1]):
        first = _FIRST_KEY.match(line)
        if first is not None:
            return _LIST_START.fullmatch(line) is not None and _last_part(first[1]) in shown_keys
        if "]" in line:
            return False
    return False


def _last_part(key: str) -> str:
    return key.rpartition(".")[2].strip("\"'")
