"""Warnings and errors about files of the store that are not what dnsrenew wrote."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Notice
from dnsrenew.errors import StoreError
from dnsrenew.store import texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.store.atomic_io import AtomicFiles
    from dnsrenew.store.texts import DamageTexts

_DAMAGED: Final = re.compile(r"\.damaged(?:-([0-9]+))?")
_KEPT: Final = 3
"""Damaged files of one name that are kept; the oldest are removed."""


def quarantine(disk: AtomicFiles, path: str, kind: DamageTexts, reason: str) -> Notice:
    """Rename a damaged file to ``NAME.damaged``, if it exists, and return the warning.

    :param reason: what is wrong with it: ``it is empty``.
    """
    if not os.path.lexists(path):
        return Notice(*kind.missing.fill(path=path, reason=reason))
    try:
        copy = set_aside(disk, path)
    except StoreError as error:
        # `status` may run without write access and still has to answer; the next run renames the file.
        return Notice(*kind.stuck.fill(path=path, reason=reason, cause=error.message))
    return Notice(*kind.quarantined.fill(path=path, reason=reason, copy=os.path.basename(copy)))


def set_aside(disk: AtomicFiles, path: str) -> str:
    """Rename a damaged file or folder to ``NAME.damaged`` (or ``.damaged-2`` …) and return that path.

    Earlier ones of the name are removed, but for the newest.

    :raises StoreError: it cannot be renamed.
    """
    folder, name = os.path.split(path)
    earlier = _damaged(name, disk.names(folder))
    number = max(earlier, default=0) + 1
    target = f"{path}.damaged-{number}" if number > 1 else f"{path}.damaged"
    disk.do("rename", path, lambda: os.rename(path, target))
    for old in sorted(earlier)[: 1 - _KEPT]:
        disk.discard(os.path.join(folder, earlier[old]))
    return target


def _damaged(name: str, names: list[str]) -> dict[int, str]:
    """Return the damaged files of a name, by number."""
    found = {entry: _DAMAGED.fullmatch(entry, len(name)) for entry in names if entry.startswith(name)}
    return {int(match[1] or 1): entry for entry, match in found.items() if match}


def pending(path: str, kind: DamageTexts, reason: str) -> Notice:
    """Return the warning about a damaged file that stays in place until it is replaced, or about a missing one."""
    if not os.path.lexists(path):
        return Notice(*kind.missing.fill(path=path, reason=reason))
    return Notice(*kind.pending.fill(path=path, reason=reason, copy=f"{os.path.basename(path)}.damaged"))


def newer_schema(path: str, schema: int, known: int) -> StoreError:
    """Return the error for a file of a newer dnsrenew; dnsrenew does not guess what it means."""
    return StoreError.of(texts.NEWER_SCHEMA, path=path, schema=schema, known=known)


def current_behind(current: Path, error: StoreError) -> Notice:
    """Return the warning that the copies in ``current`` are not of the version in force (Windows)."""
    return Notice(*texts.CURRENT_BEHIND.fill(path=current, cause=error.message))


def current_replaced(current: Path, copy: str) -> Notice:
    """Return the warning that something else was found at the path of ``current``."""
    return Notice(*texts.CURRENT_REPLACED.fill(path=current, copy=os.path.basename(copy)))


# ── damage reports ─────────────────────────────────────────────────────────────────────

# The warnings about damage that a store has found, until the states that they are about are read.


class DamageReports:
    """Warnings by certificate."""

    def __init__(self) -> None:
        self._warnings: dict[str, tuple[Notice, ...]] = {}

    def report(self, name: str, warning: Notice) -> None:
        """Keep a warning once: a run reads a state more than once and reports the warnings at its end."""
        reported = self._warnings.get(name, ())
        if warning not in reported:
            self._warnings[name] = (*reported, warning)

    def warnings(self, name: str) -> tuple[Notice, ...]:
        """Return the damage warnings of a certificate."""
        return self._warnings.get(name, ())
