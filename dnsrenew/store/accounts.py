"""The account at one CA directory: its keys, its data and their files.

Only the key must not be lost, because the CA finds an account by its key (RFC 8555 section 7.3.1) and the data can be
restored.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from dnsrenew.base.model import Notice
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.store import json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths, StoreFolder
from dnsrenew.store.state import SCHEMA
from dnsrenew.store.texts import DamageTexts

WAIT: Final = 60.0
"""Seconds to wait for another run that creates the same account."""
KEY: Final = "key"
NEXT_KEY: Final = "next_key"
DATA: Final = "data"


class AccountPlace(Protocol):
    """The place of an account. Its parts are its key, its next key, and its data as JSON."""

    def lock(self, context: Context) -> AbstractContextManager[None]:
        """See :meth:`StoredAccount.lock`."""

    def read(self) -> Callable[[str], bytes | None]:
        """Return a function that returns a part, or None.

        :raises StoreError: a part cannot be read; the function raises it too, and ``DamagedFile`` if the part is not a
            file.
        """

    def restrict(self) -> None:
        """Remove the rights of other users to the parts."""

    def path(self, part: str) -> str:
        """Return the name of a part in messages."""

    def set_aside(self, part: str, damage: DamageTexts, reason: str) -> Notice:
        """Set a damaged part aside, and return the warning."""

    def write(self, account: AccountData, data: bytes) -> None:
        """Write the parts, keys first. The keys are durable on return."""

    def remove(self) -> None:
        """Remove the parts."""


class LostAccount(Frozen):
    """An account whose key is damaged or missing.

    :ivar url: its URL at the CA.
    :ivar key_path: the former path of its key.
    :ivar thumbprints: the known thumbprints of its keys (RFC 7638).
    """

    url: str
    key_path: str
    thumbprints: tuple[str, ...] = ()


class StoredAccount(Frozen):
    """The account at one CA directory: the ``AccountStore`` that the CA client uses.

    :ivar context: has the clock and the cancel event for a wait, and collects warnings about damage.
    """

    place: AccountPlace
    directory: str
    context: Context | None

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other runs and threads while an account is created; waits up to :data:`WAIT` seconds.

        :raises LockedError: another run holds the lock for longer.
        :raises StoreError: the account cannot be locked.
        """
        return self.place.lock(context or self.context or Context())

    def load(self) -> AccountData | None:
        """Return the account, or None if it does not exist. A damaged part is set aside, with a warning.

        :raises StoreError: the account cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """
        read = self.place.read()
        next_key = self._checked(read, NEXT_KEY, texts.ONE_KEY_DAMAGED)
        key = self._checked(read, KEY, texts.KEY_DAMAGED if next_key is None else texts.ONE_KEY_DAMAGED)
        if key is None:
            key, next_key = next_key, None
        if key is None:
            return None
        self.place.restrict()
        try:
            known = self._known(read)
        except DamagedFile as fault:
            self._set_aside(DATA, texts.ACCOUNT_DAMAGED, fault)
            known = AccountData(key)
        return replace(known, key_pem=key, next_key_pem=next_key)

    def lost(self) -> LostAccount | None:
        """Return the account if its key is damaged or missing; None if no account is known.

        :raises StoreError: as :meth:`load`.
        """
        if self.load() is not None:
            return None
        try:
            known = self._known(self.place.read())
        except DamagedFile:
            return None
        if known.url is None:
            return None
        found = known.data.get(THUMBPRINTS)
        thumbprints = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
        return LostAccount(known.url, self.place.path(KEY), tuple(thumbprints))

    def registered_url(self) -> str | None:
        """Return the URL of the account, or None if it is unknown. Only read, and repair nothing.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """
        try:
            read = self.place.read()
            return self._known(read).url if read(KEY) or read(NEXT_KEY) else None
        except DamagedFile:
            return None

    def save(self, account: AccountData) -> None:
        """Write the account, keys first. The keys are durable on return.

        An account whose key is the stored next key completes the rollover.

        :raises StoreError: the account cannot be written; the old one stays.
        """
        document = {**account.data, "schema": SCHEMA, "directory": self.directory}
        data = json_files.dump(document | {"url": account.url, "contact": list(account.contact)})
        self.place.write(account, data)

    def remove(self) -> None:
        """Remove an account that the CA has closed, but not its ledger. The caller holds the lock.

        :raises StoreError: the account cannot be removed.
        """
        self.place.remove()

    def _checked(self, read: Callable[[str], bytes | None], part: str, damage: DamageTexts) -> bytes | None:
        """Return a key; None if it does not exist, or was damaged and set aside."""
        from dnsrenew.base import x509  # slow to load; the caller needs it to sign anyway

        try:
            pem = read(part)
            if pem is not None:
                x509.key_from_pem(pem)
        except (DamagedFile, ValueError) as fault:
            self._set_aside(part, damage, fault if isinstance(fault, DamagedFile) else "it contains no private key")
            return None
        return pem

    def _known(self, read: Callable[[str], bytes | None]) -> AccountData:
        """Return the account without its keys.

        :raises DamagedFile: the file is not the data of an account at this directory.
        """
        data = read(DATA)
        if data is None:
            return AccountData(b"")
        try:
            document = json_files.load(data, SCHEMA)
        except NewerSchema as error:
            raise json_files.newer_schema(self.place.path(DATA), error.schema, SCHEMA) from None
        url, contact = json_files.string(document.pop("url", None)), json_files.strings(document.pop("contact", None))
        if document.pop("directory", self.directory) != self.directory:
            raise DamagedFile("it belongs to another CA")
        if url and self.directory.startswith("https:") and not url.startswith("https:"):  # its requests would go there
            raise DamagedFile("its URL is not encrypted (https)")
        return AccountData(b"", url or None, contact, document)

    def _set_aside(self, part: str, damage: DamageTexts, reason: object) -> None:
        warning = self.place.set_aside(part, damage, str(reason))
        if self.context is not None:
            self.context.warn_of(warning)
        else:
            logging.getLogger("dnsrenew.store").warning("%s", warning.message)


