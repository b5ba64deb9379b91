"""The pages of the journal: what the file of an entry holds, and an entry from its writing to its end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Final

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import StoreError
from dnsrenew.model import TxtRecord
from dnsrenew.store import json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile

SCHEMA: Final = 1
WrittenValue = tuple[TxtRecord, str]
"""A value, and the name of the account that writes it."""

ENTRY: Final = ".json"
LOCK: Final = ".lock"
MARK: Final = ".asked"


class JournalPage(Frozen):
    """What the file of an entry holds.

    :ivar certificate: whose values they are, and since when they may stand (RFC 3339): for people.
    :ivar hosts: for each account a mark of the host that it wrote to, where that is known.
    """

    certificate: str
    since: str
    values: tuple[WrittenValue, ...]
    hosts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the file's octets."""
        values = [
            {"zone": record.zone, "name": record.name, "value": record.value, "ttl": record.ttl, "dns": account}
            for record, account in self.values
        ]
        about = {"schema": SCHEMA, "certificate": self.certificate, "since": self.since}
        return json_files.dump({**about, "values": values, "hosts": dict(self.hosts)})

    @classmethod
    def from_json(cls, data: bytes) -> JournalPage:
        """Return what the file says.

        :raises Damaged: it is not what we write; a part of it is never taken for the whole.
        :raises Newer: it is of a later dnsrenew.
        """
        form = json_files.load(data, SCHEMA)
        listed = form.get("values")
        if type(listed) is not list or not listed:
            raise DamagedFile("it names no values")
        values, hosts = tuple(_written(item) for item in listed), form.get("hosts", {})
        if type(hosts) is not dict or not all(type(mark) is int for mark in hosts.values()):
            raise DamagedFile("its hosts are none")
        return cls(json_files.text(form.get("certificate")), json_files.text(form.get("since")), values, hosts)


def _written(item: object) -> WrittenValue:
    if type(item) is not dict:
        raise DamagedFile("a value is not one")
    zone, name, value = (_filled(item.get(key)) for key in ("zone", "name", "value"))
    ttl = json_files.whole(item.get("ttl"))
    if ttl is None:
        raise DamagedFile("a value has no TTL")
    # An account that a Python program gave may have an empty name.
    account = item.get("dns")
    if type(account) is not str:
        raise DamagedFile("a value has no account")
    return TxtRecord(zone, name, value, ttl), account


def _filled(value: object) -> str:
    text = json_files.text(value)
    if not text:
        raise DamagedFile("a part of a value is empty")
    return text


class JournalEntry:
    """The values of one order that stand, or may stand, in DNS. Thread-safe, but for what only who sweeps uses.

    While a host is asked to write some, and has not answered, a mark lies beside the entry: what is not answered may be
    done later, also after the value was removed. Such values are removed, and stay here to be removed once more.

    :param held: the lock, where the entry is of a run that lives: this one.
    :param asked: of a dead run: whether a host may not be done with it yet.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        path: str,
        page: JournalPage,
        held: contextlib.ExitStack | None = None,
        *,
        asked: bool = False,
    ) -> None:
        self._disk = disk
        self._page = page
        self._left = dict.fromkeys(page.values)
        self._asked = set(page.values) if asked else set[WrittenValue]()
        self._others: frozenset[WrittenValue] = frozenset()
        self._held = held
        self._guard = threading.Lock()
        self.path = path

    @property
    def values(self) -> tuple[WrittenValue, ...]:
        """Those that are not known to be gone, and nobody else's, each once."""
        return tuple(value for value in self._left if value not in self._others)

    def leave(self, values: Iterable[WrittenValue]) -> None:
        """Take out of :attr:`values`, this time, what a run that lives has too: it is its own."""
        self._others = frozenset(values)

    def was_at(self, account: str, mark: int) -> bool:
        """Tell whether an account wrote to the host with this mark, as far as that is known."""
        return self._page.hosts.get(account, mark) == mark

    def ask(self, values: Iterable[WrittenValue]) -> None:
        """Note that a host is about to be asked to write values. No fsync: a power cut takes longer than an answer.

        :raises StoreError: it cannot be noted; then nothing may be written to DNS.
        """
        with self._guard:
            if not self._asked:
                self._disk.write(mark_of(self.path), b"", PRIVATE, sync=False)  # or there may be one of an older entry
            self._asked.update(values)

    def answered(self, values: Iterable[WrittenValue]) -> None:
        """Note that the host has answered, whatever it was, each time that it was asked."""
        with self._guard:
            self._asked.difference_update(values)
            if not self._asked:
                self._disk.discard(mark_of(self.path))

    def remove(self, values: Iterable[WrittenValue]) -> None:
        """Strike out values that are gone from DNS; with the last one the entry ends, and leaves nothing behind.

        Those that a host may write later stay. No fsync, and no error: what stays on the disk is removed from DNS once
        more by a later run, and is gone then as it is now.
        """
        with self._guard:
            for value in values:
                if value not in self._asked:
                    self._left.pop(value, None)
            if not self._left:
                self._disk.discard(mark_of(self.path))
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
            let_go(self._disk, self.path, held)


def mark_of(path: str) -> str:
    """Return the file that lies beside an entry while a host has not answered."""
    return path.removesuffix(ENTRY) + MARK


def lock_of(path: str) -> str:
    """Return the file of the lock of an entry."""
    return path.removesuffix(ENTRY) + LOCK


def let_go(disk: AtomicFiles, path: str, held: contextlib.ExitStack) -> None:
    """Release the lock of an entry, and remove its file.

    While it is held, because afterwards it could be somebody else's; but Windows removes no file that is open, and
    so cannot remove somebody else's either.
    """
    if os.name != "nt":
        disk.discard(lock_of(path))
    held.close()
    if os.name == "nt":
        disk.discard(lock_of(path))
