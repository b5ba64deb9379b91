"""The journal: TXT values are on disk before they are written to DNS, and off it only after they are gone.

One file for each order, ``<certificate>-<n>.json``. While the run that wrote it lives, it holds the lock on the file
``<certificate>-<n>.lock`` beside it; an entry whose lock can be had is a dead run's, whatever the process numbers say.
Nobody ever takes such an entry up again but who sweeps, and of those there is one at a time. A third file,
``<certificate>-<n>.asked``, lies there while a host is asked to write and has not answered.

2 fsyncs for an entry (the file, its name). None to take it off the
disk: what a power cut brings back is removed once more, which a driver MUST do in silence.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import LockedError, StoreError
from dnsrenew.model import Notice, rfc3339
from dnsrenew.store import damage, file_locks, json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.journal_entry import (
    ENTRY,
    LOCK,
    SCHEMA,
    JournalEntry,
    JournalPage,
    WrittenValue,
    let_go,
    lock_of,
    mark_of,
)
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.os_errors import ASIDE
from dnsrenew.store.paths import Paths, check_name

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context

LATEST: Final = timedelta(minutes=10)
"""No host that was asked to write something does so later."""
_REMOVAL: Final = "removal of TXT values that killed runs have left"
"""What is locked, in the words of an error."""
_SWEEP: Final = 200.0
"""Seconds to wait for a sweep to end; none takes longer."""


class Journal:
    """The journal of a store.

    :param disk: how the disk is reached.
    :param layout: where things are.
    """

    def __init__(self, disk: AtomicFiles, layout: Paths) -> None:
        self._disk = disk
        self._layout = layout
        self._folders = Directories(disk, layout)
        self._folder = layout.journal

    # ── a run that lives ────────────────────────────────────────────────────────────────

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalEntry:
        """Write down what is about to be written to DNS; it is durable when this returns. 2 fsyncs.

        The caller ends the entry with :meth:`Entry.remove`, or :meth:`Entry.keep`.

        :param values: one at least.
        :param hosts: for each account a mark of its host: by it is known later whether it has another one by then.
        :raises StoreError: it cannot be written; then nothing may be written to DNS.
        :raises LockedError: somebody else does not come to an end with removing one of the values.
        :raises Cancelled: called away.
        """
        check_name(certificate)
        self._folders.make_base()
        page = JournalPage(certificate, rfc3339(context.clock.now()) or "", tuple(dict.fromkeys(values)), hosts or {})
        path, held = self._take(context, certificate)
        try:
            self._disk.write(path, page.to_json(), PRIVATE)
            self._disk.sync_folder(self._folder)
            self._let_sweep_end(context, path, page)
        except BaseException:
            self._disk.discard(path)
            let_go(self._disk, path, held)
            raise
        return JournalEntry(self._disk, path, page, held)

    def _take(self, context: Context, certificate: str) -> tuple[str, contextlib.ExitStack]:
        """Return the path of an entry that is not there, and its lock, held."""
        for number in itertools.count(1):
            path = os.path.join(self._folder, f"{certificate}-{number}{ENTRY}")
            held = contextlib.ExitStack()
            if os.path.lexists(path):
                continue
            with contextlib.suppress(LockedError):  # who sweeps has it for a moment, or another run for long
                held.enter_context(self._lock(context, path))
                if not os.path.lexists(path):
                    return path, held
                held.close()
        raise AssertionError  # the numbers do not end

    def _let_sweep_end(self, context: Context, path: str, page: JournalPage) -> None:
        """Wait for who may just be removing what we are about to write: a CA may ask for the same value again.

        Who sweeps after that knows of our entry.
        """
        names = (name for name in self._disk.names(self._folder) if name.endswith(ENTRY))
        paths = (other for name in names if (other := os.path.join(self._folder, name)) != path)
        if not self._named(paths).isdisjoint(page.values):
            with file_locks.hold(self._disk, self._layout.lock("journal"), _REMOVAL, wait=_SWEEP, context=context):
                pass

    def _lock(self, context: Context, path: str) -> contextlib.AbstractContextManager[None]:
        name = os.path.basename(path)
        return file_locks.hold(self._disk, lock_of(path), f"journal entry {name}", wait=0, context=context)

    # ── what dead runs left ─────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def left_over(self, context: Context, *, wait: float = 0) -> Iterator[list[JournalEntry]]:
        """Give the entries of dead runs to sweep, and keep other sweepers away meanwhile.

        Costs one system call where there is none. What the caller has not removed stays for the next time.
        A file that is damaged is set aside; it is said, and so is one of a later dnsrenew.

        :param wait: seconds to wait for another sweeper.
        :raises LockedError: somebody else sweeps.
        :raises StoreError: the journal cannot be read, or the lock cannot be made.
        :raises Cancelled: called away.
        """
        if not any(name.startswith(ASIDE) or name.endswith((ENTRY, LOCK)) for name in self._disk.names(self._folder)):
            yield []
            return
        self._folders.make_base()
        self._disk.folder(self._folder)
        lock = self._layout.lock("journal")
        with file_locks.hold(self._disk, lock, _REMOVAL, wait=wait, context=context):
            now = self._disk.do("stat", lock, lambda: os.lstat(lock).st_mtime)  # the holder's card was just written
            self._folders.sweep_shared(self._folder, now)
            entries = self._dead(context)
            try:
                yield entries
            finally:
                for entry in entries:
                    entry.keep()

    def _may_be_asked(self, context: Context, path: str, page: JournalPage) -> bool:
        """Tell whether a host may still be about to write what a run that was killed has asked it to."""
        if not os.path.lexists(mark_of(path)):
            return False
        since = json_files.time(page.since)
        return since is not None and timedelta(0) <= context.clock.now() - since < LATEST

    def unreadable(self) -> list[str]:
        """Return the files that do not tell which values they name: damaged ones, and those of a later dnsrenew.

        :raises StoreError: the journal cannot be read.
        """
        names = sorted(self._disk.names(self._folder))
        wrong = [name for name in names if f"{ENTRY}.damaged" in name or self._is_of_later(name)]
        return [os.path.join(self._folder, name) for name in wrong]

    def _is_of_later(self, name: str) -> bool:
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
        """Return the entries of dead runs that there is something to be done about."""
        names = self._disk.names(self._folder)
        # The lock alone is what a run leaves that died before it wrote anything.
        stems = {name.removesuffix(end) for name in names for end in (ENTRY, LOCK) if name.endswith(end)}
        paths = [os.path.join(self._folder, f"{stem}{ENTRY}") for stem in sorted(stems)]
        dead = [entry for path in paths if (entry := self._dead_entry(context, path)) is not None]
        alive = self._named([path for path in paths if path not in {entry.path for entry in dead}])
        for entry in dead:
            entry.leave(alive)
        return [entry for entry in dead if entry.values]

    def _dead_entry(self, context: Context, path: str) -> JournalEntry | None:
        """Return an entry whose lock nobody holds; None: there is none, or it cannot be read, which is said."""
        held = contextlib.ExitStack()
        try:
            held.enter_context(self._lock(context, path))
        except LockedError:
            return None
        except StoreError as error:  # of this one: the others can be swept
            context.warn(error.code, error.message, error.fix)
            return None
        try:
            return self._entry(context, path)  # while it is held: or a run that begins could take the number
        finally:
            let_go(self._disk, path, held)

    def _named(self, paths: Iterable[str]) -> set[WrittenValue]:
        """Return the values that entries name, as far as they can be read."""
        found: set[WrittenValue] = set()
        for path in paths:
            with contextlib.suppress(DamagedFile, NewerSchema, StoreError):
                data = json_files.read(self._disk, path)
                found.update(() if data is None else JournalPage.from_json(data).values)
        return found

    def _entry(self, context: Context, path: str) -> JournalEntry | None:
        """Return an entry of a dead run; None: it cannot be read, which is said, or is not there."""
        try:
            data = json_files.read(self._disk, path)
            if data is None:
                return None
            page = JournalPage.from_json(data)
            return JournalEntry(self._disk, path, page, asked=self._may_be_asked(context, path, page))
        except DamagedFile as fault:
            notice = damage.set_aside(
                self._disk, path, str(fault), "TXT values that a run wrote, and could not remove, may stand in DNS."
            )
        except NewerSchema as newer:  # which stays where it is, for that one
            error = damage.newer_schema(path, newer.schema, SCHEMA)
            notice = Notice(error.code, error.message, "Update dnsrenew, and run: dnsrenew cleanup")
        except StoreError as error:
            notice = Notice(error.code, error.message, error.fix)
        context.warn(notice.code, notice.message, notice.fix)
        return None
