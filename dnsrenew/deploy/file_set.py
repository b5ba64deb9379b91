"""Replaces several files as one set: all are written aside first, then renamed within milliseconds.

Between the renames of a pair a server could load a certificate with the wrong key. So the renames are written down in
the store first, and the next run completes those of a killed one before anything else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.users import group_id, user_id
from dnsrenew.deploy import aside
from dnsrenew.deploy.aside import TargetFile, inspect, read_file

if TYPE_CHECKING:
    from dnsrenew.deploy.aside import Found
    from dnsrenew.deploy.protocol import SavedFiles

__all__ = ["TargetFile", "complete_renames", "is_in_place", "read_file", "replace_files", "restore_files"]

_ATTRIBUTES: Final = "attributes"
"""Where modes, owners and links of the kept files are, as JSON."""


def is_in_place(files: Iterable[TargetFile]) -> bool:
    """Tell whether every file has its content already; a link is not a file.

    :raises DeployError: ``deploy-unwritable``: a folder does not exist, or something else is in the place of a file.
    """
    found = [_has(inspect(file.path), file) for file in files]  # all of them: each may have a mistake
    return all(found)


def replace_files(saved: SavedFiles, files: Sequence[TargetFile], *, more: Mapping[str, bytes] | None = None) -> None:
    """Write the files whose content differs, and keep the old ones in the store.

    Where none differs, what this change has kept before stays: a run may have been killed after it had written them.

    :param more: what to keep with them.
    :raises DeployError: ``deploy-unwritable``; unless the system refused one of several renames, the old files are all
        in place.
    :raises StoreError: the old files cannot be kept; nothing was written.
    """
    old = {file.path: inspect(file.path) for file in files}
    for path in old:
        aside.remove_stale(path)
    changed = [file for file in files if not _has(old[file.path], file)]
    if changed or more:
        saved.keep({**(_kept(old) if changed else saved.kept()), **(more or {})})
    if changed:
        _put(saved, changed)


def restore_files(saved: SavedFiles, files: Sequence[TargetFile]) -> bool:
    """Put back the files that were kept, as they were; return whether any had been replaced.

    :param files: the files as they were written.
    :raises DeployError: ``deploy-unwritable``.
    """
    old = saved.kept()
    attributes = json.loads(old.get(_ATTRIBUTES, b"{}"))
    back = [_old_file(file, old[file.path], attributes.get(file.path)) for file in files if file.path in old]
    changed = [file for file in back if not _has(inspect(file.path), file)]
    if not changed:
        return False
    _put(saved, changed)
    return True


def complete_renames(renames: Iterable[tuple[str, str]]) -> None:
    """Complete the renames of a killed run, as far as it had not done them.

    They may come from a database: what is no file of ours, written aside, is not touched.

    :raises DeployError: ``deploy-unwritable``.
    """
    pairs = [(temp, path) for temp, path in renames if aside.is_aside(temp, path)]
    for temp, path in pairs:
        if os.path.lexists(temp):
            aside.guard(path, partial(aside.rename, temp, path))
    for folder in {os.path.dirname(path) for _, path in pairs}:
        aside.sync_folder(folder)


def _has(found: Found | None, file: TargetFile) -> bool:
    """Tell whether what is there is this file or link."""
    if found is None or found.link != file.link:
        return False
    if file.link:
        return True
    return found.content == file.content and (not file.is_strict or os.name == "nt" or _has_attributes(found, file))


def _has_attributes(found: Found, file: TargetFile) -> bool:
    if found.mode != file.mode or (file.owner is not None and user_id(file.owner) != found.uid):
        return False
    return file.group is None or group_id(file.group) == found.gid


def _kept(old: Mapping[str, Found | None]) -> dict[str, bytes]:
    """Return what to keep; nothing if a file cannot come back, because it did not exist: the others would not fit."""
    known = {path: found for path, found in old.items() if found is not None and _can_come_back(found)}
    if len(known) < len(old):
        return {}
    attributes = {path: [found.mode, found.uid, found.gid, found.link] for path, found in known.items()}
    return {
        **{path: found.content for path, found in known.items()},
        _ATTRIBUTES: json.dumps(attributes).encode(),
    }


def _can_come_back(found: Found) -> bool:
    """Tell whether a link would be as before: only root can give one to another user, whose links are not followed."""
    return not found.link or os.name == "nt" or os.geteuid() == 0 or found.uid in {0, os.geteuid()}


def _old_file(file: TargetFile, content: bytes, attributes: Sequence[int | str] | None) -> TargetFile:
    """Return the old file with its mode and owner; only root can give files to others."""
    if attributes is None:
        return TargetFile(file.path, content, file.mode, file.owner, file.group)
    mode, uid, gid, link = attributes
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    owner, group = (str(uid), str(gid)) if is_root else (None, None)
    return TargetFile(file.path, content, int(mode), owner, group, str(link), is_strict=True)


def _put(saved: SavedFiles, files: Sequence[TargetFile]) -> None:
    renames: list[tuple[str, str]] = []
    try:
        for file in files:
            renames.append((aside.write_aside(file), file.path))  # noqa: PERF401  # it may fail half-way
        for temp, path in renames:  # after all are written: most file systems then write them at once
            aside.sync_file(temp, path)
        if len(renames) > 1:
            saved.note_renames(renames)
        complete_renames(renames)
    except Exception:  # of a kill, the next run completes the renames
        for temp, _ in renames:
            aside.remove(temp)
        if len(renames) > 1:
            saved.clear_renames()
        raise
    if len(renames) > 1:
        saved.clear_renames()
