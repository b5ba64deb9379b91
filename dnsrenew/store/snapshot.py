"""The files for a copy of a store, read while other processes may be writing.

No lock is taken, so that a copy does not disturb a run and works with a read-only store. It is still consistent,
because each file is replaced in one step, and a version never changes. For each certificate, the state is read first,
then the version that it names. If that version is gone by then, a renewal was faster, and the state is read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import StoreError
from dnsrenew.store import texts
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.folder_store import FolderStore
from dnsrenew.store.paths import FILES, META, Paths
from dnsrenew.store.state import State

STATE: Final = "state.json"
KEY: Final = "privkey.pem"
CSR: Final = ("csr/key.pem", "csr/csr.pem")
"""The key comes first. It is read again after the request, to check that both belong together."""
_ACCOUNT: Final = ("key.next.pem", "key.pem", "account.json", "ledger.json")
"""The next key comes first. If it becomes the key in between, one of the two reads finds it."""
_RECORDS: Final = ("notified.json", "doctor.json")
_PRIVATE: Final = frozenset({"key.next.pem", "key.pem", KEY, *CSR, "fingerprint.key"})
_TRIES: Final = 5


class StoredFile(Frozen, hidden=("data",)):
    """A file of the store.

    :ivar name: its path in the store's folder, with slashes.
    :ivar private: whether it contains a private key, or is a damaged part without one.
    :ivar made: when it was written, for a certificate request only.
    """

    name: str
    data: bytes
    private: bool
    made: datetime | None = None


class CertificateFiles(Frozen):
    """The files of one certificate.

    :ivar state: the state as read.
    :ivar whole: whether the store has the version that the state names, with the right size; False without a version.
    """

    name: str
    state: State
    files: tuple[StoredFile, ...]
    whole: bool


class StoreSnapshot:
    """Reads the files of a store, one certificate or account at a time.

    :param path: the store's folder.
    :param insist: read it even if others can change it.
    :param disk: the disk operations.
    """

    def __init__(self, path: Path, *, insist: bool = False, disk: AtomicFiles | None = None) -> None:
        self._disk = disk or AtomicFiles()
        self._store = FolderStore(path, insist=insist, disk=self._disk)
        self._paths = Paths(str(path))

    def names(self) -> list[str]:
        """Return the names of the certificates, sorted.

        :raises StoreError: the store cannot be read, or others can change it.
        """
        self._store.check_ground()
        return self._store.names()

    def accounts(self) -> Iterator[list[StoredFile]]:
        """Yield the files of each account.

        :raises StoreError: an account cannot be read.
        """
        for folder in sorted(self._disk.names(self._paths.accounts)):
            if not folder.startswith("."):
                found = [self._file(f"accounts/{folder}/{file}", file) for file in _ACCOUNT]
                if files := [file for file in found if file is not None]:
                    yield files

    def others(self) -> list[StoredFile]:
        """Return the files that do not belong to an account or a certificate.

        :raises StoreError: a file cannot be read.
        """
        key = self._file("fingerprint.key", "fingerprint.key")
        return [] if key is None else [key]

    def certificate(self, name: str) -> CertificateFiles | None:
        """Return the state of a certificate, its current version and its other files; None if it is gone.

        :raises StoreError: a file cannot be read; ``store-vanished``: it is renewed repeatedly.
        """
        for _ in range(_TRIES):
            found = self._certificate(name)
            if found is not None:
                return found
            if not os.path.lexists(self._paths.certificate(name)):
                return None
        raise StoreError.of(texts.VANISHED, path=self._paths.certificate(name), errno="ENOENT")

    def unfinished(self) -> list[str]:
        """Return the names of the journal's entries, and of the certificates with an unfinished order."""
        journal = [name for name in self._disk.names(self._paths.journal) if name.endswith((".json", ".renames"))]
        orders = [name for name in self._store.names() if os.path.lexists(f"{self._paths.certificate(name)}/order")]
        return sorted({*(f"journal/{name}" for name in journal), *(f"certificates/{name}/order" for name in orders)})

    def _certificate(self, name: str) -> CertificateFiles | None:
        """Read a certificate; None if its version or request has changed since."""
        state = self._store.read_state(name, quarantine=False)
        whole = self._store.is_whole(name, state)
        folder = f"certificates/{name}"
        files = [StoredFile(f"{folder}/{STATE}", state.to_json(), private=False)]
        if whole:
            version = [self._file(f"{folder}/versions/{state.version}/{file}", file) for file in (*FILES, META)]
            if any(file is None for file in version[: len(FILES)]):
                return None
            files += [file for file in version if file is not None]
        request = [self._file(f"{folder}/{file}", file) for file in CSR]
        if request[0] != self._file(f"{folder}/{CSR[0]}", CSR[0]):
            return None
        if all(request):
            made = self._store.signing_requests.made(name)
            files += [replace(file, made=made) for file in request if file is not None]
        records = [self._file(f"{folder}/{file}", file) for file in _RECORDS]
        return CertificateFiles(name, state, (*files, *(file for file in records if file is not None)), whole)

    def _file(self, name: str, kind: str) -> StoredFile | None:
        path = os.path.join(self._paths.root, *name.split("/"))
        self._disk.refuse_links(self._paths.root, path)
        data = self._disk.read(path)
        return None if data is None else StoredFile(name, data, kind in _PRIVATE)
