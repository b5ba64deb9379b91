"""The store: certificates with their versions and states, accounts, the journal, and locks.

A folder and a database have the methods of :class:`StorePlace`; what follows from these is the same for both. Nothing
outside opens the files of a store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import Certificate, CertificateSpec
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.store import records, texts
from dnsrenew.store.accounts import AccountPlace, StoredAccount
from dnsrenew.store.paths import HttpResponses, check_name, zone_key
from dnsrenew.store.pending_orders import PendingOrders, SigningRequests
from dnsrenew.store.state import Meta, State, issued_meta
from dnsrenew.store.zone_locks import ZoneLocker, ZonePurpose

if TYPE_CHECKING:
    from dnsrenew.base import x509
    from dnsrenew.store.journal import Journal
    from dnsrenew.store.ledger import Ledger

Change = Callable[[State], State]
"""Returns the new state of a certificate from the old one."""
CHAIN, KEY = "fullchain.pem", "privkey.pem"


def unchanged(state: State) -> State:
    """Return the state as it is."""
    return state


def facts_of(name: str, state: State) -> dict[str, Any] | None:
    """Return what a certificate says of itself, by its fields; None if the state does not know it."""
    fields = ("domains", "issuer", "serial", "not_before", "not_after")
    known = state.not_before is not None and state.not_after is not None
    return {"name": name, **{field: getattr(state, field) for field in fields}} if known else None


class StorePlace(Protocol):
    """What a folder and a database do each in its own way. Thread-safe.

    The caller of a method that writes to a certificate holds its lock.

    :ivar path: the folder, absolute; None for a database.
    :ivar place: where it is, for messages: the folder, or the address of the database, without a password.
    :ivar clock: the clock that decides for all who share the store; None: that of this host.
    :ivar documents: what is kept of a certificate besides.
    :ivar debts: the programs ``after`` that runs owe; of a database, those of this machine: they are in a folder. None:
        there is no such folder.
    :ivar scheduled: when the schedules that use it last ran; None for a database, whose workers say that they live.
    :ivar due_index: the index of due times; None for a database.
    """

    path: Path | None
    place: str
    clock: Clock | None = None
    documents: records.Documents
    debts: records.Debts | None = None
    scheduled: records.ScheduledRuns | None = None
    due_index: records.IndexFile | None = None

    def check_ground(self) -> None:
        """Refuse the store if others can change it, or a folder on the way to it; call it before each use.

        A database is refused if its tables are not those of this version, or are sealed with another key.

        What they put there could be an account, an order or a TXT value of theirs. Does nothing if the user insists.

        :raises StoreError: ``store-not-private``; then nothing of the store may be read. It is also raised if the store
            is an existing folder that is not private and has other things in it, because its mode is not changed. Of a
            database: ``store-unreachable``, ``store-refused``, ``store-schema``, ``store-newer``, ``seal-wrong``.
        """

    def prove_writable(self, name: str | None = None) -> None:
        """Write to the store and undo it, so that no certificate is ordered that cannot be kept.

        :param name: the certificate to be renewed; the caller holds its lock.
        :raises StoreError: the store is not writable, full or read-only, supports no symbolic links, or has a file in
            the place of a folder.
        """

    def hold_lock(self, key: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        """Exclude other runs and threads; see :meth:`Store.lock`.

        :param what: what is locked, for the message.
        """

    def turn(self, context: Context, *, alone: bool, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude the other renewals and deployments of this store or machine while one of them may stop a server.

        :param alone: whether it may stop a server: it waits for the others, and keeps them out.
        :param wait: seconds to wait, at least.
        :raises LockedError: another one is, or wants to be, alone; or the others have not ended for ten minutes.
        :raises StoreError: it cannot be alone, because the folder of the locks cannot be used.
        """

    def account_place(self, directory_url: str, ca_name: str) -> AccountPlace:
        """Return where the account at a CA directory is."""

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA directory: its limits and waits."""

    @property
    def journal(self) -> Journal:
        """The TXT values that are, or may be, in DNS."""

    @property
    def has_journal(self) -> bool:
        """Whether there may be something to clean up after a killed run; one system call, or one statement.

        In a folder what a live run has there counts too.
        """

    def fingerprint_key(self) -> bytes:
        """Return the random key of the fingerprints in state.json; it is created when it is first needed.

        :raises StoreError: it can be neither read nor created.
        """

    @property
    def responses(self) -> HttpResponses:
        """The http-01 responses that the app of a program serves."""

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the certificates in the store, sorted."""

    def read_state(self, name: str, *, quarantine: bool = True) -> State:
        """Return the state of a certificate; the empty state if there is none.

        A damaged state.json is renamed and rebuilt from the versions; every state that this store reads later has
        the warning in ``notices``.

        :param quarantine: False: do not rename a damaged file; only this state has the warning.
        :raises StoreError: it cannot be read, a newer dnsrenew wrote it (``store-newer``), or the name is invalid.
        """

    def mark(self, name: str) -> object:
        """Return a value that differs after the state of a certificate was written; one system call or statement."""

    def is_whole(self, name: str, state: State) -> bool:
        """Return whether the current version exists, by the sizes of the files that other programs read.

        Two system calls, or one statement.

        :raises StoreError: permission denied.
        """

    def report_damage(self, name: str, state: State, context: Context) -> None:
        """Warn about damaged or missing files of the current version, before it is renewed.

        :raises StoreError: permission denied.
        """

    def certificate(self, name: str, state: State) -> Certificate | None:
        """Return the current certificate, with paths into its version; None if a part of it is missing.

        One from a database has no paths, but its PEM texts in memory.

        :raises StoreError: permission denied.
        """

    def read_part(self, name: str, number: int | None, part: str) -> bytes | None:
        """Return the chain or the private key of a version, as PEM, or None if there is none.

        :param number: of the version; None: what other programs read, whatever the state says.
        :raises StoreError: it cannot be read.
        """

    def versions(self, name: str) -> dict[int, Meta]:
        """Return what is recorded of each version that is kept, by its number, the oldest first.

        A version is left out if its record is damaged or gone.

        :raises StoreError: it cannot be read.
        """

    def is_by_hand(self, name: str, state: State) -> bool:
        """Return whether the current certificate was installed by hand, so that no CA of ours issued it."""

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def remove(self, name: str) -> None:
        """Remove a certificate with its versions, its keys and its state; the caller holds its lock.

        :raises StoreError: something cannot be removed; the rest may be gone.
        """

    def write_state(self, name: str, state: State, *, sync: bool = True) -> None:
        """Replace the state of a certificate.

        :param sync: make it durable; False if a power cut may lose the change.
        :raises StoreError: it cannot be written; the old one stays.
        """

    def note_revocation(self, name: str, state: State) -> None:
        """Record in the current version what its state says of revocation and compromised keys, durably.

        So neither is forgotten if state.json is lost.

        :raises StoreError: it cannot be written.
        """

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """Write a version, durably, and return its number; it is not in force yet.

        :raises StoreError: it cannot be written; nothing has changed.
        """

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        """Put a version into force: switch ``current``, then state.json, then remove old versions.

        In a database this is one transaction, which also notifies those who serve the certificate.

        :raises StoreError: it cannot be written; the old one stays in force.
        """

    def is_consistent(self, name: str, state: State) -> bool:
        """Return whether ``current``, state.json and the parts of the chain agree.

        Takes three system calls if they do; in a database, no statement.
        """

    def make_consistent(self, name: str) -> None:
        """Put the version into force that should be, if it is not; the caller holds the lock."""


