"""Whether the store can be used, and whether its disk has space."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Check
from dnsrenew.base.users import this_user
from dnsrenew.errors import StoreError
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.keeping import texts

if TYPE_CHECKING:
    from dnsrenew.extensions.doctor.facts import Facts

_NEEDED: Final = 1_000_000
"""Bytes; a renewal writes less than a tenth of it."""
_LOW: Final = 50_000_000


def store(facts: Facts) -> Check | None:
    """Check that the store is private and can be written; it is written to, and that is undone."""
    if facts.config is None:
        return None
    path = facts.unchecked_store.place
    existing = path if facts.unchecked_store.path is None else _nearest(path)
    try:
        if facts.store_error is not None:
            raise facts.store_error
        facts.unchecked_store.check_ground()
        if existing != path:
            return _absent(path, existing)
        facts.unchecked_store.prove_writable()
    except StoreError as error:
        return Check("store", "bad", error.message, {**error.evidence, "error": error.code}, error.fix, ALL)
    return Check.of(texts.STORE_OK, "ok", {"path": path})


def _absent(path: str, existing: str) -> Check:
    evidence = {"path": path, "existing": existing, "user": this_user()}
    if os.access(existing, os.W_OK | os.X_OK):
        return Check.of(texts.STORE_ABSENT, "ok", evidence)
    return Check.of(texts.STORE_NO_PARENT, "bad", evidence, blocks=ALL)


def store_space(facts: Facts) -> Check | None:
    """Check the free space and the free inodes of the disk of the store; that of a database cannot be asked."""
    if facts.config is None or facts.unchecked_store.path is None:
        return None
    path = str(facts.unchecked_store.path)
    existing = _nearest(path)
    free = shutil.disk_usage(existing).free
    return space(path, free, _free_files(existing))


def space(path: str, free: int, files: int | None) -> Check:
    """Return the check for so much space.

    :param free: free bytes.
    :param files: how many files can still be made; None if that is unknown, or has no limit.
    """
    evidence = {"path": path, "free_bytes": free, "free_files": files}
    if files == 0:
        return Check.of(texts.SPACE_NO_FILES, "bad", evidence, blocks=ALL)
    shown = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.1f} MB"
    if free < _NEEDED:
        return Check.of(texts.SPACE_FULL, "bad", evidence, blocks=ALL, free=shown)
    if free < _LOW:
        return Check.of(texts.SPACE_LOW, "bad", evidence, free=shown)
    return Check.of(texts.SPACE_OK, "ok", evidence, free=shown)


def _free_files(path: str) -> int | None:
    if not hasattr(os, "statvfs"):  # Windows
        return None
    found = os.statvfs(path)
    return found.f_favail if found.f_files else None  # some file systems make inodes as they need them


def _nearest(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
