"""The account at one CA directory, in a database: its keys sealed, its data as JSON."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model.certificate import AccountData
from dnsrenew.base.runtime.context import Context as AnyContext
from dnsrenew.base.values import Frozen, replace
from dnsrenew.extensions.fleet.database.documents import damaged_value, json_text
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.store import damage, texts
from dnsrenew.store.interfaces import WAIT, LostAccount, check_key, from_json, lost_account, to_json
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import SCHEMA

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.locks import LockSession
    from dnsrenew.extensions.fleet.database.seal import Seals
    from dnsrenew.store.texts import DamageTexts

_READ: Final = "SELECT key, next_key, data::text FROM dnsrenew_account WHERE directory = %s"
_WRITE: Final = """
INSERT INTO dnsrenew_account (directory, key, next_key, data)
SELECT %(directory)s, %(key)s::bytea, %(next_key)s::bytea, %(data)s::jsonb FROM fence
ON CONFLICT (directory) DO UPDATE SET key = EXCLUDED.key, next_key = EXCLUDED.next_key, data = EXCLUDED.data
RETURNING 1
"""
_REMOVE: Final = """
, gone AS (
  UPDATE dnsrenew_account SET key = NULL, next_key = NULL, data = NULL
  WHERE directory = %(directory)s AND EXISTS (SELECT FROM fence)
)
SELECT 1 FROM fence
"""

_logger = logging.getLogger("dnsrenew.store")


class AccountRow(Frozen, hidden=("seals",)):
    """The ``StoredAccount`` of a database. All machines share it, whatever their configurations call the CA.

    :ivar label: what messages call it.
    :ivar path: where it is, for messages.
    :ivar context: for a wait for the lock, and for warnings about damage.
    """

    database: Database
    seals: Seals
    locks: LockSession
    directory: str
    label: str
    path: str
    context: Context | None

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other runs, threads and machines while an account is created; waits up to :data:`WAIT` seconds.

        :raises LockedError: another run holds the lock for longer.
        :raises StoreError: it cannot be locked.
        """
        waiting = context or self.context or AnyContext()
        return self.locks.hold(self._lock_key, texts.ACCOUNT_LOCK.format(name=self.label), wait=WAIT, context=waiting)

    def load(self) -> AccountData | None:
        """Return the account, or None if there is none; there is a warning about a damaged part.

        :raises StoreError: it cannot be read, ``seal-wrong``, or a newer dnsrenew wrote it (``store-newer``).
        """
        row = self.database.one(_READ, (self.directory,))
        if row is None:
            return None
        next_key = self._checked("next_key", row[1], texts.ONE_KEY_DAMAGED)
        key = self._checked("key", row[0], texts.KEY_DAMAGED if next_key is None else texts.ONE_KEY_DAMAGED)
        if key is None:
            key, next_key = next_key, None
        if key is None:
            return None
        try:
            return replace(self._with_key(key, row[2]), next_key_pem=next_key)
        except DamagedFile as fault:
            self._warn("data", texts.ACCOUNT_DAMAGED, fault)
        return replace(self._with_key(key, None), next_key_pem=next_key)

    def lost(self) -> LostAccount | None:
        """Return the account if its key is damaged or gone; None if there is none, or nothing is known of it.

        :raises StoreError: as :meth:`load`.
        """
        if self.load() is not None:
            return None
        known = self._known()
        return None if known is None else lost_account(known, f"{self.path}.key")

    def registered_url(self) -> str | None:
        """Return the URL of the account, or None if none is known.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """
        known = self._known(with_key=True)
        return None if known is None else known.url

    def save(self, account: AccountData) -> None:
        """Write the account in one step.

        :raises StoreError: it cannot be written; what was there stays.
        """
        values: dict[str, Any] = {"directory": self.directory, "data": json_text(to_json(account, self.directory))}
        for part, key in (("key", account.key_pem), ("next_key", account.next_key_pem)):
            values[part] = None if key is None else self.seals.seal(key, place("account", self.directory, part))
        self.locks.run_fenced(self._lock_key, _WRITE, values)

    def remove(self) -> None:
        """Remove the account, for one that the CA has closed; the caller holds the lock. The ledger stays.

        :raises StoreError: it cannot be removed.
        """
        self.locks.run_fenced(self._lock_key, _REMOVE, {"directory": self.directory})

    @property
    def _lock_key(self) -> str:
        return f"account-{self.directory}"

    def _known(self, *, with_key: bool = False) -> AccountData | None:
        """Return the data of the account, without its keys."""
        row = self.database.one(_READ, (self.directory,))
        if row is None or (with_key and row[0] is None and row[1] is None):
            return None
        try:
            return self._with_key(b"", row[2])
        except DamagedFile:
            return None

    def _checked(self, part: str, blob: bytes | None, kind: DamageTexts) -> bytes | None:
        if blob is None:
            return None
        pem = self.seals.open(bytes(blob), place("account", self.directory, part))
        try:
            check_key(pem)
        except DamagedFile as fault:
            self._warn(part, kind, fault)
            return None
        return pem

    def _with_key(self, key: bytes, text: str | None) -> AccountData:
        if text is None:
            return AccountData(key_pem=key)
        try:
            return from_json(text.encode(), key, self.directory)
        except NewerSchema as error:
            raise damage.newer_schema(self.path, error.schema, SCHEMA) from None

    def _warn(self, part: str, kind: DamageTexts, fault: DamagedFile) -> None:
        warning = damaged_value(f"{self.path}.{part}", kind, str(fault))
        if self.context is not None:
            self.context.warn(warning.code, warning.message, warning.fix)
        else:
            _logger.warning("%s", warning.message)
