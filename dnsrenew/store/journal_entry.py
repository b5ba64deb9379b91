"""A journal entry from its creation to its end, and its content; where it is kept, a subclass knows."""

from __future__ import annotations

import abc
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile

SCHEMA: Final = 1
LATEST: Final = timedelta(minutes=10)
"""A DNS host carries out a request within this time, or never."""
CLEANUP: Final = "cleanup of left-over TXT values"
"""What a cleanup locks, for messages."""
CLEANUP_SECONDS: Final = 200.0
"""Seconds to wait for a cleanup to end; none takes longer."""
WrittenValue = tuple[TxtRecord, str]
"""A TXT value and the name of the account that writes it."""


class JournalPage(Frozen):
    """The content of an entry.

    :ivar certificate: the certificate the values are for.
    :ivar since: the time from which the values may be in DNS (RFC 3339).
    :ivar hosts: by account, the fingerprint of the host it wrote to, if known.
    :ivar removed: those of the values that were removed once, while a request could still write them.
    """

    certificate: str
    since: str
    values: tuple[WrittenValue, ...]
    hosts: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[WrittenValue, ...] = ()

    def is_recent(self, now: datetime) -> bool:
        """Return whether a DNS host may still carry out a request of this entry."""
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
    def from_json(cls, data: bytes) -> JournalPage:
        """Read the file.

        :raises DamagedFile: a part of it is invalid; the valid rest is not used.
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
    # An account given by a Python program may have an empty name.
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
    """The values of one order that are, or may be, in DNS. Thread-safe, except the methods that only cleanup uses.

    A mark stands beside the entry while a request to a DNS host is in flight: the host may write the value later,
    even after it was removed. Such a value is removed now, and kept in the entry to be removed once more.

    :param path: where it is, for messages.
    :param in_flight: for an entry of a dead run: a request may still be in flight.
    """

    def __init__(self, path: str, page: JournalPage, *, in_flight: bool = False) -> None:
        self._page = page
        self._left = dict.fromkeys(page.values)
        self._in_flight = set(page.values) if in_flight else set[WrittenValue]()
        self._excluded: frozenset[WrittenValue] = frozenset()
        self._removed_once = set(page.removed)
        self._guard = threading.Lock()
        self.path = path

    @property
    def page(self) -> JournalPage:
        """What is left of its content."""
        return self._page

    @property
    def values(self) -> tuple[WrittenValue, ...]:
        """The values that may still be in DNS and that no live run has too, without duplicates."""
        return tuple(value for value in self._left if value not in self._excluded)

    def exclude(self, values: Iterable[WrittenValue]) -> None:
        """Leave these values of live runs out of :attr:`values`; the live runs remove them."""
        self._excluded = frozenset(values)

    def is_recent(self, now: datetime) -> bool:
        """Return whether a DNS host may still carry out a request of this entry."""
        return self._page.is_recent(now)

    def wrote_to(self, account: str, host_fingerprint: int) -> bool:
        """Return whether an account wrote to the host with this fingerprint; True if unknown."""
        return self._page.hosts.get(account, host_fingerprint) == host_fingerprint

    def mark_in_flight(self, values: Iterable[WrittenValue]) -> None:
        """Mark values before a DNS host is asked to write them.

        :raises StoreError: they cannot be marked; then nothing may be written to DNS.
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
        """Return those of the values that a request may still write."""
        with self._guard:
            return [value for value in values if value in self._in_flight]

    def removed_once(self, values: Iterable[WrittenValue]) -> list[WrittenValue]:
        """Return those of the values that were removed already: they are here only because a request may write them."""
        with self._guard:
            return [value for value in values if value in self._removed_once]

    def remove(self, values: Iterable[WrittenValue]) -> None:
        """Drop values that are removed from DNS; the last one ends the entry and removes it from the store.

        Values in flight stay. Not durable, and no error: an entry that stays makes a later run remove the values once
        more, which changes nothing.
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
        """Leave the remaining values to cleanup: the entry counts as that of a dead run from now on. Raises nothing."""
        with self._guard:
            left = tuple(self._left)
            page = replace(self._page, values=left, removed=tuple(each for each in left if each in self._removed_once))
            has_changed = bool(left) and page != self._page
            if has_changed:
                self._page = page
            self._leave(has_changed=has_changed)

    @abc.abstractmethod
    def _put_mark(self) -> None:
        """Record that a request is in flight."""

    @abc.abstractmethod
    def _drop_mark(self) -> None:
        """Record that none is in flight any more, as far as possible."""

    @abc.abstractmethod
    def _end(self) -> None:
        """Remove the entry, as far as possible."""

    @abc.abstractmethod
    def _leave(self, *, has_changed: bool) -> None:
        """Release the entry, as far as possible; it may have ended.

        :param has_changed: write the page first: some of its values are removed.
        """
