"""The journal: TXT values are recorded before they are written to DNS, until they are removed from DNS.

An entry belongs to the run that made it while that run lives. Only a cleanup reopens the entry of a dead run, and only
one cleanup runs at a time.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from dnsrenew.base.files import undone
from dnsrenew.base.model import Notice, TxtRecord, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.os_errors import TEMP_PREFIX
from dnsrenew.store.paths import StoreFolder, check_name
from dnsrenew.store.texts import DamageTexts

SCHEMA: Final = 1
LATEST: Final = timedelta(minutes=10)
"""A DNS host executes a request within this time, or never."""
CLEANUP: Final = "cleanup of left-over TXT values"
"""The name of a cleanup's lock in messages."""
CLEANUP_SECONDS: Final = 200.0
"""Seconds to wait for a cleanup to end. A cleanup never takes longer."""
WrittenValue = tuple[TxtRecord, str]
"""A TXT value and the name of the account that writes it."""


class JournalPage(Frozen):
    """The content of an entry.

    :ivar certificate: the certificate of the values.
    :ivar since: the time from which the values may be in DNS (RFC 3339).
    :ivar hosts: for each account, the known fingerprint of the host to which it wrote.
    :ivar removed: the values that were removed once, while a request could still write them.
    """

    certificate: str
    since: str
    values: tuple[WrittenValue, ...]
    hosts: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[WrittenValue, ...] = ()

    def is_recent(self, now: datetime) -> bool:
        """Return whether a DNS host may still execute a request of this entry."""
        since = json_files.time(self.since)
        return since is not None and timedelta(0) <= now - since < LATEST

    def to_json(self) -> bytes:
        """Return the bytes of the file."""
        values = [
            {"zone": record.zone, "name": record.name, "value": record.value, "ttl": record.ttl, "dns": account}
            for record, account in self.values
        ]
        about = {"schema": SCHEMA, "certificate": self.certificate, "since": self.since}
        page = {**about, "values": values, "hosts": dict(self.hosts)}
        removed = [index for index, value in enumerate(self.values) if value in self.removed]
        return json_files.dump({**page, "removed": removed} if removed else page)

    @classmethod
    def of(
        cls, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None
    ) -> JournalPage:
        """Return the page of a new entry."""
        since = rfc3339(context.clock.now()) or ""
        return cls(check_name(certificate), since, tuple(dict.fromkeys(values)), hosts or {})

    @classmethod
    def from_json(cls, data: bytes) -> JournalPage:
        """Read the file.

        :raises DamagedFile: a part of it is invalid; the valid parts are not used either.
        :raises NewerSchema: a newer dnsrenew wrote it.
        """
        document = json_files.load(data, SCHEMA)
        listed = document.get("values")
        if type(listed) is not list or not listed:
            raise DamagedFile("it has no values")
        values, hosts = tuple(_written(item) for item in listed), document.get("hosts", {})
        if type(hosts) is not dict or not all(type(fingerprint) is int for fingerprint in hosts.values()):
            raise DamagedFile("its hosts are not an object of integers")
        certificate, since = (json_files.string(document.get(key)) for key in ("certificate", "since"))
        return cls(certificate, since, values, hosts, _at(values, document.get("removed", [])))


def _at(values: tuple[WrittenValue, ...], indexes: object) -> tuple[WrittenValue, ...]:
    """Return the values at some indexes."""
    if type(indexes) is not list or not all(type(index) is int and 0 <= index < len(values) for index in indexes):
        raise DamagedFile("what was removed is not a list of indexes")
    return tuple(values[index] for index in indexes)


def _written(item: object) -> WrittenValue:
    if type(item) is not dict:
        raise DamagedFile("a value is not an object")
    zone, name, value = (_filled(item.get(key)) for key in ("zone", "name", "value"))
    ttl = json_files.positive(item.get("ttl"))
    if ttl is None:
        raise DamagedFile("a value has no TTL")
    # An account from a Python program may have an empty name.
    account = item.get("dns")
    if type(account) is not str:
        raise DamagedFile("a value has no account")
    return TxtRecord(zone, name, value, ttl), account


def _filled(value: object) -> str:
    text = json_files.string(value)
    if not text:
        raise DamagedFile("a part of a value is empty")
    return text


