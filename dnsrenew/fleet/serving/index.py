"""Every name that the fleet serves, in memory: 100,000 names take 10 MB, 1,000,000 names 100 MB.

The table is SQLite's, because one row there takes a fifth of what it takes as Python objects. It is never on a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

_TABLE: Final = """
CREATE TABLE served (
  name TEXT NOT NULL, certificate TEXT NOT NULL, version INTEGER, begin INTEGER, "end" INTEGER,
  PRIMARY KEY (name, certificate)
) WITHOUT ROWID;
CREATE INDEX of_certificate ON served (certificate) WHERE certificate <> '';
"""
_PUT: Final = 'INSERT OR REPLACE INTO served (name, certificate, version, begin, "end") VALUES (?, ?, ?, ?, ?)'
_FIND: Final = 'SELECT name, certificate, version, begin, "end" FROM served WHERE name IN (?, ?)'
_NAMES: Final = "SELECT name FROM served WHERE certificate = ? AND certificate <> ''"
_DROP: Final = "DELETE FROM served WHERE name = ? AND certificate = ?"
_PAGE: Final = "SELECT name, certificate FROM served WHERE (name, certificate) > (?, ?) ORDER BY name, certificate LIMIT ?"
_BATCH: Final = 500
"""Certificates that are written together: a handshake waits for a few milliseconds at most."""


class IndexedCertificate(NamedTuple):
    """A certificate as the index is told.

    :ivar begin: of its validity, seconds since 1970.
    :ivar end: of its validity, seconds since 1970.
    :ivar names: as A-labels; ``*.example.com`` for a wildcard.
    """

    certificate: str
    version: int
    begin: int
    end: int
    names: Sequence[str]


class FoundName(NamedTuple):
    """The certificate for a name."""

    certificate: str
    version: int


class NameIndex:
    """From names to certificates. Thread-safe; a search takes microseconds.

    Most certificates are for one name and are called like it: for them ``certificate`` is empty, which halves the
    table.
    """

    def __init__(self) -> None:
        import sqlite3  # slow to import

        # Not every build of SQLite takes several threads at once, so there is a lock of our own.
        self._lock = threading.Lock()
        self._table = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._table.executescript(_TABLE)

    def find(self, name: str, now: float) -> FoundName | None:
        """Return the certificate for a server name: the newest that is valid, one with the name before a wildcard's.

        :param name: in lower case, without a final dot.
        :param now: seconds since 1970. A certificate that has expired is found if there is no other one: its clients
            are told the true reason.
        """
        wildcard = f"*.{name.partition('.')[2]}"
        with self._lock:
            rows = self._table.execute(_FIND, (name, wildcard)).fetchall()
        if not rows:
            return None
        best = rows[0] if len(rows) == 1 else max(rows, key=lambda row: (now < row[4], row[0] == name, row[3], row[4]))
        return FoundName(best[1] or best[0], best[2])

    def put(self, certificates: Iterable[IndexedCertificate]) -> None:
        """Add certificates, or replace what is known of them. A name is findable all the time."""
        batch: list[IndexedCertificate] = []
        for each in certificates:
            batch.append(each)
            if len(batch) == _BATCH:
                self._write(batch)
                batch = []
        self._write(batch)

    def remove(self, certificates: Iterable[str]) -> None:
        """Take certificates out; other ones of the same names take over."""
        with self._lock:
            self._table.execute("BEGIN")
            for certificate in certificates:
                self._table.executemany(_DROP, self._rows(certificate))
            self._table.execute("COMMIT")

    def pages(self, size: int) -> Iterator[list[str]]:
        """Give the names of all certificates, some of them several times, so many rows at once."""
        after = ("", "")
        while True:
            with self._lock:
                rows = self._table.execute(_PAGE, (*after, size)).fetchall()
            if not rows:
                return
            after = rows[-1]
            yield [certificate or name for name, certificate in rows]

    def __len__(self) -> int:
        with self._lock:
            return int(self._table.execute("SELECT count(*) FROM served").fetchone()[0])

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes."""
        with self._lock:
            pages, each = (self._table.execute(f"PRAGMA {of}").fetchone()[0] for of in ("page_count", "page_size"))
        return int(pages * each)

    def _write(self, certificates: Sequence[IndexedCertificate]) -> None:
        with self._lock:
            self._table.execute("BEGIN")
            for each in certificates:
                rows = [(name, "" if name == each.certificate else each.certificate, *each[1:4]) for name in each.names]
                gone = {*self._rows(each.certificate)} - {row[:2] for row in rows}
                self._table.executemany(_PUT, rows)
                self._table.executemany(_DROP, gone)
            self._table.execute("COMMIT")

    def _rows(self, certificate: str) -> list[tuple[str, str]]:
        """Return the keys that the rows of a certificate can have."""
        rows = self._table.execute(_NAMES, (certificate,)).fetchall()
        return [(certificate, ""), *((name, certificate) for (name,) in rows)]
