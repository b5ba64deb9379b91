"""Read one ``providers/*.toml``; imported only when a file is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.base.validation import texts as phrases
from dnsrenew.base.validation.mistakes import (
    KeyPath,
    Mistake,
    config_error,
    describe_found,
    kind,
    nearest,
    one_of,
    shown_key,
)
from dnsrenew.drivers import texts
from dnsrenew.drivers.provider import NAME, RESERVED, Behaviour, OptionSpec, Provider

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.errors import ConfigError

_OPTION: Final = re.compile(r"[a-z][a-z0-9_]*")
_ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_PATTERN: Final = re.compile(r"[a-z0-9*-]+(?:\.[a-z0-9*-]+)+")
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


def _seconds(minimum: int, maximum: int, *kinds: type) -> Test:
    return lambda value: type(value) in kinds and minimum <= value <= maximum


def _one_of(*choices: str) -> Test:
    return lambda value: value in choices


def _suffixes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _is_domain(item) for item in value)


def _host_patterns(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _HOST_PATTERN.fullmatch(item) for item in value)


def _is_pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_domain(text: str) -> bool:
    try:
        return names.to_a_labels(text) == text and not names.is_wildcard(text)
    except names.InvalidName:
        return False


# key: the test of a value, and the description of a valid one
_TOP: Final[dict[str, tuple[Test, str]]] = {
    "title": (lambda value: _is_text(value) and bool(value), texts.TITLE),
    "website": (_url, texts.URL),
    "docs": (_url, texts.URL),
    "driver": (
        lambda value: _is_text(value) and bool(NAME.fullmatch(value)),
        texts.DRIVER_NAME,
    ),
    "zone_suffixes": (_suffixes, texts.ZONE_SUFFIXES),
    "name_servers": (_host_patterns, texts.NAME_SERVERS),
    "driver_options": (_is_table, phrases.TABLE),
    "options": (_is_table, texts.OPTION_TABLES),
    "behaviour": (_is_table, phrases.TABLE),
}
_OPTIONS: Final[dict[str, tuple[Test, str]]] = {
    "required": (_is_bool, phrases.TRUE_OR_FALSE),
    "secret": (_is_bool, phrases.TRUE_OR_FALSE),
    "env": (
        lambda value: _is_text(value) and bool(_ENV.fullmatch(value)),
        texts.VARIABLE_NAME,
    ),
    "help": (_is_text, phrases.TEXT),
    "pattern": (_is_pattern, texts.PATTERN),
    "form": (_is_text, phrases.TEXT),
    "kind": (_one_of("text", "list", "program", "file", "url", "address"), texts.KIND),
    "default": (_is_text, phrases.TEXT),
}
_BEHAVIOUR: Final[dict[str, tuple[Test, str]]] = {
    "ttl": (_seconds(1, 7 * _DAY, int), texts.TTL),
    "propagation_timeout": (_seconds(1, _DAY, int, float), texts.PROPAGATION_TIMEOUT),
    "settle": (_seconds(0, 3600, int, float), texts.SETTLE),
    "values": (_one_of("many", "two", "one"), texts.VALUES),
    "scope": (_one_of("name", "zone"), texts.SCOPE),
    "exclusive": (_is_bool, phrases.TRUE_OR_FALSE),
    "removes": (_is_bool, phrases.TRUE_OR_FALSE),
    "by_hand": (_is_bool, phrases.TRUE_OR_FALSE),
    "delegated": (_is_bool, phrases.TRUE_OR_FALSE),
    "note": (_is_text, phrases.TEXT),
}


def parse(text: str, name: str, file: str) -> Provider:
    """Return the provider of a file.

    :raises ConfigError: ``provider-invalid``, with all mistakes.
    """
    try:
        document = tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        from dnsrenew.base.validation.toml_syntax import syntax_mistake  # late: only after a mistake

        raise config_error([syntax_mistake(error, text, file)], code=_INVALID) from None
    check = _FileCheck()
    check.table((), document, _TOP, required=("title", "driver"))
    behaviour = _table(document, "behaviour")
    check.table(("behaviour",), behaviour, _BEHAVIOUR)
    if behaviour.get("scope") == "zone" and behaviour.get("values", "many") != "one":
        check.mistake(("behaviour", "scope"), texts.SCOPE_FOUND, texts.SCOPE_OF_MANY)
    options = _table(document, "options")
    for key, table in options.items():
        check.option(key, table)
    if check.mistakes:
        raise check.error(text, file)
    return Provider(
        name=name,
        title=document["title"],
        driver=document["driver"],
        website=document.get("website", ""),
        docs=document.get("docs", ""),
        zone_suffixes=tuple(document.get("zone_suffixes", ())),
        name_servers=tuple(document.get("name_servers", ())),
        driver_options=_table(document, "driver_options"),
        options={key: OptionSpec(**table) for key, table in options.items()},
        behaviour=Behaviour(**behaviour),
    )


def unreadable(path: Path, error: OSError | UnicodeDecodeError) -> ConfigError:
    """Return the error for a file that exists but cannot be read."""
    found = (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else texts.NOT_UTF8
    return config_error([Mistake(str(path), None, texts.FILE, found, texts.READABLE)], code=_INVALID)


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key, {})
    return value if isinstance(value, dict) else {}


class _FileCheck:
    """Checks one file and collects its mistakes."""

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
                self.mistake((*path, key), phrases.MISSING, known[key][1])
        for key, value in table.items():
            if key not in known:
                self.mistake((*path, key), phrases.UNKNOWN_KEY, one_of(sorted(known)), nearest(key, known))
            elif not known[key][0](value):
                self.mistake((*path, key), describe_found(value), known[key][1])

    def option(self, key: str, table: object) -> None:
        path = ("options", key)
        if key in RESERVED:
            self.mistake(path, texts.RESERVED_NAME, texts.OTHER_NAME)
        elif not _OPTION.fullmatch(key):
            self.mistake(path, texts.OPTION_NAME_FOUND, texts.OPTION_NAME)
        if isinstance(table, dict):
            self.table(path, table, _OPTIONS, required=("form",) if "pattern" in table else ())
        else:
            self.mistake(path, kind(table), phrases.TABLE)

    def mistake(self, path: KeyPath, found: str, expected: str, near: str | None = None) -> None:
        self.mistakes.append((path, found, expected, near))

    def error(self, text: str, file: str) -> ConfigError:
        from dnsrenew.base.validation.toml_positions import key_lines, line_of  # late: only after a mistake

        lines = key_lines(text)
        mistakes = [
            Mistake(file, line_of(path, lines), shown_key(path), found, expected, near)
            for path, found, expected, near in self.mistakes
        ]
        return config_error(sorted(mistakes, key=lambda mistake: mistake.line or 0), code=_INVALID)
