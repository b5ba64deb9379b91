"""Recorded diagnoses of a certificate, the oldest first: what ``doctor --record`` keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from dnsrenew.store.parts import Documents

_SCHEMA: Final = 1
_MOST: Final = 50
"""Records that are kept of a certificate."""

Record = Mapping[str, Any]
"""``time`` (RFC 3339), ``renewable``, and ``facts`` by the code of a check."""


class DiagnosisRecords:
    """One document for each certificate. Nothing depends on it, so a damaged one counts as empty.

    :param documents: where they are.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def read(self, name: str) -> list[Record]:
        """Return the records of a certificate.

        :raises StoreError: they cannot be read.
        """
        data = self._documents.read(name)
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
        self._documents.write(name, json_files.dump({"schema": _SCHEMA, "records": records}))
