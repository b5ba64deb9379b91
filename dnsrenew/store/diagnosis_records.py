"""Recorded diagnoses of a certificate, the oldest first: what ``doctor --record`` keeps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.store import json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths

_SCHEMA: Final = 1
_MOST: Final = 50
"""Records that are kept of a certificate."""

Record = Mapping[str, Any]
"""``time`` (RFC 3339), ``renewable``, and ``facts`` by the code of a check."""


class DiagnosisRecords:
    """One file for each certificate. Nothing depends on it, so a damaged one counts as empty."""

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)

    def read(self, name: str) -> list[Record]:
        """Return the records of a certificate.

        :raises StoreError: they cannot be read.
        """
        data = self._disk.read(self._path(name))
        if data is None:
            return []
        try:
            records = json_files.load(data, _SCHEMA).get("records")
        except (DamagedFile, NewerSchema):
            return []
        return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []

    def add(self, name: str, record: Record) -> None:
        """Keep one more record, and drop the oldest of many.

        :raises StoreError: it cannot be written.
        """
        records = [*self.read(name), record][-_MOST:]
        self._folders.make_certificate(name)
        self._disk.write(self._path(name), json_files.dump({"schema": _SCHEMA, "records": records}), PRIVATE)

    def _path(self, name: str) -> str:
        return os.path.join(self._paths.certificate(name), "doctor.json")
