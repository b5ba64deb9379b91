"""A ledger in a database: a row for each name, set of names or wait that counts.

A fleet has hundreds of thousands of them, so only those that an order is about are read and written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.connection import Database, Row, Transaction
from dnsrenew.store.ledger.values import MAX_ENTRIES, LedgerState, RetryAfter, rounded_up

_SOME: Final = """
SELECT kind, key, until, since, url FROM dnsrenew_limit WHERE directory = %(directory)s AND key = ANY(%(keys)s)
"""
_ALL: Final = """
SELECT kind, key, until, since, url FROM (
  SELECT *, row_number() OVER (PARTITION BY kind ORDER BY until DESC) AS place FROM dnsrenew_limit
  WHERE directory = %(directory)s
) AS ranked WHERE place <= %(most)s
"""
# Rows that are not there yet cannot be locked.
_LOCK_SOME: Final = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('dnsrenew:limits ' || %(directory)s, 0)),
  pg_advisory_xact_lock(hashtextextended('dnsrenew:limit ' || %(directory)s || ' ' || key, 0))
FROM unnest(%(keys)s::text[]) AS key
"""
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(hashtextextended('dnsrenew:limits ' || %(directory)s, 0))"
# Each change removes some others that are over, so that they do not pile up.
_WRITE: Final = """
WITH over AS (
  SELECT directory, key, kind FROM dnsrenew_limit
  WHERE until < %(now)s AND NOT (directory = %(directory)s AND (key = ANY(%(keys)s) OR key = ANY(%(new_keys)s)))
  ORDER BY until LIMIT 10 FOR UPDATE SKIP LOCKED
), removed AS (
  DELETE FROM dnsrenew_limit AS known USING over
  WHERE (known.directory, known.key, known.kind) = (over.directory, over.key, over.kind)
), gone AS (
  DELETE FROM dnsrenew_limit USING unnest(%(gone_keys)s::text[], %(gone_kinds)s::text[]) AS gone(gone_key, gone_kind)
  WHERE directory = %(directory)s AND key = gone_key AND kind = gone_kind
)
INSERT INTO dnsrenew_limit (directory, key, kind, until, since, url)
SELECT %(directory)s, new.* FROM unnest(
  %(new_keys)s::text[], %(kinds)s::text[], %(untils)s::timestamptz[], %(sinces)s::timestamptz[], %(urls)s::text[]
) AS new
ON CONFLICT (directory, key, kind) DO UPDATE SET until = EXCLUDED.until, since = EXCLUDED.since, url = EXCLUDED.url
"""
_BUCKETS: Final = ("failed", "sets", "failed_orders")
_WAITS: Final = "waits"

_Entries = dict[tuple[str, str], tuple["datetime", "datetime | None", "str | None"]]
"""By key and kind: until, since, url."""


class LedgerRows(Frozen):
    """The ledger of the account at a directory, for all machines."""

    database: Database
    directory: str

    def read(
        self,
        context: Context,
        *,
        read_only: bool,  # noqa: ARG002  # nothing can be damaged
        keys: Collection[str] | None = None,
    ) -> LedgerState | None:
        """Return the ledger; None with a warning if it cannot be read."""
        try:
            return _state(self.database.fetch(*self._query(keys)))
        except StoreError as error:
            context.warn(error.code, error.message, error.fix)
            return None

    def change(
        self,
        context: Context,
        change: Callable[[LedgerState, datetime], LedgerState],
        keys: Collection[str] | None = None,
    ) -> None:
        """Replace the ledger, or what it has of some keys; other machines wait for it, some milliseconds.

        :raises StoreError: it cannot be written.
        :raises Cancelled: cancelled.
        """
        context.check()
        asked = sorted(keys or ())  # all take the locks in the same order
        with self.database.transaction() as transaction:
            transaction.fetch(_LOCK_ALL if keys is None else _LOCK_SOME, {"directory": self.directory, "keys": asked})
            before = _state(transaction.fetch(*self._query(keys)))
            now = context.clock.now()
            self._write(transaction, _entries(before), _entries(change(before, now)), asked, now)

    def _query(self, keys: Collection[str] | None) -> tuple[str, Mapping[str, Any]]:
        if keys is None:
            return _ALL, {"directory": self.directory, "most": MAX_ENTRIES}
        return _SOME, {"directory": self.directory, "keys": list(keys)}

    def _write(
        self, transaction: Transaction, before: _Entries, after: _Entries, keys: list[str], now: datetime
    ) -> None:
        gone = [place for place in before if place not in after]
        new = [(place, entry) for place, entry in after.items() if before.get(place) != entry]
        if not gone and not new:
            return
        values = {
            "directory": self.directory,
            "now": now,
            "keys": keys,
            "gone_keys": [key for key, _ in gone],
            "gone_kinds": [kind for _, kind in gone],
            "new_keys": [key for (key, _), _ in new],
            "kinds": [kind for (_, kind), _ in new],
            "untils": [until for _, (until, _, _) in new],
            "sinces": [since for _, (_, since, _) in new],
            "urls": [url for _, (_, _, url) in new],
        }
        transaction.execute(_WRITE, values)


def _state(rows: list[Row]) -> LedgerState:
    buckets: dict[str, dict[str, datetime]] = defaultdict(dict)
    waits: dict[str, RetryAfter] = {}
    for kind, key, until, since, url in rows:
        if kind == _WAITS:
            waits[key] = RetryAfter(since or until, until, url)
        else:
            buckets[kind][key] = until
    return LedgerState(
        failed=buckets["failed"], sets=buckets["sets"], failed_orders=buckets["failed_orders"], waits=waits
    )


def _entries(state: LedgerState) -> _Entries:
    entries: _Entries = {
        (key, _WAITS): (rounded_up(wait.until), rounded_up(wait.since), wait.url and wait.url.replace("\0", "\ufffd"))
        for key, wait in state.waits.items()
    }
    for kind in _BUCKETS:
        times: Mapping[str, datetime] = getattr(state, kind)
        entries |= {(key, kind): (rounded_up(until), None, None) for key, until in times.items()}
    return entries
