"""From files to tables: the place of the configuration, and the contents of it and its included files."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dnsrenew.base.files import NotAFileError
from dnsrenew.base.validation import KeyPath, config_error, quoted
from dnsrenew.base.validation.toml_positions import syntax_mistake
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import list_of, text
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.config.schema import FieldScope, MistakeReport
from dnsrenew.errors import ConfigError, system_reason

_MAGIC: Final = re.compile(r"[*?[]")
SHOWN_KEYS: Final = {
    *("include", "store", "contact", "agree_terms", "default_ca"),
    *("directory", "trust", "timeout", "staging"),
    *("provider", "zones", "ttl", "server"),
    *("nameservers", "authoritative_port", "doh"),
    *("name", "domains", "ca", "csr", "reuse_key", "profile", "prefer", "preferred_chain"),
    *("renew_before", "lifetime"),
    *("routes", "challenge", "dns", "alias", "follow_cname", "listen", "webroot", "app"),
    *("propagation", "settle", "check"),
}
"""Keys without secrets. A syntax error shows their values, and so does an export where they are commented out."""


class Source(Frozen):
    """One file, or a mapping made in Python, with the scope of its values."""

    table: dict[str, Any]
    scope: FieldScope


def read_source(path: str, report: MistakeReport, checks: FileChecks, *, any_entry: bool = False) -> Source:
    """Read one file.

    :param any_entry: whether every file of its folder is read.
    :raises ConfigError: ``config-missing``, ``config-unreadable``, ``config-untrusted``, ``config-syntax``.
    """
    report.sources[path] = _read_text(path, checks, any_entry=any_entry)
    report.tables[path] = _parse(report, path)
    return Source(report.tables[path], FieldScope(path, os.path.dirname(path), False, report, checks))


def _read_text(path: str, checks: FileChecks, *, any_entry: bool) -> str:
    try:
        # A pipe is refused, because the file is read again for the lines of mistakes, and by later runs.
        return checks.read(path, any_entry=any_entry).decode("utf-8-sig")  # Notepad writes a byte order mark
    except FileNotFoundError:
        raise ConfigError.of(texts.CONFIG_MISSING, searched=[path]) from None
    except UnicodeDecodeError as error:
        raise ConfigError.of(texts.CONFIG_NOT_UTF8, file=path, position=error.start + 1) from None
    except NotAFileError as error:
        text = texts.CONFIG_FOLDER if error.errno == errno.EISDIR else texts.CONFIG_NOT_A_FILE
        raise ConfigError.of(text, file=path, kind=error.kind) from None
    except PermissionError:
        raise ConfigError.of(texts.CONFIG_FORBIDDEN, file=path) from None
    except OSError as error:
        raise ConfigError.of(texts.CONFIG_UNREADABLE, file=path, cause=system_reason(error).lower()) from None
    except ValueError:
        raise ConfigError.of(texts.CONFIG_NO_PATH, file=path) from None


def _parse(report: MistakeReport, path: str) -> dict[str, Any]:
    """Return the tables of a file.

    Neither the text nor the error of ``tomllib`` stays in the frames of the error, because they may contain secrets.
    """
    try:
        return parse(report.sources[path])
    except (RecursionError, ValueError) as error:
        mistake = syntax_mistake(error, report.sources[path], path, shown_keys=SHOWN_KEYS)
    raise config_error([mistake], code="config-syntax")


# ── many certificates ──────────────────────────────────────────────────────────────────

# Of ten thousand certificates, most have few keys, with plain texts. ``tomllib`` takes 7 µs for each of them, the
# decoder of JSON, in which such values are written alike, 1 µs.

_TEXT: Final = r'"[^"\\\x00-\x1f\x7f]*"'
_HEAD: Final = "[[certificate]]\n"
_PLAIN: Final = re.compile(
    rf"^(?:{re.escape(_HEAD)}(?:[a-z_]+ = (?:{_TEXT}|\[(?:{_TEXT}(?:, )?)*+\]|true|false)\n)++\n*+)++", re.MULTILINE
)
_PLAIN_KEY: Final = re.compile("^([a-z_]+) = ", re.MULTILINE)


def parse(text: str) -> dict[str, Any]:
    """Return the same as ``tomllib.loads``, but faster for many certificates.

    :raises ValueError: the text is not TOML; or a ``RecursionError``.
    """
    found: list[str] = []

    def cut(match: re.Match[str]) -> str:
        """Leave an empty, numbered table for the last of these certificates, because more of its keys may follow."""
        found.append(match[0])
        return f'{_HEAD}"" = {len(found)}\n'

    short = _PLAIN.sub(cut, text)
    if found and '"""' not in text and "'''" not in text:
        # Only tomllib, on the original text, reports mistakes.
        with contextlib.suppress(IndexError, RecursionError, TypeError, ValueError):
            return _put_back(tomllib.loads(short), found)
    return tomllib.loads(text)


def _put_back(document: dict[str, Any], found: list[str]) -> dict[str, Any]:
    """Put the removed certificates back in their places.

    :raises ValueError: one has a key twice, or a value that JSON writes in another way.
    """
    every: list[dict[str, Any]] = []
    numbers = []
    for table in document["certificate"]:
        if "" in table:
            numbers.append(number := table.pop(""))
            every += _read_plain(found[number - 1])
            if not table.keys().isdisjoint(every[-1]):
                raise ValueError(table)
            every[-1] |= table
        else:
            every.append(table)
    if numbers != [*range(1, len(found) + 1)]:
        raise ValueError(numbers)
    return document | {"certificate": every}


