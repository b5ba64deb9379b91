"""The store: certificates with their versions and states, accounts, locks (contract, section 5).

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

``current`` and ``state.json`` share an fsync: whichever of the two renames a power cut keeps, each names a complete
version, and :meth:`FolderStore.repair` makes them agree.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.store import damage, texts, zone_locks
from dnsrenew.store.account_files import AccountFiles
from dnsrenew.store.activation import Activation, StateFiles
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.paths import Paths, check_name, zone_key
from dnsrenew.store.protocol import Store, unchanged
from dnsrenew.store.state import Meta, State, issued_meta
from dnsrenew.store.versions import Versions, is_as_written

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base import x509
    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Certificate, CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.debts import DebtFiles
    from dnsrenew.store.deployment_files import DeploymentFiles, DiagnosisRecords, NotifiedRecords, UnfinishedRenames
    from dnsrenew.store.http_responses import HttpResponses
    from dnsrenew.store.interfaces import Journal, PendingOrders, SigningRequests
    from dnsrenew.store.ledger import Ledger
    from dnsrenew.store.protocol import ZonePurpose
    from dnsrenew.store.scheduled_runs import ScheduledRuns

Change = Callable[[State], State]
"""Returns the new state of a certificate from the old one."""


class FolderStore(Store):
    """A folder on disk. Thread-safe; the caller of a method that writes to a certificate holds its lock.

    :param path: the folder; it is created by the first write.
    :param insist: use it although others can change it.
    :param disk: the disk operations.
    :param windows: ``current`` is a folder with copies instead of a symbolic link.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        insist: bool = False,
        disk: AtomicFiles | None = None,
        windows: bool = os.name == "nt",
    ) -> None:
        self._paths = Paths(os.fspath(path))
        self._certificates = Path(self._paths.certificates)
        self._disk = disk or AtomicFiles()
        self._disk.root = self._paths.root
        self._disk.insist = insist
        self._folders = Directories(self._disk, self._paths)
        self._windows = windows
        self._states = StateFiles(self._disk, self._paths, self._folders, self._versions)
        self._fingerprint_key = FingerprintKey(self._disk, self._paths, self._folders)
        self._activation = Activation(self._disk, self._paths, self._states, self._versions, windows=windows)

    @property
    def path(self) -> Path:
        """The folder, absolute."""
        return Path(self._paths.root)

    @property
    def place(self) -> str:
        """See :attr:`Store.place`."""
        return self._paths.root

    @property
    def clock(self) -> Clock | None:
        """None: a folder has no clock that is better than that of this host."""
        return None

    # ── before a run ────────────────────────────────────────────────────────────────────

    def check_ground(self) -> None:
        """See :meth:`Store.check_ground`."""
        self._folders.check_ground()

    def only_read(self) -> None:
        """See :meth:`Store.only_read`: a folder that cannot be written can be read."""

    def close_root(self) -> None:
        """See :meth:`Store.close_root`."""
        self._folders.close_root()

    # ── before an order ─────────────────────────────────────────────────────────────────

    def prove_writable(self, name: str | None = None) -> None:
        """See :meth:`Store.prove_writable`."""
        self._folders.prove_writable(name, links=not self._windows)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """See :meth:`Store.lock`."""
        self._disk.refuse_links(self._paths.root, self._paths.state(name))
        return self._lock(f"certificate-{name}", texts.CERTIFICATE_LOCK.format(name=name), context, wait)

    def lock_zone(
        self, zone: str, *, context: Context, wait: float = 0, purpose: ZonePurpose = "zone"
    ) -> AbstractContextManager[None]:
        """See :meth:`Store.lock_zone`."""
        return self._lock(f"{purpose}-{zone_key(zone)}", texts.ZONE_LOCK.format(zone=zone.rstrip(".")), context, wait)

    def lock_names(
        self,
        identifiers: Collection[str],  # noqa: ARG002  # one machine alone uses a folder
        *,
        context: Context,  # noqa: ARG002
        wait: float = 0,  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """See :meth:`Store.lock_names`: the refusal of the CA keeps the few runs of one machine apart."""
        return contextlib.nullcontext()

    def _lock(self, name: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        self._folders.make_base()
        return zone_locks.hold(self._disk, self._paths.lock(name), what, wait=wait, context=context)

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def accounts(self, directory_url: str, ca_name: str, context: Context | None = None) -> AccountFiles:
        """See :meth:`Store.accounts`."""
        return AccountFiles(self._disk, self._paths, ca_name, directory_url, context=context)

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA directory: its limits and waits."""
        from dnsrenew.store.ledger import Ledger  # not needed while nothing is due
        from dnsrenew.store.ledger.ledger_file import LedgerFile

        place = LedgerFile(self._disk, self._paths, ca_name, directory_url)
        return Ledger.at(place, ca_name, directory_url, context)

    @property
    def journal(self) -> Journal:
        """The TXT values that are, or may be, in DNS."""
        from dnsrenew.store.journal import JournalFolder  # not needed while nothing is due

        return JournalFolder(self._disk, self._paths)

    @property
    def orders(self) -> PendingOrders:
        """The orders that are being finalized."""
        from dnsrenew.store.pending_orders import OrderFolders  # not needed while nothing is due

        return OrderFolders(self._disk, self._paths)

    @functools.cached_property
    def signing_requests(self) -> SigningRequests:
        """The requests for certificates of other issuers."""
        from dnsrenew.store.pending_orders import RequestFolders  # rarely needed

        return RequestFolders(self._disk, self._paths)

    @functools.cached_property
    def diagnoses(self) -> DiagnosisRecords:
        """The recorded diagnoses."""
        from dnsrenew.store.deployment_files import DiagnosisRecords  # rarely needed

        return DiagnosisRecords(DocumentFiles(self._disk, self._paths, "doctor.json"))

    @functools.cached_property
    def notified(self) -> NotifiedRecords:
        """Which messages were sent about the certificates."""
        from dnsrenew.store.deployment_files import NotifiedRecords

        return NotifiedRecords(DocumentFiles(self._disk, self._paths, "notified.json"))

    @property
    def scheduled(self) -> ScheduledRuns:
        """See :attr:`Store.scheduled`."""
        from dnsrenew.store.scheduled_runs import ScheduledRuns  # not needed by a program

        return ScheduledRuns(self._disk, self._paths, self._folders.check_ground)

    def deployment(self, name: str, entry: str) -> DeploymentFiles:
        """See :meth:`Store.deployment`."""
        from dnsrenew.store.deployment_files import DeploymentFiles  # not needed while nothing is deployed

        return DeploymentFiles(self._disk, self._paths, name, entry)

    def unfinished_renames(self) -> list[UnfinishedRenames]:
        """See :meth:`Store.unfinished_renames`."""
        from dnsrenew.store.deployment_files import unfinished_renames  # rarely needed

        return unfinished_renames(self._disk, self._paths)

    @functools.cached_property
    def debts(self) -> DebtFiles:
        """The programs ``after`` that runs owe."""
        from dnsrenew.store.debts import DebtFiles  # rarely needed

        return DebtFiles(self._disk, self._paths)

    def fingerprint_key(self) -> bytes:
        """See :meth:`Store.fingerprint_key`."""
        return self._fingerprint_key.read()

    @property
    def has_journal(self) -> bool:
        """See :meth:`Store.has_journal`."""
        try:
            return any(
                name.endswith((".json", ".lock", ".renames", ".after")) for name in os.listdir(self._paths.journal)
            )
        except FileNotFoundError:
            return False
        except OSError:
            return True  # cleanup will report the error

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the certificates in the store, sorted."""
        return sorted(self._paths.valid_names(self._disk.names(self._paths.certificates)))

    def read_state(self, name: str, *, quarantine: bool = True) -> State:
        """See :meth:`Store.read_state`."""
        return self._states.read(name, quarantine=quarantine)

    def is_whole(self, name: str, state: State) -> bool:
        """See :meth:`Store.is_whole`."""
        if state.version is None:
            return False
        return is_as_written(self._disk, f"{self._paths.certificate(name)}/versions/{state.version}/", state.sizes)

    def report_damage(self, name: str, state: State, context: Context) -> None:
        """See :meth:`Store.report_damage`."""
        if state.version is None:
            return
        for path, reason in self._versions(name).damaged(state.version, state.sizes):
            warning = damage.pending(path, texts.VERSION_DAMAGED, reason)
            context.warn(warning.code, warning.message, warning.fix)

    def quarantine_damaged(self, name: str, state: State) -> None:
        """Rename the damaged files of a version that is no longer in force, as far as possible."""
        if state.version is None:
            return
        with contextlib.suppress(StoreError):
            for path, _ in self._versions(name).damaged(state.version, state.sizes):
                if os.path.lexists(path):
                    damage.set_aside(self._disk, path)

    def current(self, name: str) -> Path:
        """Return the folder from which other programs read."""
        return self._certificates.joinpath(check_name(name), "current")

    def certificate(self, name: str, state: State) -> Certificate | None:
        """See :meth:`Store.certificate`."""
        return self._versions(name).certificate(name, state) if self.is_whole(name, state) else None

    def hold(self, certificate: Certificate) -> None:
        """See :meth:`Store.hold`."""
        from dnsrenew.store import versions  # only programs that go on running hold versions

        path = certificate.fullchain_path
        handle = None if path is None else versions.hold(os.path.dirname(path))
        if handle is not None:
            weakref.finalize(certificate, os.close, handle)

    def mark(self, name: str) -> object:
        """See :meth:`Store.mark`."""
        try:
            info = os.stat(self._paths.state(name))
        except OSError:
            return None
        return info.st_mtime_ns, info.st_ino, info.st_size

    @property
    def responses(self) -> HttpResponses:
        """See :attr:`Store.responses`."""
        from dnsrenew.store.http_responses import HttpResponses  # few programs serve them

        return HttpResponses(self._paths.responses)

    def read_chain(self, name: str, state: State) -> str | None:
        """See :meth:`Store.read_chain`."""
        data = self._read_part(name, state, "fullchain.pem")
        return None if data is None else data.decode("ascii", "replace")

    def read_private_key(self, name: str, state: State) -> bytes | None:
        """See :meth:`Store.read_private_key`."""
        return self._read_part(name, state, "privkey.pem")

    def _read_part(self, name: str, state: State, part: str) -> bytes | None:
        if state.version is None:
            return None
        return self._disk.read(f"{self._paths.certificate(name)}/versions/{state.version}/{part}")

    def read_current(self, name: str) -> bytes | None:
        """See :meth:`Store.read_current`."""
        return self._disk.read(str(self.current(name) / "fullchain.pem"))

    # ── writing; the certificate's lock is held ─────────────────────────────────────────

    def remove(self, name: str) -> None:
        """See :meth:`Store.remove`."""
        self._disk.remove(self._paths.certificate(name))
        self._disk.sync_folder(self._paths.certificates)

    def write_state(self, name: str, state: State) -> None:
        """See :meth:`Store.write_state`."""
        self._states.write(name, state)

    def update(self, name: str, change: Change, *, known: State | None = None, sync: bool = True) -> State:
        """See :meth:`Store.update`."""
        if known is None or (known.version is not None and self._disk.size(self._paths.state(name)) is None):
            known = self.read_state(name)
        state = change(known)
        self._states.write(name, state, sync=sync)
        return replace(state, rebuilt=False) if state.rebuilt else state  # as the next read finds it

    def is_by_hand(self, name: str, state: State) -> bool:
        """See :meth:`Store.is_by_hand`."""
        return self._versions(name).is_by_hand(state)

    def note_revocation(self, name: str, state: State) -> None:
        """See :meth:`Store.note_revocation`."""
        warning = self._versions(name).note_revocation(state)
        if warning is not None:
            self._states.report(name, warning)

    def keep(
        self,
        spec: CertificateSpec,
        ca: str,
        fullchain_pem: str,
        key_pem: bytes,
        facts: x509.CertificateFacts,
        *,
        state: State,
        remember: Change = unchanged,
    ) -> State:
        """See :meth:`Store.keep`."""
        from dnsrenew.base import x509  # slow to load; loaded before for a new certificate

        fullchain_pem = "".join(x509.split_chain(fullchain_pem))
        sizes = {"privkey.pem": len(key_pem), "fullchain.pem": len(fullchain_pem)}
        meta = issued_meta(spec, ca, facts, sizes, state)
        number = self.add_version(spec.name, fullchain_pem, key_pem, meta, state)
        return self.activate(spec.name, number, meta, state, remember=remember)

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """See :meth:`Store.add_version`."""
        self._folders.make_certificate(name)
        return self._versions(name).add(fullchain_pem, key_pem, meta, state)

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        """See :meth:`Store.activate`."""
        if self._windows:
            self.write_state(name, replace(state, switching=number))
        state = self._activation.activate(name, number, remember(state.renewed(number, meta)))
        self._versions(name).prune(number)
        return state

    def versions(self, name: str) -> dict[int, Meta]:
        """See :meth:`Store.versions`."""
        return self._versions(name).recorded()

    def repair(self, name: str, state: State, context: Context) -> bool:
        """See :meth:`Store.repair`."""
        try:
            if self._activation.find_inconsistency(name, state) is None:
                return False
            with self.lock(name, context=context):
                self._activation.repair(name)
        except (LockedError, StoreError, Cancelled):
            return False
        return True

    def _versions(self, name: str) -> Versions:
        return Versions(self._disk, self._paths.certificate(name), windows=self._windows)


# ── document files ─────────────────────────────────────────────────────────────────────

# Small files beside the state of a certificate, such as ``certificates/<name>/notified.json``.


class DocumentFiles:
    """One file for each certificate; the ``Documents`` of a folder.

    :param file: its name in the folder of a certificate.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths, file: str) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)
        self._file = file

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; one system call if there is none.

        :raises StoreError: it cannot be read.
        """
        return self._disk.read(self._path(name))

    def write(self, name: str, data: bytes) -> None:
        """Replace a file, atomically and durably.

        :raises StoreError: it cannot be written.
        """
        self._folders.make_certificate(name)
        self._disk.write(self._path(name), data, PRIVATE)

    def remove(self, name: str) -> None:
        """Remove a file, if there is one.

        :raises StoreError: it cannot be removed.
        """
        self._disk.remove(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._paths.certificate(name)}/{self._file}"


# ── fingerprint key ────────────────────────────────────────────────────────────────────

# The random key of the fingerprints in ``state.json``: without it, nobody can try out secrets against them.

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
