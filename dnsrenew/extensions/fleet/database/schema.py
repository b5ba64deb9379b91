"""The tables: their creation, their version, and the seals of their keys.

They are in the first schema of the search path. ``dnsrenew fleet init`` creates them in one transaction, together with
procrastinate's tables. Everything else only checks them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.connection import Database, Transaction
from dnsrenew.extensions.fleet.database.seal import OPEN, SEALED, UNSEALED_ID, Seals, place

_PATIENCE: Final = 600.0
"""Seconds that a schema change may take: an index on a hundred thousand rows."""

_FIRST: Final = """
CREATE TABLE dnsrenew_schema (version int NOT NULL);

CREATE TABLE dnsrenew_seal (id bytea PRIMARY KEY, proof bytea NOT NULL, since timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE dnsrenew_seal IS 'Seals with which values may be sealed; an empty id: some may be unsealed.';

CREATE TABLE dnsrenew_setting (name text PRIMARY KEY, value bytea NOT NULL);

CREATE TABLE dnsrenew_holder (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  host text NOT NULL,
  pid int NOT NULL,
  worker boolean NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  tables text[]
);
COMMENT ON TABLE dnsrenew_holder IS 'Processes; those in dnsrenew_alive still run.';
COMMENT ON COLUMN dnsrenew_holder.tables IS 'The accounts and CAs that the file of a worker has.';

CREATE VIEW dnsrenew_alive AS
  SELECT holder.id FROM dnsrenew_holder AS holder
  JOIN pg_locks AS lock
    ON lock.classid = ((hashtextextended('dnsrenew:holder-' || holder.id, 0) >> 32) & 4294967295)::oid
   AND lock.objid = (hashtextextended('dnsrenew:holder-' || holder.id, 0) & 4294967295)::oid
  WHERE lock.locktype = 'advisory' AND lock.objsubid = 1 AND lock.granted
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database());
COMMENT ON VIEW dnsrenew_alive IS 'The processes whose connection holds their advisory lock.';

CREATE TABLE dnsrenew_lock (
  key text PRIMARY KEY,
  fence bigint NOT NULL,
  holder bigint NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrenew_lock IS 'Who held a lock last; it is held as long as its advisory lock is.';

CREATE SEQUENCE dnsrenew_change;
CREATE SEQUENCE dnsrenew_slot MINVALUE 0;

CREATE TABLE dnsrenew_certificate (
  name text PRIMARY KEY,
  wanted jsonb,
  tags text[] NOT NULL DEFAULT '{}',
  origin text,
  identifiers text[] NOT NULL DEFAULT '{}',
  parents text[] NOT NULL DEFAULT '{}',
  slot double precision NOT NULL
    DEFAULT ((nextval('dnsrenew_slot')::numeric * 0.61803398874989484820) % 1)::double precision,
  due timestamptz NOT NULL DEFAULT now(),
  state jsonb,
  version int,
  expires timestamptz,
  changed bigint NOT NULL DEFAULT nextval('dnsrenew_change')
);
CREATE INDEX dnsrenew_certificate_due ON dnsrenew_certificate (due) WHERE wanted IS NOT NULL;
CREATE INDEX dnsrenew_certificate_tags ON dnsrenew_certificate USING gin (tags);
CREATE INDEX dnsrenew_certificate_identifiers ON dnsrenew_certificate USING gin (identifiers) WITH (fastupdate = off);
CREATE INDEX dnsrenew_certificate_parents ON dnsrenew_certificate USING gin (parents) WITH (fastupdate = off);
COMMENT ON COLUMN dnsrenew_certificate.parents IS 'The wildcards that cover an identifier.';
CREATE INDEX dnsrenew_certificate_changed ON dnsrenew_certificate (changed);

CREATE TABLE dnsrenew_version (
  name text NOT NULL,
  number int NOT NULL,
  chain text NOT NULL,
  key bytea NOT NULL,
  meta jsonb NOT NULL,
  ca text,
  issued timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, number)
);
CREATE INDEX dnsrenew_version_issued ON dnsrenew_version (issued);
CREATE TABLE dnsrenew_issued (ca text NOT NULL, issued timestamptz NOT NULL DEFAULT now());
CREATE INDEX dnsrenew_issued_time ON dnsrenew_issued (issued);
COMMENT ON TABLE dnsrenew_issued IS 'A row for each certificate that a CA issued in the last day, removed ones too.';

CREATE INDEX dnsrenew_version_seal ON dnsrenew_version (substr(key, 1, 5));

CREATE TABLE dnsrenew_document (
  name text NOT NULL,
  kind text NOT NULL,
  content bytea NOT NULL,
  made timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, kind)
);
CREATE INDEX dnsrenew_document_kind ON dnsrenew_document (kind);

