"""What the store keeps for a deployment: the old files of its target, and renames under way.

The old files are in ``certificates/<name>/deploy/<id>.json``; beside it, ``<id>.begun`` is there while the target is
changed. Renames are in ``journal/<name>-<id>.renames``, so that a run sees with the one look at the journal whether a
killed run left any.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen, field
from dnsrenew.store import json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from dnsrenew.store.interfaces import Documents
    from dnsrenew.store.paths import Paths

_SCHEMA: Final = 1
RENAMES: Final = ".renames"
_OLD: Final = ".json"
_BEGUN: Final = ".begun"


class DeploymentFiles:
    """The files of one entry of a certificate; the caller holds the certificate's lock."""

    def __init__(self, disk: AtomicFiles, paths: Paths, name: str, entry: str) -> None:
        self._disk = disk
        self._folder = os.path.join(paths.certificate(name), "deploy")
        self._old = os.path.join(self._folder, f"{entry}{_OLD}")
        self._begun = os.path.join(self._folder, f"{entry}{_BEGUN}")
        self._journal = paths.journal
        self._renames = os.path.join(paths.journal, f"{name}-{entry}{RENAMES}")

    def begin(self) -> None:
        """Record that the target is being changed, and forget what an earlier change that ended has saved.

        After a change that did not end (the run was killed), what that one saved stays until :meth:`keep`.

        :raises StoreError: it cannot be written; change nothing.
        """
        if self.is_begun:
            return
        self._disk.remove(self._old)
        self._disk.ensure_folder(self._folder)
        self._disk.write(self._begun, b"", PRIVATE, sync=False)  # after a power cut the server starts anew

    def end(self) -> None:
        """Record that the change has ended: the target has the new certificate, or the old one again."""
        self._disk.discard(self._begun)

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""
        return self._disk.size(self._begun) is not None

    def have_others_begun(self, known: Collection[str]) -> bool:
        """Return whether an entry that is not configured any more has begun a change that has not ended.

        :param known: the ids of the entries that are configured.
        """
        return any(end == _BEGUN for _, end in self._others(known))

    def forget_others(self, known: Collection[str]) -> None:
        """Remove what is kept for entries that are not configured any more: it has private keys.

        :param known: the ids of the entries that are configured.
        """
        for one, end in self._others(known):
            self._disk.discard(os.path.join(self._folder, one + end))

    def _others(self, known: Collection[str]) -> list[tuple[str, str]]:
        names = [os.path.splitext(name) for name in self._disk.names(self._folder)]
        return [(one, end) for one, end in names if end in {_BEGUN, _OLD} and one not in known]

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target; it replaces what was saved before.

        A power cut may lose it: then the server starts anew, with what is in place.

        :raises StoreError: it cannot be written.
        """
        if not files:
            self._disk.remove(self._old)
            return
        self._disk.ensure_folder(self._folder)
        self._disk.write(self._old, files_to_json(files), PRIVATE, sync=False)

    def kept(self) -> dict[str, bytes]:
        """Return what this change has saved; empty if there was nothing, or it is damaged.

        :raises StoreError: it cannot be read.
        """
        data = self._disk.read(self._old)
        return {} if data is None else files_from_json(data)

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Write down renames before the first one, durably.

        :raises StoreError: it cannot be written; rename nothing.
        """
        self._disk.write(self._renames, renames_to_json(renames), PRIVATE)
        self._disk.sync_folder(self._journal)

    def clear_renames(self) -> None:
        """Forget the renames: they are done."""
        self._disk.discard(self._renames)


class UnfinishedRenames(Frozen):
    """Renames that a deployment has written down.

    :ivar name: the name of the certificate; its lock is held while they are under way.
    :ivar renames: pairs of a temporary file and its final path.
    :ivar forget: call it when they are done.
    """

    name: str
    renames: Sequence[tuple[str, str]]
    forget: Callable[[], None]


