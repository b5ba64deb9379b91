"""The store: certificates with their versions and states, accounts, locks.

fsyncs, in order; a renewal takes 15, the first one with a new account and a new store 21:

==========================================  ==  =================================================
the store's own folder and its entry         2  once; one more for each created folder above it
a new account                                3  key, folder, the folder's entry
a new certificate                            1  the entry of its folder
the journal                                  2  the values to be written, the entry of their file
the order, before its CSR is sent            5  3 files, their folder, its name
a version                                    6  4 files, their folder, its number
``current`` and ``state.json``               2  state.json, and the folder that holds both
==========================================  ==  =================================================

``current`` and ``state.json`` share an fsync. A power cut may keep only one of the two renames, but each names a
complete version, and :meth:`FolderStore.repair` makes them agree.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from dnsrenew.base import extensions
from dnsrenew.base.files import undone
from dnsrenew.base.model import Certificate, Notice, StoreAddress
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files, os_errors, texts, versions
from dnsrenew.store.accounts import AccountFiles
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.journal import JournalFolder
from dnsrenew.store.json_files import DamagedFile, DamageReports, NewerSchema
from dnsrenew.store.ledger import Ledger, LedgerFile
from dnsrenew.store.paths import HttpResponses, Paths, StoreFolder, check_name
from dnsrenew.store.protocol import CHAIN, KEY, Change, Store, facts_of, unchanged
from dnsrenew.store.records import DEBT, RENAMES, Debts, DocumentFiles, IndexFile, ScheduledRuns
from dnsrenew.store.state import SCHEMA, Meta, State, lacks_key
from dnsrenew.store.versions import Versions, is_as_written
from dnsrenew.store.zone_locks import SharedLock

_WINDOWS: Final = os.name == "nt"
_KEY_BYTES: Final = 32
"""Bytes of the key of the fingerprints; a file of any other size is replaced."""


class FolderStore(StoreFolder, DamageReports, Store):
    """A folder on disk. Thread-safe; the caller of a method that writes to a certificate holds its lock.

    ``current`` and ``state.json`` name the current version of a certificate; :meth:`repair` makes them agree.

    :param path: the folder; it is created by the first write.
    :param insist: use it even if others can change it.
    :param disk: the disk operations.
    :param windows: ``current`` is a folder with copies instead of a symbolic link.
    """

    path: Path
    debts: Debts
    scheduled: ScheduledRuns
    due_index: IndexFile

    def __init__(
        self,
        path: Path | str,
        *,
        insist: bool = False,
        disk: AtomicFiles | None = None,
        windows: bool = os.name == "nt",
    ) -> None:
        paths, disk = Paths(os.fspath(path)), disk or AtomicFiles()
        disk.root, disk.insist = paths.root, insist
        StoreFolder.__init__(self, disk, paths)
        DamageReports.__init__(self)
        self._windows = windows
        self.path, self.place = Path(paths.root), paths.root
        self._certificates = Path(paths.certificates)
        self.documents, self.debts = DocumentFiles(disk, paths), Debts(disk, paths)
        self.scheduled, self.due_index = ScheduledRuns(disk, paths), IndexFile(disk, paths)
        self._alone = SharedLock(lambda context, _, wait: self.debts.turn(context, alone=True, wait=wait))
        self._guard = threading.Lock()

    def _versions(self, name: str) -> Versions:
        return Versions(self._disk, self._paths.certificate(name), windows=self._windows)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        return sorted(self._paths.valid_names(self._disk.names(self._paths.certificates)))

    def read_state(self, name: str, *, quarantine: bool = True) -> State:
        path = self._paths.state(name)
        try:
            data = json_files.read(self._disk, path)
            if data is None:
                return self._from_versions(name, repair=quarantine)
            state = State.from_json(data)
        except DamagedFile as fault:
            if not quarantine:
                state = self._from_versions(name, repair=False)
                pending = json_files.pending(path, texts.STATE_DAMAGED, str(fault))
                return replace(state, notices=(*state.notices, pending))
            self._disk.refuse_links(self._paths.root, path)
            self.report(name, json_files.quarantine(self._disk, path, texts.STATE_DAMAGED, str(fault)))
            return self._from_versions(name, repair=True)
        except NewerSchema as error:
            raise json_files.newer_schema(path, error.schema, SCHEMA) from None
        return replace(state, notices=self._warnings[name]) if name in self._warnings else state

    def _from_versions(self, name: str, *, repair: bool) -> State:
        versions = self._versions(name)
        pending: list[Notice] = []  # each reader reports the damage that is not repaired
        for number in reversed(versions.numbers()):
            meta, warning = versions.meta(number, repair=repair)
            if warning is not None and repair:
                self.report(name, warning)
            elif warning is not None:
                pending.append(warning)
            if meta is not None:
                notices = (*self.warnings(name), *pending)
                return replace(State().renewed(number, meta), rebuilt=True, notices=notices)
        return State(notices=self.warnings(name))

    def mark(self, name: str) -> object:
        try:
            info = os.lstat(self._paths.state(name))
        except OSError:
            return None
        return f"{info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino} {info.st_size}"

    def is_whole(self, name: str, state: State) -> bool:
        if state.version is None:
            return False
        return is_as_written(self._disk, f"{self._paths.certificate(name)}/versions/{state.version}/", state.sizes)

    def unreadable_key(self, name: str, state: State) -> StoreError | None:
        path = f"{self._paths.certificate(name)}/versions/{state.version}/{KEY}"
        with contextlib.suppress(OSError):  # no key, damage or a closed folder, which is reported elsewhere
            if getattr(os, "geteuid", int)() and os.stat(path):  # root can
                try:
                    open(path, "rb").close()
                except OSError as error:
                    return os_errors.translate(error, path, "read", self._paths.root)
        return None

    def report_damage(self, name: str, state: State, context: Context) -> None:
        for path, reason in self._damaged(name, state):
            context.warn_of(json_files.pending(path, texts.VERSION_DAMAGED, reason))

    def quarantine_damaged(self, name: str, state: State) -> None:
        with contextlib.suppress(StoreError):
            for path, _ in self._damaged(name, state):
                if os.path.lexists(path):
                    json_files.set_aside(self._disk, path)

    def _damaged(self, name: str, state: State) -> list[tuple[str, str]]:
        return [] if state.version is None else self._versions(name).damaged(state.version, state.sizes)

    def current(self, name: str) -> Path:
        return self._certificates.joinpath(check_name(name), "current")  # half the time of a new path

    def certificate(self, name: str, state: State) -> Certificate | None:
        if state.version is None or not self.is_whole(name, state) or (facts := facts_of(name, state)) is None:
            return None
        folder = Path(self._versions(name).path(state.version))
        return Certificate(
            **facts,
            path=self.current(name),
            certificate_path=folder / "cert.pem",
            chain_path=folder / "chain.pem",
            fullchain_path=folder / CHAIN,
            private_key_path=None if lacks_key(state.sizes) else folder / KEY,
        )

    def hold(self, certificate: Certificate) -> None:
        path = certificate.fullchain_path
        handle = None if path is None else versions.hold(os.path.dirname(path))
        if handle is not None:
            weakref.finalize(certificate, os.close, handle)

    def read_part(self, name: str, number: int | None, part: str) -> bytes | None:
        folder = "current" if number is None else f"versions/{number}"
        return self._disk.read(f"{self._paths.certificate(name)}/{folder}/{part}")

    def versions(self, name: str) -> dict[int, Meta]:
        versions = self._versions(name)
        found = {number: versions.recorded(number) for number in versions.numbers()}
        return {number: meta for number, meta in found.items() if meta is not None}

    def is_by_hand(self, name: str, state: State) -> bool:
        if state.version is None:
            return False
        meta, damaged = self._versions(name).meta(state.version, repair=False)
        return not (meta is None or damaged) and self._versions(name).is_by_hand(state.version)

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def remove(self, name: str) -> None:
        self._disk.remove(self._paths.certificate(name))
        self._disk.sync_folder(self._paths.certificates)

    def write_state(self, name: str, state: State, *, sync: bool = True) -> None:
        folder = self.make_certificate(name)
        self._disk.remove_temp(folder)
        self._disk.write(self._paths.state(name), state.to_json(), PRIVATE, sync=sync)
        if sync:
            self._disk.sync_folder(folder)

    def update(self, name: str, change: Change, *, known: State | None = None, sync: bool = True) -> State:
        if known is not None and known.version is not None and self._disk.size(self._paths.state(name)) is None:
            known = None
        return super().update(name, change, known=known, sync=sync)

    def note_revocation(self, name: str, state: State) -> None:
        if state.version is None:
            return
        versions, number = self._versions(name), state.version
        meta, damaged = versions.meta(number, repair=True)
        if damaged is not None:
            self.report(name, damaged)
            if versions.meta(number, repair=False)[1]:
                return  # it is from a newer dnsrenew, or could not be set aside
        if meta is None:
            return
        if damaged and state.serial == meta.serial:  # the state has facts that the certificate lacks
            meta = replace(meta, **{name: getattr(state, name) for name in ("ca", "profile", "domains", "identifiers")})
        versions.write_meta(number, replace(meta, revoked=state.revoked, compromised_keys=state.compromised_keys))

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        self.make_certificate(name)
        return self._versions(name).add(fullchain_pem, key_pem, meta, state)

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        if self._windows:
            self.write_state(name, replace(state, switching=number))
        state = self._put_into_force(name, number, remember(state.renewed(number, meta)))
        self._versions(name).prune(number)
        return state

    def _put_into_force(self, name: str, number: int, state: State) -> State:
        """Switch ``current``, then state.json, whose new content is already on disk, so that a full disk stops both."""
        path = self._paths.state(name)
        self._disk.remove_temp(os.path.dirname(path))
        ready = self._disk.write_temp(path, state.to_json(), PRIVATE)
        with undone(self._disk.discard, ready):
            if not self._switch_current(name, number):
                self._disk.discard(ready)
                state = replace(state, switching=number)
                ready = self._disk.write_temp(path, state.to_json(), PRIVATE)
        self._disk.put(ready, path)
        self._disk.sync_folder(os.path.dirname(path))
        return replace(state, notices=self.warnings(name))

    def _switch_current(self, name: str, number: int) -> bool:
        try:
            foreign = self._versions(name).switch_current(number)
        except StoreError as error:
            if not self._windows:
                raise
            # A program has a file of `current` open: the version is current here, and the next run copies it.
            self.report(name, Notice(*texts.CURRENT_BEHIND.fill(path=self.current(name), cause=error.message)))
            return False
        if foreign is not None:
            copy = os.path.basename(foreign)
            self.report(name, Notice(*texts.CURRENT_REPLACED.fill(path=self.current(name), copy=copy)))
        return True

    # ── after a kill ────────────────────────────────────────────────────────────────────

    def is_consistent(self, name: str, state: State) -> bool:
        return self._inconsistent(name, state) is None

    def _inconsistent(self, name: str, state: State) -> int | None:
        """Return the version that should be current but is not everywhere; None if all is consistent."""
        versions, number = self._versions(name), state.version
        if state.switching is None and not state.rebuilt:
            if not number:
                return None
            if versions.current_is(number):
                return None if versions.has_parts(number, state.sizes) else number
        # An interrupted copy is continued if its version is complete.
        return next((n for n in (state.switching, state.version) if n and versions.is_complete(n)), None)

    def make_consistent(self, name: str) -> None:
        state = self.read_state(name)
        number = self._inconsistent(name, state)
        if number is None:  # another run has repaired it
            return
        if number != state.version:
            meta, warning = self._versions(name).meta(number, repair=True)
            if meta is None:
                return
            if warning is not None:
                self.report(name, warning)
            state = state.renewed(number, meta)
        for warning in self._versions(name).repair_parts(number):
            self.report(name, warning)
        self._put_into_force(name, number, replace(state, switching=None, rebuilt=False))

    # ── before a run ────────────────────────────────────────────────────────────────────

    def prove_writable(self, name: str | None = None) -> None:
        self.probe(name, links=not self._windows)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        self._disk.refuse_links(self._paths.root, self._paths.state(name))
        return super().lock(name, context=context, wait=wait)

    def turn(self, context: Context, *, alone: bool, wait: float = 0) -> AbstractContextManager[None]:
        """Take a turn; the threads of a run are alone together, because it stops a server once for all of them."""
        return self._alone.hold(context, "", wait) if alone else self.debts.turn(context, alone=False, wait=wait)

    # ── other data besides certificates ─────────────────────────────────────────────────────

    def account_place(self, directory_url: str, ca_name: str) -> AccountFiles:
        return AccountFiles(self._disk, self._paths, ca_name, directory_url)

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        place = LedgerFile(self._disk, self._paths, ca_name, directory_url)
        return Ledger.at(place, ca_name, directory_url, context)

    @property
    def journal(self) -> JournalFolder:
        return JournalFolder(self._disk, self._paths)

    @property
    def has_journal(self) -> bool:
        try:
            return any(name.endswith((".json", ".lock", RENAMES, DEBT)) for name in os.listdir(self._paths.journal))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # cleanup will report the error

    def fingerprint_key(self) -> bytes:
        # A lost key costs little: each certificate that failed before is tried once without a wait, and each
        # deployment with a secret is done once more.
        path = self._paths.fingerprint_key
        with self._guard:
            key = self._disk.read(path)
            if key is None or len(key) != _KEY_BYTES:
                self.make_base()
                self._disk.write(path, os.urandom(_KEY_BYTES), PRIVATE, sync=False)
                key = self._disk.read(path)  # another process may have been faster
            return key or b""

    @property
    def responses(self) -> HttpResponses:
        return HttpResponses(self._paths.responses)


# ── opening ─────────────────────────────────────────────────────────────────────────────


def open_store(
    address: Path | StoreAddress, *, insist: bool = False, seals: Callable[[], Sequence[bytes]] = tuple
) -> Store:
    """Return the store without reading it yet.

    :param insist: use a folder even if others can change it.
    :param seals: called for a database; returns the keys that seal private keys there. The first one seals, and all can
        open.
    :raises ConfigError: a seal is invalid; ``extension-missing``.
    :raises SecretError: a seal cannot be read.
    """
    if isinstance(address, Path):
        return FolderStore(address, insist=insist)
    for kind in extensions.plugged(lambda each: each.store):
        opened: Store = kind.open(address, seals)
        return opened
    raise extensions.missing("store", "fleet")


def has_store(folder: Path) -> bool:
    """Return whether a folder is a store that has been used."""
    paths = Paths(str(folder))
    return os.path.isdir(paths.accounts) or os.path.isdir(paths.certificates)
