"""The journal: TXT values are on disk before they are written to DNS, and stay there until they are removed from DNS.

Each order has one file, ``<certificate>-<n>.json``. The run that wrote it holds the lock on ``<certificate>-<n>.lock``
as long as it lives; an entry whose lock is free belongs to a dead run, whatever the pids say. Only cleanup reopens
such an entry, and only one cleanup runs at a time. A third file, ``<certificate>-<n>.asked``, exists while a request
to a DNS host is in flight.

An entry takes 2 fsyncs (the file, its name), its removal none: values that a power cut brings back are removed once
more, which a driver MUST do without an error.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Notice, rfc3339
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import damage, json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.journal_entry import CLEANUP, CLEANUP_SECONDS, SCHEMA, JournalEntry, JournalPage, WrittenValue
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.os_errors import TEMP_PREFIX
from dnsrenew.store.paths import Paths, check_name

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context


class JournalFolder:
    """The journal of a store in a folder.

    :param disk: the disk operations.
    :param paths: the paths of the store.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)
        self._folder = paths.journal

    # ── of a live run ───────────────────────────────────────────────────────────────────

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalEntry:
        """Record values before they are written to DNS; the entry is durable on return. 2 fsyncs.

        The caller ends the entry with :meth:`JournalEntry.remove` or :meth:`JournalEntry.keep`.

        :param values: at least one.
        :param hosts: a fingerprint of the host of each account, to detect later that the account has another host.
        :raises StoreError: the entry cannot be written; then nothing may be written to DNS.
        :raises LockedError: another run is still removing one of the values.
        :raises Cancelled: cancelled.
        """
        check_name(certificate)
        self._folders.make_base()
        page = JournalPage(certificate, rfc3339(context.clock.now()) or "", tuple(dict.fromkeys(values)), hosts or {})
        path, lock = self._take_number(context, certificate)
        try:
            self._disk.write(path, page.to_json(), PRIVATE)
            self._disk.sync_folder(self._folder)
            self._wait_for_cleanup(context, path, page)
        except BaseException:
            self._disk.discard(path)
            release_lock(self._disk, path, lock)
            raise
        return JournalFile(self._disk, path, page, lock)

    def _take_number(self, context: Context, certificate: str) -> tuple[str, contextlib.ExitStack]:
        """Return the path of a new entry and its lock, acquired."""
        for number in itertools.count(1):
            path = os.path.join(self._folder, f"{certificate}-{number}{ENTRY}")
            lock = contextlib.ExitStack()
            if os.path.lexists(path):
                continue
            with contextlib.suppress(LockedError):  # held by another run, or by cleanup for a moment
                lock.enter_context(self._lock(context, path))
                if not os.path.lexists(path):
                    return path, lock
                lock.close()
        raise AssertionError  # count() does not end

    def _wait_for_cleanup(self, context: Context, path: str, page: JournalPage) -> None:
        """Wait for a cleanup that may be removing one of the values: a CA may ask for the same value again.

        A later cleanup sees the new entry.
        """
        names = (name for name in self._disk.names(self._folder) if name.endswith(ENTRY))
        paths = (other for name in names if (other := os.path.join(self._folder, name)) != path)
        if not self._values_in(paths).isdisjoint(page.values):
            lock = self._paths.lock("journal")
            with zone_locks.hold(self._disk, lock, CLEANUP, wait=CLEANUP_SECONDS, context=context):
                pass

    def _lock(self, context: Context, path: str) -> contextlib.AbstractContextManager[None]:
        name = os.path.basename(path)
        return zone_locks.hold(self._disk, lock_path(path), f"journal entry {name}", wait=0, context=context)

    def live_values(self) -> set[WrittenValue]:
        """Return the values of runs that live, as far as they can be read; nothing is changed.

        :raises StoreError: the journal cannot be read.
        """
        paths = [os.path.join(self._folder, name) for name in self._disk.names(self._folder) if name.endswith(ENTRY)]
        return self._values_in([path for path in paths if zone_locks.is_held(lock_path(path))])

    # ── of dead runs ────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def left_over(self, context: Context, *, wait: float = 0) -> Iterator[list[JournalEntry]]:
        """Yield the entries of dead runs, and exclude other cleanups meanwhile.

        Takes one system call if there are none. Values that the caller does not remove stay for the next cleanup.
        A damaged file is renamed, with a warning; there is a warning too about a file of a newer dnsrenew.

        :param wait: seconds to wait for another cleanup.
        :raises LockedError: another cleanup runs.
        :raises StoreError: the journal cannot be read, or the lock cannot be created.
        :raises Cancelled: cancelled.
        """
        if not any(
            name.startswith(TEMP_PREFIX) or name.endswith((ENTRY, LOCK)) for name in self._disk.names(self._folder)
        ):
            yield []
            return
        self._folders.make_base()
        self._disk.ensure_folder(self._folder)
        lock = self._paths.lock("journal")
        with zone_locks.hold(self._disk, lock, CLEANUP, wait=wait, context=context):
            now = self._disk.do("stat", lock, lambda: os.lstat(lock).st_mtime)  # it has just been written to
            self._folders.remove_stale_temp(self._folder, now)
            entries = self._dead(context)
            try:
                yield entries
            finally:
                for entry in entries:
                    entry.keep()

    def _may_be_in_flight(self, context: Context, path: str, page: JournalPage) -> bool:
        """Return whether a DNS host may still carry out a request of a killed run."""
        return os.path.lexists(in_flight_path(path)) and page.is_recent(context.clock.now())

    def unreadable(self) -> list[str]:
        """Return the files whose values are unknown: damaged ones and those of a newer dnsrenew.

        :raises StoreError: the journal cannot be read.
        """
        names = sorted(self._disk.names(self._folder))
        unreadable = [name for name in names if f"{ENTRY}.damaged" in name or self._is_newer(name)]
        return [os.path.join(self._folder, name) for name in unreadable]

    def _is_newer(self, name: str) -> bool:
        if not name.endswith(ENTRY):
            return False
        try:
            JournalPage.from_json(json_files.read(self._disk, os.path.join(self._folder, name)) or b"")
        except NewerSchema:
            return True
        except (DamagedFile, StoreError):
            pass
        return False

    def _dead(self, context: Context) -> list[JournalEntry]:
        """Return the entries of dead runs that have values to remove."""
        names = self._disk.names(self._folder)
        # A run that died before it wrote the entry leaves only the lock.
        stems = {name.removesuffix(end) for name in names for end in (ENTRY, LOCK) if name.endswith(end)}
        paths = [os.path.join(self._folder, f"{stem}{ENTRY}") for stem in sorted(stems)]
        dead = [entry for path in paths if (entry := self._dead_entry(context, path)) is not None]
        live = self._values_in([path for path in paths if path not in {entry.path for entry in dead}])
        for entry in dead:
            entry.exclude(live)
        return [entry for entry in dead if entry.values]

    def _dead_entry(self, context: Context, path: str) -> JournalEntry | None:
        """Return an entry whose lock is free; None if there is none, or it cannot be read (with a warning)."""
        lock = contextlib.ExitStack()
        try:
            lock.enter_context(self._lock(context, path))
        except LockedError:
            return None
        except StoreError as error:  # the other entries can still be cleaned up
            context.warn(error.code, error.message, error.fix)
            return None
        try:
            return self._entry(context, path)  # with the lock: else a new run could take the number
        finally:
            release_lock(self._disk, path, lock)

    def _values_in(self, paths: Iterable[str]) -> set[WrittenValue]:
        """Return the values of entries, as far as they can be read."""
        found: set[WrittenValue] = set()
        for path in paths:
            with contextlib.suppress(DamagedFile, NewerSchema, StoreError):
                data = json_files.read(self._disk, path)
                found.update(() if data is None else JournalPage.from_json(data).values)
        return found

    def _entry(self, context: Context, path: str) -> JournalEntry | None:
        """Return the entry of a dead run; None if there is none, or it cannot be read (with a warning)."""
        try:
            data = json_files.read(self._disk, path)
            if data is None:
                return None
            page = JournalPage.from_json(data)
            return JournalFile(self._disk, path, page, in_flight=self._may_be_in_flight(context, path, page))
        except DamagedFile as fault:
            warning = damage.quarantine(self._disk, path, texts.JOURNAL_DAMAGED, str(fault))
        except NewerSchema as newer:  # it stays in place for the newer dnsrenew
            warning = Notice(*texts.JOURNAL_NEWER.fill(path=path, schema=newer.schema, known=SCHEMA))
        except StoreError as error:
            warning = Notice(error.code, error.message, error.fix)
        context.warn(warning.code, warning.message, warning.fix)
        return None


# ── journal file ───────────────────────────────────────────────────────────────────────

# The files of a journal entry: its page, its lock, and the mark of a request in flight.

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
