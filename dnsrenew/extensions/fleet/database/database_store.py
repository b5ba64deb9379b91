"""The store in a database, as :class:`~dnsrenew.store.folder_store.FolderStore` is in a folder.

A renewal of one certificate takes about 25 statements. All locks of the process are on one connection. Writes for a
certificate have no effect once another process has taken its lock.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.database import schema, texts
from dnsrenew.extensions.fleet.database.certificate_rows import CertificateRows
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.documents import AccountRow, DocumentTable, JournalRows
from dnsrenew.extensions.fleet.database.ledger import LedgerRows
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.extensions.fleet.database.seal import Seals, place
from dnsrenew.store.ledger import Ledger
from dnsrenew.store.paths import HttpResponses, account_label, check_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_FINGERPRINT_KEY: Final = "fingerprint-key"
_LENGTH: Final = 32
"""The length of that key in bytes."""
_SHOWN_NAMES: Final = 3
"""The number of names of a set that messages show."""
_BESIDE: Final = 0.5
"""Seconds that a job waits for one that is alone. After that, the job goes back for another machine.

Shorter than a reported wait.
"""
_READ_SETTING: Final = "SELECT value FROM dnsrenew_setting WHERE name = %s"
_MAKE_SETTING: Final = "INSERT INTO dnsrenew_setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
# The row of this process. No other process writes to it.
_PROVE: Final = """
, proof AS (UPDATE dnsrenew_holder SET since = since WHERE id = %(holder)s AND EXISTS (SELECT FROM fence))
SELECT EXISTS (SELECT FROM dnsrenew_seal WHERE id = %(seal)s) FROM fence
"""


class DatabaseStore(CertificateRows):
    """A PostgreSQL database. Thread-safe; it connects when it is first used.

    :param seals: the seals. The first one seals private keys.
    :param worker: whether the process is a worker of a fleet.
    :ivar database: the connections.
    :ivar locks: the locks of this process.
    """

    path = None

    def __init__(self, database: Database, seals: Seals, *, worker: bool = False) -> None:
        super().__init__()
        self.database, self.seals = database, seals
        self.place, self.clock = database.address.url, database.clock
        self.locks = LockSession(database, worker=worker)
        self.documents = DocumentTable(database, seals, self.locks, self.place)
        self._is_checked = self._may_write = False
        weakref.finalize(self, _close, self.locks, database).atexit = False  # the system does it, without a wait

    def close(self) -> None:
        """Free all locks and close the connections. A later use connects again."""
        _close(self.locks, self.database)

    def end(self) -> None:
        """Close permanently, so that a late call cannot register this process again."""
        self.locks.end()
        self.close()

    # ── before a run ────────────────────────────────────────────────────────────────────

    def check_ground(self) -> None:
        """Check the ground. The tables and the seals are checked once."""
        if not self._is_checked:
            schema.check(self.database, self.seals)
            self._is_checked = True

    def only_read(self) -> None:
        self.database.reads_only = True

    def prove_writable(self, name: str | None = None) -> None:
        """One statement, and one more the first time.

        The seals are checked again if another process has sealed all values anew and has forgotten our first seal.
        """
        self.check_ground()
        if not self._may_write:
            if (row := self.database.one(_LACKING)) is not None:
                raise self.database.error(texts.NO_RIGHTS, reason=texts.RIGHT_MISSING.format(table=row[0]))
            self._may_write = True
        key = "" if name is None else f"certificate-{check_name(name)}"
        given = {"holder": self.locks.holder, "seal": self.seals.ids[0]}
        for (is_noted,) in self.locks.run_fenced(key, _PROVE, given):
            if not is_noted:
                schema.check(self.database, self.seals)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock_names(
        self, identifiers: Collection[str], *, context: Context, wait: float = 0
    ) -> AbstractContextManager[None]:
        names = sorted(set(identifiers))
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        key = f"same-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:32]}"
        return self.hold_lock(key, f"set of domains {shown}", context, wait)

    def hold_lock(self, key: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        self.check_ground()
        return self.locks.hold(key, what, wait=wait, context=context)

    def turn(self, context: Context, *, alone: bool, wait: float = 0) -> AbstractContextManager[None]:
        """Each job has a turn of its own."""
        debts = self.debts
        return debts.turn(context, alone=alone, wait=wait, beside=_BESIDE) if debts else contextlib.nullcontext()

    # ── what is kept besides certificates ───────────────────────────────────────────────

    def account_place(self, directory_url: str, ca_name: str) -> AccountRow:
        label = account_label(ca_name, directory_url)
        return AccountRow(self.database, self.seals, self.locks, directory_url, label, self.place)

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        return Ledger.at(LedgerRows(self.database, directory_url), ca_name, directory_url, context)

    @functools.cached_property
    def journal(self) -> JournalRows:
        return JournalRows(self.database, self.locks, self.place)

    @property
    def has_journal(self) -> bool:
        return self.journal.has_left_over() or bool(self.debts and self.debts.owed())

    def fingerprint_key(self) -> bytes:
        """It is the same on all machines."""
        return self._fingerprint_key

    @functools.cached_property
    def _fingerprint_key(self) -> bytes:
        at = place("setting", _FINGERPRINT_KEY, "value")
        row = self.database.one(_READ_SETTING, (_FINGERPRINT_KEY,))
        if row is None:
            self.database.execute(_MAKE_SETTING, (_FINGERPRINT_KEY, self.seals.seal(os.urandom(_LENGTH), at)))
            row = self.database.one(_READ_SETTING, (_FINGERPRINT_KEY,))  # another process may have been faster
        return b"" if row is None else self.seals.open(bytes(row[0]), at)

    @functools.cached_property
    def responses(self) -> HttpResponses:
        """They are in a private folder of this process and of those that it forks."""
        folder = tempfile.mkdtemp(prefix="dnsrenew-http-01-")
        weakref.finalize(self, _remove_folder, folder, os.getpid())
        return HttpResponses(folder)


def _close(locks: LockSession, database: Database) -> None:
    locks.close()
    database.close()


def _remove_folder(folder: str, process: int) -> None:
    if os.getpid() == process:  # a fork ends earlier
        shutil.rmtree(folder, ignore_errors=True)


# ── rights ─────────────────────────────────────────────────────────────────────────────

# Whether the role of the configuration may write what a renewal writes. A missing right is found before the renewal.

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
