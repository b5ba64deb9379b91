"""Documents of certificates and accounts in a database. They are sealed, because they contain keys."""

from __future__ import annotations

import base64
import contextlib
import platform
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts as database_texts
from dnsrenew.extensions.fleet.database.connection import Database, Params
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.extensions.fleet.database.seal import Seals, place
from dnsrenew.store import json_files, texts
from dnsrenew.store.accounts import DATA, KEY, NEXT_KEY, WAIT
from dnsrenew.store.journal import CLEANUP, CLEANUP_SECONDS, Journal, JournalEntry, JournalPage, WrittenValue, values_of
from dnsrenew.store.paths import check_name
from dnsrenew.store.records import BEGUN, OLD_FILES, ORDER, PARTS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_READ: Final = "SELECT content FROM dnsrenew_document WHERE name = %s AND kind = %s"
_MADE: Final = "SELECT made FROM dnsrenew_document WHERE name = %s AND kind = %s"
_OF_ALL: Final = "SELECT name, content FROM dnsrenew_document WHERE kind = %s ORDER BY name"
_WRITE: Final = """
INSERT INTO dnsrenew_document (name, kind, content) SELECT %(name)s, %(kind)s, %(content)s FROM fence
ON CONFLICT (name, kind) DO UPDATE SET content = EXCLUDED.content, made = now() RETURNING 1
"""
_REMOVE: Final = """
, gone AS (
  DELETE FROM dnsrenew_document WHERE name = %(name)s AND kind = ANY(%(kinds)s) AND EXISTS (SELECT FROM fence)
)
SELECT 1 FROM fence
"""
_SCHEMA: Final = 1


class DocumentTable(Frozen, hidden=("seals",)):
    """The ``Documents`` of a database. A write is fenced by the lock of the certificate, if this process holds it.

    Renames concern files of one machine, which alone completes them. Everything else is the same for all machines.

    :ivar place: the place of the database, for messages.
    """

    database: Database
    seals: Seals
    locks: LockSession
    place: str

    def read(self, name: str, kind: str) -> bytes | None:
        row = self.database.one(_READ, (check_name(name), kind))
        return None if row is None else self._open(name, kind, row[0])

    def write(self, name: str, kind: str, data: bytes) -> None:
        content = self.seals.seal(data, place("document", check_name(name), kind))
        self.locks.run_fenced(f"certificate-{name}", _WRITE, {"name": name, "kind": kind, "content": content})

    def read_parts(self, name: str, kind: str) -> dict[str, bytes] | None:
        try:
            data = self.read(name, kind)
        except StoreError as error:
            if kind != ORDER or error.code != "seal-wrong" or "sealed" in error.evidence:
                raise
            raise json_files.DamagedFile("it cannot be opened with the seal") from None
        return None if data is None else _parts(kind, data)

    def write_parts(self, name: str, kind: str, parts: Mapping[str, bytes]) -> None:
        found = {part: base64.b64encode(data) if part.endswith(".der") else data for part, data in parts.items()}
        plain = {part: data.decode("latin-1") for part, data in found.items()}
        if kind == ORDER:
            document = json_files.value(plain.pop(PARTS[ORDER][-1]))
            self.write(name, kind, json_files.dump({**document, "parts": plain}))
        else:
            plain = {part.partition(".")[0]: text for part, text in plain.items()}
            self.write(name, kind, json_files.dump({"schema": _SCHEMA, **plain}))

    def set_aside(self, name: str, kind: str, damage: texts.DamageTexts, reason: str) -> Notice:
        with contextlib.suppress(StoreError):
            self.remove(name, kind)
        return damaged_value(f"{self.place} ({kind if kind == ORDER else kind.upper()} of {name})", damage, reason)

    def remove(self, name: str, *kinds: str) -> None:
        self.locks.run_fenced(f"certificate-{check_name(name)}", _REMOVE, {"name": name, "kinds": list(kinds)})

    def deployed(self, name: str) -> list[str]:
        kinds = self.database.fetch("SELECT kind FROM dnsrenew_document WHERE name = %s", (check_name(name),))
        return [kind for (kind,) in kinds if kind.startswith((OLD_FILES, BEGUN))]

    def made(self, name: str, kind: str) -> datetime | None:
        row = self.database.one(_MADE, (check_name(name), kind))
        return None if row is None else row[0].replace(microsecond=0)

    def write_renames(self, name: str, entry: str, renames: bytes | None) -> None:
        entries = _entries(self.read(name, renames_kind()) or b"")
        entries.pop(entry, None)
        if renames is not None:
            entries[entry] = renames.decode()
        if entries:
            self.write(name, renames_kind(), json_files.dump({"schema": _SCHEMA, "entries": entries}))
        else:
            self.remove(name, renames_kind())

    def read_renames(self) -> list[tuple[str, str, bytes]]:
        kind = renames_kind()
        rows = self.database.fetch(_OF_ALL, (kind,))
        found = ((name, _entries(self._open(name, kind, content))) for name, content in rows)
        return [(name, entry, renames.encode()) for name, entries in found for entry, renames in entries.items()]

    def _open(self, name: str, kind: str, content: bytes) -> bytes:
        return self.seals.open(bytes(content), place("document", name, kind))


