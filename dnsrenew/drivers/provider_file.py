"""Reading one ``providers/*.toml``: imported only when a file is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.drivers.provider import NAME, RESERVED, Behaviour, OptionSpec, Provider
from dnsrenew.validation.mistakes import (
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
    from pathlib import Path

    from dnsrenew.errors import ConfigError

_OPTION: Final = re.compile(r"[a-z][a-z0-9_]*")
_ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DAY: Final = 86400
_INVALID: Final = "provider-invalid"

Test = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def _seconds(least: int, most: int, *kinds: type) -> Test:
    return lambda value: type(value) in kinds and least <= value <= most


def _word(*words: str) -> Test:
    return lambda value: value in words


def _suffixes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _is_domain(item) for item in value)


def _is_domain(text: str) -> bool:
    try:
        return names.to_a_labels(text) == text and not names.is_wildcard(text)
    except names.InvalidName:
        return False


# Each key: a test, and what is expected in words.
_TOP: Final[dict[str, tuple[Test, str]]] = {
    "title": (lambda value: _is_text(value) and bool(value), "the host's name, a text"),
    "website": (_url, "an https:// address"),
    "docs": (_url, "an https:// address"),
    "driver": (
        lambda value: _is_text(value) and bool(NAME.fullmatch(value)),
        "the name of a driver, such as lexicon or rfc2136",
    ),
    "zone_suffixes": (_suffixes, "a list of domain names in lower case, without a final dot"),
    "driver_options": (_is_table, "a table"),
    "options": (_is_table, "a table of tables, one for each option"),
    "behaviour": (_is_table, "a table"),
}
_OPTIONS: Final[dict[str, tuple[Test, str]]] = {
    "required": (_is_bool, "true or false"),
    "secret": (_is_bool, "true or false"),
    "env": (
        lambda value: _is_text(value) and bool(_ENV.fullmatch(value)),
        "the name of an environment variable",
    ),
    "help": (_is_text, "a text"),
}
_BEHAVIOUR: Final[dict[str, tuple[Test, str]]] = {
    "ttl": (_seconds(1, 7 * _DAY, int), "a whole number of seconds from 1 to 604800"),
    "propagation_timeout": (_seconds(1, _DAY, int, float), "a number of seconds from 1 to 86400"),
    "settle": (_seconds(0, 3600, int, float), "a number of seconds from 0 to 3600"),
    "values": (_word("many", "one"), '"many" or "one"'),
    "scope": (_word("name", "zone"), '"name" or "zone"'),
    "exclusive": (_is_bool, "true or false"),
    "removes": (_is_bool, "true or false"),
    "note": (_is_text, "a text"),
}


def parse(text: str, name: str, file: str) -> Provider:
    """Return what the file says.

    :raises ConfigError: ``provider-invalid``, with all mistakes.
    """
    try:
        document = tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        from dnsrenew.validation.toml_positions import syntax_mistake  # wanted only after a mistake

        raise config_error([syntax_mistake(error, text, file)], code=_INVALID) from None
    reading = _Reading()
    reading.table((), document, _TOP, required=("title", "driver"))
    behaviour = _table(document, "behaviour")
    reading.table(("behaviour",), behaviour, _BEHAVIOUR)
    if behaviour.get("scope") == "zone" and behaviour.get("values", "many") != "one":
        reading.mistake(("behaviour", "scope"), '"zone"', '"name", as long as values is not "one"')
    options = _table(document, "options")
    for key, table in options.items():
        reading.option(key, table)
    if reading.mistakes:
        raise reading.error(text, file)
    return Provider(
        name=name,
        title=document["title"],
        driver=document["driver"],
        website=document.get("website", ""),
        docs=document.get("docs", ""),
        zone_suffixes=tuple(document.get("zone_suffixes", ())),
        driver_options=_table(document, "driver_options"),
        options={key: OptionSpec(**table) for key, table in options.items()},
        behaviour=Behaviour(**behaviour),
    )


def unreadable(path: Path, error: OSError | UnicodeDecodeError) -> ConfigError:
    """Return the error for a file that is there and cannot be read."""
    why = str(error.strerror).lower() if isinstance(error, OSError) else "it is not UTF-8 text"
    return config_error([Mistake(str(path), None, "the file", why, "one that can be read")], code=_INVALID)


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key, {})
    return value if isinstance(value, dict) else {}


class _Reading:
    """One file being read: collects its mistakes."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[KeyPath, str, str, str | None]] = []

    def table(
        self,
        path: KeyPath,
        table: Mapping[str, Any],
        known: Mapping[str, tuple[Test, str]],
        required: tuple[str, ...] = (),
    ) -> None:
        for key in required:
            if key not in table:
                self.mistake((*path, key), "missing", known[key][1])
        for key, value in table.items():
            if key not in known:
                self.mistake((*path, key), "an unknown key", one_of(sorted(known)), nearest(key, known))
            elif not known[key][0](value):
                self.mistake((*path, key), describe_found(value), known[key][1])

    def option(self, key: str, table: object) -> None:
        path = ("options", key)
        if key in RESERVED:
            self.mistake(path, "a reserved word", "another name: every account has an option of this name")
        elif not _OPTION.fullmatch(key):
            self.mistake(path, "a name that is not an option's", "lower-case letters, digits and underscores")
        if isinstance(table, dict):
            self.table(path, table, _OPTIONS)
        else:
            self.mistake(path, kind(table), "a table")

    def mistake(self, path: KeyPath, found: str, expected: str, near: str | None = None) -> None:
        self.mistakes.append((path, found, expected, near))

    def error(self, text: str, file: str) -> ConfigError:
        from dnsrenew.validation.toml_positions import key_lines, line_of  # wanted only after a mistake

        lines = key_lines(text)
        mistakes = [
            Mistake(file, line_of(path, lines), shown_key(path), found, expected, near)
            for path, found, expected, near in self.mistakes
        ]
        return config_error(sorted(mistakes, key=lambda mistake: mistake.line or 0), code=_INVALID)
