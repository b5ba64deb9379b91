"""The other records of a store: deployments, messages, diagnoses, debts (programs to run), schedules.

Records of one certificate are documents. Ports and schedules belong to one machine, so their records are files.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from dnsrenew.base.files import undone
from dnsrenew.base.model import Notice, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files, os_errors, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import StoreFolder
from dnsrenew.store.texts import DamageTexts

_SCHEMA: Final = 1

# ── deployments ─────────────────────────────────────────────────────────────────────────


class SavedDeployment(Frozen):
    """The ``SavedFiles`` of one entry of ``deploy``; the caller holds the lock of the certificate.

    :ivar name: the name of the certificate.
    :ivar entry: the id of the entry.
    """

    documents: Documents
    name: str
    entry: str

    def begin(self) -> None:
        """Record the begin of a change of the target, and forget the data of an earlier completed change.

        If the earlier change did not end (its run was interrupted), its saved data stays until :meth:`keep`.

        :raises StoreError: the record cannot be written; change nothing.
        """
        if not self.is_begun:
            self.documents.remove(self.name, OLD_FILES + self.entry)
            self.documents.write(self.name, BEGUN + self.entry, b"")

    def end(self) -> None:
        """Record the end of the change: the target has the new certificate, or the old one again."""
        with contextlib.suppress(StoreError):
            self.documents.remove(self.name, BEGUN + self.entry)

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""
        return self.documents.read(self.name, BEGUN + self.entry) is not None

    def have_others_begun(self, known: Collection[str]) -> bool:
        """Return whether an entry that is no longer configured has begun a change that has not ended.

        :param known: the ids of the configured entries.
        """
        return any(kind.startswith(BEGUN) for kind in self._others(known))

    def forget_others(self, known: Collection[str]) -> None:
        """Remove the saved data of entries that are no longer configured, because it has private keys.

        :param known: the ids of the configured entries.
        """
        if others := self._others(known):
            self.documents.remove(self.name, *others)

    def _others(self, known: Collection[str]) -> list[str]:
        return [kind for kind in self.documents.deployed(self.name) if kind.partition(":")[2] not in known]

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target, by path. It replaces earlier saved data.

        A power cut may lose it. The server then starts again with its current files.

        :raises StoreError: the data cannot be written.
        """
        kind = OLD_FILES + self.entry
        if files:
            content = {path: base64.b64encode(data).decode("ascii") for path, data in files.items()}
            self.documents.write(self.name, kind, json_files.dump({"schema": _SCHEMA, "files": content}))
        else:
            self.documents.remove(self.name, kind)

    def kept(self) -> dict[str, bytes]:
        """Return the data that this change has saved; empty if it has saved nothing or the data is damaged.

        :raises StoreError: the data cannot be read.
        """
        files = _content(self.documents.read(self.name, OLD_FILES + self.entry), "files")
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            return {path: base64.b64decode(content, validate=True) for path, content in files.items()}
        return {}

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Record renames durably, before the first one.

        :raises StoreError: the record cannot be written; rename nothing.
        """
        data = json_files.dump({"schema": _SCHEMA, "renames": list(renames)})
        self.documents.write_renames(self.name, self.entry, data)

    def clear_renames(self) -> None:
        """Forget the renames, because they are done."""
        with contextlib.suppress(StoreError):
            self.documents.write_renames(self.name, self.entry, None)


def _content(data: bytes | None, field: str) -> Any:
    """Return a field of a document that is not essential, or None if the document is damaged."""
    with contextlib.suppress(DamagedFile, NewerSchema):
        return None if data is None else json_files.load(data, _SCHEMA).get(field)
    return None


class UnfinishedRenames(Frozen):
    """Renames that a deployment has recorded.

    :ivar name: the name of the certificate, whose lock is held during the renames.
    :ivar renames: pairs of a temporary file and its final path.
    :ivar forget: call this when they are done.
    """

    name: str
    renames: Sequence[tuple[str, str]]
    forget: Callable[[], None]


def renames_of(data: bytes) -> list[tuple[str, str]]:
    """Return stored renames; empty if they are damaged."""
    with contextlib.suppress(TypeError, ValueError):
        return [(str(temp), str(path)) for temp, path in _content(data, "renames")]
    return []


# ── messages ────────────────────────────────────────────────────────────────────────────

# The record of messages about a certificate, so that each change is sent once. It is written after a message was sent:
# after a crash in between, or if two runs find the same change within a second, it is sent twice, but never lost.


class Notified(Frozen, kw_only=True):
    """The messages that were sent about one certificate.

    :ivar failed: whether a message said that the renewal fails.
    :ivar expiring: the last warning about its expiry: 1 for a third of the lifetime left, 2 for a sixth, 0 without a
        warning.
    :ivar serial: the serial number of the certificate that ``expiring`` is about.
    :ivar deployments: deployments with a message about their failure, each with the serial number of the certificate.
    :ivar renewed: the serial number of the newest known certificate; "" without messages about renewals.
    """

    failed: bool = False
    expiring: int = 0
    serial: str = ""
    deployments: Mapping[str, str] = field(default_factory=dict)
    renewed: str = ""


class NotifiedRecords(Frozen):
    """One document for each certificate with sent messages. A damaged document counts as missing."""

    documents: Documents

    def read(self, name: str) -> Notified:
        """Return the record of the messages about a certificate, with one read.

        :raises StoreError: the record cannot be read.
        """
        data = self.documents.read(name, NOTIFIED)
        if data is None:
            return Notified()
        with contextlib.suppress(DamagedFile, NewerSchema):
            return Notified(**json_files.fields_of(Notified, json_files.load(data, _SCHEMA)))
        return Notified()

    def write(self, name: str, notified: Notified) -> None:
        """Replace the record atomically and durably. An empty record is removed.

        :raises StoreError: the record cannot be written.
        """
        if notified == Notified():
            self.documents.remove(name, NOTIFIED)
        else:
            self.documents.write(name, NOTIFIED, json_files.dump({"schema": _SCHEMA, **vars(notified)}))


# ── diagnosis records ──────────────────────────────────────────────────────────────────

# Recorded diagnoses of a certificate, oldest first, from ``doctor --record``.

_MOST: Final = 50
"""The number of records that are kept for a certificate."""

Record = Mapping[str, Any]
"""``time`` (RFC 3339), ``renewable``, and ``facts`` by the code of a check."""


class DiagnosisRecords(Frozen):
    """One document for each certificate. It is not essential, so a damaged document counts as empty."""

    documents: Documents

    def read(self, name: str) -> list[Record]:
        """Return the records of a certificate.

        :raises StoreError: the records cannot be read.
        """
        records = _content(self.documents.read(name, DIAGNOSES), "records")
        return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []

    def add(self, name: str, record: Record) -> None:
        """Add a record, and drop the oldest ones above the limit.

        :raises StoreError: the record cannot be written.
        """
        records = [*self.read(name), record][-_MOST:]
        self.documents.write(name, DIAGNOSES, json_files.dump({"schema": _SCHEMA, "records": records}))


# ── debts ───────────────────────────────────────────────────────────────────────────────

# Debts: programs ``after``, written down before ``before`` stops a server, and forgotten once it runs again.
#
# Each is a file ``journal/<number>.after``, so that a run needs only one look at the journal to find the debts of
# interrupted runs. A run holds the lock ``ports`` as long as it uses a port; until then, its program is not owed.

DEBT: Final = ".after"
TURN: Final = 600.0
"""Seconds that a renewal which may stop a server waits for the others, and that the others wait for it."""


class Debt(Frozen):
    """A debt: a program that a run must run before it ends.

    :ivar certificate: the certificate for which the port was used.
    :ivar since: when it was written down (RFC 3339).
    :ivar program: the program and its arguments at that time.
    """

    certificate: str
    since: str
    program: tuple[str, ...]

    @property
    def fields(self) -> dict[str, str]:
        """The fields for texts."""
        return {"name": self.certificate, "since": self.since, "command": shlex.join(self.program)}


class Debts(StoreFolder):
    """The debts of a store, or of a machine of a fleet: the ``after`` programs that interrupted runs owe."""

    def check_ground(self) -> None:
        """Refuse the folder if others can change it.

        In a fleet it may belong to the user of its workers instead of root.
        """
        with contextlib.suppress(OSError):
            info = os.stat(self._paths.root)
            if info.st_uid and info.st_uid != os.geteuid() and not self._disk.insist:
                raise os_errors.of_other_worker(self._paths.root, info)
        super().check_ground()

    def using_port(self, context: Context, wait: float) -> AbstractContextManager[None]:
        """Exclude other runs of this store from the use of ports.

        :param wait: seconds to wait for other runs.
        :raises LockedError: another run uses a port.
        :raises StoreError: the file of the lock cannot be created, or others can change the folder.
        """
        self.check_ground()
        return self.hold_lock("ports", texts.PORTS_LOCK.format(), context, wait)

    @contextlib.contextmanager
    def turn(self, context: Context, *, alone: bool, wait: float = 0, beside: float = TURN) -> Iterator[None]:
        """Let one that may stop a server be alone; see :meth:`dnsrenew.store.Store.turn`.

        :param beside: seconds that the others wait for it, at least.
        """
        wait = max(wait, TURN if alone else beside)
        lock = partial(self.hold_lock, what=texts.TURN_LOCK.format(), context=context, wait=wait, shared=not alone)
        with contextlib.ExitStack() as turn:
            try:
                self.check_ground()
                with lock("alone"):  # the door: while one waits to be alone, no other comes in
                    turn.enter_context(lock("working"))
            except StoreError:  # where nothing can be written, no job of this user is alone
                if alone:
                    raise
            yield

    def note(self, context: Context, program: Sequence[str]) -> None:
        """Record a debt durably, with 2 fsyncs. The caller uses the port.

        :raises StoreError: the debt cannot be written; stop nothing.
        """
        about = {"schema": _SCHEMA, "certificate": context.certificate or "", "since": rfc3339(context.clock.now())}
        self._disk.write(self._path(program), json_files.dump({**about, "program": list(program)}), PRIVATE)
        self._disk.sync_folder(self._paths.journal)

    def forget(self, program: Sequence[str]) -> None:
        """Forget a program that has been run. No fsync is needed, because the server starts again after a power cut."""
        self._disk.discard(self._path(program))

    def owed(self) -> list[Debt]:
        """Return the readable debts of ended runs of any user, or an empty list while a run uses a port."""
        with contextlib.suppress(StoreError):
            if (paths := self.journal_files(DEBT)) and not zone_locks.is_held(self._paths.lock("ports")):
                return [debt for path in paths if (debt := self._read(path)) is not None]
        return []

    def written_down(self) -> list[Debt]:
        """Return all recorded debts to run them. The caller uses the port.

        :raises StoreError: a debt cannot be read, or another user wrote it.
        """
        for path in self.journal_files(DEBT):
            self._disk.refuse_foreign(path)
        return [debt for path in self.journal_files(DEBT) if (debt := self._read(path, self._disk)) is not None]

    def unreadable(self) -> list[str]:
        """Return the files of debts that are damaged or of a newer dnsrenew.

        :raises StoreError: the journal cannot be read.
        """
        return [path for path in self.journal_files(DEBT) if self._read(path) is None and os.path.exists(path)]

    def _read(self, path: str, disk: AtomicFiles | None = None) -> Debt | None:
        """Return a debt, of any user unless a disk is given; None if it is gone, damaged, or of a newer dnsrenew."""
        if disk is None:
            disk = copy.copy(self._disk)
            disk.insist = True  # root may see the debts of a worker, but does not run them
        try:
            data = json_files.read(disk, path)
            debt = Debt(**json_files.fields_of(Debt, {} if data is None else json_files.load(data, _SCHEMA)))
        except (DamagedFile, NewerSchema, StoreError):
            return None
        return debt if debt.program else None

    def _path(self, program: Sequence[str]) -> str:
        number = hashlib.sha256("\0".join(program).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return os.path.join(self._paths.journal, f"{number}{DEBT}")


# ── schedules ───────────────────────────────────────────────────────────────────────────

# When the schedule of a configuration last ran ``renew --scheduled``: ``scheduled.json`` in the folder of a store.
#
# A manual run is not recorded. Only a warning depends on the file: an unreadable one counts as missing,
# and write errors are ignored.

LONGEST: Final = timedelta(days=2)
"""The longest time between runs: a schedule runs four times a day, and at each start of the machine."""


class ScheduledRun(Frozen):
    """The record of a schedule.

    :ivar since: when it was installed; None if unknown.
    :ivar last: when it last ran; None if it has not run yet.
    """

    since: datetime | None = None
    last: datetime | None = None

    def is_missing(self, now: datetime) -> bool:
        """Return whether it should have run by now."""
        known = [time for time in (self.since, self.last) if time is not None]
        return bool(known) and now - max(known) > LONGEST


class ScheduledRuns(StoreFolder):
    """The runs of the schedules that use a store."""

    def read(self, config: Path) -> ScheduledRun:
        """Return the record of the schedule of a configuration."""
        return self._all().get(_key(config), ScheduledRun())

    def installed(self, config: Path, now: datetime) -> None:
        """Record that a schedule is installed."""
        self._write(self._all() | {_key(config): ScheduledRun(since=now)})

    def ran(self, config: Path, now: datetime) -> None:
        """Record a run."""
        found = self._all()
        before = found.get(_key(config), ScheduledRun())
        self._write(found | {_key(config): ScheduledRun(before.since, now)})

    def removed(self, config: Path) -> None:
        """Forget a schedule, so that its runs are no longer missed."""
        found = self._all()
        if found.pop(_key(config), None) is not None:
            self._write(found)

    def _all(self) -> dict[str, ScheduledRun]:
        with contextlib.suppress(StoreError, DamagedFile, NewerSchema):
            data = self._disk.read(self._paths.scheduled)
            schedules = json_files.table(json_files.load(data, _SCHEMA).get("schedules") if data else None)
            tables = {key: json_files.table(value) for key, value in schedules.items()}
            return {key: ScheduledRun(**json_files.fields_of(ScheduledRun, table)) for key, table in tables.items()}
        return {}

    def _write(self, found: dict[str, ScheduledRun]) -> None:
        plain = {
            key: {name: rfc3339(time) for name, time in vars(run).items() if time is not None}
            for key, run in found.items()
        }
        with contextlib.suppress(StoreError):  # the folder is missing or another user's, which the run reports
            self.check_ground()
            data = json_files.dump({"schema": _SCHEMA, "schedules": plain})
            self._disk.write(self._paths.scheduled, data, PRIVATE, sync=False)


def _key(config: Path) -> str:
    return os.path.realpath(config)


# ── index of due times ─────────────────────────────────────────────────────────────────

_LARGEST: Final = 1 << 28
"""In bytes. An index has about 300 for each certificate."""


class IndexFile(StoreFolder):
    """The file of :mod:`dnsrenew.renewal.due_index`, ``certificates/.due``, which cannot be a certificate's name."""

    def read(self) -> bytes:
        """Return its content, or nothing if it is missing, unreadable, or (without ``insist``) another user's."""
        with contextlib.suppress(StoreError):
            return self._disk.read(self._paths.due_index, _LARGEST) or b""
        return b""

    def write(self, data: bytes) -> None:
        """Replace the file if possible, and remove leftovers of interrupted writes."""
        with contextlib.suppress(StoreError, OSError):
            self._disk.write(self._paths.due_index, data, PRIVATE, sync=False)
            self.remove_stale_temp(self._paths.certificates, os.stat(self._paths.due_index).st_mtime)


