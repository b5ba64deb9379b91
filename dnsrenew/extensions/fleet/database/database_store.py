"""The store in a database: what :class:`~dnsrenew.store.folder_store.FolderStore` is in a folder.

A renewal of one certificate takes some 25 statements. All locks of the process are on one connection; what one of its
certificates writes has no effect once another process has taken the lock of that certificate.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from dnsrenew.base import x509
from dnsrenew.base.model.certificate import DatabaseCertificate
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.extensions.fleet.database import schema
from dnsrenew.extensions.fleet.database import texts as database_texts
from dnsrenew.extensions.fleet.database.accounts import AccountRow
from dnsrenew.extensions.fleet.database.certificate_rows import CertificateRows
from dnsrenew.extensions.fleet.database.documents import DocumentRows, DocumentTable, damaged_value
from dnsrenew.extensions.fleet.database.journal import JournalRows
from dnsrenew.extensions.fleet.database.ledger import LedgerRows
from dnsrenew.extensions.fleet.database.locks import LockSession
from dnsrenew.extensions.fleet.database.orders import DeploymentRows, OrderRows, RequestRows, unfinished_renames
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.store import json_files, texts
from dnsrenew.store.deployment_files import DiagnosisRecords, NotifiedRecords
from dnsrenew.store.http_responses import HttpResponses
from dnsrenew.store.ledger import Ledger
from dnsrenew.store.paths import account_label, check_name, zone_key
from dnsrenew.store.protocol import Store, unchanged
from dnsrenew.store.state import Meta, State, issued_meta

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Certificate, CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.seal import Seals
    from dnsrenew.store.deployment_files import UnfinishedRenames
    from dnsrenew.store.protocol import ZonePurpose

Change = Callable[[State], State]
_FINGERPRINT_KEY: Final = "fingerprint-key"
_LENGTH: Final = 32
"""Bytes of that key."""
_SHOWN_NAMES: Final = 3
"""Names of a set that messages show."""
_READ_SETTING: Final = "SELECT value FROM dnsrenew_setting WHERE name = %s"
_MAKE_SETTING: Final = "INSERT INTO dnsrenew_setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
# The row of this process: nobody else writes to it.
_PROVE: Final = """
, proof AS (UPDATE dnsrenew_holder SET since = since WHERE id = %(holder)s AND EXISTS (SELECT FROM fence))
SELECT EXISTS (SELECT FROM dnsrenew_seal WHERE id = %(seal)s) FROM fence
"""


class DatabaseStore(Store):
    """A PostgreSQL database. Thread-safe; it connects when it is first used.

    :param seals: private keys are sealed with the first one.
    :param worker: whether the process is a worker of a fleet.
    :ivar database: the connections.
    :ivar locks: the locks of this process.
    """

    def __init__(self, database: Database, seals: Seals, *, worker: bool = False) -> None:
        self.database = database
        self.seals = seals
        self.locks = LockSession(database, worker=worker)
        self._rows = CertificateRows(database, seals, self.locks, self.place)
        self._documents = DocumentTable(database, seals, self.locks)
        self._is_checked = False
        self._may_write = False
        weakref.finalize(self, _close, self.locks, database).atexit = False  # the system does it, without a wait

    def close(self) -> None:
        """Free all locks and close the connections; a later use connects again."""
        _close(self.locks, self.database)

    def end(self) -> None:
        """Close for ever: a call that is late cannot register this process again."""
        self.locks.end()
        self.close()

    @property
    def path(self) -> Path | None:
        """None: it is no folder."""
        return None

    @property
    def place(self) -> str:
        """See :attr:`Store.place`."""
        return self.database.address.url

    @property
    def clock(self) -> Clock | None:
        """See :attr:`Store.clock`."""
        return self.database.clock

    # ── before a run ────────────────────────────────────────────────────────────────────

    def check_ground(self) -> None:
        """See :meth:`Store.check_ground`; the tables and the seals are looked at once."""
        if not self._is_checked:
            schema.check(self.database, self.seals)
            self._is_checked = True

    def only_read(self) -> None:
        """See :meth:`Store.only_read`."""
        self.database.reads_only = True

    def close_root(self) -> None:
        """See :meth:`Store.close_root`: the roles of the database decide."""

    def prove_writable(self, name: str | None = None) -> None:
        """See :meth:`Store.prove_writable`; one statement, and one more the first time.

        The seals are looked at again if another process has sealed all values anew and has forgotten our first seal.
        """
        self.check_ground()
        if not self._may_write:
            check_rights(self.database)
            self._may_write = True
        key = "" if name is None else f"certificate-{check_name(name)}"
        given = {"holder": self.locks.holder, "seal": self.seals.ids[0]}
        for (is_noted,) in self.locks.run_fenced(key, _PROVE, given):
            if not is_noted:
                schema.check(self.database, self.seals)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """See :meth:`Store.lock`."""
        return self._lock(f"certificate-{check_name(name)}", texts.CERTIFICATE_LOCK.format(name=name), context, wait)

    def lock_zone(
        self, zone: str, *, context: Context, wait: float = 0, purpose: ZonePurpose = "zone"
    ) -> AbstractContextManager[None]:
        """See :meth:`Store.lock_zone`."""
        return self._lock(f"{purpose}-{zone_key(zone)}", texts.ZONE_LOCK.format(zone=zone.rstrip(".")), context, wait)

    def lock_names(
        self, identifiers: Collection[str], *, context: Context, wait: float = 0
    ) -> AbstractContextManager[None]:
        """See :meth:`Store.lock_names`."""
        names = sorted(set(identifiers))
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        key = f"same-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:32]}"
        return self._lock(key, f"set of domains {shown}", context, wait)

    def _lock(self, key: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        self.check_ground()
        return self.locks.hold(key, what, wait=wait, context=context)

    # ── the parts ───────────────────────────────────────────────────────────────────────

    def accounts(self, directory_url: str, ca_name: str, context: Context | None = None) -> AccountRow:
        """See :meth:`Store.accounts`."""
        label = account_label(ca_name, directory_url)
        return AccountRow(
            self.database, self.seals, self.locks, directory_url, label, f"{self.place} (account {label})", context
        )

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        """See :meth:`Store.ledger`."""
        path = f"{self.place} (ledger of {account_label(ca_name, directory_url)})"
        return Ledger.at(LedgerRows(self.database, directory_url, path), ca_name, directory_url, context)

    @functools.cached_property
    def journal(self) -> JournalRows:
        """See :attr:`Store.journal`."""
        return JournalRows(self.database, self.locks, self.place)

    @property
    def has_journal(self) -> bool:
        """See :attr:`Store.has_journal`."""
        return self.journal.has_left_over()

    @property
    def orders(self) -> OrderRows:
        """See :attr:`Store.orders`."""
        return OrderRows(self._documents, self.place)

    @property
    def signing_requests(self) -> RequestRows:
        """See :attr:`Store.signing_requests`."""
        return RequestRows(self._documents, self.place)

    @property
    def diagnoses(self) -> DiagnosisRecords:
        """See :attr:`Store.diagnoses`."""
        return DiagnosisRecords(DocumentRows(self._documents, "diagnoses"))

    @property
    def notified(self) -> NotifiedRecords:
        """See :attr:`Store.notified`."""
        return NotifiedRecords(DocumentRows(self._documents, "told"))

    @property
    def scheduled(self) -> None:
        """See :attr:`Store.scheduled`."""
        return None

    def deployment(self, name: str, entry: str) -> DeploymentRows:
        """See :meth:`Store.deployment`."""
        return DeploymentRows(self._documents, name, entry)

    def unfinished_renames(self) -> list[UnfinishedRenames]:
        """See :meth:`Store.unfinished_renames`: those of this machine."""
        return unfinished_renames(self._documents)

    @property
    def debts(self) -> None:
        """See :attr:`Store.debts`: there are none."""
        return None

    def fingerprint_key(self) -> bytes:
        """See :meth:`Store.fingerprint_key`; it is the same on all machines."""
        return self._fingerprint_key

    @functools.cached_property
    def _fingerprint_key(self) -> bytes:
        at = place("setting", _FINGERPRINT_KEY, "value")
        row = self.database.one(_READ_SETTING, (_FINGERPRINT_KEY,))
        if row is None:
            self.database.execute(_MAKE_SETTING, (_FINGERPRINT_KEY, self.seals.seal(os.urandom(_LENGTH), at)))
            row = self.database.one(_READ_SETTING, (_FINGERPRINT_KEY,))  # another process may have been faster
        return b"" if row is None else self.seals.open(bytes(row[0]), at)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """See :meth:`Store.names`."""
        return self._rows.names()

    def read_state(self, name: str, *, quarantine: bool = True) -> State:  # noqa: ARG002  # a damaged one stays
        """See :meth:`Store.read_state`."""
        return self._rows.state(name)

    def is_whole(self, name: str, state: State) -> bool:
        """See :meth:`Store.is_whole`."""
        return state.version is not None and not self._damage(name, state.version, state)

    def _damage(self, name: str, number: int, state: State) -> str:
        """Return what is wrong with a version; "" if nothing is."""
        lengths = self._rows.lengths(name, number)
        if lengths is None:
            return "it is missing"
        if not lengths.key:
            return "it has no private key"
        return (
            ""
            if lengths.chain and lengths.chain == state.sizes.get("fullchain.pem", lengths.chain)
            else (f"its chain has {lengths.chain} bytes instead of {state.sizes.get('fullchain.pem', 'more')}")
        )

    def report_damage(self, name: str, state: State, context: Context) -> None:
        """See :meth:`Store.report_damage`."""
        reason = "" if state.version is None else self._damage(name, state.version, state)
        if reason:
            path = self._rows.path(name, f"version {state.version}")
            warning = damaged_value(path, texts.VERSION_DAMAGED, reason)
            context.warn(warning.code, warning.message, warning.fix)

    def quarantine_damaged(self, name: str, state: State) -> None:
        """See :meth:`Store.quarantine_damaged`: a damaged version goes with the old ones."""

    def current(self, name: str) -> Path | None:
        """None: nobody reads from a folder."""
        check_name(name)
        return None

    def certificate(self, name: str, state: State) -> Certificate | None:
        """See :meth:`Store.certificate`."""
        if state.version is None or state.not_before is None or state.not_after is None:
            return None
        pair = self._rows.pair(name, state.version)
        if pair is None or len(pair[0]) != state.sizes.get("fullchain.pem", len(pair[0])):
            return None
        return DatabaseCertificate(
            name=name,
            domains=state.domains,
            issuer=state.issuer,
            serial=state.serial,
            not_before=state.not_before,
            not_after=state.not_after,
            pems=pair,
        )

    def hold(self, certificate: Certificate) -> None:
        """See :meth:`Store.hold`: the value has the PEM texts itself."""

    def mark(self, name: str) -> object:
        """See :meth:`Store.mark`; None if the database does not answer."""
        try:
            return self._rows.mark(name)
        except StoreError:
            return None

    @functools.cached_property
    def responses(self) -> HttpResponses:
        """See :attr:`Store.responses`: in a private folder of this process and of those that it forks."""
        folder = tempfile.mkdtemp(prefix="dnsrenew-http-01-")
        weakref.finalize(self, _remove_folder, folder, os.getpid())
        return HttpResponses(folder)

    def read_chain(self, name: str, state: State) -> str | None:
        """See :meth:`Store.read_chain`."""
        return None if state.version is None else self._rows.chain(name, state.version)

    def read_private_key(self, name: str, state: State) -> bytes | None:
        """See :meth:`Store.read_private_key`."""
        return None if state.version is None else self._rows.key(name, state.version)

    def read_current(self, name: str) -> bytes | None:
        """See :meth:`Store.read_current`: what servers of the fleet have."""
        chain = self._rows.newest_chain(name)
        return None if chain is None else chain.encode("ascii", "replace")

    # ── writing; the certificate's lock is held ─────────────────────────────────────────

    def remove(self, name: str) -> None:
        """See :meth:`Store.remove`."""
        self._rows.remove(name)

    def write_state(self, name: str, state: State) -> None:
        """See :meth:`Store.write_state`."""
        self._rows.write_state(name, state)

    def update(self, name: str, change: Change, *, known: State | None = None, sync: bool = True) -> State:  # noqa: ARG002  # always durable
        """See :meth:`Store.update`."""
        state = change(self.read_state(name) if known is None else known)
        self._rows.write_state(name, state)
        return state

    def is_by_hand(self, name: str, state: State) -> bool:
        """See :meth:`Store.is_by_hand`."""
        return state.version is not None and self._rows.ca(name, state.version) == ""

    def note_revocation(self, name: str, state: State) -> None:
        """See :meth:`Store.note_revocation`."""
        if state.version is not None:
            more = {"revoked": state.revoked, "compromised_keys": list(state.compromised_keys)}
            self._rows.note(name, state.version, json_files.dump(more).decode())

    def keep(
        self,
        spec: CertificateSpec,
        ca: str,
        fullchain_pem: str,
        key_pem: bytes,
        facts: x509.CertificateFacts,
        *,
        state: State,
        remember: Change = unchanged,
    ) -> State:
        """See :meth:`Store.keep`; two statements."""
        chain = "".join(x509.split_chain(fullchain_pem))
        meta = issued_meta(spec, ca, facts, {"privkey.pem": len(key_pem), "fullchain.pem": len(chain)}, state)
        number = self._rows.next_number(spec.name, state)
        new = remember(state.renewed(number, meta))
        self._rows.keep(spec.name, number, (chain, key_pem), meta, new)
        return replace(new, notices=self._rows.warnings(spec.name))

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """See :meth:`Store.add_version`."""
        number = self._rows.next_number(name, state)
        self._rows.add(name, number, (fullchain_pem, key_pem), meta, state.version)
        return number

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        """See :meth:`Store.activate`; one statement."""
        new = remember(state.renewed(number, meta))
        self._rows.activate(name, number, new)
        return replace(new, notices=self._rows.warnings(name))

    def versions(self, name: str) -> dict[int, Meta]:
        """See :meth:`Store.versions`; one statement."""
        return self._rows.versions(name)

    def repair(self, name: str, state: State, context: Context) -> bool:
        """See :meth:`Store.repair`: only a state that is damaged or gone is written anew."""
        if not state.rebuilt:
            return False
        try:
            with self.lock(name, context=context):
                found = self.read_state(name)
                if found.rebuilt and found.version is not None:
                    self._rows.activate(name, found.version, replace(found, rebuilt=False))
        except (LockedError, StoreError, Cancelled):
            return False
        return True


def _close(locks: LockSession, database: Database) -> None:
    locks.close()
    database.close()


def _remove_folder(folder: str, process: int) -> None:
    if os.getpid() == process:  # a fork ends earlier
        shutil.rmtree(folder, ignore_errors=True)


# ── rights ─────────────────────────────────────────────────────────────────────────────

# Whether the role of the configuration may write what a renewal writes: a right that is missing is found before it.

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


def check_rights(database: Database) -> None:
    """Return if all tables and sequences may be changed; one statement.

    :raises StoreError: ``store-refused``: one may not.
    """
    row = database.one(_LACKING)
    if row is not None:
        raise database.error(database_texts.NO_RIGHTS, reason=database_texts.RIGHT_MISSING.format(table=row[0]))
