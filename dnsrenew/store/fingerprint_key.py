"""The random key of the fingerprints in ``state.json``: without it, nobody can try out secrets against them."""

from __future__ import annotations

import os
import threading
from typing import Final

from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.paths import Paths

_LENGTH: Final = 32
"""Bytes of the key; a file of any other size is replaced."""


class FingerprintKey:
    """``fingerprint.key`` in the store's folder; made when it is first needed. Thread-safe.

    A lost key costs little: each certificate that failed before is tried once without a wait, and each deployment with
    a secret is done once more.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths, folders: Directories) -> None:
        self._disk = disk
        self._path = paths.fingerprint_key
        self._folders = folders
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """Return the key.

        :raises StoreError: it can be neither read nor created.
        """
        with self._lock:
            key = self._disk.read(self._path)
            if key is None or len(key) != _LENGTH:
                self._folders.make_base()
                self._disk.write(self._path, os.urandom(_LENGTH), PRIVATE, sync=False)
                key = self._disk.read(self._path)  # another process may have been faster
            return key or b""
