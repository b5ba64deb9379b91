"""Small files beside the state of a certificate, such as ``certificates/<name>/notified.json``."""

from __future__ import annotations

from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.paths import Paths


class DocumentFiles:
    """One file for each certificate; the ``Documents`` of a folder.

    :param file: its name in the folder of a certificate.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths, file: str) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)
        self._file = file

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; one system call if there is none.

        :raises StoreError: it cannot be read.
        """
        return self._disk.read(self._path(name))

    def write(self, name: str, data: bytes) -> None:
        """Replace a file, atomically and durably.

        :raises StoreError: it cannot be written.
        """
        self._folders.make_certificate(name)
        self._disk.write(self._path(name), data, PRIVATE)

    def remove(self, name: str) -> None:
        """Remove a file, if there is one.

        :raises StoreError: it cannot be removed.
        """
        self._disk.remove(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._paths.certificate(name)}/{self._file}"
