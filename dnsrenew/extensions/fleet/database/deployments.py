"""What a database keeps for the deployments of a certificate.

The old content of a target is the same for all machines. Renames are of files of one machine, which alone completes
them.
"""

from __future__ import annotations

import contextlib
import platform
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files
from dnsrenew.store.deployment_files import (
    UnfinishedRenames,
    files_from_json,
    files_to_json,
    renames_from_json,
    renames_to_json,
)
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dnsrenew.extensions.fleet.database.documents import DocumentTable

_SCHEMA: Final = 1
_OLD: Final = "deploy:"
_BEGUN: Final = "begun:"


class DeploymentRows(Frozen):
    """The ``SavedDeployment`` of one entry of a certificate."""

    documents: DocumentTable
    name: str
    entry: str

    def begin(self) -> None:
        """Note that the target is being changed, and forget what an earlier change that ended has saved.

        :raises StoreError: it cannot be written; change nothing.
        """
        if self.is_begun:
            return
        self.documents.remove(self.name, [_OLD + self.entry])
        self.documents.write(self.name, _BEGUN + self.entry, b"")

    def end(self) -> None:
        """Note that the change has ended: the target has the new certificate, or the old one again."""
        with contextlib.suppress(StoreError):
            self.documents.remove(self.name, [_BEGUN + self.entry])

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""
        return self.documents.made(self.name, _BEGUN + self.entry) is not None

    def have_others_begun(self, known: Collection[str]) -> bool:
        """Tell whether an entry that is not configured any more has begun a change that has not ended."""
        return any(kind.startswith(_BEGUN) for kind in self._others(known))

    def forget_others(self, known: Collection[str]) -> None:
        """Remove what is kept for entries that are not configured any more: it has private keys."""
        others = self._others(known)
        if others:
            self.documents.remove(self.name, others)

    def _others(self, known: Collection[str]) -> list[str]:
        kinds = self.documents.kinds(self.name)
        return [kind for kind in kinds if kind.startswith((_OLD, _BEGUN)) and kind.partition(":")[2] not in known]

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target; it replaces what was saved before.

        :raises StoreError: it cannot be written.
        """
        if files:
            self.documents.write(self.name, _OLD + self.entry, files_to_json(files))
        else:
            self.documents.remove(self.name, [_OLD + self.entry])

    def kept(self) -> dict[str, bytes]:
        """Return what this change has saved; empty if there was nothing, or it is damaged.

        :raises StoreError: it cannot be read.
        """
        data = self.documents.read(self.name, _OLD + self.entry)
        return {} if data is None else files_from_json(data)

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Write down renames before the first one, durably.

        :raises StoreError: it cannot be written; rename nothing.
        """
        _change_renames(self.documents, self.name, {self.entry: renames_to_json(renames).decode()})

    def clear_renames(self) -> None:
        """Forget the renames: they are done."""
        forget_renames(self.documents, self.name, self.entry)


# ── renames ─────────────────────────────────────────────────────────────────────────────


def renames_kind() -> str:
    """Return the kind of the documents with the renames of this machine."""
    return f"renames:{platform.node()}"


def unfinished_renames(documents: DocumentTable) -> list[UnfinishedRenames]:
    """See :meth:`dnsrenew.store.Store.unfinished_renames`: those of this machine."""
    return [
        UnfinishedRenames(name, renames_from_json(renames.encode()), partial(forget_renames, documents, name, entry))
        for name, data in documents.read_all(renames_kind())
        for entry, renames in _entries(data).items()
    ]


def forget_renames(documents: DocumentTable, name: str, entry: str) -> None:
    """Forget the renames of an entry, as far as possible."""
    with contextlib.suppress(StoreError):
        _change_renames(documents, name, {entry: None})


def _change_renames(documents: DocumentTable, name: str, changes: Mapping[str, str | None]) -> None:
    data = documents.read(name, renames_kind())
    entries: dict[str, str | None] = {**({} if data is None else _entries(data)), **changes}
    left = {entry: renames for entry, renames in entries.items() if renames is not None}
    if left:
        documents.write(name, renames_kind(), json_files.dump({"schema": _SCHEMA, "entries": left}))
    else:
        documents.remove(name, [renames_kind()])


def _entries(data: bytes) -> dict[str, str]:
    """Return the renames of each entry; none if they are damaged."""
    try:
        entries = json_files.load(data, _SCHEMA).get("entries")
    except (DamagedFile, NewerSchema):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {entry: renames for entry, renames in entries.items() if isinstance(renames, str)}
