"""The folders of the store: judged, created private and durable, and tested for writing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from dnsrenew.base.path_trust import Ground
from dnsrenew.errors import StoreError
from dnsrenew.store import os_errors
from dnsrenew.store.atomic_io import FOLDER, AtomicFiles

if TYPE_CHECKING:
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

    def check_ground(self) -> None:
        """See :meth:`dnsrenew.store.Store.check_ground`."""
        if self._disk.insist:
            return
        ground, root = Ground(), self._paths.root
        weakness = ground.weakness(root, any_entry=True)
        if weakness is not None:
            raise os_errors.weak_ground(weakness, root)
        if os.name != "nt":
            self._refuse_shared(ground)
        for folder in self._paths.folders:
            self._disk.refuse_foreign(folder)

    def _refuse_shared(self, ground: Ground) -> None:
        """Refuse a folder that is not private and is not ours alone: its mode is not ours to change."""
        try:
            info = os.stat(self._paths.root)
        except OSError:  # missing, or an error where it is used
            return
        shared_by_group = info.st_mode & stat.S_IRWXG and not ground.is_own_group(info.st_gid)
        if stat.S_ISDIR(info.st_mode) and (info.st_mode & stat.S_IRWXO or shared_by_group):
            found = self._foreign()
            if found:
                raise os_errors.shared(self._paths.root, info, found[0])

    def _foreign(self) -> list[str]:
        """Return the names in the store's folder that are not the store's own; none if we may not look."""
        try:
            return self._paths.foreign(self._disk.names(self._paths.root))
        except StoreError as error:
            if error.code != "store-unreadable":
                raise
            return []

    def make_base(self, *, close: bool = True) -> None:
        """Create the store and its folders if they are missing.

        :param close: make a folder that was there private; see :meth:`close_root`.
        """
        created = self._make_root(close=close)
        created_parts = [self._disk.ensure_folder(part) for part in self._paths.folders]
        if created or any(created_parts):
            self._disk.sync_folder(self._paths.root)

    def _make_root(self, *, close: bool) -> bool:
        missing: list[str] = []
        while not os.path.lexists(parent := os.path.dirname(missing[-1] if missing else self._paths.root)):
            missing.append(parent)
        for path in reversed(missing):
            if self._disk.ensure_folder(path):
                self._disk.sync_folder(os.path.dirname(path))
        created = self._disk.make_folder(self._paths.root)
        self._restrict_root(created=created, close=close)
        if created:
            self._disk.sync_folder(os.path.dirname(self._paths.root))
        return created

    def close_root(self) -> None:
        """Make the store's own folder private; then other users cannot reach its content, whatever its modes."""
        if os.path.isdir(self._paths.root):
            self._restrict_root(created=False)

    def _restrict_root(self, *, created: bool, close: bool = True) -> None:
        """Make the store's own folder private if it is ours alone; others may need the mode of any other folder."""
        info = self._disk.folder_info(self._paths.root, link=True)
        if info.st_mode & 0o777 != FOLDER and (created or (close and not self._foreign())):
            self._disk.restrict_folder(self._paths.root, info)

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