# ── documents ──────────────────────────────────────────────────────────────────────────

# Small documents about a certificate, beside its state: the interface between their contents and their places.
#
# :mod:`.records` and :mod:`.pending_orders` know the contents. A folder has a file for each, or a folder of files; a
# database has a row for each.

NOTIFIED: Final = "told"
DIAGNOSES: Final = "diagnoses"
ORDER: Final = "order"
REQUEST: Final = "csr"
OLD_FILES: Final = "deploy:"
"""The old files of a target. The id of the entry of ``deploy`` follows."""
BEGUN: Final = "begun:"
"""The target of this entry is being changed."""
PARTS: Final = {ORDER: ("key.pem", "csr.der", "order.json"), REQUEST: ("key.pem", "csr.pem")}
"""Documents with several parts. Without the last part, the others count as removed."""


class Documents(Protocol):
    """The documents of all certificates, by kind. The caller of a write holds the lock of the certificate.

    Every method raises ``StoreError``: ``store-bad-name``, or an error of the disk or the database.
    """

    def read(self, name: str, kind: str) -> bytes | None:
        """Return a document, or None if it does not exist."""

    def write(self, name: str, kind: str, data: bytes) -> None:
        """Replace a document in one step. It is durable on return, except for a deployment's document."""

    def read_parts(self, name: str, kind: str) -> dict[str, bytes] | None:
        """Return the existing parts of a document, or None.

        :raises DamagedFile: the document is not from dnsrenew, or an order cannot be read, which costs only a new one.
        """

    def write_parts(self, name: str, kind: str, parts: Mapping[str, bytes]) -> None:
        """Replace a document with all its parts in one step, durably."""

    def set_aside(self, name: str, kind: str, damage: DamageTexts, reason: str) -> Notice:
        """Set a damaged document aside, and return the warning. The private key of an order is removed."""

    def remove(self, name: str, *kinds: str) -> None:
        """Remove existing documents."""

    def deployed(self, name: str) -> list[str]:
        """Return the kinds of the documents that entries of ``deploy`` have."""

    def made(self, name: str, kind: str) -> datetime | None:
        """Return when a document with parts was written, to the second, or None."""

    def write_renames(self, name: str, entry: str, renames: bytes | None) -> None:
        """Record the renames of an entry on this machine durably; None means that they are done."""

    def read_renames(self) -> list[tuple[str, str, bytes]]:
        """Return all recorded renames of this machine, with the names of certificate and entry."""


