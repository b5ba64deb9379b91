"""A ledger in a database: a column of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import damage, texts
from dnsrenew.store.database.json_values import damaged_value, json_text
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger.values import SCHEMA, LedgerState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dnsrenew.runtime.context import Context
    from dnsrenew.store.database.connection import Database

_READ: Final = "SELECT ledger::text FROM dnsrenew_account WHERE directory = %s"
_LOCK: Final = f"{_READ} FOR UPDATE"
_MAKE: Final = "INSERT INTO dnsrenew_account (directory) VALUES (%s) ON CONFLICT DO NOTHING"
_WRITE: Final = "UPDATE dnsrenew_account SET ledger = %s::jsonb WHERE directory = %s"


class LedgerRow(Frozen):
    """The ledger of the account at a directory, for all machines.

    :ivar path: where it is, for messages.
    """

    database: Database
    directory: str
    path: str

    def read(self, context: Context, *, read_only: bool) -> LedgerState | None:
        """Return the ledger; None with a warning if it must stay as it is."""
        try:
            row = self.database.one(_READ, (self.directory,))
        except StoreError as error:
            context.warn(error.code, error.message, error.fix)
            return None
        return self._parse(context, None if row is None else row[0], read_only=read_only)

    def change(self, context: Context, change: Callable[[LedgerState, datetime], LedgerState]) -> None:
        """Replace the ledger; other machines wait for it, some milliseconds.

        :raises StoreError: it cannot be written.
        :raises Cancelled: cancelled.
        """
        context.check()
        with self.database.transaction() as transaction:
            row = transaction.one(_LOCK, (self.directory,))
            if row is None:
                transaction.execute(_MAKE, (self.directory,))
                row = transaction.one(_LOCK, (self.directory,))
            state = self._parse(context, None if row is None else row[0], read_only=False)
            if state is not None:
                ledger = json_text(change(state, context.clock.now()).to_json())
                transaction.execute(_WRITE, (ledger, self.directory))

    def _parse(self, context: Context, text: str | None, *, read_only: bool) -> LedgerState | None:
        try:
            return LedgerState() if text is None else LedgerState.from_json(text.encode())
        except DamagedFile as fault:
            if read_only:
                return None
            warning = damaged_value(self.path, texts.LEDGER_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return LedgerState()
        except NewerSchema as error:
            newer = damage.newer_schema(self.path, error.schema, SCHEMA)
            context.warn(newer.code, newer.message, newer.fix)
        return None
