"""Replaces several files as one set: writes all of them aside first, then renames them within milliseconds.

Between the renames of a pair a server could load a certificate with the wrong key. So the renames are recorded in the
store first, and the next run begins by completing the renames of an interrupted run.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from dnsrenew.base.model import Certificate
from dnsrenew.base.subprocesses import environment
from dnsrenew.base.users import group_id, user_id
from dnsrenew.deploy import programs, staged_file, texts
from dnsrenew.deploy.protocol import FOLDERS, PROGRAM_TIMEOUT, DeployerContext, SavedFiles, TargetDeployer
from dnsrenew.deploy.staged_file import Found, TargetFile, inspect, read_file
from dnsrenew.errors import DeployError, Message, as_clause

__all__ = ["TargetFile", "complete_renames", "is_in_place", "read_file", "replace_files", "restore_files"]

AS_LEFT: Final = "as left"
"""The option with the previous mode, owner and group of each file; no configuration can have it."""
_ATTRIBUTES: Final = "attributes"
"""The key of the modes, owners and links of the saved files, as JSON."""


def is_in_place(files: Iterable[TargetFile]) -> bool:
    """Return whether every file already has its content. A link does not count as a file.

    :raises DeployError: ``deploy-unwritable``: a folder does not exist, or something else is in the place of a file.
    """
    found = [_has(inspect(file.path), file) for file in files]  # inspect all of them, because each may have a mistake
    return all(found)


def first_fault(files: Iterable[TargetFile]) -> Message | None:
    """Return the fault of the first incorrect file, or None if all files are correct.

    :raises DeployError: as :func:`is_in_place`.
    """
    for file in files:
        found = inspect(file.path)
        if found is None:
            return texts.FILE_GONE.format(path=file.path)
        if not _has(found, file):
            text = texts.FILE_OTHER_MODE if found.content == file.content and not found.link else texts.FILE_OTHER
            return text.format(path=file.path)
    return None


def replace_files(saved: SavedFiles, files: Sequence[TargetFile], *, more: Mapping[str, bytes] | None = None) -> None:
    """Write the files whose content differs, and save the old ones in the store.

    If no file differs, data that this change saved earlier stays, because an interrupted run may have already written
    the files.

    :param more: further data to save with the files.
    :raises DeployError: ``deploy-unwritable``; all old files are in place, unless the system refused one of several
        renames.
    :raises StoreError: the old files cannot be saved; nothing was written.
    """
    old = {file.path: inspect(file.path) for file in files}
    for path in old:
        staged_file.remove_stale(path)
    changed = [file for file in files if not _has(old[file.path], file)]
    if changed or more:
        saved.keep({**(_kept(old) if changed else saved.kept()), **(more or {})})
    if changed:
        _put(saved, changed)


def restore_files(saved: SavedFiles, files: Sequence[TargetFile]) -> bool:
    """Put back the saved files in their old state; return whether any file had been replaced.

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


def write_file(saved: SavedFiles, file: TargetFile) -> None:
    """Write one file without saving the old one.

    :raises DeployError: ``deploy-unwritable``; the old file is in place.
    """
    _put(saved, [file])


def complete_renames(renames: Iterable[tuple[str, str]]) -> None:
    """Complete the remaining renames of an interrupted run.

    They may come from a database, so only files that we have written aside are touched.

    :raises DeployError: ``deploy-unwritable``.
    """
    pairs = [(temp, path) for temp, path in renames if staged_file.is_aside(temp, path)]
    for temp, path in pairs:
        if os.path.lexists(temp):
            staged_file.rename(temp, path)
    for folder in {os.path.dirname(path) for _, path in pairs}:
        staged_file.sync_folder(folder)


def _has(found: Found | None, file: TargetFile) -> bool:
    """Return whether the path already has this file or link."""
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
    """Return the data to save. It is empty if a file did not exist, because the others could not be restored alone."""
    known = {path: found for path, found in old.items() if found is not None and _can_come_back(found)}
    if len(known) < len(old):
        return {}
    attributes = {path: [found.mode, found.uid, found.gid, found.link] for path, found in known.items()}
    return {**{path: found.content for path, found in known.items()}, _ATTRIBUTES: json.dumps(attributes).encode()}


def _can_come_back(found: Found) -> bool:
    """Return whether a link can be restored: only root can give it to another user."""
    return not found.link or os.name == "nt" or os.geteuid() == 0 or found.uid in {0, os.geteuid()}


