"""A ledger in a database, with a row for each relevant name, set of names or wait.

A fleet has hundreds of thousands of rows, so only the rows of an order are read and written.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.runtime import Context, Rate, TokenBucket, TokenBuckets
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.connection import Database, Row
from dnsrenew.store.ledger import MAX_ENTRIES, LedgerState, Limit, RetryAfter, rounded_up

_SOME: Final = """
SELECT kind, key, until, since, url FROM dnsrenew_limit WHERE directory = %(directory)s AND key = ANY(%(keys)s)
"""
_ALL: Final = """
SELECT kind, key, until, since, url FROM (
  SELECT *, row_number() OVER (PARTITION BY kind ORDER BY until DESC) AS place FROM dnsrenew_limit
  WHERE directory = %(directory)s
) AS ranked WHERE place <= %(most)s
"""
# Missing rows cannot be locked.
_LOCK_SOME: Final = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('dnsrenew:limits ' || %(directory)s, 0)),
  pg_advisory_xact_lock(hashtextextended('dnsrenew:limit ' || %(directory)s || ' ' || key, 0))
FROM unnest(%(keys)s::text[]) AS key
"""
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(hashtextextended('dnsrenew:limits ' || %(directory)s, 0))"
# Each change removes some other expired rows, so that they do not pile up.
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
_GONE: Final = ("gone_keys", "gone_kinds")
_NEW: Final = ("new_keys", "kinds", "untils", "sinces", "urls")
_BUCKETS: Final = ("failed", "sets", "failed_orders")
_WAITS: Final = "waits"

_Entries = dict[tuple[str, str], tuple["datetime", "datetime | None", "str | None"]]
"""By key and kind: until, since, url."""


class LedgerRows(Frozen):
    """The ledger of the account at a directory, for all machines."""

    database: Database
    directory: str

    def read(self, context: Context, *, read_only: bool, keys: Collection[str] | None = None) -> LedgerState | None:  # noqa: ARG002  # nothing can be damaged
        """Return the ledger, or None with a warning if it cannot be read."""
        try:
            return _state(self.database.fetch(*self._query(keys)))
        except StoreError as error:
            context.warn_of(error)
            return None

    def change(
        self,
        context: Context,
        change: Callable[[LedgerState, datetime], LedgerState],
        keys: Collection[str] | None = None,
    ) -> None:
        """Replace the ledger, or its rows for some keys. Other machines wait for this some milliseconds.

        :raises StoreError: the ledger cannot be written.
        :raises Cancelled: cancelled.
        """
        context.check()
        asked = sorted(keys or ())  # all take the locks in the same order
        with self.database.transaction() as transaction:
            transaction.fetch(_LOCK_ALL if keys is None else _LOCK_SOME, {"directory": self.directory, "keys": asked})
            found, now = _state(transaction.fetch(*self._query(keys))), context.clock.now()
            before, after = _entries(found), _entries(change(found, now))
            gone = [place for place in before if place not in after]
            new = [(*place, *entry) for place, entry in after.items() if before.get(place) != entry]
            values: dict[str, Any] = {"directory": self.directory, "now": now, "keys": asked}
            for names, rows in ((_GONE, gone), (_NEW, new)):
                values |= {name: [row[index] for row in rows] for index, name in enumerate(names)}
            if gone or new:
                transaction.execute(_WRITE, values)

    def _query(self, keys: Collection[str] | None) -> tuple[str, Mapping[str, Any]]:
        if keys is None:
            return _ALL, {"directory": self.directory, "most": MAX_ENTRIES}
        return _SOME, {"directory": self.directory, "keys": list(keys)}


def _state(rows: list[Row]) -> LedgerState:
    buckets: dict[str, dict[str, datetime]] = defaultdict(dict)
    waits: dict[str, RetryAfter] = {}
    for kind, key, until, since, url in rows:
        if kind == _WAITS:
            waits[key] = RetryAfter(since or until, until, url)
        else:
            buckets[kind][key] = until
    return LedgerState(**{kind: buckets[kind] for kind in _BUCKETS}, waits=waits)


def _entries(state: LedgerState) -> _Entries:
    entries: _Entries = {
        (key, _WAITS): (rounded_up(wait.until), rounded_up(wait.since), wait.url and wait.url.replace("\0", "\ufffd"))
        for key, wait in state.waits.items()
    }
    for kind in _BUCKETS:
        times: Mapping[str, datetime] = getattr(state, kind)
        entries |= {(key, kind): (rounded_up(until), None, None) for key, until in times.items()}
    return entries


# ── pace ───────────────────────────────────────────────────────────────────────────────

# The rate limits of CAs and DNS accounts over all machines of a fleet: token buckets in a table.
#
# A bucket is stored as the time when it will be full again (GCRA), by the database's clock. Several tokens are taken at
# once, so that a certificate costs about one statement.

_LATER: Final = "greatest(pace.empty_until, now()) + %(take)s * interval '1 second'"
_FILL: Final = f"""
INSERT INTO dnsrenew_pace AS pace (key, empty_until) VALUES (%(key)s, now() + %(take)s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET empty_until = {_LATER}
"""  # noqa: S608  # constants
_TAKE: Final = f"{_FILL} RETURNING extract(epoch FROM empty_until - now())::double precision"
_TRY: Final = f"{_FILL} WHERE {_LATER} <= now() + %(full)s * interval '1 second' RETURNING 1"
# A bucket without a row is full. The few of names on demand stay, because the metrics show their use.
_FORGET: Final = """
DELETE FROM dnsrenew_pace WHERE key IN (
  SELECT key FROM dnsrenew_pace
  WHERE empty_until < now() - interval '1 hour' AND NOT starts_with(key, 'on-demand ')
  LIMIT %s FOR UPDATE SKIP LOCKED
)
"""
_TAKEN_AT_ONCE: Final = 0.2
"""The number of seconds whose tokens are taken at once."""
_KEPT: Final = 2.0
"""Seconds for which unused tokens are kept, because many machines that keep many cause a burst."""