def _parts(kind: str, data: bytes) -> dict[str, bytes]:
    """Return the parts of a document.

    :raises DamagedFile: the document is not from dnsrenew.
    :raises NewerSchema: a newer dnsrenew wrote the document.
    """
    document = json_files.load(data, _SCHEMA)
    if kind != ORDER:
        return {part: json_files.string(document.get(part.partition(".")[0])).encode() for part in PARTS[kind]}
    key, csr, whole = PARTS[ORDER]
    parts = document.get("parts")
    if type(parts) is not dict:
        raise json_files.DamagedFile("it has no key and no CSR")
    try:
        found = json_files.string(parts.get(key)).encode("latin-1"), json_files.string(parts.get(csr))
        return {key: found[0], csr: base64.b64decode(found[1], validate=True), whole: data}
    except ValueError:
        raise json_files.DamagedFile("its key or its CSR is not encoded as dnsrenew does it") from None


def renames_kind() -> str:
    """Return the kind of the documents with the renames of this machine, by entry."""
    return f"renames:{platform.node()}"


def _entries(data: bytes) -> dict[str, str]:
    """Return the renames of each entry; empty if they are damaged."""
    with contextlib.suppress(json_files.DamagedFile, json_files.NewerSchema):
        entries = json_files.load(data, _SCHEMA).get("entries")
        if isinstance(entries, dict):
            return {entry: renames for entry, renames in entries.items() if isinstance(renames, str)}
    return {}


# ── accounts ────────────────────────────────────────────────────────────────────────────

_READ_ACCOUNT: Final = "SELECT key, next_key, data::text FROM dnsrenew_account WHERE directory = %s"
_WRITE_ACCOUNT: Final = """
INSERT INTO dnsrenew_account (directory, key, next_key, data)
SELECT %(directory)s, %(key)s::bytea, %(next_key)s::bytea, %(data)s::jsonb FROM fence
ON CONFLICT (directory) DO UPDATE SET key = EXCLUDED.key, next_key = EXCLUDED.next_key, data = EXCLUDED.data
RETURNING 1
"""
_REMOVE_ACCOUNT: Final = """
, gone AS (
  UPDATE dnsrenew_account SET key = NULL, next_key = NULL, data = NULL
  WHERE directory = %(directory)s AND EXISTS (SELECT FROM fence)
)
SELECT 1 FROM fence
"""


class AccountRow(Frozen, hidden=("seals",)):
    """The ``AccountPlace`` of a database. All machines share it, regardless of the CA's name in their configuration.

    :ivar label: its name in messages.
    :ivar where: the place of the database, for messages.
    """

    database: Database
    seals: Seals
    locks: LockSession
    directory: str
    label: str
    where: str

    def lock(self, context: Context) -> AbstractContextManager[None]:
        return self.locks.hold(self._lock_key, texts.ACCOUNT_LOCK.format(name=self.label), wait=WAIT, context=context)

    def read(self) -> Callable[[str], bytes | None]:
        row = self.database.one(_READ_ACCOUNT, (self.directory,)) or (None, None, None)
        found = dict(zip((KEY, NEXT_KEY, DATA), row, strict=True))

        def part(name: str) -> bytes | None:
            value = found[name]
            if value is None:
                return None
            is_key = name != DATA
            return self.seals.open(bytes(value), place("account", self.directory, name)) if is_key else value.encode()

        return part

    def restrict(self) -> None:
        """Do nothing, because the roles of the database decide."""

    def path(self, part: str) -> str:
        return f"{self.where} (account {self.label}).{part}"

    def set_aside(self, part: str, damage: texts.DamageTexts, reason: str) -> Notice:
        return damaged_value(self.path(part), damage, reason)

    def write(self, account: AccountData, data: bytes) -> None:
        values: dict[str, Any] = {"directory": self.directory, "data": json_text(data)}
        for part, key in ((KEY, account.key_pem), (NEXT_KEY, account.next_key_pem)):
            values[part] = None if key is None else self.seals.seal(key, place("account", self.directory, part))
        self.locks.run_fenced(self._lock_key, _WRITE_ACCOUNT, values)

    def remove(self) -> None:
        self.locks.run_fenced(self._lock_key, _REMOVE_ACCOUNT, {"directory": self.directory})

    @property
    def _lock_key(self) -> str:
        return f"account-{self.directory}"


