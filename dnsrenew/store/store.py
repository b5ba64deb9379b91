"""The store: certificates with their versions and states, accounts, locks (contract, section 5).

fsyncs, in order; a renewal has 15, the first one with a new account and a new store 21:

==========================================  ==  =================================================
the store's own folder and its entry         2  once; one more for each folder above it that is made
a new account                                3  key, folder, the folder's entry
a new certificate                            1  the entry of its folder
the journal                                  2  the values that are about to be written, their file's entry
the order, before its CSR is sent            5  3 files, their folder, its name
a version                                    6  4 files, their folder, its number
``current`` and ``state.json``               2  state.json, and the folder that holds both
==========================================  ==  =================================================

``current`` and ``state.json`` share an fsync: whatever a power cut keeps of the two renames, each
names a version that is whole, and :meth:`Store.repair` brings them together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.store import damage, file_locks
from dnsrenew.store.account_files import AccountFiles
from dnsrenew.store.activation import Activation
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.paths import Paths, check_name
from dnsrenew.store.state import Meta, State
from dnsrenew.store.state_files import StateFiles
from dnsrenew.store.versions import Versions, is_as_written

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew import x509
    from dnsrenew.model import Certificate, CertificateSpec
    from dnsrenew.runtime.context import Context
    from dnsrenew.store.journal import Journal
    from dnsrenew.store.ledger import Ledger
    from dnsrenew.store.pending_orders import PendingOrders

Change = Callable[[State], State]
"""From what is known of a certificate to what will be."""


def _as_it_is(state: State) -> State:
    return state


class Store:
    """A folder on disk. Thread-safe; whoever writes to a certificate holds its lock.

    :param path: the folder; it is made when something is written.
    :param disk: how the disk is reached; tests count, fail and kill there.
    :param windows: whether ``current`` is a folder with copies instead of a symbolic link.
    """

    def __init__(self, path: Path | str, *, disk: AtomicFiles | None = None, windows: bool = os.name == "nt") -> None:
        self._layout = Paths(os.fspath(path))
        self._certificates = Path(self._layout.certificates)
        self._disk = disk or AtomicFiles()
        self._disk.root = self._layout.root
        self._folders = Directories(self._disk, self._layout)
        self._windows = windows
        self._states = StateFiles(self._disk, self._layout, self._folders, self._versions)
        self._force = Activation(self._disk, self._layout, self._states, self._versions, windows=windows)

    @property
    def path(self) -> Path:
        """The folder, absolute."""
        return Path(self._layout.root)

    # ── before anything ─────────────────────────────────────────────────────────────────

    def close_root(self) -> None:
        """Close the store to others where it stood open, as after a restore; three system calls.

        :raises StoreError: it is open, and cannot be closed.
        """
        self._folders.close_root()

    # ── before an order ─────────────────────────────────────────────────────────────────

    def prove_writable(self, name: str | None = None) -> None:
        """Write to the store and remove it again, so that nothing is ordered that could not be kept.

        :param name: the certificate that is about to be renewed; its lock is held.
        :raises StoreError: it cannot be written, is full, read-only, takes no symbolic links, or a file stands where a
            folder should be.
        """
        self._folders.prove_writable(name, links=not self._windows)

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude other runs and threads from a certificate.

        :param wait: seconds to wait for them; 0: not at all.
        :raises LockedError: ``locked``; evidence tells pid, host and since when.
        :raises StoreError: the lock's file cannot be made, or the name is bad.
        :raises Cancelled: called away while waiting.
        """
        self._disk.inside(self._layout.root, self._layout.state(name))
        return self._lock(f"certificate-{name}", f"certificate {name}", context, wait)

    def lock_zone(self, zone: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude other runs from a DNS zone, or a name, where the host keeps one value.

        :param wait: seconds to wait for them; 0: not at all.
        :raises LockedError: ``locked``; evidence tells pid, host and since when.
        :raises StoreError: the lock's file cannot be made.
        :raises Cancelled: called away while waiting.
        """
        return self._lock(f"zone-{self._layout.zone(zone)}", f"DNS zone {zone.rstrip('.')}", context, wait)

    @contextlib.contextmanager
    def lock_writing(self, zone: str, *, context: Context, wait: float = 0) -> Iterator[None]:
        """Exclude other runs from a DNS zone whose host takes one writer at a time, while it is written to.

        Who is next keeps those away that come later: a run that writes again and again lets others in between.
        Parameters and errors are those of :meth:`lock_zone`.
        """
        readable, what = self._layout.zone(zone), f"DNS zone {zone.rstrip('.')}"
        with contextlib.ExitStack() as held:
            with self._lock(f"next-{readable}", what, context, wait):
                held.enter_context(self._lock(f"writing-{readable}", what, context, wait))
            yield

    def _lock(self, name: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        self._folders.make_base()
        return file_locks.hold(self._disk, self._layout.lock(name), what, wait=wait, context=context)

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def accounts(self, directory_url: str, ca_name: str, context: Context | None = None) -> AccountFiles:
        """Return the store of the account at a CA directory.

        :param context: heeded while waiting for the account's lock, and told of a damaged file.
        """
        return AccountFiles(self._disk, self._layout, ca_name, directory_url, context=context)

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA directory: what can be known to refuse an order."""
        from dnsrenew.store.ledger import Ledger  # what is not due orders nothing

        return Ledger.at(self._disk, self._layout, ca_name, directory_url, context)

    @property
    def journal(self) -> Journal:
        """The TXT values that stand, or may stand, in DNS."""
        from dnsrenew.store.journal import Journal  # what is not due writes none

        return Journal(self._disk, self._layout)

    @property
    def orders(self) -> PendingOrders:
        """The orders that are being finalized."""
        from dnsrenew.store.pending_orders import PendingOrders  # what is not due orders nothing

        return PendingOrders(self._disk, self._layout)

    @property
    def has_journal(self) -> bool:
        """Whether any value is written down: of a run that lives, or of one that was killed. One system call.

        A run that was killed may have left the lock of an entry alone, which is tidied up with what is written down.
        """
        try:
            return any(name.endswith((".json", ".lock")) for name in os.listdir(self._layout.journal))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who knows: the sweep meets it again, and says it

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the certificates in the store, sorted."""
        return sorted(self._layout.fitting(self._disk.names(self._layout.certificates)))

    def read_state(self, name: str, *, aside: bool = True) -> State:
        """Return what is known of a certificate: the empty state where there is none.

        A damaged state.json is set aside, said in ``notices`` (as long as this store lives) and made anew
        from what stands.

        :param aside: whether to do so; False for who only looks: it stays, and this state has the notice.
        :raises StoreError: it cannot be read, is of a later dnsrenew (``store-newer``), or the name is bad.
        """
        return self._states.read(name, aside=aside)

    def is_whole(self, name: str, state: State) -> bool:
        """Tell whether the version in force is there, as far as two system calls can: the sizes of what others read.

        :raises StoreError: it may not be looked at; then nobody can tell.
        """
        if state.version is None:
            return False
        return is_as_written(self._disk, f"{self._layout.certificate(name)}/versions/{state.version}/", state.sizes)

    def report_damage(self, name: str, state: State, context: Context) -> None:
        """Say what is damaged, or gone, of the version in force: a new certificate is about to take its place.

        :raises StoreError: it may not be looked at.
        """
        if state.version is None:
            return
        for path, why in self._versions(name).damaged(state.version, state.sizes):
            notice = damage.damaged(path, why, "The certificate is renewed.")
            context.warn(notice.code, notice.message, notice.fix)

    def set_damaged_aside(self, name: str, state: State) -> None:
        """Set aside what is damaged of a version that is in force no longer; what cannot be moved stays."""
        if state.version is None:
            return
        with contextlib.suppress(StoreError):
            for path, _ in self._versions(name).damaged(state.version, state.sizes):
                if os.path.lexists(path):
                    self._disk.set_aside(path)

    def current(self, name: str) -> Path:
        """Return the folder that other programs read."""
        return self._certificates.joinpath(check_name(name), "current")

    def certificate(self, name: str, state: State) -> Certificate | None:
        """Return the certificate in force, with paths into its version; None where its key is not there.

        :raises StoreError: whether it is there cannot be told.
        """
        return self._versions(name).certificate(name, state) if self.is_whole(name, state) else None

    # ── writing; the certificate's lock is held ─────────────────────────────────────────

    def write_state(self, name: str, state: State) -> None:
        """Replace state.json, durably.

        :raises StoreError: it cannot be written; the old one stands.
        """
        self._states.write(name, state)

    def update(self, name: str, change: Change, *, sync: bool = True) -> State:
        """Change what is known of a certificate, and return it.

        :param sync: durably; False where what is new may be lost in a power cut.
        :raises StoreError: it cannot be written; the old one stands.
        """
        state = change(self.read_state(name))
        self._states.write(name, state, sync=sync)
        return state

    def keep(
        self,
        spec: CertificateSpec,
        ca: str,
        fullchain_pem: str,
        key_pem: bytes,
        facts: x509.Facts,
        *,
        remember: Change = _as_it_is,
    ) -> State:
        """Store a new certificate and put it into force; the old one stays in force and whole until then.

        :param ca: name of the CA that issued it.
        :param facts: what the certificate says of itself.
        :param remember: what else is to be known from then on; written in the same step.
        :raises StoreError: it cannot be written; the old one stands.
        """
        from dnsrenew import x509  # slow to load; whoever has a new certificate has loaded it

        fullchain_pem = "".join(x509.split_chain(fullchain_pem))
        meta = Meta(
            issuer=facts.issuer,
            serial=facts.serial,
            not_before=facts.not_before,
            not_after=facts.not_after,
            domains=spec.domains,
            identifiers=spec.identifiers,
            ca=ca,
            key=spec.key,
            profile=spec.profile.name if spec.profile else "",
            sizes={"privkey.pem": len(key_pem), "fullchain.pem": len(fullchain_pem)},
        )
        number = self.add_version(spec.name, fullchain_pem, key_pem, meta)
        return self.activate(spec.name, number, meta, remember=remember)

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta) -> int:
        """Write a version, whole and durable, and return its number; it is not in force yet.

        :raises StoreError: it cannot be written; nothing has changed.
        """
        self._folders.make_certificate(name)
        return self._versions(name).add(fullchain_pem, key_pem, meta, self.read_state(name))

    def activate(self, name: str, number: int, meta: Meta, *, remember: Change = _as_it_is) -> State:
        """Put a version into force: ``current``, then state.json; then remove versions that are too old.

        :raises StoreError: it cannot be written; the old one stands.
        """
        state = self.read_state(name)
        if self._windows:
            self.write_state(name, replace(state, switching=number))
        state = self._force.put(name, number, remember(state.renewed(number, meta)))
        self._versions(name).prune(number)
        return state

    def repair(self, name: str, state: State, context: Context) -> bool:
        """Put right what a kill or a power cut left between ``current`` and state.json; for the start of a run.

        And the parts of the chain, where they are not what the whole is. Costs three system calls where all is well.
        Where another run holds the lock, the store cannot be written, or the caller is called away, it is left to the
        next run. The caller does not hold the lock.

        :returns: whether anything was put right; what there is to be said of it is in the state's ``notices`` then.
        """
        try:
            if self._force.find_inconsistency(name, state) is None:
                return False
            with self.lock(name, context=context):
                self._force.repair(name)
        except (LockedError, StoreError, Cancelled):
            return False
        return True

    def _versions(self, name: str) -> Versions:
        return Versions(self._disk, self._layout.certificate(name), windows=self._windows)
