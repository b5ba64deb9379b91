"""The account at one CA directory: its key, and what the CA said of it.

``key.pem`` is all that counts: the CA finds an account by its key (RFC 8555 section 7.3.1), so
``account.json`` may be lost. That decides the fsyncs: 3 before the account is asked for (key,
folder, the folder's own entry), none once its URL is known. While the key is changed, the new one
stands beside it as ``key.next.pem``, and takes its place in one step.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import replace
from dnsrenew.model.account import AccountData
from dnsrenew.store import file_locks, json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.damage import newer_schema, set_aside
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import SCHEMA

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context
    from dnsrenew.store.paths import Paths

WAIT: Final = 60.0
"""Seconds to wait for another run that is making the same account."""
_TRIED: Final = "The key that was to take its place is tried."


class AccountFiles:
    """The store of one account: the ``AccountStore`` of the CA's side.

    :param context: whose clock and cancel event a wait for the lock heeds, and who is told of a damaged file.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        layout: Paths,
        ca: str,
        directory: str,
        *,
        context: Context | None = None,
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._folders = Directories(disk, layout)
        self._directory = directory
        self._context = context
        self._folder = layout.account(ca, directory)
        self._name = os.path.basename(self._folder)
        self._lock_path = layout.lock(f"account-{self._name}")
        self._key = os.path.join(self._folder, "key.pem")
        self._next_key = os.path.join(self._folder, "key.next.pem")
        self._json = os.path.join(self._folder, "account.json")

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other runs and threads while an account is made; waits up to :data:`WAIT` seconds.

        :raises LockedError: somebody else is at it for longer than that.
        :raises StoreError: the lock's file cannot be made.
        """
        from dnsrenew.runtime.context import Context as Anybody  # above us only in weight

        self._folders.make_base()
        return file_locks.hold(
            self._disk,
            self._lock_path,
            f"account {self._name}",
            wait=WAIT,
            context=context or self._context or Anybody(),
        )

    def load(self) -> AccountData | None:
        """Return the account, or None where there is none; what is damaged is set aside, and said.

        :raises StoreError: it cannot be read, or is of a later dnsrenew (``store-newer``).
        """
        for path in (self._json, self._lock_path):
            self._disk.inside(self._layout.root, path)
        next_key = self._read_key(self._next_key, "The other key is tried.")
        key = self._read_key(self._key, "A new account is made with a new key." if next_key is None else _TRIED)
        if key is None:
            key, next_key = next_key, None
        if key is None:
            return None
        self._disk.folder(self._folder)  # closes what stood open, as the others here
        for path in (self._json, self._lock_path):
            self._disk.close(path, PRIVATE)
        try:
            return replace(self._with_key(key), next_key_pem=next_key)
        except DamagedFile as damage:
            self._set_aside(self._json, str(damage), "The account is found again by its key.")
        return AccountData(key_pem=key, next_key_pem=next_key)

    def _read_key(self, path: str, then: str) -> bytes | None:
        try:
            key = json_files.read(self._disk, path)
            if key is None:
                return None
            if not _is_key(key):
                raise DamagedFile("it holds no private key")
        except DamagedFile as damage:
            self._set_aside(path, str(damage), then)
            return None
        self._disk.close(path, PRIVATE)
        return key

    def _with_key(self, key: bytes) -> AccountData:
        data = json_files.read(self._disk, self._json)
        if data is None:
            return AccountData(key_pem=key)
        try:
            form = json_files.load(data, SCHEMA)
        except NewerSchema as error:
            raise newer_schema(self._json, error.schema, SCHEMA) from None
        url, contact = json_files.text(form.pop("url", None)), json_files.texts(form.pop("contact", None))
        if form.pop("directory", self._directory) != self._directory:
            raise DamagedFile("it belongs to another CA")
        return AccountData(key_pem=key, url=url or None, contact=contact, data=form)

    def save(self, account: AccountData) -> None:
        """Write the account; its keys first, and durably before this returns.

        The next key becomes the key by being saved as it.

        :raises StoreError: it cannot be written; what stood there stands.
        """
        self._folders.make_base()
        made = self._disk.folder(self._folder)
        new_key = self._save_keys(account)
        form = {**account.data, "schema": SCHEMA, "directory": self._directory}
        form |= {"url": account.url, "contact": list(account.contact)}
        # By the key the CA finds all that it says: not worth an fsync.
        self._disk.write(self._json, json_files.dump(form), PRIVATE, sync=False)
        if new_key:
            self._disk.sync_folder(self._folder)
        if made:
            self._disk.sync_folder(os.path.dirname(self._folder))
        written = self._disk.do("stat", self._json, lambda: os.lstat(self._json).st_mtime)
        self._folders.sweep_shared(self._folder, written)  # the ledger is written here too, under a lock of its own

    def _save_keys(self, account: AccountData) -> bool:
        """Write the keys that are not there yet; tell whether anything changed."""
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

    def _set_aside(self, path: str, why: str, then: str) -> None:
        notice = set_aside(self._disk, path, why, then)
        if self._context is not None:
            self._context.warn(notice.code, notice.message, notice.fix)
        else:
            import logging  # not loaded only for this

            logging.getLogger("dnsrenew.store").warning("%s", notice.message)


def _is_key(pem: bytes) -> bool:
    from dnsrenew import x509  # slow to load; whoever asks for the account is about to sign with it

    try:
        x509.key_from_pem(pem)
    except ValueError:
        return False
    return True
