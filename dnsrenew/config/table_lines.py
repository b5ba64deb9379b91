"""Where the tables ``[[certificate]]`` are in their files: for mistakes that are found when these were read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.validation.mistakes import Mistake
from dnsrenew.base.values import replace
from dnsrenew.config.loader import read_file
from dnsrenew.config.schema import MistakeReport, Unlocated
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from dnsrenew.base.validation.mistakes import KeyPath
    from dnsrenew.config import Config
    from dnsrenew.config.schema import FieldScope

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def in_tables(config: Config, found: Sequence[tuple[str, Mistake]]) -> list[Mistake]:
    """Return mistakes with the files and lines of their tables, which are read again.

    :param found: the name of a certificate, and a mistake in its table; the key is relative to the table.
    """
    places = _places(config)
    sources = next((scope.report for scope, _ in places.values()), MistakeReport())
    report = MistakeReport()
    report.sources, report.tables = sources.sources, sources.tables
    for name, mistake in found:
        if name in places:
            scope, path = places[name]
            key = (*path, *_path(mistake.key))
            report.add(Unlocated(scope.file, key, mistake.found, mistake.expected, mistake.nearest, mistake.fix))
        else:
            report.add_located(replace(mistake, key=f"{name}.{mistake.key}", file=str(config.path or ""), line=None))
    return report.mistakes()


def _places(config: Config) -> Mapping[str, tuple[FieldScope, KeyPath]]:
    """Return the place of each certificate, by name; nothing without a file, or if it cannot be read any more."""
    if config.path is None:
        return {}
    try:
        return read_file(str(config.path), found=False, insist=config.insist).certificates.places
    except ConfigError:
        return {}


def _path(key: str) -> KeyPath:
    return tuple(int(number) if number else word for number, word in _PART.findall(key))
