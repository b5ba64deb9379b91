"""The texts of the errors and warnings of a store in a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dnsrenew.errors import Phrase, Text

# ── no connection ───────────────────────────────────────────────────────────────────────

_FIX_CONNECTION: Final = (
    "Check that PostgreSQL is running at {server} and that this machine can connect to it. Nothing is lost; the "
    "next run continues."
)
UNREACHABLE: Final = Text("store-unreachable", "The database at {server} cannot be used: {reason}.", _FIX_CONNECTION)
SILENT: Final = Text("store-unreachable", "The database at {server} did not answer for {seconds:g} s.", _FIX_CONNECTION)
CROWDED: Final = Text(
    "store-unreachable",
    "The database server {server} accepts no more connections: {reason}.",
    "Raise max_connections of PostgreSQL, or the CONNECTION LIMIT of {user} or {database}. A worker uses one "
    "connection for each certificate in progress, and a few more.",
)
BUSY: Final = Text(
    "store-unreachable",
    "All {size} connections to the database at {server} were in use for {seconds:g} s.",
    "Lower `concurrency` in [fleet], or find out why the database is slow (pg_stat_activity).",
)
LOST: Final = Text(
    "store-unreachable",
    "The connection to the database at {server} was lost, so the lock of the {what} was lost too.",
    "Check that PostgreSQL is running at {server} and that this machine can connect to it. The next run continues.",
)
TAKEN_OVER: Final = Text(
    "store-unreachable",
    "The connection to the database at {server} was lost, and another run has locked the {what} since then; "
    "nothing was written.",
    "The other run continues with the {what}; check the network between this machine and {server}.",
)
REMOVED: Final = Text(
    "store-unreachable",
    "The {what} was removed from the fleet, or another run has locked it since then; nothing was written.",
    "If you removed the {what} from the fleet, ignore this; otherwise check the network between this "
    "machine and {server}.",
)
BAD_ADDRESS: Final = Text(
    "store-bad-path",
    "The address of the database is not valid.",
    "Set `store` to an address such as postgresql://USER@HOST/DATABASE.",
)
BAD_PARAMETER: Final = Text(
    "store-bad-path",
    "A parameter in the address of the database is not valid: {reason}.",
    "Correct this parameter in `store`.",
)
NO_PACKAGE: Final = Text(
    "store-extra-missing",
    "The store is a PostgreSQL database, but packages for it are not installed: {packages}.",
    "Install them: {command}",
)

# ── refusals of the server ──────────────────────────────────────────────────────────────

LOGIN_REFUSED: Final = Text(
    "store-refused",
    "The database server {server} refused the login of {user}: {reason}.",
    "Check the user and the password in `store`, and the line for {user} and this machine in pg_hba.conf on the "
    "server.",
)
NO_DATABASE: Final = Text(
    "store-refused",
    "The database server {server} has no database {database}.",
    "Create it on the server with `createdb -O {user} {database}`, or correct `store`.",
)
NO_RIGHTS: Final = Text(
    "store-refused",
    "The database at {server} does not allow {user} to run a statement: {reason}.",
    "Make {user} the owner of the tables in {database}, or grant it all rights on the schema, its tables and its "
    "sequences.",
)
NO_RIGHT_TO_READ: Final = Text(
    "store-refused",
    "The database at {server} does not allow {user} to read {table}.",
    "Run in {database}: GRANT SELECT ON {table} TO {user}",
)
TOO_OLD: Final = Text(
    "store-refused",
    "The database server {server} is PostgreSQL {version}, but dnsrenew needs 14 or later.",
    "Upgrade the server, or set `store` to another one.",
)
POOLER: Final = Text(
    "store-pooler",
    "A connection pooler at {server} gives each transaction another session, so locks do not hold.",
    "Set `store` to the address of PostgreSQL itself, or set the pooler to session mode for {database}: in PgBouncer, "
    "add `pool_mode = session` to the line `{database} = …` under [databases].",
)
REPLICA: Final = Text(
    "store-read-only",
    "The database server {server} is a replica, which can only be read.",
    "Set `store` to the address of the primary server.",
)
READ_ONLY: Final = Text(
    "store-read-only",
    "{user} can only read the database {database} at {server}.",
    "Set default_transaction_read_only to off: `ALTER ROLE {user} RESET default_transaction_read_only;` and `ALTER "
    "DATABASE {database} RESET default_transaction_read_only;`, or in postgresql.conf.",
)
FULL: Final = Text(
    "store-full",
    "The database at {server} cannot write: {reason}.",
    "Free space on the disk of the database server.",
)
IO_ERROR: Final = Text(
    "store-io-error",
    "The disk of the database server {server} failed: {reason}.",
    "Check the disk of the server and the log of PostgreSQL.",
)
FAILED: Final = Text(
    "store-failed",
    "The database at {server} refused a statement: {reason}.",
    "Check the log of PostgreSQL; if it does not explain the error, report it.",
)

# ── the schema ──────────────────────────────────────────────────────────────────────────

NO_SCHEMA: Final = Text(
    "store-schema",
    "The database {database} at {server} does not contain dnsrenew's tables.",
    "Run `dnsrenew fleet init`.",
)
TABLE_MISSING: Final = Text(
    "store-schema",
    "The database {database} at {server} lacks a table or column of dnsrenew: {reason}.",
    "Restore the database from a backup.",
)
OLDER: Final = Text(
    "store-schema",
    "The tables in the database {database} at {server} have version {found}, but this dnsrenew needs {version}.",
    "Run `dnsrenew fleet init`.",
)
NEWER: Final = Text(
    "store-newer",
    "A newer version of dnsrenew created the tables in the database {database} at {server} (version {found}; this "
    "one supports {version}).",
    "Update dnsrenew on this machine.",
)
NO_PLACE: Final = Text(
    "store-schema",
    "The search path of {user} in the database {database} names no existing schema.",
    "Create one on the server: `CREATE SCHEMA public AUTHORIZATION {user};`",
)

# ── the seal ────────────────────────────────────────────────────────────────────────────

SEAL_WRONG: Final = Text(
    "seal-wrong",
    "The private keys in the database {database} at {server} are sealed with a seal that [fleet] does not have.",
    "Set `seal` to the seal of this fleet, or to a list with the new seal first and the old one after it.",
)
SEAL_MISSING: Final = Text(
    "seal-wrong",
    "The private keys in the database {database} at {server} are sealed, but [fleet] has no `seal`.",
    "Set `seal` to the seal of this fleet.",
)
SEAL_BROKEN: Final = Text(
    "seal-wrong",
    "The value at {place} in the database cannot be opened: it was changed, moved, or sealed with another seal.",
    "Set `seal` to the seal of this fleet; if it is right, restore the database from a backup.",
)

_FIX_UNSEALED: Final = (
    "If the fleet had no seal until now, run `dnsrenew fleet init --seal-existing`. If it had one, another program "
    "wrote this: restore the database from a backup."
)
NOT_SEALED: Final = Text(
    "seal-wrong", "The value at {place} in the database is not sealed, but [fleet] has a `seal`.", _FIX_UNSEALED
)
UNSEALED: Final = Text(
    "seal-wrong",
    "[fleet] has a `seal`, but values in the database {database} at {server} are not sealed: {places} ({count} in "
    "all).",
    _FIX_UNSEALED,
)

# ── locks ───────────────────────────────────────────────────────────────────────────────

LOCKED: Final = Text(
    "locked",
    "The {what} is locked by another run.",
    "Run the command again when the other run has finished, or add --wait to wait for it.",
)
LOCKED_BY: Final = Text(
    "locked",
    "The {what} is locked by process {pid} on {host} since {since}.",
    "Run the command again when the other run has finished, or add --wait to wait for it.",
)

RIGHT_MISSING: Final = Phrase("it is not allowed to change {table}")
CUT: Final = Phrase("the server closed the connection")
FAILED_BEFORE: Final = Phrase("an earlier statement of the transaction failed")
CUT_FOR_LOCKS: Final = Phrase("the connection that holds the locks was lost")

BY_STATE: Final[Mapping[str, Text]] = {
    "08P01": UNREACHABLE,
    "25006": READ_ONLY,
    "26000": POOLER,
    "28": LOGIN_REFUSED,
    "3D000": NO_DATABASE,
    "3F000": NO_PLACE,
    "42501": NO_RIGHTS,
    "42703": NO_SCHEMA,
    "42883": NO_SCHEMA,
    "42P01": NO_SCHEMA,
    "42P05": POOLER,
    "53100": FULL,
    "53300": CROWDED,
    "58030": IO_ERROR,
    "57014": SILENT,
    "08": UNREACHABLE,
    "53": UNREACHABLE,
    "57": UNREACHABLE,
}
"""The text for an SQLSTATE, or for a class of them (its first two characters); :data:`FAILED` for any other."""
