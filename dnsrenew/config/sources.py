"""From files to tables: the configuration and the files it includes."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from dnsrenew.base.files import NotAFileError
from dnsrenew.base.validation import FieldError, KeyPath, config_error, kind, quoted
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import list_of, text
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.config.schema import FieldScope, MistakeReport
from dnsrenew.errors import ConfigError

_MAGIC: Final = re.compile(r"[*?[]")
SHOWN_KEYS: Final = frozenset(
    {
        *("include", "store", "contact", "agree_terms", "default_ca"),
        *("directory", "trust", "timeout", "staging"),
        *("provider", "zones", "ttl", "server"),
        *("nameservers", "authoritative_port", "doh"),
        *(
            "name",
            "domains",
            "ca",
            "reuse_key",
            "profile",
            "prefer",
            "preferred_chain",
            "renew_before",
            "lifetime",
            "csr",
        ),
        *("routes", "challenge", "dns", "alias", "follow_cname", "listen", "webroot", "app"),
        *("propagation", "settle", "check"),
    }
)
"""Keys that hold no secret: a syntax error shows their values, and an export too where they are commented out."""


class Source(Frozen):
    """One file, or a mapping made in Python, with the scope of its values."""

    table: dict[str, Any]
    scope: FieldScope


def read_source(path: str, report: MistakeReport, checks: FileChecks, *, any_entry: bool = False) -> Source:
    """Read one file.

    :param any_entry: whether any file of its folder is read.
    :raises ConfigError: ``config-missing``, ``config-unreadable``, ``config-untrusted``, ``config-syntax``.
    """
    report.sources[path] = _read_text(path, checks, any_entry=any_entry)
    report.tables[path] = _parse(report, path)
    return Source(report.tables[path], FieldScope(path, os.path.dirname(path), False, report, checks))


def _read_text(path: str, checks: FileChecks, *, any_entry: bool) -> str:
    try:
        # A pipe is refused: the file is read again for the lines of mistakes, and by later runs.
        return checks.read(path, any_entry=any_entry).decode("utf-8-sig")  # Notepad writes a byte order mark
    except FileNotFoundError:
        raise ConfigError.of(texts.CONFIG_MISSING, searched=[path]) from None
    except UnicodeDecodeError as error:
        raise ConfigError.of(texts.CONFIG_NOT_UTF8, file=path, position=error.start) from None
    except NotAFileError as error:
        text = texts.CONFIG_FOLDER if error.errno == errno.EISDIR else texts.CONFIG_NOT_A_FILE
        raise ConfigError.of(text, file=path, kind=error.kind) from None
    except PermissionError:
        raise ConfigError.of(texts.CONFIG_FORBIDDEN, file=path) from None
    except OSError as error:
        cause = (error.strerror or type(error).__name__).lower()
        raise ConfigError.of(texts.CONFIG_UNREADABLE, file=path, cause=cause) from None
    except ValueError:
        raise ConfigError.of(texts.CONFIG_NO_PATH, file=path) from None


def _parse(report: MistakeReport, path: str) -> dict[str, Any]:
    """Return the tables of a file.

    Neither the text nor the error of ``tomllib`` is left in the frames of the error: they can hold secrets.
    """
    try:
        return tomllib.loads(report.sources[path])
    except (RecursionError, ValueError) as error:
        from dnsrenew.base.validation.toml_positions import syntax_mistake  # needed only after a mistake

        mistake = syntax_mistake(error, report.sources[path], path, shown_keys=SHOWN_KEYS)
    raise config_error([mistake], code="config-syntax")


def included(main: Source) -> Iterator[Source]:
    """Read the included files, in the order of the list; the files of one pattern are sorted."""
    if "include" not in main.table:
        return
    scope = main.scope
    try:
        patterns = list_of(text, texts.INCLUDES)(main.table["include"], scope, ("include",))
    except FieldError as error:
        scope.mistake(("include",), kind(main.table["include"]), error.expected)
        return
    done = {os.path.realpath(scope.file)} if scope.file else set()
    for index, pattern in enumerate(patterns):
        for path in _matches(pattern, scope, ("include", index)):
            real = os.path.realpath(path)
            if real not in done:
                done.add(real)
                try:
                    yield read_source(path, scope.report, scope.checks, any_entry=_is_pattern(pattern))
                except ConfigError as error:
                    if error.code != "config-unreadable":
                        raise
                    scope.mistake(("include", index), error.message, texts.INCLUDE_FILE, fix=error.fix)


def _is_pattern(path: str) -> bool:
    return _MAGIC.search(path) is not None


def _matches(pattern: str, scope: FieldScope, key_path: KeyPath) -> list[str]:
    import glob  # needed only for includes

    path = scope.path_of(pattern)
    if not _is_pattern(pattern):
        if not os.path.lexists(path):
            scope.mistake(key_path, texts.NO_FILE_AT.format(path=quoted(pattern)), texts.INCLUDE_FILE)
            return []
        return [path]
    # Only the pattern is expanded, not the folder before it: its name can hold brackets.
    is_absolute = os.path.isabs(os.path.expanduser(pattern))
    root = None if is_absolute else scope.folder
    try:
        found = glob.glob(os.path.expanduser(pattern), root_dir=root)
    except (ValueError, RecursionError):  # characters that are not valid in a file name
        scope.mistake(key_path, texts.BAD_PATTERN, texts.INCLUDE_PATTERN)
        return []
    if not found:
        scope.checks.judge(path)  # any user with write access could add a file later
        scope.report.empty_includes.append(pattern)
    return sorted(
        scope.path_of(one) if is_absolute else os.path.abspath(os.path.join(scope.folder, one)) for one in found
    )
