"""Certificate requests (CSR) for other issuers, each with its private key, until the certificate is installed.

The folder ``csr`` of a certificate is written as a temporary folder and renamed, so it is complete or missing.
The caller holds the certificate's lock.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import damage, texts
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.paths import Paths

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_FOLDER: Final = "csr"
_KEY: Final = "key.pem"
_CSR: Final = "csr.pem"


class SigningRequest(Frozen, kw_only=True, hidden=("key_pem",)):
    """A certificate request with its key.

    :ivar csr_pem: the request.
    :ivar key_pem: its private key.
    :ivar names: the names that it asks for.
    :ivar kind: the kind of the key; None: one that the configuration has no name for.
    """

    csr_pem: str
    key_pem: bytes
    names: tuple[str, ...]
    kind: str | None


class RequestFolders:
    """The requests whose certificates are awaited, in folders.

    :param disk: the disk operations.
    :param paths: the paths of the store.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)

    def _path(self, name: str, file: str = "") -> str:
        return os.path.join(self._paths.certificate(name), _FOLDER, file).removesuffix(os.sep)

    def save(self, name: str, csr_pem: str, key_pem: bytes) -> None:
        """Store a request, and replace an earlier one; it is durable on return.

        :raises StoreError: it cannot be written; then the request must not be shown.
        """
        folder = self._folders.make_certificate(name)
        self._disk.remove_temp(folder)
        temp = self._disk.new_folder(folder)
        try:
            self._disk.create(os.path.join(temp, _KEY), key_pem, PRIVATE)
            self._disk.create(os.path.join(temp, _CSR), csr_pem.encode("ascii"), PUBLIC)
            self._disk.sync_folder(temp)
            self._disk.remove(self._path(name))
            self._disk.rename(temp, self._path(name))
        except BaseException:
            self._disk.discard(temp)
            raise
        self._disk.sync_folder(folder)

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None; takes one system call if there is none.

        A damaged one is renamed, with a warning.

        :raises StoreError: it cannot be read.
        """
        path = self._path(name)
        if not os.path.lexists(path):
            return None
        try:
            return self._read(name)
        except DamagedFile as fault:
            warning = damage.quarantine(self._disk, path, texts.CSR_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return None

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if there is none; one system call."""
        try:
            made = os.lstat(f"{self._paths.certificate(name)}{os.sep}{_FOLDER}{os.sep}{_CSR}").st_mtime
        except (OSError, StoreError):
            return None
        return datetime.fromtimestamp(int(made), UTC)

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """
        self._disk.discard(self._path(name))

    def _read(self, name: str) -> SigningRequest:
        path = self._path(name)
        if os.path.islink(path) or not os.path.isdir(path):
            raise DamagedFile("it is not a folder")
        self._disk.ensure_folder(path)
        self._disk.restrict(self._path(name, _KEY), PRIVATE)
        key_pem, csr = (self._disk.read(self._path(name, file)) or b"" for file in (_KEY, _CSR))
        return from_parts(csr, key_pem)


def from_parts(csr: bytes, key_pem: bytes) -> SigningRequest:
    """Return the request of a CSR and its key, both PEM.

    :raises DamagedFile: they do not belong together.
    """
    from dnsrenew.base import x509  # slow to load, and rarely needed

    csr_pem = csr.decode("ascii", "replace")
    try:
        found = x509.read_request(csr_pem, x509.key_from_pem(key_pem))
    except ValueError as error:
        raise DamagedFile(f"{_KEY} and {_CSR} do not belong together ({error})") from None
    return SigningRequest(csr_pem=csr_pem, key_pem=key_pem, names=found.names, kind=found.kind)
