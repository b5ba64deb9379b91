"""Whether the role of the configuration may write what a renewal writes: a right that is missing is found before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.fleet.database import texts

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.connection import Database

_LACKING: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('dnsrenew_version'))
  AND (relname LIKE 'dnsrenew\\_%' OR relname LIKE 'procrastinate\\_%') AND relname <> 'dnsrenew_schema'
  AND CASE relkind
    WHEN 'r' THEN NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                       AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
    WHEN 'S' THEN NOT has_sequence_privilege(oid, 'USAGE')
    ELSE false
  END
ORDER BY relname LIMIT 1
"""


def check_rights(database: Database) -> None:
    """Return if all tables and sequences may be changed; one statement.

    :raises StoreError: ``store-refused``: one may not.
    """
    row = database.one(_LACKING)
    if row is not None:
        raise database.error(texts.NO_RIGHTS, reason=texts.RIGHT_MISSING.format(table=row[0]))
