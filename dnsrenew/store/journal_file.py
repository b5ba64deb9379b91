"""The files of a journal entry: its page, its lock, and the mark of a request in flight."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from dnsrenew.errors import StoreError
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.journal_entry import JournalEntry, JournalPage

ENTRY: Final = ".json"
LOCK: Final = ".lock"
IN_FLIGHT: Final = ".asked"


class JournalFile(JournalEntry):
    """An entry in a folder. The mark takes no fsync: a reboot takes longer than an answer.

    :param lock: the lock of the entry, for an entry of this run.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        path: str,
        page: JournalPage,
        lock: contextlib.ExitStack | None = None,
        *,
        in_flight: bool = False,
    ) -> None:
        super().__init__(path, page, in_flight=in_flight)
        self._disk = disk
        self._lock = lock

    def _put_mark(self) -> None:
        self._disk.write(in_flight_path(self.path), b"", PRIVATE, sync=False)  # replaces one of an older entry

    def _drop_mark(self) -> None:
        self._disk.discard(in_flight_path(self.path))

    def _end(self) -> None:
        self._disk.discard(in_flight_path(self.path))
        self._disk.discard(self.path)
        self._release()

    def _leave(self, *, has_changed: bool) -> None:
        """See :class:`JournalEntry`. 1 fsync if it has changed: without it, a power cut could leave an empty file.

        The name needs none: the old file names more values, not fewer.
        """
        if has_changed:
            with contextlib.suppress(StoreError):  # then the old file stays
                self._disk.write(self.path, self._page.to_json(), PRIVATE)
        self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            release_lock(self._disk, self.path, lock)


def in_flight_path(path: str) -> str:
    """Return the path of the marker file of a request in flight."""
    return path.removesuffix(ENTRY) + IN_FLIGHT


def lock_path(path: str) -> str:
    """Return the path of the lock of an entry."""
    return path.removesuffix(ENTRY) + LOCK


def release_lock(disk: AtomicFiles, path: str, lock: contextlib.ExitStack) -> None:
    """Release the lock of an entry and remove its file.

    The file is removed before the release, because another run may lock it afterwards. Windows cannot remove an open
    file, so there it is removed after the release, which fails if another run has opened it.
    """
    if os.name != "nt":
        disk.discard(lock_path(path))
    lock.close()
    if os.name == "nt":
        disk.discard(lock_path(path))
