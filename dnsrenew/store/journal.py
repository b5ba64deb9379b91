"""The journal: TXT values are on disk before they are written to DNS, and off it only after they are gone.

One file for each order, ``<certificate>-<n>.json``. While the run that wrote it lives, it holds the lock on the file
``<certificate>-<n>.lock`` beside it; an entry whose lock can be had is a dead run's, whatever the process numbers say.
Nobody ever takes such an entry up again but who sweeps, and of those there is one at a time.

2 fsyncs for an entry (the file, its name). None to take it off the
disk: what a power cut brings back is removed once more, which a driver MUST do in silence.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import LockedError, StoreError
from dnsrenew.frozen import Frozen, field, replace
from dnsrenew.model import Notice, TxtRecord, rfc3339
from dnsrenew.store import jsonform, locks, notices
from dnsrenew.store.disk import PRIVATE, Disk
from dnsrenew.store.folders import Folders
from dnsrenew.store.jsonform import Damaged, Newer
from dnsrenew.store.layout import Layout, check_name
from dnsrenew.store.trouble import ASIDE

if TYPE_CHECKING:
    from dnsrenew.context import Context

SCHEMA: Final = 1
Written = tuple[TxtRecord, str]
"""A value, and the name of the account that writes it."""

_ENTRY: Final = ".json"
_LOCK: Final = ".lock"
_HOUR: Final = 3600.0


class Page(Frozen):
    """What the file of an entry holds.

    :ivar certificate: whose values they are, and since when they may stand (RFC 3339): for people.
    :ivar hosts: for each account a mark of the host that it wrote to, where that is known.
    """

    certificate: str
    since: str
    values: tuple[Written, ...]
    hosts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the file's octets."""
        values = [
            {"zone": record.zone, "name": record.name, "value": record.value, "ttl": record.ttl, "dns": account}
            for record, account in self.values
        ]
        about = {"schema": SCHEMA, "certificate": self.certificate, "since": self.since}
        return jsonform.dump({**about, "values": values, "hosts": dict(self.hosts)})

    @classmethod
    def from_json(cls, data: bytes) -> Page:
        """Return what the file says.

        :raises Damaged: it is not what we write; a part of it is never taken for the whole.
        :raises Newer: it is of a later dnsrenew.
        """
        form = jsonform.load(data, SCHEMA)
        listed = form.get("values")
        if type(listed) is not list or not listed:
            raise Damaged("it names no values")
        values, hosts = tuple(_written(item) for item in listed), form.get("hosts", {})
        if type(hosts) is not dict or not all(type(mark) is int for mark in hosts.values()):
            raise Damaged("its hosts are none")
        return cls(jsonform.text(form.get("certificate")), jsonform.text(form.get("since")), values, hosts)


def _written(item: object) -> Written:
    if type(item) is not dict:
        raise Damaged("a value is not one")
    zone, name, value = (_filled(item.get(key)) for key in ("zone", "name", "value"))
    ttl = jsonform.whole(item.get("ttl"))
    if ttl is None:
        raise Damaged("a value has no TTL")
    # An account that a Python program gave may have an empty name.
    account = item.get("dns")
    if type(account) is not str:
        raise Damaged("a value has no account")
    return TxtRecord(zone, name, value, ttl), account


def _filled(value: object) -> str:
    text = jsonform.text(value)
    if not text:
        raise Damaged("a part of a value is empty")
    return text


class Entry:
    """The values of one order that stand, or may stand, in DNS. Thread-safe.

    :param held: the lock, where the entry is of a run that lives: this one.
    """

    def __init__(self, disk: Disk, path: str, page: Page, held: contextlib.ExitStack | None = None) -> None:
        self._disk = disk
        self._page = page
        self._left = dict.fromkeys(page.values)
        self._held = held
        self._guard = threading.Lock()
        self.path = path

    @property
    def values(self) -> tuple[Written, ...]:
        """Those that are not known to be gone, each once."""
        return tuple(self._left)

    def was_at(self, account: str, mark: int) -> bool:
        """Tell whether an account wrote to the host with this mark, as far as that is known."""
        return self._page.hosts.get(account, mark) == mark

    def remove(self, values: Iterable[Written]) -> None:
        """Strike out values that are gone from DNS; with the last one the entry ends, and leaves nothing behind.

        No fsync, and no error: what stays on the disk is removed from DNS once more by a later run, and is gone then
        as it is now.
        """
        with self._guard:
            for value in values:
                self._left.pop(value, None)
            if not self._left:
                self._disk.discard(self.path)
                self._release()

    def keep(self) -> None:
        """Leave what still stands to a later run: from now on the entry counts as a dead run's. Raises nothing.

        1 fsync, and only where a part is gone: without it a power cut could leave a file with nothing in it. Its
        name needs none: the file before knows of more values, not of fewer.
        """
        with self._guard:
            if self._left and len(self._left) < len(self._page.values):
                self._page = replace(self._page, values=tuple(self._left))
                with contextlib.suppress(StoreError):  # then the file before stands
                    self._disk.write(self.path, self._page.to_json(), PRIVATE)
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _let_go(self._disk, self.path, held)