CREATE TABLE dnsrenew_account (directory text PRIMARY KEY, key bytea, next_key bytea, data jsonb);

CREATE TABLE dnsrenew_limit (
  directory text NOT NULL,
  key text NOT NULL,
  kind text NOT NULL,
  until timestamptz NOT NULL,
  since timestamptz,
  url text,
  PRIMARY KEY (directory, key, kind)
);
CREATE INDEX dnsrenew_limit_until ON dnsrenew_limit (until);
CREATE INDEX dnsrenew_limit_waits ON dnsrenew_limit (directory) WHERE kind = 'waits';
COMMENT ON TABLE dnsrenew_limit IS 'The ledgers: what a CA counts for a name or a set of names, and its waits.';

CREATE TABLE dnsrenew_journal (
  id bigserial PRIMARY KEY,
  certificate text,
  page jsonb NOT NULL,
  asked boolean NOT NULL DEFAULT false,
  since timestamptz NOT NULL DEFAULT now(),
  holder bigint
);

CREATE TABLE dnsrenew_pace (key text PRIMARY KEY, empty_until timestamptz NOT NULL);

INSERT INTO dnsrenew_schema VALUES (0);
"""

STEPS: Final[Sequence[str]] = (_FIRST,)
"""Each step upgrades the tables to the next version. A released step is never changed."""
VERSION: Final = len(STEPS)

_VALUES: Final = (
    ("version", "name", "number", "key"),
    ("document", "name", "kind", "content"),
    ("account", "directory", "'key'", "key"),
    ("account", "directory", "'next_key'", "next_key"),
    ("setting", "name", "'value'", "value"),
)
"""The places of sealed values: the table, and its columns for name, kind and value."""
_AT_ONCE: Final = 200
_SHOWN: Final = 3
"""The number of unsealed values that an error names."""
_EACH_UNSEALED: Final = " UNION ALL ".join(
    f"SELECT '{table}', {name}, {kind}::text FROM dnsrenew_{table} WHERE substr({value}, 1, 1) = '\\x00'"  # noqa: S608  # constants
    f" AND substr({value}, 1, 5) < '\\x01'"  # for the index of versions
    for table, name, kind, value in _VALUES
)
_UNSEALED: Final = f"SELECT *, count(*) OVER () FROM ({_EACH_UNSEALED}) AS found ORDER BY 1, 2, 3 LIMIT {_SHOWN}"  # noqa: S608  # constants


def initialize(database: Database, seals: Seals, *, seal_existing: bool = False) -> None:
    """Create the tables or upgrade them to this version, and record the first seal. No-op if all is done.

    :param seal_existing: there may be unsealed values, which :func:`reseal` will seal.
    :raises StoreError: ``store-newer``: a later version created them; ``seal-wrong``, also for unsealed values: nothing
        was changed; ``store-refused``: no right to create tables; and the errors of :class:`Database`.
    """
    with database.transaction(patience=_PATIENCE) as transaction:
        transaction.fetch("SELECT pg_advisory_xact_lock(hashtextextended('dnsrenew:schema', 0))")
        found = _version(transaction)
        if found > VERSION:
            raise database.error(texts.NEWER, found=found, version=VERSION)
        for step in STEPS[found:]:
            transaction.execute(step)
        if found < VERSION:
            transaction.execute("UPDATE dnsrenew_schema SET version = %s", (VERSION,))
        if transaction.one("SELECT to_regclass('procrastinate_jobs') IS NULL") == (True,):
            from procrastinate.schema import SchemaManager

            queue = SchemaManager.get_schema()
            for kind, name in re.findall(r"(?m)^CREATE (TYPE|TABLE|FUNCTION) (\w+)", queue):  # the leftovers of it
                transaction.execute(f"DROP {kind} IF EXISTS {name} CASCADE")
            transaction.execute(queue)
        if seals and not seal_existing:
            _refuse_unsealed(database, transaction)
    check(database, seals, seal_existing=seal_existing)


def check(database: Database, seals: Seals, *, seal_existing: bool = False) -> None:
    """Check that the tables are of this version and all their seals are ours, and record our first seal.

    :param seal_existing: record it even if it is the first seal and there are unsealed values.
    :raises StoreError: ``store-schema``, ``store-newer``, ``seal-wrong``, and the errors of :class:`Database`.
    """
    rows = database.fetch(
        "SELECT version, id, proof FROM dnsrenew_schema LEFT JOIN dnsrenew_seal ON true ORDER BY since"
    )
    found = rows[0][0] if rows else 0
    if found != VERSION:
        raise database.error(texts.NEWER if found > VERSION else texts.OLDER, found=found, version=VERSION)
    known = {bytes(name): bytes(proof) for _, name, proof in rows if name is not None}
    sealed = known.keys() - {UNSEALED_ID}
    if not all(seals.proves(name, known[name]) for name in sealed):
        raise database.error(texts.SEAL_WRONG if seals else texts.SEAL_MISSING)
    if seals.ids[0] not in known:
        if seals and not sealed and not seal_existing:  # the first seal of this fleet
            with database.transaction(patience=_PATIENCE) as transaction:
                _refuse_unsealed(database, transaction)
        new = "INSERT INTO dnsrenew_seal (id, proof) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        database.execute(new, (seals.ids[0], seals.proof()))


def _refuse_unsealed(database: Database, transaction: Transaction) -> None:
    """Check all values; raise if one is unsealed.

    :raises StoreError: ``seal-wrong``, with the places of the first ones.
    """
    found = transaction.fetch(_UNSEALED)
    if found:
        places = [place(table, name, kind) for table, name, kind, _ in found]
        raise database.error(texts.UNSEALED, count=found[0][3], places=places, sealed=False)


def reseal(database: Database, seals: Seals, *, seal_existing: bool = False) -> int:
    """Seal values of other seals with the first seal, then forget the other seals.

    Any number of processes may do it at once. Without seals it does nothing.

    :param seal_existing: also seal unsealed values, which stay unchanged otherwise.
    :returns: the number of values.
    :raises StoreError: ``seal-wrong``: a value cannot be opened. Values before it are sealed.
    """
    if not seals:
        return 0
    count = sum(_reseal(database, seals, column, seal_existing=seal_existing) for column in _VALUES)
    database.execute("DELETE FROM dnsrenew_seal WHERE id <> %s", (seals.ids[0],))
    return count


def _reseal(database: Database, seals: Seals, column: tuple[str, str, str, str], *, seal_existing: bool) -> int:
    """Seal the values of a column, some rows in each transaction."""
    table, name, kind, value = column
    # Tables and columns are those above: nothing in these statements comes from outside. Two ranges instead of <>: an
    # index finds them, so that a worker that starts does not read all keys of the fleet.
    start = f"substr({value}, 1, {len(seals.prefix)})"
    read = f"""
      SELECT {name}, {kind}, {value} FROM dnsrenew_{table}
      WHERE substr({value}, 1, 1) = ANY(%(kinds)s) AND ({start} < %(seal)s OR {start} > %(seal)s)
      ORDER BY 1, 2 LIMIT {_AT_ONCE} FOR UPDATE
    """  # noqa: S608  # constants
    write = f"UPDATE dnsrenew_{table} SET {value} = %s WHERE {name} = %s AND {kind} = %s"  # noqa: S608  # constants
    kinds = [SEALED, OPEN] if seal_existing else [SEALED]
    count = 0
    if table == "version" and _has_only(database, seals.prefix):
        return 0
    while True:
        with database.transaction() as transaction:
            rows = transaction.fetch(read, {"seal": seals.prefix, "kinds": kinds})
            for where, what, blob in rows:
                at = place(table, where, what)
                transaction.execute(write, (seals.sealed_anew(bytes(blob), at), where, what))
        count += len(rows)
        if len(rows) < _AT_ONCE:
            return count


def _has_only(database: Database, prefix: bytes) -> bool:
    """Return whether all keys of versions begin with a prefix, from both ends of the index, without reading a row."""
    ends = """
      (SELECT substr(key, 1, 5) FROM dnsrenew_version ORDER BY substr(key, 1, 5) LIMIT 1) UNION ALL
      (SELECT substr(key, 1, 5) FROM dnsrenew_version ORDER BY substr(key, 1, 5) DESC LIMIT 1)
    """
    return all(bytes(start) == prefix for (start,) in database.fetch(ends))


def _version(transaction: Transaction) -> int:
    """Return the version of the tables, or 0 without tables."""
    if transaction.one("SELECT to_regclass('dnsrenew_schema') IS NULL") == (True,):
        return 0
    row = transaction.one("SELECT version FROM dnsrenew_schema")
    return int(row[0]) if row else 0


# ── old locks ──────────────────────────────────────────────────────────────────────────

# Deletes lock rows of zones, names and certificates that are no longer used.

# The holder of a lock has its row locked, and a row that was taken in between is no longer old.
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


def forget_old_locks(database: Database) -> int:
    """Forget the last holders of free locks that were taken over a day ago, at most ten thousand; return how many.

    A holder that has lost its lock and wakes up later finds no row, so its write has no effect.

    :raises StoreError: the database does not answer.
    """
    return database.execute(_FORGET, (10_000,))