class Store(ZoneLocker, StorePlace):
    """A store, whether it is a folder or a database."""

    def only_read(self) -> None:
        """Accept a database that can only be read, such as a standby: the caller writes nothing."""

    def close_root(self) -> None:
        """Make the store private if it is not, for example after a restore; three system calls, nothing in a database.

        The mode of a folder that has other things in it is not changed.

        :raises StoreError: others can write to it, and its mode cannot be changed.
        """

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude other runs and threads from a certificate.

        :param wait: seconds to wait for them; 0: do not wait.
        :raises LockedError: ``locked``; evidence has ``pid``, ``host`` and ``since``.
        :raises StoreError: the file of the lock cannot be created, or the name is invalid.
        :raises Cancelled: cancelled while waiting.
        """
        key = f"certificate-{check_name(name)}"
        return self.hold_lock(key, texts.CERTIFICATE_LOCK.format(name=name), context, wait)

    def lock_zone(
        self, zone: str, *, context: Context, wait: float = 0, purpose: ZonePurpose = "zone"
    ) -> AbstractContextManager[None]:
        what = texts.ZONE_LOCK.format(zone=zone.rstrip("."))
        return self.hold_lock(f"{purpose}-{zone_key(zone)}", what, context, wait)

    def lock_names(
        self, identifiers: Collection[str], *, context: Context, wait: float = 0
    ) -> AbstractContextManager[None]:
        """Exclude other machines from ordering a certificate for the same set of names (RFC 8555 section 7.4).

        A CA may return the same order to both. The few runs of one machine are kept apart by the refusal of the CA.
        """
        del identifiers, context, wait  # for a database
        return contextlib.nullcontext()

    # ── what is kept besides certificates ───────────────────────────────────────────────

    def accounts(self, directory_url: str, ca_name: str, context: Context | None = None) -> StoredAccount:
        """Return the account at a CA directory.

        :param context: for a wait for the lock of the account, and for warnings about damage.
        """
        return StoredAccount(self.account_place(directory_url, ca_name), directory_url, context)

    @property
    def orders(self) -> PendingOrders:
        """The orders that are being finalized."""
        return PendingOrders(self.documents)

    @property
    def signing_requests(self) -> SigningRequests:
        """The requests for certificates of other issuers, with their keys."""
        return SigningRequests(self.documents)

    @property
    def diagnoses(self) -> records.DiagnosisRecords:
        """The recorded diagnoses: what ``doctor --record`` keeps."""
        return records.DiagnosisRecords(self.documents)

    @property
    def notified(self) -> records.NotifiedRecords:
        """Which messages were sent about the certificates."""
        return records.NotifiedRecords(self.documents)

    def deployment(self, name: str, entry: str) -> records.SavedDeployment:
        """Return what is kept for an entry of ``deploy``: the old files of its target, and renames under way."""
        return records.SavedDeployment(self.documents, check_name(name), entry)

    def unfinished_renames(self) -> list[records.UnfinishedRenames]:
        """Return the renames that deployments have written down and not finished: of killed runs, or of live ones.

        :raises StoreError: they cannot be read.
        """
        return [
            records.UnfinishedRenames(
                name, records.renames_of(data), records.SavedDeployment(self.documents, name, entry).clear_renames
            )
            for name, entry, data in self.documents.read_renames()
        ]

    # ── certificates ────────────────────────────────────────────────────────────────────

    def current(self, name: str) -> Path | None:
        """Return the folder from which other programs read; None for a database."""
        check_name(name)
        return None

    def hold(self, certificate: Certificate) -> None:
        """Keep the version of a certificate until the value is gone, or this process ends."""

    def read_chain(self, name: str, state: State) -> str | None:
        """Return the current certificate with its chain, as PEM, or None if there is none.

        :raises StoreError: it cannot be read.
        """
        data = None if state.version is None else self.read_part(name, state.version, CHAIN)
        return None if data is None else data.decode("ascii", "replace")

    def read_private_key(self, name: str, state: State) -> bytes | None:
        """Return the private key of the current certificate, as PEM, or None if there is none.

        :raises StoreError: it cannot be read.
        """
        return None if state.version is None else self.read_part(name, state.version, KEY)

    def quarantine_damaged(self, name: str, state: State) -> None:
        """Rename the damaged files of a version that is no longer in force, as far as possible."""

    def update(self, name: str, change: Change, *, known: State | None = None, sync: bool = True) -> State:
        """Change the state of a certificate, and return it.

        :param known: the state as read under the lock; used unless state.json has vanished since then.
        :param sync: make it durable; False if a power cut may lose the change.
        :raises StoreError: it cannot be written; the old one stays.
        """
        state = change(self.read_state(name) if known is None else known)
        self.write_state(name, state, sync=sync)
        return replace(state, rebuilt=False) if state.rebuilt else state  # as the next read finds it

    def repair(self, name: str, state: State, context: Context) -> bool:
        """Make ``current``, state.json and the parts of the chain agree after a kill or a power cut.

        For the start of a run; the caller does not hold the lock. If another run holds it, the store cannot be written,
        or the run is cancelled, the next run repairs it.

        :returns: whether anything was repaired; the warnings are then in the state's ``notices``.
        """
        with contextlib.suppress(LockedError, StoreError, Cancelled):
            if not self.is_consistent(name, state):
                with self.lock(name, context=context):
                    self.make_consistent(name)
                return True
        return False

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
        """Store a new certificate and put it into force; the old one stays complete and in force until then.

        :param ca: name of the CA that issued it.
        :param facts: the data parsed from the certificate.
        :param state: the stored state, read under the lock.
        :param remember: further changes of the state, written in the same step.
        :raises StoreError: it cannot be written; the old one stays.
        """
        chain = "".join(split_chain(fullchain_pem))
        meta = issued_meta(spec, ca, facts, {KEY: len(key_pem), CHAIN: len(chain)}, state)
        return self.keep_version(spec.name, (chain, key_pem), meta, state, remember)

    def keep_version(self, name: str, pair: tuple[str, bytes], meta: Meta, state: State, remember: Change) -> State:
        """Add a version, and put it into force."""
        number = self.add_version(name, *pair, meta, state)
        return self.activate(name, number, meta, state, remember=remember)
