"""Deletes lock rows of zones, names and certificates that are no longer used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.connection import Database

# Whoever holds a lock has its row, and a row that is taken meanwhile is not old any more.
_FORGET: Final = """
DELETE FROM dnsrenew_lock WHERE key IN (
  SELECT key FROM dnsrenew_lock AS lock WHERE since < now() - interval '1 day' AND NOT EXISTS (
    SELECT FROM pg_locks AS taken WHERE locktype = 'advisory' AND objsubid = 1
      AND classid = ((hashtextextended('dnsrenew:' || key, 0) >> 32) & 4294967295)::oid
      AND objid = (hashtextextended('dnsrenew:' || key, 0) & 4294967295)::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  )
  LIMIT %s FOR UPDATE OF lock SKIP LOCKED
)
"""
_AT_ONCE: Final = 10_000


def forget_old_locks(database: Database) -> int:
    """Forget who held locks that are free and were taken a day ago or earlier; return how many, ten thousand at most.

    A holder that has lost its lock and wakes up later finds no row, and writes nothing.

    :raises StoreError: the database cannot be asked.
    """
    return database.execute(_FORGET, (_AT_ONCE,))
