"""The folders of the store: created private and durable, and tested for writing."""

from __future__ import annotations

import os
from typing import Final

from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.paths import Paths

_PROBE: Final = bytes(16 << 10)
"""Bytes; a renewal writes six files before a later run can resume it, which together take less than six of these."""
_STALE: Final = 3600.0
"""Seconds after which no process is still writing a temporary file."""


class Directories:
    """Creates the folders of a store when they are needed, and makes existing ones private."""

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths

    def make_base(self) -> None:
        """Create the store and its folders if they are missing."""
        created = self._make_root()
        parts = (self._paths.accounts, self._paths.certificates, self._paths.journal, self._paths.locks)
        created_parts = [self._disk.ensure_folder(part) for part in parts]
        if created or any(created_parts):
            self._disk.sync_folder(self._paths.root)

    def _make_root(self) -> bool:
        missing = [self._paths.root]
        while not os.path.lexists(parent := os.path.dirname(missing[-1])):
            missing.append(parent)
        created = False
        for path in reversed(missing):
            created = self._disk.ensure_folder(path, link=True)
            if created:
                self._disk.sync_folder(os.path.dirname(path))
        return created

    def close_root(self) -> None:
        """Make the store's own folder private; then other users cannot reach its content, whatever its modes."""
        if os.path.isdir(self._paths.root):
            self._disk.ensure_folder(self._paths.root, link=True)

    def make_certificate(self, name: str) -> str:
        """Create the folders of a certificate if they are missing, and return the upper one."""
        folder = self._paths.certificate(name)
        self.make_base()
        if self._disk.ensure_folder(folder):
            self._disk.sync_folder(self._paths.certificates)
        self._disk.ensure_folder(os.path.join(folder, "versions"))
        return folder

    def remove_stale_temp(self, folder: str, now: float) -> None:
        """Remove temporary files older than an hour; other processes may be writing newer ones.

        :param now: the time by the file system's clock (seconds): that of a file just written there.
        """
        self._disk.remove_temp(folder, older_than=now - _STALE)

    def prove_writable(self, name: str | None, *, links: bool) -> None:
        """Write a temporary file to every folder a renewal writes to, and remove it.

        :param links: ``current`` will be a symbolic link, which not every file system supports.
        """
        self.make_base()
        folders = [self._paths.root, self._paths.accounts, self._paths.journal, self._paths.locks]
        if name is not None:
            folder = self.make_certificate(name)
            folders += [folder, os.path.join(folder, "versions")]
            if links and not os.path.lexists(os.path.join(folder, "current")):
                self._disk.probe_link(folder)
        probes: dict[str, float] = {}
        try:
            for folder in folders:
                path, written = self._disk.probe(folder, _PROBE)
                probes[path] = written
            for path, written in probes.items():
                self._disk.remove(path)
                self.remove_stale_temp(os.path.dirname(path), written)
        except BaseException:
            for path in probes:
                self._disk.discard(path)
            raise