class JournalEntry(abc.ABC):
    """The values of one order that may be in DNS. Thread-safe, except for the methods that only cleanup uses.

    A mark exists beside the entry while a request to a DNS host is in flight, because the host may write the value
    later, even after a removal. Such a value is removed now, and stays in the entry to be removed once more.

    :param path: the place of the entry, for messages.
    :ivar page: its remaining content.
    :param in_flight: for an entry of a dead run, whether a request may still be in flight.
    """

    def __init__(self, path: str, page: JournalPage, *, in_flight: bool = False) -> None:
        self.page = page
        self._left = dict.fromkeys(page.values)
        self._in_flight = set(page.values) if in_flight else set[WrittenValue]()
        self._excluded: frozenset[WrittenValue] = frozenset()
        self._removed_once = set(page.removed)
        self._guard = threading.Lock()
        self.path = path

    @property
    def values(self) -> tuple[WrittenValue, ...]:
        """The values that may still be in DNS and do not belong to a live run, without duplicates."""
        return tuple(value for value in self._left if value not in self._excluded)

    def exclude(self, values: Iterable[WrittenValue]) -> None:
        """Leave these values of live runs out of :attr:`values`, because the live runs remove them."""
        self._excluded = frozenset(values)

    def wrote_to(self, account: str, host_fingerprint: int) -> bool:
        """Return whether an account wrote to the host with this fingerprint, or True if unknown."""
        return self.page.hosts.get(account, host_fingerprint) == host_fingerprint

    def mark_in_flight(self, values: Iterable[WrittenValue]) -> None:
        """Mark values before a DNS host is asked to write them.

        :raises StoreError: the values cannot be marked, so they must not be written to DNS.
        """
        with self._guard:
            if not self._in_flight:
                self._put_mark()
            self._in_flight.update(values)

    def clear_in_flight(self, values: Iterable[WrittenValue]) -> None:
        """Unmark values after an answer of the DNS host, whether success or failure. Raises nothing."""
        with self._guard:
            self._in_flight.difference_update(values)
            if not self._in_flight:
                self._drop_mark()

    def in_flight(self, values: Iterable[WrittenValue]) -> list[WrittenValue]:
        """Return the values that a request may still write."""
        with self._guard:
            return [value for value in values if value in self._in_flight]

    def removed_once(self, values: Iterable[WrittenValue]) -> list[WrittenValue]:
        """Return the values that were already removed. They are still here because a request may write them."""
        with self._guard:
            return [value for value in values if value in self._removed_once]

    def remove(self, values: Iterable[WrittenValue]) -> None:
        """Drop values that are removed from DNS. The last one ends the entry and removes it from the store.

        Values in flight stay. This is not durable and raises no error, because a remaining entry only makes a later run
        remove the values once more.
        """
        with self._guard:
            for value in values:
                if value in self._in_flight:
                    self._removed_once.add(value)
                else:
                    self._left.pop(value, None)
            if not self._left:
                self._end()

    def keep(self) -> None:
        """Leave the remaining values to cleanup. From now on the entry counts as one of a dead run. Raises nothing."""
        with self._guard:
            left = tuple(self._left)
            page = replace(self.page, values=left, removed=tuple(each for each in left if each in self._removed_once))
            has_changed = bool(left) and page != self.page
            if has_changed:
                self.page = page
            self._leave(has_changed=has_changed)

    @abc.abstractmethod
    def _put_mark(self) -> None:
        """Record that a request is in flight."""

    @abc.abstractmethod
    def _drop_mark(self) -> None:
        """Record that no request is in flight any more, if possible."""

    @abc.abstractmethod
    def _end(self) -> None:
        """Remove the entry if possible."""

    @abc.abstractmethod
    def _leave(self, *, has_changed: bool) -> None:
        """Release the entry, which may have ended, if possible.

        :param has_changed: write the page first, because some of its values are removed.
        """