_FILES: Final = {NEXT_KEY: "key.next.pem", KEY: "key.pem", DATA: "account.json"}


class AccountFolder(StoreFolder):
    """The folder of one account, which has the files of the account and its ledger."""

    def __init__(self, disk: AtomicFiles, paths: Paths, ca: str, directory: str) -> None:
        super().__init__(disk, paths)
        self._folder = paths.account(ca, directory)
        self._name = os.path.basename(self._folder)

    def _write_unsynced(self, path: str, data: bytes) -> None:
        """Replace a file. Other processes may be writing in the folder, so only old temporary files are removed."""
        self._disk.write(path, data, PRIVATE, sync=False)
        written = self._disk.do("stat", path, lambda: os.lstat(path).st_mtime)
        self.remove_stale_temp(self._folder, written)


class AccountFiles(AccountFolder):
    """The files of one account.

    It takes 3 fsyncs before the account is requested (key, folder, the folder's entry), and no fsync once its URL is
    known. During a key rollover (RFC 8555 section 7.3.5), the new key is in ``key.next.pem`` and replaces ``key.pem``
    in one step.
    """

    def lock(self, context: Context) -> AbstractContextManager[None]:
        return self.hold_lock(f"account-{self._name}", texts.ACCOUNT_LOCK.format(name=self._name), context, WAIT)

    def path(self, part: str) -> str:
        return os.path.join(self._folder, _FILES[part])

    def read(self) -> Callable[[str], bytes | None]:
        for path in (self.path(DATA), self._paths.lock(f"account-{self._name}")):
            self._disk.refuse_links(self._paths.root, path)
        return lambda part: json_files.read(self._disk, self.path(part))

    def restrict(self) -> None:
        self._disk.ensure_folder(self._folder)
        for path in (*map(self.path, _FILES), self._paths.lock(f"account-{self._name}")):
            self._disk.restrict(path, PRIVATE)

    def set_aside(self, part: str, damage: DamageTexts, reason: str) -> Notice:
        return json_files.quarantine(self._disk, self.path(part), damage, reason)

    def write(self, account: AccountData, data: bytes) -> None:
        self.make_base()
        created = self._disk.ensure_folder(self._folder)
        new_key = self._write_keys(account)
        # No fsync: the CA finds the account by its key.
        self._write_unsynced(self.path(DATA), data)
        if new_key:
            self._disk.sync_folder(self._folder)
        if created:
            self._disk.sync_folder(os.path.dirname(self._folder))

    def remove(self) -> None:
        """Remove the keys first: without its key, the account counts as lost, and the next order creates a new one."""
        for part in _FILES:
            self._disk.remove(self.path(part))
        self._disk.sync_folder(self._folder)

    def _write_keys(self, account: AccountData) -> bool:
        """Write the keys that are not stored yet; return whether a file has changed."""
        stored, next_stored = self.path(KEY), self.path(NEXT_KEY)
        key, next_key = self._disk.read(stored), self._disk.read(next_stored)
        changed = key != account.key_pem
        if changed and next_key == account.key_pem:
            self._disk.rename(next_stored, stored)
            next_key = None
        elif changed:
            self._disk.write(stored, account.key_pem, PRIVATE)
        if next_key == account.next_key_pem:
            return changed
        if account.next_key_pem is None:
            self._disk.remove(next_stored)
        else:
            self._disk.write(next_stored, account.next_key_pem, PRIVATE)
        return True
