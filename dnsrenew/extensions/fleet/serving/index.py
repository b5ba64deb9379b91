"""Every name that the fleet serves, in memory: 100,000 names take 5 MB, 1,000,000 names 50 MB.

The table is SQLite's, because one row there takes a fifth of what it takes as Python objects. It is never on a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.served_certificates import ServedCertificate

_TABLE: Final = """
CREATE TABLE served (
  name TEXT NOT NULL, certificate TEXT NOT NULL, version INTEGER, begin INTEGER, "end" INTEGER,
  PRIMARY KEY (name, certificate)
) WITHOUT ROWID;
CREATE INDEX of_certificate ON served (certificate) WHERE certificate <> '';
"""
_PUT: Final = 'INSERT OR REPLACE INTO served (name, certificate, version, begin, "end") VALUES (?, ?, ?, ?, ?)'
_FIND: Final = 'SELECT name, certificate, version, begin, "end" FROM served WHERE name IN (?, ?)'
_ROWS: Final = "SELECT name, certificate, version FROM served WHERE certificate = ? AND certificate <> ''"
_OWN_ROW: Final = "SELECT name, certificate, version FROM served WHERE name = ? AND certificate = ''"
_DROP: Final = "DELETE FROM served WHERE name = ? AND certificate = ?"
_PAGE: Final = (
    "SELECT name, certificate FROM served WHERE (name, certificate) > (?, ?) ORDER BY name, certificate LIMIT ?"
)


class FoundName(Frozen):
    """The certificate for a name."""

    certificate: str
    version: int


class NameIndex:
    """From names to certificates. Thread-safe; a search takes microseconds.

    Most certificates are for one name and are called like it: for them ``certificate`` is empty, which halves the
    table.

    :param now: returns the time of the database, in seconds since 1970, without asking it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        import sqlite3  # slow to import

        self._now = now

        # Not every build of SQLite takes several threads at once, so there is a lock of our own.
        self._lock = threading.Lock()
        self._table = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._table.executescript(_TABLE)

    def find(self, name: str) -> FoundName | None:
        """Return the certificate for a server name: the newest that is valid, one with the name before a wildcard's.

        One that has expired is found if there is no other: its clients are told the true reason.

        :param name: in lower case, without a final dot.
        """
        wildcard = f"*.{name.partition('.')[2]}"
        with self._lock:
            rows = self._table.execute(_FIND, (name, wildcard)).fetchall()
        if not rows:
            return None
        best = rows[0] if len(rows) == 1 else self._best(rows, name)
        return FoundName(best[1] or best[0], best[2])

    def fill(self, certificates: Sequence[ServedCertificate]) -> None:
        """Add certificates to an index that does not have them."""
        with self._writing():
            for each in certificates:
                self._table.executemany(_PUT, _rows(each))

    def put(self, certificates: Sequence[ServedCertificate]) -> list[str]:
        """Add certificates, or replace what is known of them; return those that are new or have another version."""
        changed = []
        with self._writing():
            for each in certificates:
                rows, known = _rows(each), self._known(each.certificate)
                if set(known.values()) != {each.version}:
                    changed.append(each.certificate)
                self._table.executemany(_PUT, rows)  # first: each name has a certificate all the time
                self._table.executemany(_DROP, known.keys() - {row[:2] for row in rows})
        return changed

    def remove(self, certificates: Iterable[str]) -> None:
        """Take certificates out; other ones of the same names take over."""
        with self._writing():
            for certificate in certificates:
                self._table.executemany(_DROP, self._known(certificate))

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

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._table:  # the table commits, or rolls back
            self._table.execute("BEGIN")
            yield

    def _best(self, rows: Sequence[tuple[str, str, int, int, int]], name: str) -> tuple[str, str, int, int, int]:
        now = self._now()
        return max(rows, key=lambda row: (now < row[4], row[0] == name, row[3], row[4]))

    def _known(self, certificate: str) -> dict[tuple[str, str], int]:
        """Return the keys of the rows of a certificate, each with the version."""
        rows = [*self._table.execute(_ROWS, (certificate,)), *self._table.execute(_OWN_ROW, (certificate,))]
        return {(name, owner): version for name, owner, version in rows}


def _rows(each: ServedCertificate) -> list[tuple[str, str, int | None, int, int]]:
    return [
        (name, "" if name == each.certificate else each.certificate, each.version, each.begin, each.end)
        for name in each.names
    ]
