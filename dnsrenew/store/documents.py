"""Small documents about a certificate, beside its state: the seam between what they say and where they are.

:mod:`.records` and :mod:`.pending_orders` know what they say. A folder has a file for each, or a folder of files; a
database has a row for each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from dnsrenew.base.model import Notice
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.paths import StoreFolder
from dnsrenew.store.texts import DamageTexts

NOTIFIED: Final = "told"
DIAGNOSES: Final = "diagnoses"
ORDER: Final = "order"
REQUEST: Final = "csr"
OLD_FILES: Final = "deploy:"
"""The old files of a target; the id of the entry of ``deploy`` follows."""
BEGUN: Final = "begun:"
"""The target of this entry is being changed."""
PARTS: Final = {ORDER: ("key.pem", "csr.der", "order.json"), REQUEST: ("key.pem", "csr.pem")}
"""Documents of several parts. Without the last part the others count as removed."""


class Documents(Protocol):
    """The documents of all certificates, by kind. The caller of a write holds the lock of the certificate.

    Every method raises ``StoreError``: ``store-bad-name``, or what the disk or the database says.
    """

    def read(self, name: str, kind: str) -> bytes | None:
        """Return a document, or None."""

    def write(self, name: str, kind: str, data: bytes) -> None:
        """Replace a document in one step; it is durable on return, but that of a deployment."""

    def read_parts(self, name: str, kind: str) -> dict[str, bytes] | None:
        """Return the parts of a document, as far as they exist, or None.

        :raises DamagedFile: dnsrenew cannot have written it; or an order cannot be read, which costs only a new one.
        """

    def write_parts(self, name: str, kind: str, parts: Mapping[str, bytes]) -> None:
        """Replace a document with all its parts in one step, durably."""

    def set_aside(self, name: str, kind: str, damage: DamageTexts, reason: str) -> Notice:
        """Put away a damaged document, and return the warning. The private key of an order is removed."""

    def remove(self, name: str, *kinds: str) -> None:
        """Remove documents, as far as they exist."""

    def deployed(self, name: str) -> list[str]:
        """Return the kinds of the documents that entries of ``deploy`` have."""

    def made(self, name: str, kind: str) -> datetime | None:
        """Return when a document with parts was written, to the second, or None."""

    def write_renames(self, name: str, entry: str, renames: bytes | None) -> None:
        """Write down the renames of an entry on this machine, durably; None: they are done."""

    def read_renames(self) -> list[tuple[str, str, bytes]]:
        """Return all renames that this machine has written down, with the names of certificate and entry."""


_FILES: Final = {NOTIFIED: "notified.json", DIAGNOSES: "doctor.json", ORDER: "order", REQUEST: "csr"}
_ENDS: Final = {OLD_FILES: ".json", BEGUN: ".begun"}
RENAMES: Final = ".renames"


class DocumentFiles(StoreFolder):
    """The ``Documents`` of a folder: in the folder of a certificate.

    Renames are in ``journal/<name>-<entry>.renames``, so that a run sees with the one look at the journal whether a
    killed run left any.
    """

    def read(self, name: str, kind: str) -> bytes | None:
        return self._disk.read(self._path(name, kind))

    def write(self, name: str, kind: str, data: bytes) -> None:
        path = self._path(name, kind)
        if is_deployed := ":" in kind:
            self._disk.ensure_folder(os.path.dirname(path))
        else:
            self.make_certificate(name)
        self._disk.write(path, data, PRIVATE, sync=not is_deployed)  # after a power cut the server starts anew

    def read_parts(self, name: str, kind: str) -> dict[str, bytes] | None:
        path = self._path(name, kind)
        if not os.path.lexists(path):
            return None
        if os.path.islink(path) or not os.path.isdir(path):
            raise DamagedFile("it is not a folder")
        try:
            self._disk.ensure_folder(path)
            found = {part: self._disk.read(os.path.join(path, part)) for part in PARTS[kind]}
            for part in PARTS[kind][:-1]:
                self._disk.restrict(os.path.join(path, part), PRIVATE)
        except StoreError as error:
            if kind != ORDER or error.code == "store-not-private":
                raise
            raise DamagedFile(f"it cannot be read ({error.evidence.get('cause', error.code)})") from None
        return {part: data for part, data in found.items() if data is not None}

    def write_parts(self, name: str, kind: str, parts: Mapping[str, bytes]) -> None:
        """Write a temporary folder and rename it, so that the document is complete or missing.

        5 fsyncs for three parts: each of them, their folder, its name.
        """
        folder = self.make_certificate(name)
        self._disk.remove_temp(folder)
        temp = self._disk.new_folder(folder)
        try:
            for part, data in parts.items():
                self._disk.create(os.path.join(temp, part), data, PUBLIC if part == "csr.pem" else PRIVATE)
            self._disk.sync_folder(temp)
            self.remove(name, kind)
            self._disk.rename(temp, self._path(name, kind))
        except BaseException:
            self._disk.discard(temp)
            raise
        self._disk.sync_folder(folder)

    def set_aside(self, name: str, kind: str, damage: DamageTexts, reason: str) -> Notice:
        path = self._path(name, kind)
        if kind == ORDER and not os.path.islink(path):
            self._disk.discard(os.path.join(path, PARTS[kind][0]))
        return json_files.quarantine(self._disk, path, damage, reason)

    def remove(self, name: str, *kinds: str) -> None:
        for kind in kinds:
            path = self._path(name, kind)
            if kind in PARTS and os.path.isdir(path) and not os.path.islink(path):
                self._disk.discard(os.path.join(path, PARTS[kind][-1]))
            self._disk.remove(path)

    def deployed(self, name: str) -> list[str]:
        files = [os.path.splitext(file) for file in self._disk.names(f"{self._paths.certificate(name)}/deploy")]
        return [kind + entry for entry, found in files for kind, end in _ENDS.items() if found == end]

    def made(self, name: str, kind: str) -> datetime | None:
        try:
            made = os.lstat(os.path.join(self._path(name, kind), PARTS[kind][-1])).st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(int(made), UTC)

    def write_renames(self, name: str, entry: str, renames: bytes | None) -> None:
        path = os.path.join(self._paths.journal, f"{name}-{entry}{RENAMES}")
        if renames is None:
            self._disk.remove(path)
        else:
            self._disk.write(path, renames, PRIVATE)
            self._disk.sync_folder(self._paths.journal)

    def read_renames(self) -> list[tuple[str, str, bytes]]:
        found = []
        for path in self.journal_files(RENAMES):
            name, _, entry = os.path.basename(path).removesuffix(RENAMES).rpartition("-")
            found.append((name, entry, self._disk.read(path) or b""))
        return found

    def _path(self, name: str, kind: str) -> str:
        what, colon, entry = kind.partition(":")
        file = os.path.join("deploy", entry + _ENDS[what + colon]) if colon else _FILES[kind]
        return os.path.join(self._paths.certificate(name), file)