_FILES: Final = {NOTIFIED: "notified.json", DIAGNOSES: "doctor.json", ORDER: "order", REQUEST: "csr"}
_ENDS: Final = {OLD_FILES: ".json", BEGUN: ".begun"}
RENAMES: Final = ".renames"


class DocumentFiles(StoreFolder):
    """The ``Documents`` of a folder: in the folder of a certificate.

    Renames are in ``journal/<name>-<entry>.renames``, so that a run finds those of an interrupted run by reading only
    the journal's folder.
    """

    def read(self, name: str, kind: str) -> bytes | None:
        return self._disk.read(self._path(name, kind))

    def write(self, name: str, kind: str, data: bytes) -> None:
        path = self._path(name, kind)
        if is_deployed := ":" in kind:
            self._disk.ensure_folder(os.path.dirname(path))
        else:
            self.make_certificate(name)
        self._disk.write(path, data, PRIVATE, sync=not is_deployed)  # after a power cut, the server starts again

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

        For three parts, it takes 5 fsyncs: each part, their folder, its name.
        """
        folder = self.make_certificate(name)
        self._disk.remove_temp(folder)
        temp = self._disk.new_folder(folder)
        with undone(self._disk.discard, temp):
            modes = {"csr.pem": PUBLIC}
            self._disk.fill(temp, {part: (data, modes.get(part, PRIVATE)) for part, data in parts.items()})
            self.remove(name, kind)
            self._disk.rename(temp, self._path(name, kind))
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
        path = f"{self._path(name, kind)}{os.sep}{PARTS[kind][-1]}"
        if os.access(path, os.F_OK):  # an exception for each of ten thousand takes longer
            with contextlib.suppress(OSError):
                return datetime.fromtimestamp(int(os.lstat(path).st_mtime), UTC)
        return None

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
        if (file := _FILES.get(kind)) is None:
            what, colon, entry = kind.partition(":")
            file = os.path.join("deploy", entry + _ENDS[what + colon])
        return f"{self._paths.certificate(name)}{os.sep}{file}"
