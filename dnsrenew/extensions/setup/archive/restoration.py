"""Builds a store from the files of a :class:`~dnsrenew.store.snapshot.StoreSnapshot`.

Everything is first written to a temporary folder inside the store's folder. When all is on the disk, its parts are
renamed into place, so an earlier failure leaves nothing. An existing store is refused, not merged.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, Self

from dnsrenew.errors import StoreError
from dnsrenew.store import texts
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.os_errors import TEMP_PREFIX
from dnsrenew.store.paths import FILES, META, Paths, StoreFolder
from dnsrenew.store.versions import Versions

_PARTS: Final = ("accounts", "certificates", "fingerprint.key")
"""The parts to rename into place. The certificates come late, because they make it a store for its user."""
_ACCOUNT: Final = r"accounts/[a-z0-9_-]{1,80}/(?:key\.next\.pem|key\.pem|account\.json|ledger\.json)"
_CERTIFICATE: Final = (
    r"certificates/([a-z0-9._-]{1,64})/(?:state\.json|notified\.json|doctor\.json|csr/key\.pem|csr/csr\.pem|"
    rf"versions/[1-9][0-9]{{0,15}}/(?:{'|'.join(map(re.escape, (*FILES, META)))}))"
)
_NAME: Final = re.compile(rf"{_ACCOUNT}|{_CERTIFICATE}|fingerprint\.key")
_PUBLIC: Final = frozenset({"cert.pem", "chain.pem", "fullchain.pem", "csr.pem"})


def is_store_file(name: str) -> bool:
    """Return whether a snapshot can have a file with this path in the store's folder."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    with contextlib.suppress(StoreError):  # a name that Windows reserves
        return found[1] is None or bool(Paths(os.sep).certificate(found[1]))
    return False


class StoreBuilder:
    """Builds a store in a new place.

    Use it in a ``with`` block. After an exception, or without :meth:`finish`, no part of it stays.

    :param path: the store's folder; it may exist and be empty.
    :param insist: use it even if others can change it.
    :param disk: the disk operations.
    :param windows: ``current`` is a folder with copies instead of a symbolic link.
    :raises StoreError: ``restore-exists``, ``store-not-private``; or the store cannot be written.
    """

    def __init__(
        self, path: Path, *, insist: bool = False, disk: AtomicFiles | None = None, windows: bool = os.name == "nt"
    ) -> None:
        self._disk = disk or AtomicFiles()
        self._paths = Paths(str(path))
        self._disk.root, self._disk.insist = self._paths.root, insist
        self._windows = windows
        self._folders: set[str] = set()
        self._undo = contextlib.ExitStack()
        root = Path(self._paths.root)
        self._missing = [str(each) for each in (root, *root.parents) if not os.path.lexists(each)]
        self._temp = ""

    def __enter__(self) -> Self:
        folders = StoreFolder(self._disk, self._paths)
        folders.check_ground()
        names = self._disk.names(self._paths.root)
        found = sorted(name for name in names if name != "lost+found" and not name.startswith(TEMP_PREFIX))
        if found:
            raise StoreError.of(texts.STORE_EXISTS, path=self._paths.root, found=found[0])
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_folders)
            folders.make_base(close=False)
            for part in _PARTS[:2]:
                self._disk.remove(os.path.join(self._paths.root, part))
            self._temp = self._disk.new_folder(self._paths.root)
            undo.callback(self._disk.discard, self._temp)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _traceback: object) -> None:
        if kind is not None or self._temp:
            self._undo.close()

    def add(self, name: str, data: bytes, made: int | None = None) -> None:
        """Write a file.

        :param name: its path in the store's folder; see :func:`is_store_file`.
        :param made: when it was first written, in seconds since 1970; None for now.
        :raises StoreError: the file cannot be written.
        :raises ValueError: a store cannot have such a file.
        """
        if not is_store_file(name):
            raise ValueError(f"not a file of a store: {name!r}")
        path = os.path.join(self._temp, *name.split("/"))
        self._make_folders(os.path.dirname(path))
        mode = PUBLIC if os.path.basename(path) in _PUBLIC else PRIVATE
        self._disk.create(path, data, mode, sync=self._windows)
        if made is not None:
            self._disk.do("utime", path, partial(os.utime, path, (made, made)))

    def finish(self, in_force: Mapping[str, int]) -> None:
        """Put everything into place, durably. It stays if the ``with`` block ends without an exception.

        :param in_force: the version to which ``current`` of each certificate leads.
        :raises StoreError: the store cannot be written.
        """
        for name, version in in_force.items():
            folder = os.path.join(self._temp, "certificates", name)
            Versions(self._disk, folder, windows=self._windows).switch_current(version)
        for part in _PARTS[:2]:
            self._make_folders(os.path.join(self._temp, part))
        if hasattr(os, "sync"):  # one call for all, because 60,000 files would take as many fsyncs
            self._disk.do("fsync", self._paths.root, os.sync)
        for part in _PARTS:
            source, target = os.path.join(self._temp, part), os.path.join(self._paths.root, part)
            if os.path.lexists(source):
                self._disk.rename(source, target)
                self._undo.callback(self._disk.discard, target)
        self._disk.remove(self._temp)
        self._disk.sync_folder(self._paths.root)
        self._temp = ""

    def _remove_folders(self) -> None:
        """Remove the created folders if possible, and nothing of another process."""
        for each in (*self._paths.folders, *self._missing):
            with contextlib.suppress(OSError):  # another process has put a file there
                os.rmdir(each)

    def _make_folders(self, folder: str) -> None:
        missing = []
        while folder not in self._folders and folder != self._temp:
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            self._disk.ensure_folder(each)
            self._folders.add(each)
