"""The store: certificates with their versions and states, accounts, locks.

fsyncs, in order; a renewal takes 15, the first one with a new account and a new store 21:

==========================================  ==  =================================================
the store's own folder and its entry         2  once; one more for each created folder above it
a new account                                3  key, folder, the folder's entry
a new certificate                            1  the entry of its folder
the journal                                  2  the values to be written, the entry of their file
the order, before its CSR is sent            5  3 files, their folder, its name
a version                                    6  4 files, their folder, its number
``current`` and ``state.json``               2  state.json, and the folder that holds both
==========================================  ==  =================================================

``current`` and ``state.json`` share an fsync: whichever of the two renames a power cut keeps, each names a complete
version, and :meth:`FolderStore.repair` makes them agree.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base import extensions
from dnsrenew.store.accounts import AccountFiles
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.documents import RENAMES, DocumentFiles
from dnsrenew.store.folder_certificates import FolderCertificates
from dnsrenew.store.paths import Paths
from dnsrenew.store.protocol import Store
from dnsrenew.store.records import DEBT, Debts, ScheduledRuns

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.model import StoreAddress
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.http_responses import HttpResponses
    from dnsrenew.store.journal import JournalFolder
    from dnsrenew.store.ledger import Ledger

_KEY_BYTES: Final = 32
"""Of the key of the fingerprints; a file of any other size is replaced."""


class FolderStore(FolderCertificates):
    """A folder on disk. Thread-safe; the caller of a method that writes to a certificate holds its lock.

    :param path: the folder; it is created by the first write.
    :param insist: use it although others can change it.
    :param disk: the disk operations.
    :param windows: ``current`` is a folder with copies instead of a symbolic link.
    """

    path: Path
    debts: Debts
    scheduled: ScheduledRuns

    def __init__(
        self,
        path: Path | str,
        *,
        insist: bool = False,
        disk: AtomicFiles | None = None,
        windows: bool = os.name == "nt",
    ) -> None:
        paths, disk = Paths(os.fspath(path)), disk or AtomicFiles()
        disk.root, disk.insist = paths.root, insist
        super().__init__(disk, paths, windows=windows)
        self.path, self.place = Path(paths.root), paths.root
        self.documents = DocumentFiles(disk, paths)
        self.debts = Debts(disk, paths)
        self.scheduled = ScheduledRuns(disk, paths)
        self._guard = threading.Lock()

    # ── before a run ────────────────────────────────────────────────────────────────────

    def prove_writable(self, name: str | None = None) -> None:
        self.probe(name, links=not self._windows)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        self._disk.refuse_links(self._paths.root, self._paths.state(name))
        return super().lock(name, context=context, wait=wait)

    # ── what is kept besides certificates ───────────────────────────────────────────────

    def account_place(self, directory_url: str, ca_name: str) -> AccountFiles:
        return AccountFiles(self._disk, self._paths, ca_name, directory_url)

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        from dnsrenew.store.ledger import Ledger, LedgerFile  # not needed while nothing is due

        place = LedgerFile(self._disk, self._paths, ca_name, directory_url)
        return Ledger.at(place, ca_name, directory_url, context)

    @property
    def journal(self) -> JournalFolder:
        from dnsrenew.store.journal import JournalFolder  # not needed while nothing is due

        return JournalFolder(self._disk, self._paths)

    @property
    def has_journal(self) -> bool:
        try:
            return any(name.endswith((".json", ".lock", RENAMES, DEBT)) for name in os.listdir(self._paths.journal))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # cleanup will report the error

    def fingerprint_key(self) -> bytes:
        # A lost key costs little: each certificate that failed before is tried once without a wait, and each
        # deployment with a secret is done once more.
        path = self._paths.fingerprint_key
        with self._guard:
            key = self._disk.read(path)
            if key is None or len(key) != _KEY_BYTES:
                self.make_base()
                self._disk.write(path, os.urandom(_KEY_BYTES), PRIVATE, sync=False)
                key = self._disk.read(path)  # another process may have been faster
            return key or b""

    @property
    def responses(self) -> HttpResponses:
        from dnsrenew.store.http_responses import HttpResponses  # few programs serve them

        return HttpResponses(self._paths.responses)


# ── opening ─────────────────────────────────────────────────────────────────────────────


def open_store(
    address: Path | StoreAddress, *, insist: bool = False, seals: Callable[[], Sequence[bytes]] = tuple
) -> Store:
    """Return the store; nothing is read yet.

    :param insist: use a folder although others can change it.
    :param seals: called for a database: the keys that seal private keys there; the first one seals, all open.
    :raises ConfigError: a seal is not one; ``extension-missing``.
    :raises SecretError: a seal cannot be read.
    """
    if isinstance(address, Path):
        return FolderStore(address, insist=insist)
    for kind in extensions.plugged(lambda each: each.store):
        opened: Store = kind.open(address, seals)
        return opened
    raise extensions.missing("store", "fleet")


def has_store(folder: Path) -> bool:
    """Return whether a folder is a store that has been used."""
    paths = Paths(str(folder))
    return os.path.isdir(paths.accounts) or os.path.isdir(paths.certificates)
