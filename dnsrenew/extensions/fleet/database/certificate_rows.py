"""The states and versions of certificates, in a database.

A change of a certificate is one statement, and so one transaction. It is fenced: if another process has locked the
certificate since, it has no effect.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

from dnsrenew.base.model import Certificate, Notice
from dnsrenew.base.model.spec import DatabaseCertificate
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.documents import damaged_value, json_text
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.extensions.fleet.database.seal import Seals, place
from dnsrenew.store import json_files, texts
from dnsrenew.store.json_files import DamagedFile, DamageReports, NewerSchema
from dnsrenew.store.paths import check_name
from dnsrenew.store.protocol import CHAIN, Change, Store, facts_of, unchanged
from dnsrenew.store.state import SCHEMA, Meta, State
from dnsrenew.store.versions import KEEP, checked_meta, meta_of

_NAMES: Final = "SELECT name FROM dnsrenew_certificate WHERE state IS NOT NULL"
_STATE: Final = """
SELECT known.state::text, EXISTS (SELECT FROM dnsrenew_version AS stored WHERE stored.name = asked.name)
FROM (SELECT %s::text AS name) AS asked LEFT JOIN dnsrenew_certificate AS known USING (name)
"""
_VERSIONS: Final = "SELECT number, chain, key, meta::text FROM dnsrenew_version WHERE name = %s ORDER BY number DESC"
_METAS: Final = "SELECT number, meta::text FROM dnsrenew_version WHERE name = %s ORDER BY number"
_ONE: Final = "FROM dnsrenew_version WHERE name = %s AND number = %s"
_NEWEST: Final = """
SELECT stored.chain FROM dnsrenew_version AS stored LEFT JOIN dnsrenew_certificate AS known USING (name)
WHERE stored.name = %s ORDER BY (stored.number = known.version) IS TRUE DESC, stored.number DESC LIMIT 1
"""
_HIGHEST: Final = "SELECT coalesce(max(number), 0) FROM dnsrenew_version WHERE name = %s"
_MARK: Final = "SELECT version, changed, hashtextextended(state::text, 0) FROM dnsrenew_certificate WHERE name = %s"
_PUT_STATE: Final = """
INSERT INTO dnsrenew_certificate AS known (name, state, version, expires)
SELECT %(name)s, %(state)s::jsonb, %(version)s::int, %(expires)s::timestamptz FROM fence
ON CONFLICT (name) DO UPDATE SET state = EXCLUDED.state, version = EXCLUDED.version, expires = EXCLUDED.expires,
  due = now()