# ── json values ────────────────────────────────────────────────────────────────────────

# JSON for columns of type jsonb.

_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def json_text(data: bytes) -> str:
    """Return a JSON document for a column of type jsonb. U+FFFD replaces the character NUL, which it cannot hold."""
    text = data.decode("utf-8")
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def damaged_value(place: str, kind: texts.DamageTexts, reason: str) -> Notice:
    """Return the warning about a value that is not from dnsrenew.

    :param place: the place of the value.
    """
    return Notice(*kind.in_database.fill(path=place, reason=reason))


# ── journal ────────────────────────────────────────────────────────────────────────────

# The journal in a database. An entry belongs to the process that made it while that process lives.
#
# A process is alive as long as the server has its lock connection. So all machines find the entries of a dead one
# within 30 s, regardless of its clock.

_LOCK: Final = "journal"
_DEAD: Final = "(holder IS NULL OR holder NOT IN (SELECT id FROM dnsrenew_alive))"
_ANY_DEAD: Final = f"SELECT EXISTS (SELECT FROM dnsrenew_journal WHERE {_DEAD})"  # noqa: S608  # constants
_ANY_LEFT: Final = f"{_ANY_DEAD} OR EXISTS (SELECT FROM dnsrenew_document WHERE kind = %s)"
_JOURNAL_READ: Final = f"SELECT id, page::text, asked, holder, {_DEAD} FROM dnsrenew_journal ORDER BY certificate, id"  # noqa: S608  # constants
_PAGES: Final = "SELECT id, page::text FROM dnsrenew_journal ORDER BY certificate, id"
_LIVE: Final = f"SELECT page::text FROM dnsrenew_journal WHERE NOT {_DEAD}"  # noqa: S608  # constants
# The answer is about the entries before this one. A cleanup that has not listed them yet sees this one too.
_ENTER: Final = """
WITH entry AS (
  INSERT INTO dnsrenew_journal (certificate, page, holder) VALUES (%(certificate)s, %(page)s::jsonb, %(holder)s)
  RETURNING id
)
SELECT entry.id, EXISTS (
  SELECT FROM dnsrenew_journal AS other, jsonb_array_elements(
    CASE jsonb_typeof(other.page->'values') WHEN 'array' THEN other.page->'values' ELSE '[]' END
  ) AS value
  WHERE value IN (SELECT jsonb_array_elements(%(page)s::jsonb->'values'))
)
FROM entry
"""
_OURS: Final = "id = %(id)s AND holder IS NOT DISTINCT FROM %(holder)s"
_MARK: Final = f"UPDATE dnsrenew_journal SET asked = %(asked)s WHERE {_OURS}"  # noqa: S608  # constants
_LEAVE: Final = f"UPDATE dnsrenew_journal SET page = coalesce(%(page)s::jsonb, page), holder = NULL WHERE {_OURS}"  # noqa: S608  # constants
_END: Final = f"DELETE FROM dnsrenew_journal WHERE {_OURS}"  # noqa: S608  # constants