def unfinished_renames(disk: AtomicFiles, paths: Paths) -> list[UnfinishedRenames]:
    """See :meth:`dnsrenew.store.Store.unfinished_renames`."""
    found = []
    for name in disk.names(paths.journal):
        if name.endswith(RENAMES):
            path = os.path.join(paths.journal, name)
            certificate, _, _ = name.removesuffix(RENAMES).rpartition("-")
            renames = renames_from_json(disk.read(path) or b"")
            found.append(UnfinishedRenames(certificate, renames, partial(disk.discard, path)))
    return found


# ── their content ───────────────────────────────────────────────────────────────────────


def files_to_json(files: Mapping[str, bytes]) -> bytes:
    """Return the old content of a target, by path, as it is stored."""
    content = {path: base64.b64encode(data).decode("ascii") for path, data in files.items()}
    return json_files.dump({"schema": _SCHEMA, "files": content})


def files_from_json(data: bytes) -> dict[str, bytes]:
    """Return the old content of a target; empty if it is damaged."""
    try:
        files = json_files.load(data, _SCHEMA)["files"]
        return {path: base64.b64decode(content, validate=True) for path, content in files.items()}
    except (DamagedFile, KeyError, TypeError, ValueError, AttributeError):
        return {}


def renames_to_json(renames: Sequence[tuple[str, str]]) -> bytes:
    """Return renames as they are stored."""
    return json_files.dump({"schema": _SCHEMA, "renames": list(renames)})


def renames_from_json(data: bytes) -> list[tuple[str, str]]:
    """Return stored renames; empty if they are damaged."""
    try:
        renames = json_files.load(data, _SCHEMA)["renames"]
        return [(str(temp), str(path)) for temp, path in renames]
    except (DamagedFile, KeyError, TypeError, ValueError):
        return []


# ── notified ───────────────────────────────────────────────────────────────────────────

# The record of messages about a certificate, so that each change is sent once: ``certificates/<name>/notified.json``.
#
# It is written after a message was sent. A crash in between, or two runs that find the same change within a second,
# send it twice; nothing is lost.


class Notified(Frozen, kw_only=True):
    """Which messages were sent about one certificate.

    :ivar failed: whether a message said that the renewal fails.
    :ivar expiring: the last warning about its expiry: 1 for a third of the lifetime left, 2 for a sixth, 0 for none.
    :ivar serial: the serial number of the certificate that ``expiring`` is about.
    :ivar deployments: those with a message about their failure, each with the serial number of the certificate.
    :ivar renewed: the serial number of the newest certificate that is known; "" without messages about renewals.
    """

    failed: bool = False
    expiring: int = 0
    serial: str = ""
    deployments: Mapping[str, str] = field(default_factory=dict)
    renewed: str = ""


class NotifiedRecords:
    """One document for each certificate about which a message was sent. A damaged one counts as missing.

    :param documents: where they are.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def read(self, name: str) -> Notified:
        """Return which messages were sent about a certificate; one read.

        :raises StoreError: it cannot be read.
        """
        data = self._documents.read(name)
        if data is None:
            return Notified()
        try:
            return _parse(json_files.load(data, _SCHEMA))
        except (DamagedFile, NewerSchema):
            return Notified()

    def write(self, name: str, notified: Notified) -> None:
        """Replace the record, atomically and durably; one that says nothing is removed.

        :raises StoreError: it cannot be written.
        """
        if notified == Notified():
            self._documents.remove(name)
        else:
            self._documents.write(name, json_files.dump({"schema": _SCHEMA, **vars(notified)}))


def _parse(document: Mapping[str, Any]) -> Notified:
    deployments = document.get("deployments") or {}
    if type(deployments) is not dict:
        raise DamagedFile("the deployments are not an object")
    return Notified(
        failed=json_files.flag(document.get("failed")),
        expiring=json_files.count(document.get("expiring")),
        serial=json_files.string(document.get("serial")),
        deployments={key: json_files.string(serial) for key, serial in deployments.items()},
        renewed=json_files.string(document.get("renewed")),
    )


# ── diagnosis records ──────────────────────────────────────────────────────────────────

# Recorded diagnoses of a certificate, the oldest first: what ``doctor --record`` keeps.

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
