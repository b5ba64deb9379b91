"""The store's folders: made private, made durable, and proved writable."""

from __future__ import annotations

import os
from typing import Final

from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.paths import Paths

_PROBE: Final = bytes(16 << 10)
"""Six of these are more than a renewal takes (octets); and it writes six files until a later run can take it up."""
_UNFINISHED: Final = 3600.0
"""Seconds after which nobody can be writing an unfinished file any more."""


class Directories:
    """Makes the folders of a store when they are needed, and closes those that stood open."""

    def __init__(self, disk: AtomicFiles, layout: Paths) -> None:
        self._disk = disk
        self._layout = layout

    def make_base(self) -> None:
        """See to it that the store and its parts are there."""
        made = self._make_root()
        parts = (self._layout.accounts, self._layout.certificates, self._layout.journal, self._layout.locks)
        made_parts = [self._disk.folder(part) for part in parts]
        if made or any(made_parts):
            self._disk.sync_folder(self._layout.root)

    def _make_root(self) -> bool:
        missing = [self._layout.root]
        while not os.path.lexists(upper := os.path.dirname(missing[-1])):
            missing.append(upper)
        made = False
        for path in reversed(missing):
            made = self._disk.folder(path, link=True)
            if made:
                self._disk.sync_folder(os.path.dirname(path))
        return made

    def close_root(self) -> None:
        """Close the store's own folder where it stood open: then nobody else comes to what is in it, open or not."""
        if os.path.isdir(self._layout.root):
            self._disk.folder(self._layout.root, link=True)

    def make_certificate(self, name: str) -> str:
        """See to it that a certificate's folders are there, and return the upper one."""
        folder = self._layout.certificate(name)
        self.make_base()
        if self._disk.folder(folder):
            self._disk.sync_folder(self._layout.certificates)
        self._disk.folder(os.path.join(folder, "versions"))
        return folder

    def sweep_shared(self, folder: str, now: float) -> None:
        """Sweep a folder to which others may be writing: only what nobody can be writing any more goes.

        :param now: by the file system's clock (seconds): when something was written there, a moment ago.
        """
        self._disk.sweep(folder, older_than=now - _UNFINISHED)

    def prove_writable(self, name: str | None, *, links: bool) -> None:
        """Write to every folder that will be written to, under a name of this call's own, and remove it again.

        :param links: whether ``current`` will be a symbolic link, which not every file system takes.
        """
        self.make_base()
        folders = [self._layout.root, self._layout.accounts, self._layout.journal, self._layout.locks]
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
                self.sweep_shared(os.path.dirname(path), written)
        except BaseException:
            for path in probes:
                self._disk.discard(path)
            raise