class SharedBucket(TokenBucket):
    """A token bucket that all machines share. Thread-safe; first come, first served."""

    def __init__(self, database: Database, key: str, rate: Rate) -> None:
        super().__init__(rate)
        self._database = database
        self._key = key
        self._at_once = max(1.0, float(int(rate.per_second * _TAKEN_AT_ONCE)))
        self._guard = threading.Lock()
        self._stock = self._none_before = 0.0
        self._stock_at = 0.0
        """When the last token of the stock becomes valid. Tokens become valid one after the other."""

    def try_take(self, context: Context) -> bool:
        """Take a token if one is available; return whether it was taken."""
        with self._guard:
            now = context.clock.monotonic()
            if now < self._none_before:  # callers ask repeatedly
                return False
            full = self._rate.burst / self._rate.per_second
            if self._database.one(_TRY, {**self._fields(1), "full": full}) is not None:
                return True
            self._none_before = now + 1 / self._rate.per_second
            return False

    def charge(self, context: Context, count: float) -> float:
        """Take tokens without waiting, for a request that cannot wait; return the seconds until one is available.

        :raises StoreError: the database does not answer.
        """
        with self._guard:  # others need the tokens that are being fetched
            return self._reserve(context, count)

    def _reserve(self, context: Context, count: float) -> float:
        now = context.clock.monotonic()
        if now - self._stock_at > _KEPT:
            self._stock = 0.0
        if count > self._stock:
            wanted = max(count - self._stock, self._at_once)
            row = self._database.one(_TAKE, self._fields(wanted))
            ahead = row[0] if row is not None else 0.0
            self._stock += wanted
            self._stock_at = now + max(ahead - self._rate.burst / self._rate.per_second, 0.0)
        # As in the bucket of one process: a caller needs one token to proceed, and later callers wait for the refill.
        first_at = self._stock_at - (self._stock - 1) / self._rate.per_second
        self._stock -= count
        return max(first_at - now, 0.0)

    def _fields(self, tokens: float) -> dict[str, object]:
        return {"key": self._key, "take": tokens / self._rate.per_second}


class SharedBuckets(TokenBuckets):
    """The buckets that the machines of a fleet share, created on first use. Thread-safe."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def _make(self, host: str, rate: Rate) -> TokenBucket:
        return SharedBucket(self._database, f"{host} {rate.burst}/{rate.per_second:g}", rate)


def forget_full_buckets(database: Database) -> int:
    """Forget buckets that have been full for an hour, at most ten thousand; return their number.

    :raises StoreError: the database does not answer.
    """
    return database.execute(_FORGET, (10_000,))


# ── demand rate ────────────────────────────────────────────────────────────────────────

# The number of names that may be obtained on demand, on all machines of a fleet together.

_ONCE: Final = "on-demand-name "
"""The prefix of the keys of names that already count."""
_WANTED: Final = """
SELECT 1 FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND identifiers && ARRAY[%(name)s, %(wildcard)s] LIMIT 1
"""
_COUNTED: Final = "SELECT 1 FROM dnsrenew_pace WHERE key = %(once)s AND empty_until > now()"
_DEMAND_RATE_FORGET: Final = "DELETE FROM dnsrenew_pace WHERE starts_with(key, %s) AND empty_until <= now()"
_COUNT: Final = """
INSERT INTO dnsrenew_pace (key, empty_until) VALUES (%(once)s, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE SET empty_until = EXCLUDED.empty_until
"""
_FREE: Final = "SELECT empty_until + (%(take)s - %(full)s) * interval '1 second' FROM dnsrenew_pace WHERE key = %(key)s"


class DemandRate(Frozen):
    """A bucket in the database. Each name takes one token, regardless of the asking machines and their number.

    :ivar account: the directory URL of the CA, at which the fleet has one account.
    """

    database: Database
    account: str
    limit: Limit

    def is_wanted(self, name: str) -> bool:
        """Return whether the fleet already wants a certificate for a name."""
        return bool(self.database.fetch(_WANTED, {"name": name, "wildcard": f"*.{name.partition('.')[2]}"}))

    def take(self, name: str) -> datetime | None:
        """Take the token of a name; return None, or the time when one is available.

        :raises StoreError: the database does not answer.
        """
        fields: dict[str, Any] = {"key": f"on-demand {self.account}", "once": f"{_ONCE}{name}"}
        fields |= {"take": self.limit.each.total_seconds(), "full": self.limit.window.total_seconds()}
        with self.database.transaction() as transaction:
            transaction.fetch("SELECT pg_advisory_xact_lock(hashtextextended('dnsrenew:on-demand', 0))")
            if transaction.fetch(_COUNTED, fields):
                return None
            if not transaction.fetch(_TRY, fields):
                row = transaction.one(_FREE, fields)
                return None if row is None else row[0]
            transaction.execute(_DEMAND_RATE_FORGET, (_ONCE,))
            transaction.execute(_COUNT, fields)
            return None
