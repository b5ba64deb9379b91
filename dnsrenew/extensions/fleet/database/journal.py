"""The journal in a database: an entry belongs to the process that made it for as long as that is alive.

A process is alive as long as the server has its lock connection, so entries of a dead one are found by all machines
within 30 s, whatever its clock said.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.runtime.context import Context
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.connection import Database, Params
from dnsrenew.extensions.fleet.database.documents import damaged_value, json_text, renames_kind
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.store.journal import CLEANUP, CLEANUP_SECONDS, Journal, JournalEntry, JournalPage, WrittenValue, values_of
from dnsrenew.store.texts import DamageTexts

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
            self._write(_LEAVE, page=json_text(self.page.to_json()) if has_changed else None)
        except StoreError:
            self._rows.give_up(self._number)
        self._holder = None

    def _write(self, statement: str, **values: Any) -> int:
        return self._rows.database.execute(statement, {"id": self._number, "holder": self._holder, **values})


class JournalRows(Journal):
    """The journal of a database.

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
        rows = self.database.fetch(_READ)
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

    def _set_aside(self, path: str, damage: DamageTexts, reason: str) -> Notice:
        return damaged_value(path, damage, reason)

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
