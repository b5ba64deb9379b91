"""From files to tables: the configuration, and what it includes."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from dnsrenew.base.files import NotAFileError, open_to_read
from dnsrenew.config import locate
from dnsrenew.config.fields import list_of, text
from dnsrenew.config.schema import FieldScope, MistakeReport
from dnsrenew.errors import ConfigError
from dnsrenew.validation.mistakes import FieldError, KeyPath, config_error, kind

_MAGIC: Final = re.compile(r"[*?[]")


class Source(NamedTuple):
    """One file, or the mapping that a Python program gave, with what its values must know of it."""

    table: dict[str, Any]
    scope: FieldScope


def read_source(path: str, report: MistakeReport, *, distrust: bool) -> Source:
    """Read one file.

    :param distrust: refuse it if others could have written it.
    :raises ConfigError: ``config-missing``, ``config-unreadable``, ``config-untrusted``, ``config-syntax``.
    """
    content = _read_text(path, distrust=distrust)
    report.texts[path] = content
    return Source(_parse(content, path), FieldScope(path, os.path.dirname(path), False, report))


def _read_text(path: str, *, distrust: bool) -> str:
    try:
        # Not from a pipe, as secrets may be: it is read again for the lines of mistakes, and by every run to come.
        with open_to_read(path) as file:
            if distrust:
                locate.check_trusted(path, os.fstat(file.fileno()))
            return file.read().decode("utf-8-sig")  # Windows' editor writes a byte order mark
    except FileNotFoundError:
        raise locate.missing(path) from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 text (byte {error.start})") from None
    except NotAFileError as error:
        fix = "Name the file in it that is meant."
        if error.errno != errno.EISDIR:
            fix = "Write it to a file and name that: it is read more than once, and paths in it are relative to it."
        raise _unreadable(path, f"it is {error.what}", fix) from None
    except PermissionError:
        user = "Let the user who runs dnsrenew read it, or run dnsrenew as the user who may."
        raise _unreadable(path, "permission denied", user) from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "it is no path of a file").lower()
        raise _unreadable(path, why, "See whether the path is right.") from None


def _unreadable(path: str, why: str, fix: str = "Save it as a text file in UTF-8.") -> ConfigError:
    return ConfigError(
        "config-unreadable",
        f"The configuration {path} cannot be read: {why}.",
        fix=fix,
        evidence={"file": path},
    )


def _parse(content: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except (RecursionError, ValueError) as error:
        from dnsrenew.validation.toml_positions import syntax_mistake  # wanted only after a mistake

        raise config_error([syntax_mistake(error, content, path)], code="config-syntax") from None


def included(main: Source, *, distrust: bool) -> Iterator[Source]:
    """Read what a configuration includes, in the order of the list, and under each pattern sorted."""
    if "include" not in main.table:
        return
    scope = main.scope
    try:
        patterns = list_of(text, 'a list of paths such as ["conf.d/*.toml"]')(
            main.table["include"], scope, ("include",)
        )
    except FieldError as wrong:
        scope.mistake(("include",), kind(main.table["include"]), wrong.expected)
        return
    done = {os.path.realpath(scope.file)} if scope.file else set()
    for index, pattern in enumerate(patterns):
        for path in _matches(pattern, scope, ("include", index)):
            real = os.path.realpath(path)
            if real not in done:
                done.add(real)
                yield read_source(path, scope.report, distrust=distrust)


def _matches(pattern: str, scope: FieldScope, place: KeyPath) -> list[str]:
    import glob  # only where something is included

    path = scope.path_of(pattern)
    if not _MAGIC.search(pattern):
        if not os.path.lexists(path):
            scope.mistake(
                place, f"no file at {path}", "the path of a file that exists, or a pattern such as conf.d/*.toml"
            )
            return []
        return [path]
    # The folder of the file is taken as it is, whatever characters it has.
    anchored = os.path.isabs(os.path.expanduser(pattern))
    root = None if anchored else scope.folder
    try:
        found = glob.glob(os.path.expanduser(pattern), root_dir=root)
    except (ValueError, RecursionError):  # characters that no file name can have
        scope.mistake(place, "a pattern that no file can match", "a pattern such as conf.d/*.toml")
        return []
    return sorted(scope.path_of(one) if anchored else os.path.abspath(os.path.join(scope.folder, one)) for one in found)