class JournalRow(JournalEntry):
    """An entry in a database.

    :param holder: the process that owns it; None if it is kept for cleanup.
    """

    def __init__(
        self, rows: JournalRows, number: int, page: JournalPage, holder: int | None, *, in_flight: bool = False
    ) -> None:
        super().__init__(rows.path(number), page, in_flight=in_flight)
        self._rows, self._number, self._holder = rows, number, holder
        self._has_ended = False

    def _put_mark(self) -> None:
        if not self._write(_MARK, asked=True):  # cleanup has removed it, because this process seemed dead
            raise self._rows.database.error(database_texts.TAKEN_OVER, what=self.path)

    def _drop_mark(self) -> None:
        with contextlib.suppress(StoreError):
            self._write(_MARK, asked=False)

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._try(_END)

    def _leave(self, *, has_changed: bool) -> None:
        is_kept_already = self._holder is None and not has_changed
        if self._has_ended or is_kept_already:
            return
        self._try(_LEAVE, page=json_text(self.page.to_json()) if has_changed else None)
        self._holder = None

    def _try(self, statement: str, **values: Any) -> None:
        try:
            self._write(statement, **values)
        except StoreError:
            self._rows.give_up(self._number)

    def _write(self, statement: str, **values: Any) -> int:
        return self._rows.database.execute(statement, {"id": self._number, "holder": self._holder, **values})


class JournalRows(Journal):
    """The journal of a database.

    :param place: the place of the database, for messages.
    """

    def __init__(self, database: Database, locks: LockSession, place: str) -> None:
        self.database, self._locks, self._place = database, locks, place
        self._guard = threading.Lock()
        self._given_up: set[int] = set()

    def path(self, number: int) -> str:
        """Return the name of an entry in messages."""
        return f"{self._place} (journal {number})"

    def give_up(self, number: int) -> None:
        """Leave an entry to cleanup as soon as the database answers again, because this process lives on."""
        with self._guard:
            self._given_up.add(number)

    def has_left_over(self) -> bool:
        """Return whether a dead run has left an entry, or renames on this machine; one statement."""
        try:
            self._release()
            return self._ask(_ANY_LEFT, (renames_kind(),))
        except StoreError:
            return True  # cleanup will report the error

    # ── of a live run ───────────────────────────────────────────────────────────────────

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalRow:
        """One statement."""
        page = JournalPage.of(context, certificate, values, hosts)
        context.check()
        holder = self._locks.holder
        given = {"certificate": certificate, "page": json_text(page.to_json()), "holder": holder}
        ((number, has_duplicate),) = self.database.fetch(_ENTER, given)
        entry = JournalRow(self, number, page, holder)
        if has_duplicate:  # a cleanup may be removing one of the values
            try:
                with self._locks.hold(_LOCK, CLEANUP, wait=CLEANUP_SECONDS, context=context):
                    pass
            except BaseException:
                entry.remove(page.values)
                raise
        return entry

    def live_values(self) -> set[WrittenValue]:
        return values_of(page.encode() for (page,) in self.database.fetch(_LIVE))

    # ── of dead runs ────────────────────────────────────────────────────────────────────

    def _is_used(self) -> bool:
        self._release()
        return self._ask(_ANY_DEAD)

    def _cleanup(self, context: Context, wait: float) -> contextlib.AbstractContextManager[None]:
        return self._locks.hold(_LOCK, CLEANUP, wait=wait, context=context)

    def unreadable(self) -> list[str]:
        return [self.path(number) for number, page in self.database.fetch(_PAGES) if not values_of([page.encode()])]

    def _dead(self, context: Context) -> list[JournalEntry]:
        rows = self.database.fetch(_JOURNAL_READ)
        live = values_of(page.encode() for _, page, _, _, is_dead in rows if not is_dead)
        found: list[JournalEntry] = []
        for number, text, asked, holder, is_dead in rows:
            page = self._page(context, self.path(number), text.encode) if is_dead else None
            if page is not None:
                in_flight = asked and page.is_recent(context.clock.now())
                entry = JournalRow(self, number, page, holder, in_flight=in_flight)
                entry.exclude(live)
                found.append(entry)
        return [entry for entry in found if entry.values]

    def _set_aside(self, path: str, damage: texts.DamageTexts, reason: str) -> Notice:
        return damaged_value(path, damage, reason)

    def _ask(self, question: str, params: Params = ()) -> bool:
        return self.database.one(question, params) == (True,)

    def _release(self) -> None:
        """Hand back entries that could not be removed from the journal when the database did not answer.

        :raises StoreError: it still does not answer.
        """
        with self._guard:
            numbers = sorted(self._given_up)
        if numbers:
            self.database.execute("UPDATE dnsrenew_journal SET holder = NULL WHERE id = ANY(%s)", (numbers,))
            with self._guard:
                self._given_up.difference_update(numbers)
