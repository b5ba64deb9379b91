"""What servers know of a fleet while transactions end out of order, notifications are lost and reads fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import pytest

from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.served_certificates import Pulse, ServedCertificate
from dnsrenew.extensions.fleet.serving.loading import NameIndex, ServerThreads
from dnsrenew.extensions.fleet.serving.server import ChangeFeed
from tests.kit.clock import FakeClock


class Table:
    """The table of certificates, as the feed reads it.

    :ivar rows: the certificates by name, each with the number of its change.
    :ivar reads: what was read.
    :ivar gone: the reads that fail.
    """

    def __init__(self) -> None:
        self.rows: dict[str, tuple[ServedCertificate, int]] = {}
        self.changed = 5000
        self.removals = 0
        self.reads: list[str] = []
        self.gone: set[str] = set()

    def put(self, name: str, version: int | None, *, number: int | None = None) -> None:
        """Write a version.

        :param number: of the change, which was given out before.
        """
        if number is None:
            number = self.changed = self.changed + 1
        self.rows[name] = ServedCertificate(name, version, 0, 9, [f"{name}.x"]), number

    def remove(self, name: str) -> None:
        """Remove a certificate."""
        del self.rows[name]
        self.removals += 1

    def all(self) -> Iterator[ServedCertificate]:
        """Give the certificates in force."""
        self._read("all")
        return iter([each for each, _ in self.rows.values() if each.version is not None])

    def named(self, certificates: Sequence[str]) -> list[ServedCertificate]:
        """Return some certificates."""
        self._read("named")
        return [self.rows[name][0] for name in certificates if name in self.rows]

    def changed_since(self, number: int) -> Iterator[ServedCertificate]:
        """Give what has changed."""
        self._read("changed")
        return iter([each for each, changed in self.rows.values() if changed > number])

    def missing(self, certificates: Sequence[str]) -> list[str]:
        """Return the certificates without a version in use."""
        self._read("missing")
        return [name for name in certificates if name not in self.rows or self.rows[name][0].version is None]

    def pulse(self) -> Pulse:
        """Return whether anything has changed."""
        self._read("pulse")
        return Pulse(self.changed, self.removals)

    def _read(self, what: str) -> None:
        self.reads.append(what)
        if what in self.gone:
            raise StoreError("store-unreachable", "It is gone.", fix="Wait.")


class Follower:
    """A feed that is polled by the test."""

    def __init__(self) -> None:
        self.table = Table()
        self.clock = FakeClock()
        self.index = NameIndex(lambda: 0.0)
        self.taken: list[str] = []
        self.removed: list[str] = []
        source: Any = self.table
        self.feed = ChangeFeed(ServerThreads(), source, self.index, self.clock)
        mock.patch.multiple(self.feed, taken=self.taken.extend, removed=self.removed.extend).start()

    def poll(self, after: float = 1.0) -> None:
        """Look once, some seconds later."""
        self.clock.elapsed += after
        self.feed.poll()

    def version(self, name: str) -> int | None:
        """Return the version of a certificate that the index has."""
        found = self.index.find(f"{name}.x")
        return None if found is None else found.version


@pytest.fixture
def follower() -> Follower:
    """A follower of a table with one certificate, which has been read."""
    follower = Follower()
    follower.table.put("a", 1)
    follower.feed.load()
    return follower


def test_a_change_without_a_notification_is_found(follower: Follower) -> None:
    """The next poll finds the change once. After some seconds without changes, a poll costs one statement."""
    follower.table.put("a", 2)
    follower.poll()
    assert (follower.version("a"), follower.taken) == (2, ["a"])
    for _ in range(30):
        follower.poll()
    follower.table.reads.clear()
    for _ in range(10):
        follower.poll()
    assert follower.table.reads == ["pulse"] * 10
    assert follower.taken == ["a"]


@pytest.mark.parametrize("late", [1, 2, 10, 19])
def test_a_transaction_that_ends_late_is_found(follower: Follower, late: int) -> None:
    """A change is found although its number is lower than known ones."""
    follower.table.changed += 1
    number = follower.table.changed
    follower.table.put("b", 1)
    for _ in range(late):
        follower.poll()
    follower.table.put("a", 2, number=number)
    for _ in range(21 - late):
        follower.poll()
    assert (follower.version("a"), follower.version("b")) == (2, 1)


def test_a_transaction_that_was_under_way_at_the_start_is_found(follower: Follower) -> None:
    """A change is found although its number precedes the first full read."""
    follower.table.put("b", 1, number=follower.table.changed - 5)
    follower.poll()
    assert follower.version("b") == 1


def test_a_read_that_fails_is_made_again(follower: Follower) -> None:
    """A failed read is repeated until the change is known."""
    follower.table.put("a", 2)
    follower.table.gone = {"changed"}
    for _ in range(60):
        with pytest.raises(StoreError):
            follower.poll()
    follower.table.gone = set()
    follower.poll()
    assert follower.version("a") == 2


def test_a_removal_without_a_notification_is_found(follower: Follower) -> None:
    """The counter of the statistics reveals a removal, even if the comparison fails at first."""
    follower.table.put("b", 1)
    follower.poll()
    follower.table.remove("b")
    follower.table.gone = {"missing"}
    with pytest.raises(StoreError):
        follower.poll()
    follower.table.gone = set()
    follower.poll()
    assert (follower.version("b"), follower.removed) == (None, ["b"])


def test_removals_with_a_notification_need_no_comparison(follower: Follower) -> None:
    """A removal with a notification needs no comparison with the database."""
    follower.table.put("b", 1)
    follower.poll()
    follower.table.remove("b")
    follower.feed.take(["b"])
    follower.table.reads.clear()
    follower.poll()
    assert follower.removed == ["b"]
    assert "missing" not in follower.table.reads


def test_a_new_start_of_the_statistics_hides_no_removal(follower: Follower) -> None:
    """A removal is found even if the statistics were reset to zero."""
    follower.table.put("b", 1)
    follower.table.removals = 7
    follower.poll()
    follower.table.remove("b")
    follower.table.removals = 0
    follower.poll()
    assert follower.version("b") is None


def test_an_older_database_replaces_everything(follower: Follower) -> None:
    """A restored older database, with lower change numbers, is read completely."""
    follower.table.put("a", 2)
    follower.table.put("b", 1)
    follower.poll()
    follower.table.remove("b")
    follower.table.removals = 0
    follower.table.put("a", 1, number=4000)
    follower.table.changed = 4001
    follower.poll()
    assert (follower.version("a"), follower.version("b")) == (1, None)
    follower.table.put("a", 2)
    follower.poll()
    assert follower.version("a") == 2


def test_a_notification_takes_over_at_once(follower: Follower) -> None:
    """A notification adds, changes and removes certificates at once."""
    follower.table.put("a", 2)
    follower.table.put("b", 1)
    follower.table.put("c", None)
    follower.feed.take(["a", "b", "c", "unknown"])
    assert (follower.taken, follower.version("c")) == (["a", "b"], None)
    follower.table.put("a", None)
    follower.table.remove("b")
    follower.feed.take(["a", "b"])
    assert (follower.version("a"), follower.version("b")) == (None, None)
