"""The journal in a database: an entry belongs to the process that made it for as long as that is alive.

A process is alive as long as the server has its lock connection, so entries of a dead one are found by all machines
within 30 s, whatever its clock said.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Notice, rfc3339
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.documents import damaged_value, json_text
from dnsrenew.extensions.fleet.database.orders import renames_kind
from dnsrenew.store import texts as store_texts
from dnsrenew.store.journal_entry import (
    CLEANUP,
    CLEANUP_SECONDS,
    SCHEMA,
    JournalEntry,
    JournalPage,
    WrittenValue,
)
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.connection import Database, Params
    from dnsrenew.extensions.fleet.database.locks import LockSession

_LOCK: Final = "journal"
_DEAD: Final = "(holder IS NULL OR holder NOT IN (SELECT id FROM dnsrenew_alive))"
_ANY_DEAD: Final = f"SELECT EXISTS (SELECT FROM dnsrenew_journal WHERE {_DEAD})"  # noqa: S608  # constants
_ANY_LEFT: Final = f"{_ANY_DEAD} OR EXISTS (SELECT FROM dnsrenew_document WHERE kind = %s)"
_READ: Final = f"SELECT id, page::text, asked, holder, {_DEAD} FROM dnsrenew_journal ORDER BY certificate, id"  # noqa: S608  # constants
_PAGES: Final = "SELECT id, page::text FROM dnsrenew_journal ORDER BY certificate, id"
_LIVE: Final = f"SELECT page::text FROM dnsrenew_journal WHERE NOT {_DEAD}"  # noqa: S608  # constants
# The answer is about the entries before this one: a cleanup that has not listed them yet sees this one too.
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
_GIVE_UP: Final = "UPDATE dnsrenew_journal SET holder = NULL WHERE id = ANY(%s)"


class JournalRow(JournalEntry):
    """An entry in a database.

    :param holder: the process that it belongs to; None: it is kept for cleanup.
    """

    def __init__(
        self, rows: JournalRows, number: int, page: JournalPage, holder: int | None, *, in_flight: bool = False
    ) -> None:
        super().__init__(rows.path(number), page, in_flight=in_flight)
        self._rows = rows
        self._number = number
        self._holder = holder
        self._has_ended = False

    def _put_mark(self) -> None:
        if not self._write(_MARK, asked=True):  # cleanup has removed it, because this process seemed dead
            raise self._rows.database.error(texts.TAKEN_OVER, what=self.path)

    def _drop_mark(self) -> None:
        with contextlib.suppress(StoreError):
            self._write(_MARK, asked=False)

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        try:
            self._write(_END)
        except StoreError:
            self._rows.give_up(self._number)

    def _leave(self, *, has_changed: bool) -> None:
        is_kept_already = self._holder is None and not has_changed
        if self._has_ended or is_kept_already:
            return
        try:
            self._write(_LEAVE, page=json_text(self._page.to_json()) if has_changed else None)
        except StoreError:
            self._rows.give_up(self._number)
        self._holder = None

    def _write(self, statement: str, **values: Any) -> int:
        return self._rows.database.execute(statement, {"id": self._number, "holder": self._holder, **values})


class JournalRows:
    """The ``Journal`` of a database. Thread-safe.

    :param place: of the database, for messages.
    """

    def __init__(self, database: Database, locks: LockSession, place: str) -> None:
        self.database = database
        self._locks = locks
        self._place = place
        self._guard = threading.Lock()
        self._given_up: set[int] = set()

    def path(self, number: int) -> str:
        """Return what messages call an entry."""
        return f"{self._place} (journal {number})"

    def give_up(self, number: int) -> None:
        """Leave an entry to cleanup as soon as the database answers again: this process lives on."""
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
        """Record values before they are written to DNS; the entry is durable on return. One statement.

        :raises StoreError: the entry cannot be written; then nothing may be written to DNS.
        :raises LockedError: another run is still removing one of the values.
        :raises Cancelled: cancelled.
        """
        check_name(certificate)
        context.check()
        page = JournalPage(certificate, rfc3339(context.clock.now()) or "", tuple(dict.fromkeys(values)), hosts or {})
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
        """Return the values of runs that live, as far as they can be read; nothing is changed.

        :raises StoreError: the journal cannot be read.
        """
        return _values(page for (page,) in self.database.fetch(_LIVE))

    # ── of dead runs ────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def left_over(self, context: Context, *, wait: float = 0) -> Iterator[list[JournalEntry]]:
        """Yield the entries of dead runs, and exclude other cleanups meanwhile, on all machines.

        :param wait: seconds to wait for another cleanup.
        :raises LockedError: another cleanup runs.
        :raises StoreError: the journal cannot be read, or the lock cannot be had.
        :raises Cancelled: cancelled.
        """
        self._release()
        if not self._ask(_ANY_DEAD):
            yield []
            return
        with self._locks.hold(_LOCK, CLEANUP, wait=wait, context=context):
            entries = self._dead(context)
            try:
                yield entries
            finally:
                for entry in entries:
                    entry.keep()

    def unreadable(self) -> list[str]:
        """Return the entries whose values are unknown: damaged ones and those of a newer dnsrenew.

        :raises StoreError: the journal cannot be read.
        """
        return [self.path(number) for number, page in self.database.fetch(_PAGES) if _values([page]) == set()]

    def _dead(self, context: Context) -> list[JournalEntry]:
        """Return the entries of dead runs that have values to remove."""
        rows = self.database.fetch(_READ)
        live = _values(page for _, page, _, _, is_dead in rows if not is_dead)
        found: list[JournalEntry] = []
        for number, text, asked, holder, is_dead in rows:
            page = self._page(context, number, text) if is_dead else None
            if page is not None:
                in_flight = asked and page.is_recent(context.clock.now())
                entry = JournalRow(self, number, page, holder, in_flight=in_flight)
                entry.exclude(live)
                found.append(entry)
        return [entry for entry in found if entry.values]

    def _page(self, context: Context, number: int, text: str) -> JournalPage | None:
        """Return the page of an entry; None with a warning if it cannot be read."""
        try:
            return JournalPage.from_json(text.encode())
        except DamagedFile as fault:
            warning = damaged_value(self.path(number), store_texts.JOURNAL_DAMAGED, str(fault))
        except NewerSchema as newer:
            warning = Notice(*store_texts.JOURNAL_NEWER.fill(path=self.path(number), schema=newer.schema, known=SCHEMA))
        context.warn(warning.code, warning.message, warning.fix)
        return None

    def _ask(self, question: str, params: Params = ()) -> bool:
        return self.database.one(question, params) == (True,)

    def _release(self) -> None:
        """Hand back what could not be removed from the journal when the database did not answer.

        :raises StoreError: it still does not.
        """
        with self._guard:
            numbers = sorted(self._given_up)
        if numbers:
            self.database.execute(_GIVE_UP, (numbers,))
            with self._guard:
                self._given_up.difference_update(numbers)


def _values(pages: Iterable[str]) -> set[WrittenValue]:
    """Return the values of entries, as far as they can be read."""
    found: set[WrittenValue] = set()
    for page in pages:
        with contextlib.suppress(DamagedFile, NewerSchema):
            found.update(JournalPage.from_json(page.encode()).values)
    return found