"""
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
# A row for each, because runs would wait for each other with a single counter. Old ones are removed at the same rate.
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


class CertificateRows(DamageReports, Store):
    """What a database has of each certificate. Every method raises ``StoreError``."""

    database: Database
    seals: Seals
    locks: LockSession

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        return sorted(name for (name,) in self.database.fetch(_NAMES))

    def read_state(self, name: str, *, quarantine: bool = True) -> State:  # noqa: ARG002  # a damaged one stays
        ((text, has_versions),) = self.database.fetch(_STATE, (check_name(name),))
        if text is None:
            return self._from_versions(name) if has_versions else State(notices=self.warnings(name))
        try:
            state = State.from_json(text.encode())
        except DamagedFile as fault:
            self.report(name, damaged_value(self._path(name, "state"), texts.STATE_DAMAGED, str(fault)))
            return self._from_versions(name)
        except NewerSchema as error:
            raise json_files.newer_schema(self._path(name, "state"), error.schema, SCHEMA) from None
        warnings = self.warnings(name)
        return replace(state, notices=warnings) if warnings else state

    def _path(self, name: str, part: str) -> str:
        """Return the name of a part of a certificate in messages."""
        return f"{self.place} ({part} of {name})"

    def _from_versions(self, name: str) -> State:
        for number, chain, key, text in self.database.fetch(_VERSIONS, (name,)):
            meta = self._meta(name, number, chain, key, text)
            if meta is not None:
                return replace(State().renewed(number, meta), rebuilt=True, notices=self.warnings(name))
        return State(notices=self.warnings(name))

    def _meta(self, name: str, number: int, chain: str, key: bytes, text: str) -> Meta | None:
        """Return the data of a version; None if its certificate or key is damaged."""
        try:
            found = meta_of(chain.encode(), self._open(name, number, key) or None)
        except StoreError:
            return None
        if found is None:
            return None
        try:
            return checked_meta(text.encode(), found)
        except (DamagedFile, NewerSchema) as fault:
            path = self._path(name, f"version {number}")
            self.report(name, Notice(*texts.META_DAMAGED.fill(path=path, reason=str(fault))))
            return found

    def mark(self, name: str) -> object:
        """None if the database does not answer."""
        with contextlib.suppress(StoreError):
            return self.database.one(_MARK, (check_name(name),))
        return None

    def is_whole(self, name: str, state: State) -> bool:
        return state.version is not None and not self._damage(name, state.version, state)

    def unreadable_key(self, _name: str, _state: State) -> StoreError | None:
        return None  # it is read with the rest

    def _damage(self, name: str, number: int, state: State) -> str:
        """Return the fault of a version, or ""."""
        row = self.database.one(f"SELECT octet_length(chain), octet_length(key) {_ONE}", (check_name(name), number))
        if row is None:
            return "it is missing"
        chain, key = row
        if not key:
            return "it has no private key"
        wrong = f"its chain has {chain} bytes instead of {state.sizes.get(CHAIN, 'more')}"
        return "" if chain and chain == state.sizes.get(CHAIN, chain) else wrong

    def report_damage(self, name: str, state: State, context: Context) -> None:
        reason = "" if state.version is None else self._damage(name, state.version, state)
        if reason:
            path = self._path(name, f"version {state.version}")
            context.warn_of(damaged_value(path, texts.VERSION_DAMAGED, reason))

    def certificate(self, name: str, state: State) -> Certificate | None:
        if state.version is None or (facts := facts_of(name, state)) is None:
            return None
        row = self.database.one(f"SELECT chain, key {_ONE}", (check_name(name), state.version))
        if row is None or not all(row) or len(row[0]) != state.sizes.get(CHAIN, len(row[0])):
            return None
        pems = row[0], self._open(name, state.version, row[1]).decode("ascii", "replace")
        return DatabaseCertificate(**facts, pems=pems)

    def read_part(self, name: str, number: int | None, part: str) -> bytes | None:
        """The newest chain is what servers of the fleet have."""
        if number is None:
            row = self.database.one(_NEWEST, (check_name(name),))
        else:
            column = "chain" if part == CHAIN else "key"
            row = self.database.one(f"SELECT {column} {_ONE}", (check_name(name), number))
        if row is None or not row[0]:
            return None
        return row[0].encode("ascii", "replace") if part == CHAIN else self._open(name, number, row[0])

    def versions(self, name: str) -> dict[int, Meta]:
        found = {}
        for number, text in self.database.fetch(_METAS, (check_name(name),)):
            with contextlib.suppress(DamagedFile, NewerSchema):
                found[number] = Meta.from_json(text.encode())
        return found

    def is_by_hand(self, name: str, state: State) -> bool:
        of_version = f"SELECT ca IS NULL {_ONE}", (check_name(name), state.version)
        return state.version is not None and self.database.one(*of_version) == (True,)

    # ── writing; the certificate's lock is held ─────────────────────────────────────────

    def remove(self, name: str) -> None:
        self._write(name, _REMOVE, {})

    def write_state(self, name: str, state: State, *, sync: bool = True) -> None:  # noqa: ARG002  # always durable
        self._write(name, f"{_PUT_STATE} RETURNING 1", _state_values(state))

    def note_revocation(self, name: str, state: State) -> None:
        if state.version is not None:
            more = {"revoked": state.revoked, "compromised_keys": list(state.compromised_keys)}
            self._write(name, _NOTE, {"number": state.version, "more": json_files.dump(more).decode()})

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """It was moved, imported or installed by hand, so not issued just now."""
        values = self._version_values(name, fullchain_pem, key_pem, meta, state)
        self._write(name, _ADD_ALONE, {"in_force": state.version, "keep": KEEP, "issued": meta.not_before, **values})
        return int(values["number"])

    def keep_version(self, name: str, pair: tuple[str, bytes], meta: Meta, state: State, remember: Change) -> State:
        """Two statements."""
        values = self._version_values(name, *pair, meta, state)
        new = remember(state.renewed(values["number"], meta))
        # The statement does not see its own version, so it keeps one fewer of the others. Issued now: the CA may set
        # not_before an hour back.
        values |= {"in_force": None, "keep": KEEP - 1, "issued": None, **_state_values(new)}
        self._write(name, _KEEP, values)
        return replace(new, notices=self.warnings(name))

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        return self._activate(name, remember(state.renewed(number, meta)))

    def _activate(self, name: str, state: State) -> State:
        self._write(name, _ACTIVATE, {"in_force": state.version, "keep": KEEP, **_state_values(state)})
        return replace(state, notices=self.warnings(name))

    def is_consistent(self, name: str, state: State) -> bool:  # noqa: ARG002  # only a state can be damaged or missing
        return not state.rebuilt

    def make_consistent(self, name: str) -> None:
        found = self.read_state(name)
        if found.rebuilt and found.version is not None:
            self._activate(name, replace(found, rebuilt=False))

    def _write(self, name: str, statement: str, values: dict[str, Any]) -> None:
        self.locks.run_fenced(f"certificate-{check_name(name)}", statement, {"name": name, **values})

    def _version_values(self, name: str, chain: str, key: bytes, meta: Meta, state: State) -> dict[str, Any]:
        """Return the values of a new version, whose number is above all other versions and the state's."""
        ((highest,),) = self.database.fetch(_HIGHEST, (check_name(name),))
        number = int(max(highest, state.version or 0, state.switching or 0)) + 1
        sealed = self.seals.seal(key, place("version", name, number))
        return {"number": number, "chain": chain, "key": sealed, "meta": json_text(meta.to_json()), "ca": meta.ca}

    def _open(self, name: str, number: int | None, key: bytes) -> bytes:
        return self.seals.open(bytes(key), place("version", name, number))


def _state_values(state: State) -> dict[str, Any]:
    return {"state": json_text(state.to_json()), "version": state.version, "expires": state.not_after}
