"""The account at one CA directory: its key and its data.

Only ``key.pem`` must not be lost: the CA finds an account by its key (RFC 8555 section 7.3.1), so ``account.json`` can
be restored. Therefore 3 fsyncs before the account is requested (key, folder, the folder's entry), and none once its URL
is known. During a key rollover (RFC 8555 section 7.3.5), the new key is in ``key.next.pem`` and replaces ``key.pem`` in
one step.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from dnsrenew.base.model.certificate import AccountData
from dnsrenew.base.runtime.context import Context as AnyContext
from dnsrenew.base.values import replace
from dnsrenew.store import damage, json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.interfaces import WAIT, LostAccount, check_key, from_json, lost_account, to_json
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import SCHEMA

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.paths import Paths
    from dnsrenew.store.texts import DamageTexts


class AccountFiles:
    """The files of one account: the ``AccountStore`` that the CA client uses.

    :param context: gives the clock and the cancel event for a wait, and takes warnings about damaged files.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        paths: Paths,
        ca: str,
        directory: str,
        *,
        context: Context | None = None,
    ) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)
        self._directory = directory
        self._context = context
        self._folder = paths.account(ca, directory)
        self._name = os.path.basename(self._folder)
        self._lock_path = paths.lock(f"account-{self._name}")
        self._key = os.path.join(self._folder, "key.pem")
        self._next_key = os.path.join(self._folder, "key.next.pem")
        self._json = os.path.join(self._folder, "account.json")

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other runs and threads while an account is created; waits up to :data:`WAIT` seconds.

        :raises LockedError: another run holds the lock for longer.
        :raises StoreError: the file of the lock cannot be created.
        """
        self._folders.make_base()
        return zone_locks.hold(
            self._disk,
            self._lock_path,
            texts.ACCOUNT_LOCK.format(name=self._name),
            wait=WAIT,
            context=context or self._context or AnyContext(),
        )

    def load(self) -> AccountData | None:
        """Return the account, or None if there is none; a damaged file is renamed, with a warning.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """
        for path in (self._json, self._lock_path):
            self._disk.refuse_links(self._paths.root, path)
        next_key = self._read_key(self._next_key, texts.ONE_KEY_DAMAGED)
        key = self._read_key(self._key, texts.KEY_DAMAGED if next_key is None else texts.ONE_KEY_DAMAGED)
        if key is None:
            key, next_key = next_key, None
        if key is None:
            return None
        self._disk.ensure_folder(self._folder)  # makes it private, as the lines below do for the files
        for path in (self._json, self._lock_path):
            self._disk.restrict(path, PRIVATE)
        try:
            return replace(self._with_key(key), next_key_pem=next_key)
        except DamagedFile as fault:
            self._quarantine(self._json, texts.ACCOUNT_DAMAGED, str(fault))
        return AccountData(key_pem=key, next_key_pem=next_key)

    def lost(self) -> LostAccount | None:
        """Return the account if its key is damaged or gone; None if there is none, or nothing is known of it.

        :raises StoreError: as :meth:`load`.
        """
        if self.load() is not None:
            return None
        try:
            known = self._with_key(b"")
        except DamagedFile:
            return None
        return lost_account(known, self._key)

    def registered_url(self) -> str | None:
        """Return the URL of the account, or None if none is known; read only, so that nothing is repaired.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """
        if not any(os.path.lexists(path) for path in (self._key, self._next_key)):
            return None
        try:
            return self._with_key(b"").url
        except DamagedFile:
            return None

    def _read_key(self, path: str, kind: DamageTexts) -> bytes | None:
        try:
            key = json_files.read(self._disk, path)
            if key is None:
                return None
            check_key(key)
        except DamagedFile as fault:
            self._quarantine(path, kind, str(fault))
            return None
        self._disk.restrict(path, PRIVATE)
        return key

    def _with_key(self, key: bytes) -> AccountData:
        data = json_files.read(self._disk, self._json)
        if data is None:
            return AccountData(key_pem=key)
        try:
            return from_json(data, key, self._directory)
        except NewerSchema as error:
            raise damage.newer_schema(self._json, error.schema, SCHEMA) from None

    def save(self, account: AccountData) -> None:
        """Write the account, its keys first; the keys are durable on return.

        An account whose key is the stored next key completes the rollover.

        :raises StoreError: it cannot be written; the old files stay.
        """
        self._folders.make_base()
        created = self._disk.ensure_folder(self._folder)
        new_key = self._save_keys(account)
        # No fsync: the CA finds the account by its key.
        self._disk.write(self._json, to_json(account, self._directory), PRIVATE, sync=False)
        if new_key:
            self._disk.sync_folder(self._folder)
        if created:
            self._disk.sync_folder(os.path.dirname(self._folder))
        written = self._disk.do("stat", self._json, lambda: os.lstat(self._json).st_mtime)
        self._folders.remove_stale_temp(self._folder, written)  # the ledger has its own lock

    def remove(self) -> None:
        """Remove the account, for one that the CA has closed; the caller holds the lock. The ledger stays.

        The keys go first: without its key the account counts as lost, and the next order creates a new one.

        :raises StoreError: a file cannot be removed.
        """
        for path in (self._next_key, self._key, self._json):
            self._disk.remove(path)
        self._disk.sync_folder(self._folder)

    def _save_keys(self, account: AccountData) -> bool:
        """Write the keys that are not stored yet; tell whether anything changed."""
        key, next_key = self._disk.read(self._key), self._disk.read(self._next_key)
        changed = key != account.key_pem
        if changed and next_key == account.key_pem:
            self._disk.rename(self._next_key, self._key)
            next_key = None
        elif changed:
            self._disk.write(self._key, account.key_pem, PRIVATE)
        if next_key == account.next_key_pem:
            return changed
        if account.next_key_pem is None:
            self._disk.remove(self._next_key)
        else:
            self._disk.write(self._next_key, account.next_key_pem, PRIVATE)
        return True

    def _quarantine(self, path: str, kind: DamageTexts, reason: str) -> None:
        warning = damage.quarantine(self._disk, path, kind, reason)
        if self._context is not None:
            self._context.warn(warning.code, warning.message, warning.fix)
        else:
            logging.getLogger("dnsrenew.store").warning("%s", warning.message)