class Journal(Protocol):
    """The journal of a store. Thread-safe."""

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalEntry:
        """Record values before they are written to DNS; the entry is durable on return.

        The caller ends the entry with :meth:`JournalEntry.remove` or :meth:`JournalEntry.keep`.

        :param values: at least one.
        :param hosts: a fingerprint of the host of each account, to detect later that the account has another host.
        :raises StoreError: the entry cannot be written, so its values must not be written to DNS.
        :raises LockedError: another run is still removing one of the values.
        :raises Cancelled: cancelled.
        """

    def live_values(self) -> set[WrittenValue]:
        """Return the readable values of live runs, without changing the journal.

        :raises StoreError: the journal cannot be read.
        """

    @contextlib.contextmanager
    def left_over(self, context: Context, *, wait: float = 0) -> Iterator[list[JournalEntry]]:
        """Yield the entries of dead runs, and exclude other cleanups until the end.

        Values that the caller does not remove stay for the next cleanup. It warns about damaged entries and entries of
        a newer dnsrenew.

        :param wait: seconds to wait for another cleanup.
        :raises LockedError: another cleanup is running.
        :raises StoreError: the journal cannot be read, or the lock cannot be created.
        :raises Cancelled: cancelled.
        """
        if not self._is_used():
            yield []
            return
        with self._cleanup(context, wait):
            entries = self._dead(context)
            try:
                yield entries
            finally:
                for entry in entries:
                    entry.keep()

    def unreadable(self) -> list[str]:
        """Return the places with unknown values: damaged entries, and entries of a newer dnsrenew.

        :raises StoreError: the journal cannot be read.
        """

    def _set_aside(self, path: str, damage: DamageTexts, reason: str) -> Notice:
        """Set a damaged entry aside, and return the warning."""

    def _page(self, context: Context, path: str, read: Callable[[], bytes | None]) -> JournalPage | None:
        """Return the page of an entry, or None if it is missing or cannot be read (with a warning)."""
        try:
            data = read()
            return None if data is None else JournalPage.from_json(data)
        except DamagedFile as fault:
            warning = self._set_aside(path, texts.JOURNAL_DAMAGED, str(fault))
        except NewerSchema as newer:  # it stays in place for the newer dnsrenew
            warning = Notice(*texts.JOURNAL_NEWER.fill(path=path, schema=newer.schema, known=SCHEMA))
        except StoreError as error:
            warning = Notice(error.code, error.message, error.fix)
        context.warn_of(warning)
        return None

    def _is_used(self) -> bool:
        """Return whether entries of dead runs may exist."""

    def _cleanup(self, context: Context, wait: float) -> contextlib.AbstractContextManager[None]:
        """Exclude other cleanups."""

    def _dead(self, context: Context) -> list[JournalEntry]:
        """Return the entries of dead runs that have values to remove."""


def values_of(pages: Iterable[bytes]) -> set[WrittenValue]:
    """Return the values of entries that can be read."""
    found: set[WrittenValue] = set()
    for page in pages:
        with contextlib.suppress(DamagedFile, NewerSchema):
            found.update(JournalPage.from_json(page).values)
    return found


# ── in a folder ─────────────────────────────────────────────────────────────────────────

# Each order has one file, ``<certificate>-<n>.json``. The run that wrote it holds the lock on
# ``<certificate>-<n>.lock`` as long as it lives; an entry whose lock is free belongs to a dead run, whatever the pids
# say. A third file, ``<certificate>-<n>.asked``, exists while a request to a DNS host is in flight.
#
# An entry takes 2 fsyncs (the file, its name), its removal none: values that a power cut brings back are removed once
# more, which a driver MUST do without an error.

ENTRY: Final = ".json"
LOCK: Final = ".lock"
IN_FLIGHT: Final = ".asked"


