"""The states and versions of certificates, in a database.

A change of a certificate is one statement, so one transaction. It is fenced: if another process has locked the
certificate since, nothing is written.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.documents import damaged_value, json_text
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.store import damage, texts, version_meta
from dnsrenew.store.damage import DamageReports
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name
from dnsrenew.store.state import SCHEMA, Meta, State
from dnsrenew.store.versions import KEEP

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.locks import LockSession
    from dnsrenew.extensions.fleet.database.seal import Seals

_NAMES: Final = "SELECT name FROM dnsrenew_certificate WHERE state IS NOT NULL"
_STATE: Final = """
SELECT known.state::text, EXISTS (SELECT FROM dnsrenew_version AS stored WHERE stored.name = asked.name)
FROM (SELECT %s::text AS name) AS asked LEFT JOIN dnsrenew_certificate AS known USING (name)
"""
_VERSIONS: Final = "SELECT number, chain, key, meta::text FROM dnsrenew_version WHERE name = %s ORDER BY number DESC"
_METAS: Final = "SELECT number, meta::text FROM dnsrenew_version WHERE name = %s ORDER BY number"
_ONE: Final = "FROM dnsrenew_version WHERE name = %s AND number = %s"
_LENGTHS: Final = f"SELECT octet_length(chain), octet_length(key) {_ONE}"
_PAIR: Final = f"SELECT chain, key {_ONE}"
_CHAIN: Final = f"SELECT chain {_ONE}"
_KEY: Final = f"SELECT key {_ONE}"
_CA: Final = f"SELECT coalesce(ca, '') {_ONE}"
_NEWEST: Final = """
SELECT stored.chain FROM dnsrenew_version AS stored LEFT JOIN dnsrenew_certificate AS known USING (name)
WHERE stored.name = %s ORDER BY (stored.number = known.version) IS TRUE DESC, stored.number DESC LIMIT 1
"""
_HIGHEST: Final = "SELECT coalesce(max(number), 0) FROM dnsrenew_version WHERE name = %s"
_MARK: Final = """
SELECT version, changed, hashtextextended(state::text, 0) FROM dnsrenew_certificate WHERE name = %s
"""
_PUT_STATE: Final = """
INSERT INTO dnsrenew_certificate AS known (name, state, version, expires)
SELECT %(name)s, %(state)s::jsonb, %(version)s::int, %(expires)s::timestamptz FROM fence
ON CONFLICT (name) DO UPDATE SET state = EXCLUDED.state, version = EXCLUDED.version, expires = EXCLUDED.expires,
  due = now()
"""
_WRITE_STATE: Final = f"{_PUT_STATE} RETURNING 1"
_PUT_INTO_FORCE: Final = (
    f"{_PUT_STATE}, changed = nextval('dnsrenew_change') RETURNING pg_notify('dnsrenew_changed', name)"
)
_PRUNE: Final = """
, pruned AS (
  DELETE FROM dnsrenew_version WHERE name = %(name)s AND EXISTS (SELECT FROM fence)
    AND number IS DISTINCT FROM %(in_force)s::int
    AND number NOT IN (SELECT number FROM dnsrenew_version WHERE name = %(name)s ORDER BY number DESC LIMIT %(keep)s)
)
"""
_ADD: Final = """
INSERT INTO dnsrenew_version (name, number, chain, key, meta, ca, issued)
SELECT %(name)s, %(number)s, %(chain)s, %(key)s::bytea, %(meta)s::jsonb, nullif(%(ca)s::text, ''),
  coalesce(%(issued)s::timestamptz, now())