class Journal:
    """The journal of a store.

    :param disk: how the disk is reached.
    :param layout: where things are.
    """

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._layout = layout
        self._folders = Folders(disk, layout)
        self._folder = layout.journal

    # ── a run that lives ────────────────────────────────────────────────────────────────

    def enter(
        self, context: Context, certificate: str, values: Sequence[Written], hosts: Mapping[str, int] | None = None
    ) -> Entry:
        """Write down what is about to be written to DNS; it is durable when this returns. 2 fsyncs.

        The caller ends the entry with :meth:`Entry.remove`, or :meth:`Entry.keep`.

        :param values: one at least.
        :param hosts: for each account a mark of its host: by it is known later whether it has another one by then.
        :raises StoreError: it cannot be written; then nothing may be written to DNS.
        :raises Cancelled: called away.
        """
        check_name(certificate)
        self._folders.make_base()
        page = Page(certificate, rfc3339(context.clock.now()) or "", tuple(dict.fromkeys(values)), hosts or {})
        path, held = self._take(context, certificate)
        try:
            self._disk.write(path, page.to_json(), PRIVATE)
            self._disk.sync_folder(self._folder)
        except BaseException:
            self._disk.discard(path)
            _let_go(self._disk, path, held)
            raise
        return Entry(self._disk, path, page, held)

    def _take(self, context: Context, certificate: str) -> tuple[str, contextlib.ExitStack]:
        """Return the path of an entry that is not there, and its lock, held."""
        for number in itertools.count(1):
            path = os.path.join(self._folder, f"{certificate}-{number}{_ENTRY}")
            held = contextlib.ExitStack()
            if os.path.lexists(path):
                continue
            with contextlib.suppress(LockedError):  # who sweeps has it for a moment, or another run for long
                held.enter_context(self._lock(context, path))
                if not os.path.lexists(path):
                    return path, held
                held.close()
        raise AssertionError  # the numbers do not end

    def _lock(self, context: Context, path: str) -> contextlib.AbstractContextManager[None]:
        name = os.path.basename(path)
        return locks.hold(self._disk, _lock_of(path), f"journal entry {name}", wait=0, context=context)

    # ── what dead runs left ─────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def left_over(self, context: Context, *, wait: float = 0) -> Iterator[list[Entry]]:
        """Give the entries of dead runs to sweep, and keep other sweepers away meanwhile.

        Costs one system call where there is none. What the caller has not removed stays for the next time.
        A file that is damaged, or of a later dnsrenew, is set aside and said.

        :param wait: seconds to wait for another sweeper.
        :raises LockedError: somebody else sweeps.
        :raises StoreError: the journal cannot be read, or the lock cannot be made.
        :raises Cancelled: called away.
        """
        if not any(name.startswith(ASIDE) or name.endswith((_ENTRY, _LOCK)) for name in self._disk.names(self._folder)):
            yield []
            return
        self._folders.make_base()
        self._disk.folder(self._folder)
        lock = self._layout.lock("journal")
        with locks.hold(self._disk, lock, "journal", wait=wait, context=context):
            now = self._disk.do("stat", lock, lambda: os.lstat(lock).st_mtime)  # the holder's card was just written
            self._disk.sweep(self._folder, older_than=now - _HOUR)
            entries = self._dead(context)
            try:
                yield entries
            finally:
                for entry in entries:
                    entry.keep()

    def _dead(self, context: Context) -> list[Entry]:
        names = self._disk.names(self._folder)
        # The lock alone is what a run leaves that died before it wrote anything.
        stems = {name.removesuffix(end) for name in names for end in (_ENTRY, _LOCK) if name.endswith(end)}
        paths = (os.path.join(self._folder, f"{stem}{_ENTRY}") for stem in sorted(stems))
        found = (self._entry(context, path) for path in paths if self._is_dead(context, path))
        return [entry for entry in found if entry is not None]

    def _is_dead(self, context: Context, path: str) -> bool:
        """Tell whether nobody holds the lock of an entry; then its file goes too."""
        held = contextlib.ExitStack()
        try:
            held.enter_context(self._lock(context, path))
        except LockedError:
            return False
        except StoreError as error:  # of this one: the others can be swept
            context.warn(error.code, error.message, error.fix)
            return False
        _let_go(self._disk, path, held)
        return True

    def _entry(self, context: Context, path: str) -> Entry | None:
        """Return an entry of a dead run; None: it cannot be read, which is said, or is not there."""
        try:
            data = jsonform.read(self._disk, path)
            return None if data is None else Entry(self._disk, path, Page.from_json(data))
        except Damaged as damage:
            notice = notices.set_aside(
                self._disk, path, str(damage), "TXT values that a run wrote, and could not remove, may stand in DNS."
            )
        except Newer as newer:
            notice = self._set_newer_aside(path, newer.schema)
        except StoreError as error:
            notice = Notice(error.code, error.message, error.fix)
        context.warn(notice.code, notice.message, notice.fix)
        return None

    def _set_newer_aside(self, path: str, schema: int) -> Notice:
        error = notices.newer_schema(path, schema, SCHEMA)
        try:
            kept = self._disk.set_aside(path)
        except StoreError as refusal:
            return Notice(error.code, error.message, refusal.fix)
        fix = f"Update dnsrenew, rename {os.path.basename(kept)} back to what it was, and run: dnsrenew cleanup"
        return Notice(error.code, error.message, fix)


def _lock_of(path: str) -> str:
    return path.removesuffix(_ENTRY) + _LOCK


def _let_go(disk: Disk, path: str, held: contextlib.ExitStack) -> None:
    """Release the lock of an entry, and remove its file.

    While it is held, because afterwards it could be somebody else's; but Windows removes no file that is open, and
    so cannot remove somebody else's either.
    """
    if os.name != "nt":
        disk.discard(_lock_of(path))
    held.close()
    if os.name == "nt":
        disk.discard(_lock_of(path))