def _old_file(file: TargetFile, content: bytes, attributes: Sequence[int | str] | None) -> TargetFile:
    """Return the old file with its mode and owner. Only root can give files to other users."""
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
            renames.append((staged_file.write_aside(file), file.path))  # noqa: PERF401  # it may fail half-way
        for temp, path in renames:  # after all are written, because most file systems then write them together
            staged_file.sync_file(temp, path)
        if len(renames) > 1:
            saved.note_renames(renames)
        complete_renames(renames)
    except Exception:  # after a kill, the next run completes the renames
        for temp, _ in renames:
            staged_file.remove(temp)
        if len(renames) > 1:
            saved.clear_renames()
        raise
    if len(renames) > 1:
        saved.clear_renames()


# ── file deployer ──────────────────────────────────────────────────────────────────────

# The common part of targets with files on this machine: the files are replaced as one set, then activated.


class ActivatedFiles(TargetDeployer, ABC):
    """The files of a target, on this or another machine, and the way to activate them in their server."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._files: list[TargetFile] = []
        self._is_activated = False

    @abstractmethod
    def activate(self) -> None:
        """Make the server use the current files.

        :raises DeployError: the server does not use them.
        """

    def reactivate(self, target: str) -> bool:
        """Activate the restored old files; return whether the server uses them.

        If the new files could not be activated, the old ones are still in use, and another failure adds no information.
        """
        try:
            self.activate()
        except DeployError as error:
            if self._is_activated:
                run, reason = self._context.run, as_clause(error.message)
                run.warn(*texts.NOT_ACTIVATED.fill(target=target, reason=reason, certificate=run.certificate or ""))
                return False
        return True


class FileDeployer(ActivatedFiles):
    """Replaces files and activates them, or puts them back and activates them again."""

    @abstractmethod
    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the files for a certificate."""

    def file(self, path: str, content: bytes, mode: Literal["mode", "key_mode"] = "key_mode") -> TargetFile:
        """Return a file with the mode, owner and group of the options.

        :param mode: the option that has the mode, for a file with or without a key.
        """
        options = self._options
        number = int(options.get(mode, "0644" if mode == "mode" else "0600"), 8)
        given = any(name in options for name in (mode, "owner", "group"))
        owner, group = options.get("owner"), options.get("group")
        left = options.get(AS_LEFT, {}).get(path)
        if left is not None:
            number = number if mode in options else left[0]
            if hasattr(os, "geteuid") and os.geteuid() == 0:  # only root can give files to others
                owner, group = owner or str(left[1]), group or str(left[2])
        return TargetFile(path, content, number, owner, group, is_strict=given or left is not None)

    def kept(self) -> Mapping[str, bytes]:
        """Return the data that is saved with the old files."""
        return {}

    def check(self, certificate: Certificate) -> bool:
        """Return whether all files have this content."""
        if not all(map(os.path.isdir, self._options.get(FOLDERS, ()))):
            return False
        self._files = self.make(certificate)
        return is_in_place(self._files)

    def fault(self, certificate: Certificate) -> Message | None:
        """Return what is wrong with the files of a deployed certificate, by reading only the disk."""
        return first_fault(self.make(certificate))

    def deploy(self, certificate: Certificate) -> None:
        """Replace the files that differ, create folders of the configuration if needed, and activate the files."""
        for folder in self._options.get(FOLDERS, ()):
            staged_file.make_folder(folder)
        self._files = self.make(certificate)
        is_there = is_in_place(self._files)
        replace_files(self._context.saved, self._files, more={} if is_there else self.kept())
        self.has_changed = not is_there
        self.activate()
        self._is_activated = True

    def restore(self) -> bool:
        """Put the old files back, and activate them."""
        return restore_files(self._context.saved, self._files) and self.reactivate(self._files[0].path)


class ReloadedFiles(FileDeployer):
    """Files that the ``reload`` command of the entry activates, once for all certificates of a run."""

    def activate(self) -> None:
        """Run the command, if there is one."""
        command = self._options.get("reload")
        if command:
            seconds, env = self._options.get("timeout", PROGRAM_TIMEOUT), self._options.get("env", ())
            run = self._context.run
            call = partial(programs.run, run, command, seconds=seconds, env=environment(env))
            if run.together is None:
                call()
            else:  # once, when the files of all certificates are in place
                run.together.once((tuple(command), tuple(env)), call, run.wait_for)