FROM fence RETURNING 1
"""
_ADD_ALONE: Final = f"{_PRUNE} {_ADD}"
# A row for each, not one that counts: runs would wait for each other's. As many old ones leave, so that few are there.
_COUNT: Final = """
, counted AS (
  INSERT INTO dnsrenew_issued (ca) SELECT %(ca)s::text FROM fence WHERE %(ca)s::text <> ''
)
, forgotten AS (
  DELETE FROM dnsrenew_issued WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM dnsrenew_issued WHERE issued < now() - interval '1 day'
    ORDER BY issued LIMIT 10 FOR UPDATE SKIP LOCKED
  ))
)
"""
_KEEP: Final = f", added AS ({_ADD}) {_COUNT} {_PRUNE} {_PUT_INTO_FORCE}"
_ACTIVATE: Final = f"{_PRUNE} {_PUT_INTO_FORCE}"
_NOTE: Final = """
, noted AS (
  UPDATE dnsrenew_version SET meta = meta || %(more)s::jsonb
  WHERE name = %(name)s AND number = %(number)s AND EXISTS (SELECT FROM fence)
)
SELECT 1 FROM fence
"""
# A certificate that the fleet wants stays wanted.
_REMOVE: Final = """
, versions AS (DELETE FROM dnsrenew_version WHERE name = %(name)s AND EXISTS (SELECT FROM fence))
, documents AS (DELETE FROM dnsrenew_document WHERE name = %(name)s AND EXISTS (SELECT FROM fence))
, unwanted AS (
  DELETE FROM dnsrenew_certificate WHERE name = %(name)s AND wanted IS NULL AND EXISTS (SELECT FROM fence)
)
, wanted AS (
  UPDATE dnsrenew_certificate SET state = NULL, version = NULL, expires = NULL, due = now(),
    changed = nextval('dnsrenew_change')
  WHERE name = %(name)s AND wanted IS NOT NULL AND EXISTS (SELECT FROM fence)
)
SELECT pg_notify('dnsrenew_changed', %(name)s) FROM fence
"""


class Lengths(Frozen):
    """The bytes of a version: of the chain, and of the key as it is stored."""

    chain: int
    key: int


class CertificateRows(DamageReports):
    """The rows of all certificates. Every method raises ``StoreError``.

    :param where: the database, for messages.
    """

    def __init__(self, database: Database, seals: Seals, locks: LockSession, where: str) -> None:
        super().__init__()
        self._database = database
        self._seals = seals
        self._locks = locks
        self._where = where

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the certificates that are stored, sorted."""
        return sorted(name for (name,) in self._database.fetch(_NAMES))

    def state(self, name: str) -> State:
        """Return the state of a certificate; one that is damaged or gone is made from its versions."""
        ((text, has_versions),) = self._database.fetch(_STATE, (check_name(name),))
        if text is None:
            return self._from_versions(name) if has_versions else State(notices=self.warnings(name))
        try:
            state = State.from_json(text.encode())
        except DamagedFile as fault:
            self.report(name, damaged_value(self.path(name, "state"), texts.STATE_DAMAGED, str(fault)))
            return self._from_versions(name)
        except NewerSchema as error:
            raise damage.newer_schema(self.path(name, "state"), error.schema, SCHEMA) from None
        warnings = self.warnings(name)
        return replace(state, notices=warnings) if warnings else state

    def path(self, name: str, part: str) -> str:
        """Return what messages call a part of a certificate."""
        return f"{self._where} ({part} of {name})"

    def _from_versions(self, name: str) -> State:
        for number, chain, key, text in self._database.fetch(_VERSIONS, (name,)):
            meta = self._meta(name, number, chain, key, text)
            if meta is not None:
                return replace(State().renewed(number, meta), rebuilt=True, notices=self.warnings(name))
        return State(notices=self.warnings(name))

    def _meta(self, name: str, number: int, chain: str, key: bytes, text: str) -> Meta | None:
        """Return the data of a version; None if its certificate or key is damaged."""
        try:
            found = version_meta.from_pem(chain.encode(), self._open(name, number, key) or None)
        except StoreError:
            return None
        if found is None:
            return None
        try:
            return version_meta.checked(text.encode(), found)
        except (DamagedFile, NewerSchema) as fault:
            path = self.path(name, f"version {number}")
            self.report(name, Notice(*texts.META_DAMAGED.fill(path=path, reason=str(fault))))
            return found

    def lengths(self, name: str, number: int) -> Lengths | None:
        """Return the bytes of a version, or None if there is none."""
        row = self._database.one(_LENGTHS, (check_name(name), number))
        return None if row is None else Lengths(*row)

    def pair(self, name: str, number: int) -> tuple[str, str] | None:
        """Return the chain and the private key of a version, both PEM; None if one of them is missing.

        :raises StoreError: ``seal-wrong``.
        """
        row = self._database.one(_PAIR, (check_name(name), number))
        if row is None or not all(row):
            return None
        return row[0], self._open(name, number, row[1]).decode("ascii", "replace")

    def chain(self, name: str, number: int) -> str | None:
        """Return the chain of a version, PEM, or None."""
        row = self._database.one(_CHAIN, (check_name(name), number))
        return None if row is None else row[0]

    def key(self, name: str, number: int) -> bytes | None:
        """Return the private key of a version, PEM, or None.

        :raises StoreError: ``seal-wrong``.
        """
        row = self._database.one(_KEY, (check_name(name), number))
        return self._open(name, number, row[0]) if row is not None and row[0] else None

    def newest_chain(self, name: str) -> str | None:
        """Return the chain of the version in force, or else of the newest one, whatever the state says."""
        row = self._database.one(_NEWEST, (check_name(name),))
        return None if row is None else row[0]

    def ca(self, name: str, number: int) -> str | None:
        """Return the CA that issued a version, "" for one that was installed by hand; None if there is none."""
        row = self._database.one(_CA, (check_name(name), number))
        return None if row is None else row[0]

    def versions(self, name: str) -> dict[int, Meta]:
        """Return what is recorded of each version, by its number."""
        found = {}
        for number, text in self._database.fetch(_METAS, (check_name(name),)):
            with contextlib.suppress(DamagedFile, NewerSchema):
                found[number] = Meta.from_json(text.encode())
        return found

    def mark(self, name: str) -> object:
        """Return a value that differs after the state of a certificate was written."""
        return self._database.one(_MARK, (check_name(name),))

    # ── writing; the certificate's lock is held ─────────────────────────────────────────

    def write_state(self, name: str, state: State) -> None:
        """Replace the state of a certificate."""
        self._write(name, _WRITE_STATE, _state_values(state))

    def next_number(self, name: str, state: State) -> int:
        """Return the number of a new version, which is above those of all versions and of the state."""
        ((highest,),) = self._database.fetch(_HIGHEST, (check_name(name),))
        return int(max(highest, state.version or 0, state.switching or 0)) + 1

    def add(self, name: str, number: int, pair: tuple[str, bytes], meta: Meta, in_force: int | None) -> None:
        """Add a version that is not in force: moved, imported or installed by hand, so not issued just now."""
        values = {"in_force": in_force, "keep": KEEP, **self._version_values(name, number, pair, meta)}
        values["issued"] = meta.not_before
        self._write(name, _ADD_ALONE, values)

    def keep(self, name: str, number: int, pair: tuple[str, bytes], meta: Meta, state: State) -> None:
        """Add a version, put it into force with this state, and remove old ones."""
        # The statement does not see its own version, so one less of the others is kept.
        values = {"in_force": None, "keep": KEEP - 1, **self._version_values(name, number, pair, meta)}
        values["issued"] = None  # now: the CA may set not_before an hour back
        self._write(name, _KEEP, {**values, **_state_values(state)})

    def activate(self, name: str, number: int, state: State) -> None:
        """Put a version into force with this state, and remove old ones."""
        self._write(name, _ACTIVATE, {"in_force": number, "keep": KEEP, **_state_values(state)})

    def note(self, name: str, number: int, more: str) -> None:
        """Replace fields in the data of a version.

        :param more: as JSON.
        """
        self._write(name, _NOTE, {"number": number, "more": more})

    def remove(self, name: str) -> None:
        """Remove a certificate with its versions, documents and state."""
        self._write(name, _REMOVE, {})

    def _write(self, name: str, statement: str, values: dict[str, Any]) -> None:
        key = f"certificate-{check_name(name)}"
        self._locks.run_fenced(key, statement, {"name": name, **values})

    def _version_values(self, name: str, number: int, pair: tuple[str, bytes], meta: Meta) -> dict[str, Any]:
        chain, key = pair
        sealed = self._seals.seal(key, place("version", name, number))
        return {"number": number, "chain": chain, "key": sealed, "meta": json_text(meta.to_json()), "ca": meta.ca}

    def _open(self, name: str, number: int, key: bytes) -> bytes:
        return self._seals.open(bytes(key), place("version", name, number))


def _state_values(state: State) -> dict[str, Any]:
    return {"state": json_text(state.to_json()), "version": state.version, "expires": state.not_after}