def _read_plain(text: str) -> list[dict[str, Any]]:
    pairs, count = _PLAIN_KEY.subn(r',"\1":', text)
    tables: list[dict[str, Any]] = json.loads("[" + pairs.replace(f"{_HEAD},", "},{")[2:] + "}]")
    if sum(map(len, tables)) != count:
        raise ValueError(count)
    return tables


def included(main: Source) -> Iterator[Source]:
    """Read the included files, in the order of the list; the files of one pattern are sorted."""
    if "include" not in main.table:
        return
    scope, patterns = main.scope, tuple[str, ...]()
    with scope.reading(("include",), main.table["include"]):
        patterns = list_of(text, texts.INCLUDES)(main.table["include"], scope, ("include",))
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
    path = scope.path_of(pattern)
    if not _is_pattern(pattern):
        if not os.path.lexists(path):
            scope.mistake(key_path, texts.NO_FILE_AT.format(path=quoted(pattern)), texts.INCLUDE_FILE)
            return []
        return [path]
    # Only the pattern is expanded, not the folder before it, whose name may contain brackets.
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


# ── locate ─────────────────────────────────────────────────────────────────────────────

# Finds the configuration and the default store.

FILE_NAME: Final = "dnsrenew.toml"
VARIABLE: Final = "DNSRENEW_CONFIG"
SYSTEM_FOLDER: Final = "/etc/dnsrenew"
SYSTEM_STORE: Final = "/var/lib/dnsrenew"
_NAME: Final = "dnsrenew"
_NOTEPAD: Final = ".txt"
"""The suffix that Windows' Notepad adds to a name, and Explorer hides."""


def user_folder(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's config folder for dnsrenew; None without a home."""
    if platform == "win32":
        return _in(environ.get("APPDATA"), _NAME)
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME)
    return _in(_xdg(environ, "XDG_CONFIG_HOME") or _in(_home(environ), ".config"), _NAME)


def user_store(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's state folder for dnsrenew; None without a home."""
    if platform == "win32":
        return _in(environ.get("LOCALAPPDATA") or environ.get("APPDATA"), _NAME, "state")
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME, "state")
    return _in(_xdg(environ, "XDG_STATE_HOME") or _in(_home(environ), ".local", "state"), _NAME)


def default_store(folder: str, environ: Mapping[str, str]) -> str:
    """Return the default store of a configuration in this folder."""
    if os.name == "posix" and folder == SYSTEM_FOLDER:
        return SYSTEM_STORE
    own = user_store(environ) if folder == user_folder(environ) else None
    return own or os.path.join(folder, "state")


def here() -> str:
    """Return the current folder; the root folder if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return os.path.abspath(os.sep)


def _home(environ: Mapping[str, str]) -> str | None:
    home = environ.get("HOME") or os.path.expanduser("~")
    return home if os.path.isabs(home) else None


def _xdg(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "")
    return value if os.path.isabs(value) else None  # the XDG specification ignores relative paths


def _in(folder: str | None, *parts: str) -> str | None:
    return os.path.join(folder, *parts) if folder else None


def search(explicit: str | None, environ: Mapping[str, str], cwd: str) -> tuple[str, bool]:
    """Return the absolute path of the configuration, and whether it was found and not named.

    :raises ConfigError: ``config-missing``.
    """
    named = ((explicit, texts.CONFIG_MISSING_OPTION), (environ.get(VARIABLE), texts.CONFIG_MISSING_VARIABLE))
    folders = [cwd, user_folder(environ), SYSTEM_FOLDER if os.name == "posix" else None]
    del environ  # a tool that shows the variables of a traceback must not show it
    for name, missing in named:
        if name:
            path = os.path.abspath(os.path.join(cwd, os.path.expanduser(name)))
            if not os.path.lexists(path):
                raise _with_txt([path]) or ConfigError.of(missing, searched=[path])
            return path, False
    paths = [os.path.join(folder, FILE_NAME) for folder in folders if folder]
    for path in paths:
        # lexists, because a broken link is an error and the search must not skip it.
        if os.path.lexists(path):
            return path, True
    raise _with_txt(paths) or ConfigError.of(texts.CONFIG_NOT_FOUND, searched=paths, suggested=paths[0])


def new_config(explicit: str | None, environ: Mapping[str, str], cwd: str) -> str:
    """Return the absolute path for a new configuration: the named or found one, or the default place."""
    named = explicit or environ.get(VARIABLE)
    if named:
        return os.path.abspath(os.path.join(cwd, os.path.expanduser(named)))
    try:
        return search(None, environ, cwd)[0]
    except ConfigError:
        is_root = os.name == "posix" and os.geteuid() == 0
        return os.path.join(SYSTEM_FOLDER if is_root else user_folder(environ) or cwd, FILE_NAME)


def _with_txt(paths: list[str]) -> ConfigError | None:
    """Return the error for a file with the name ``dnsrenew.toml.txt``; None if it does not exist."""
    for path in paths:
        if os.path.isfile(path + _NOTEPAD):
            found, name = path + _NOTEPAD, os.path.basename(path)
            return ConfigError.of(texts.CONFIG_NAMED_TXT, searched=paths, found=found, name=name)
    return None