class JournalFolder(StoreFolder, Journal):
    """The journal of a store in a folder."""

    # ── of a live run ───────────────────────────────────────────────────────────────────

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalEntry:
        page = JournalPage.of(context, certificate, values, hosts)
        self.make_base()
        path, lock = self._take_number(context, certificate)
        with undone(release_lock, self._disk, path, lock), undone(self._disk.discard, path):
            self._disk.write(path, page.to_json(), PRIVATE)
            self._disk.sync_folder(self._paths.journal)
            self._wait_for_cleanup(context, path, page)
        return JournalFile(self._disk, path, page, lock)

    def _take_number(self, context: Context, certificate: str) -> tuple[str, ExitStack]:
        """Return the path of a new entry and its lock, acquired."""
        for number in itertools.count(1):
            path = os.path.join(self._paths.journal, f"{certificate}-{number}{ENTRY}")
            lock = ExitStack()
            if os.path.lexists(path):
                continue
            with contextlib.suppress(LockedError):  # held by another run, or by cleanup for a moment
                lock.enter_context(self._lock(context, path))
                if not os.path.lexists(path):
                    return path, lock
                lock.close()
        raise AssertionError  # count() does not end

    def _wait_for_cleanup(self, context: Context, path: str, page: JournalPage) -> None:
        """Wait for a cleanup that may be removing one of the values, because a CA may require the same value again.

        Later cleanups see the new entry.
        """
        others = [other for other in self.journal_files(ENTRY) if other != path]
        if not self._values_in(others).isdisjoint(page.values):
            with self.hold_lock("journal", CLEANUP, context, CLEANUP_SECONDS):
                pass

    def _lock(self, context: Context, path: str) -> contextlib.AbstractContextManager[None]:
        name = os.path.basename(path)
        return zone_locks.hold(self._disk, lock_path(path), f"journal entry {name}", wait=0, context=context)

    def live_values(self) -> set[WrittenValue]:
        return self._values_in([path for path in self.journal_files(ENTRY) if zone_locks.is_held(lock_path(path))])

    # ── of dead runs ────────────────────────────────────────────────────────────────────

    def _is_used(self) -> bool:
        return any(
            name.startswith(TEMP_PREFIX) or name.endswith((ENTRY, LOCK))
            for name in self._disk.names(self._paths.journal)
        )

    @contextlib.contextmanager
    def _cleanup(self, context: Context, wait: float) -> Iterator[None]:
        self._disk.ensure_folder(self._paths.journal)
        lock = self._paths.lock("journal")
        with self.hold_lock("journal", CLEANUP, context, wait):
            now = self._disk.do("stat", lock, lambda: os.lstat(lock).st_mtime)  # it has just been written to
            self.remove_stale_temp(self._paths.journal, now)
            yield

    def unreadable(self) -> list[str]:
        damaged = f"{ENTRY}.damaged"
        return [path for path in self.journal_files("") if damaged in os.path.basename(path) or self._is_newer(path)]

    def _is_newer(self, path: str) -> bool:
        try:
            JournalPage.from_json((path.endswith(ENTRY) and json_files.read(self._disk, path)) or b"")
        except NewerSchema:
            return True
        except (DamagedFile, StoreError):
            pass
        return False

    def _dead(self, context: Context) -> list[JournalEntry]:
        # A run that died before it wrote the entry leaves only the lock.
        paths = sorted({f"{os.path.splitext(path)[0]}{ENTRY}" for path in self.journal_files(ENTRY, LOCK)})
        dead = [entry for path in paths if (entry := self._dead_entry(context, path)) is not None]
        live = self._values_in([path for path in paths if path not in {entry.path for entry in dead}])
        for entry in dead:
            entry.exclude(live)
        return [entry for entry in dead if entry.values]

    def _dead_entry(self, context: Context, path: str) -> JournalEntry | None:
        """Return an entry whose lock is free, or None if there is no entry or it cannot be read (with a warning)."""
        lock = ExitStack()
        try:
            lock.enter_context(self._lock(context, path))
        except LockedError:
            return None
        except StoreError as error:  # the other entries can still be cleaned up
            context.warn_of(error)
            return None
        try:  # under the lock, so that no new run takes the number
            page = self._page(context, path, partial(json_files.read, self._disk, path))
            if page is None:
                return None
            in_flight = os.path.lexists(in_flight_path(path)) and page.is_recent(context.clock.now())
            return JournalFile(self._disk, path, page, in_flight=in_flight)
        finally:
            release_lock(self._disk, path, lock)

    def _values_in(self, paths: Iterable[str]) -> set[WrittenValue]:
        """Return the values of entries that can be read."""
        found = []
        for path in paths:
            with contextlib.suppress(DamagedFile, StoreError):
                found.append(json_files.read(self._disk, path) or b"")
        return values_of(found)

    def _set_aside(self, path: str, damage: DamageTexts, reason: str) -> Notice:
        return json_files.quarantine(self._disk, path, damage, reason)


class JournalFile(JournalEntry):
    """An entry in a folder. The mark needs no fsync, because a reboot takes longer than an answer.

    :param lock: the lock of the entry, for an entry of this run.
    """

    def __init__(
        self, disk: AtomicFiles, path: str, page: JournalPage, lock: ExitStack | None = None, *, in_flight: bool = False
    ) -> None:
        super().__init__(path, page, in_flight=in_flight)
        self._disk, self._lock = disk, lock

    def _put_mark(self) -> None:
        self._disk.write(in_flight_path(self.path), b"", PRIVATE, sync=False)  # overwrites the mark of an older entry

    def _drop_mark(self) -> None:
        self._disk.discard(in_flight_path(self.path))

    def _end(self) -> None:
        self._disk.discard(in_flight_path(self.path))
        self._disk.discard(self.path)
        self._release()

    def _leave(self, *, has_changed: bool) -> None:
        """See :class:`JournalEntry`. A changed page takes 1 fsync, because a power cut could leave an empty file.

        The name needs no fsync, because the old file names more values, not fewer.
        """
        if has_changed:
            with contextlib.suppress(StoreError):  # then the old file stays
                self._disk.write(self.path, self.page.to_json(), PRIVATE)
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


def release_lock(disk: AtomicFiles, path: str, lock: ExitStack) -> None:
    """Release the lock of an entry and remove its file.

    The file is removed before the release, because another run may lock it afterwards. Windows cannot remove an open
    file, so it is removed after the release there, which fails if another run has opened it.
    """
    if os.name != "nt":
        disk.discard(lock_path(path))
    lock.close()
    if os.name == "nt":
        disk.discard(lock_path(path))
