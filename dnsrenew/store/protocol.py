"""The store: certificates with their versions and states, accounts, the journal, and locks.

A folder and a database implement the methods of :class:`StorePlace`; everything built on these is the same for both. No
code outside opens the files of a store.
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
    """Return the facts of a certificate by field. An unknown fact in the state is None."""
    fields = ("domains", "issuer", "serial", "not_before", "not_after")
    known = state.not_before is not None and state.not_after is not None
    return {"name": name, **{field: getattr(state, field) for field in fields}} if known else None


class StorePlace(Protocol):
    """The methods that a folder and a database implement differently. Thread-safe.

    The caller of a method that writes to a certificate holds its lock.

    :ivar path: the folder, absolute; None for a database.
    :ivar place: its place for messages: the folder, or the address of the database, without a password.
    :ivar clock: the clock for all machines that share the store; None for the clock of this machine.
    :ivar documents: the other documents of a certificate.
    :ivar debts: the programs ``after`` that runs owe. With a database, they are in a folder on this machine; None
        without such a folder.
    :ivar scheduled: when the schedules that use it last ran; None for a database, whose workers report that they live.
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
        """Refuse the store if others can change it, or a folder above it. Call this before each use.

        A database is refused if its tables belong to another version, or are sealed with another key.

        Others could put their own account, order or TXT value there. This check is skipped if the user insists.

        :raises StoreError: ``store-not-private``; the store must not be read then. This is also raised if the store is
            an existing folder that is not private and contains foreign files, because its mode is not changed. For a
            database: ``store-unreachable``, ``store-refused``, ``store-schema``, ``store-newer``, ``seal-wrong``.
        """

    def prove_writable(self, name: str | None = None) -> None:
        """Write to the store and undo it, so that only certificates that can be stored are ordered.

        :param name: the certificate to be renewed; the caller holds its lock.
        :raises StoreError: the store is not writable, full or read-only, supports no symbolic links, or has a file in
            the place of a folder.
        """

    def hold_lock(self, key: str, what: str, context: Context, wait: float) -> AbstractContextManager[None]:
        """Exclude other runs and threads; see :meth:`Store.lock`.

        :param what: the locked object, for the message.
        """

    def turn(self, context: Context, *, alone: bool, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude the other renewals and deployments of this store or machine while one of them may stop a server.

        :param alone: whether the job may stop a server, so that it waits for the others and keeps them out.
        :param wait: seconds to wait, at least.
        :raises LockedError: another job is alone or wants to be, or the others have not ended for ten minutes.
        :raises StoreError: the job cannot be alone, because the folder of the locks cannot be used.
        """

    def account_place(self, directory_url: str, ca_name: str) -> AccountPlace:
        """Return the place of the account at a CA directory."""

    def ledger(self, directory_url: str, ca_name: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA directory: its limits and waits."""

    @property
    def journal(self) -> Journal:
        """The TXT values that are in DNS, or may be."""

    @property
    def has_journal(self) -> bool:
        """Whether an interrupted run may have left values; one system call, or one statement.

        In a folder, values of a live run count too.
        """

    def fingerprint_key(self) -> bytes:
        """Return the random key of the fingerprints in state.json; it is created when it is first needed.

        :raises StoreError: the key can be neither read nor created.
        """

    @property
    def responses(self) -> HttpResponses:
        """The http-01 responses that the app of a program serves."""

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the certificates in the store, sorted."""

    def read_state(self, name: str, *, quarantine: bool = True) -> State:
        """Return the state of a certificate, or the empty state if it has no state.

        A damaged state.json is renamed and rebuilt from the versions; every state that this store reads later has
        the warning in ``notices``.

        :param quarantine: False if a damaged file is not renamed, and only this state has the warning.
        :raises StoreError: the state cannot be read, a newer dnsrenew wrote it (``store-newer``), or the name is
            invalid.
        """

    def mark(self, name: str) -> object:
        """Return a value that changes when the state of a certificate is written; one system call or statement."""

    def is_whole(self, name: str, state: State) -> bool:
        """Return whether the current version exists, by the sizes of the files that other programs read.

        Two system calls, or one statement.

        :raises StoreError: permission denied.
        """

    def unreadable_key(self, name: str, state: State) -> StoreError | None:
        """Return why this user can read the other files of a version but not its private key, or None."""

    def report_damage(self, name: str, state: State, context: Context) -> None:
        """Warn about damaged or missing files of the current version, before it is renewed.

        :raises StoreError: permission denied.
        """

    def certificate(self, name: str, state: State) -> Certificate | None:
        """Return the current certificate, with paths into its version, or None if a part of it is missing.

        A certificate from a database has no paths, but its PEM texts in memory.

        :raises StoreError: permission denied.
        """

    def read_part(self, name: str, number: int | None, part: str) -> bytes | None:
        """Return the chain or the private key of a version as PEM, or None if it is missing.

        :param number: the number of the version; None for the files that other programs read, regardless of the state.
        :raises StoreError: the file cannot be read.
        """

    def versions(self, name: str) -> dict[int, Meta]:
        """Return the records of the stored versions by number, oldest first.

        A version with a damaged or missing record is left out.

        :raises StoreError: a record cannot be read.
        """

    def is_by_hand(self, name: str, state: State) -> bool:
        """Return whether the current certificate was installed by hand, and not issued by one of our CAs."""

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def remove(self, name: str) -> None:
        """Remove a certificate with its versions, its keys and its state. The caller holds its lock.

        :raises StoreError: a file cannot be removed; others may already be removed.
        """

    def write_state(self, name: str, state: State, *, sync: bool = True) -> None:
        """Replace the state of a certificate.

        :param sync: make it durable; False if a power cut may lose the change.
        :raises StoreError: the state cannot be written; the old one stays.
        """

    def note_revocation(self, name: str, state: State) -> None:
        """Copy revocation and compromised keys from the state into the current version, durably.

        So they are not forgotten if state.json is lost.

        :raises StoreError: the version cannot be written.
        """

    def add_version(self, name: str, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """Write a version durably, and return its number. It is not current yet.

        :raises StoreError: the version cannot be written; the store is unchanged.
        """

    def activate(self, name: str, number: int, meta: Meta, state: State, *, remember: Change = unchanged) -> State:
        """Make a version current: switch ``current``, then state.json, then remove old versions.

        In a database this is one transaction, which also notifies the servers of the certificate.

        :raises StoreError: the change cannot be written; the old version stays current.
        """

    def is_consistent(self, name: str, state: State) -> bool:
        """Return whether ``current``, state.json and the parts of the chain agree.

        Takes three system calls if they do; in a database, no statement.
        """

    def make_consistent(self, name: str) -> None:
        """Make the right version current if it is not. The caller holds the lock."""


class Store(ZoneLocker, StorePlace):
    """A store in a folder or a database."""

    def only_read(self) -> None:
        """Accept a database that can only be read, such as a standby. The caller does not write."""

    def close_root(self) -> None:
        """Make the store private if it is not, for example after a restore; three system calls, no-op in a database.

        The mode of a folder that contains foreign files is not changed.

        :raises StoreError: others can write to the folder, and its mode cannot be changed.
        """

    # ── locks ───────────────────────────────────────────────────────────────────────────

    def lock(self, name: str, *, context: Context, wait: float = 0) -> AbstractContextManager[None]:
        """Exclude other runs and threads from a certificate.

        :param wait: seconds to wait for the lock; 0: do not wait.
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

        A CA may return the same order to both. On one machine, which has few runs, the refusal of the CA keeps them
        apart.
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
        """The recorded diagnoses of ``doctor --record``."""
        return records.DiagnosisRecords(self.documents)

    @property
    def notified(self) -> records.NotifiedRecords:
        """The record of the messages sent about the certificates."""
        return records.NotifiedRecords(self.documents)

    def deployment(self, name: str, entry: str) -> records.SavedDeployment:
        """Return the saved data of an entry of ``deploy``: the old files of its target, and renames in progress."""
        return records.SavedDeployment(self.documents, check_name(name), entry)

    def unfinished_renames(self) -> list[records.UnfinishedRenames]:
        """Return the unfinished renames that deployments have recorded, of interrupted or live runs.

        :raises StoreError: the renames cannot be read.
        """
        return [
            records.UnfinishedRenames(
                name, records.renames_of(data), records.SavedDeployment(self.documents, name, entry).clear_renames
            )
            for name, entry, data in self.documents.read_renames()
        ]

    # ── certificates ────────────────────────────────────────────────────────────────────

    def current(self, name: str) -> Path | None:
        """Return the folder from which other programs read, or None for a database."""
        check_name(name)
        return None

    def hold(self, certificate: Certificate) -> None:
        """Keep the version of a certificate until the returned value is gone, or this process ends."""

    def read_chain(self, name: str, state: State) -> str | None:
        """Return the current certificate with its chain as PEM, or None if it does not exist.

        :raises StoreError: the file cannot be read.
        """
        data = None if state.version is None else self.read_part(name, state.version, CHAIN)
        return None if data is None else data.decode("ascii", "replace")

    def read_private_key(self, name: str, state: State) -> bytes | None:
        """Return the private key of the current certificate as PEM, or None if it does not exist.

        :raises StoreError: the file cannot be read.
        """
        return None if state.version is None else self.read_part(name, state.version, KEY)

    def quarantine_damaged(self, name: str, state: State) -> None:
        """Rename the damaged files of a version that is no longer current, if possible."""

    def update(self, name: str, change: Change, *, known: State | None = None, sync: bool = True) -> State:
        """Change the state of a certificate, and return it.

        :param known: the state read under the lock, which is used unless state.json has vanished since then.
        :param sync: make it durable; False if a power cut may lose the change.
        :raises StoreError: the state cannot be written; the old one stays.
        """
        state = change(self.read_state(name) if known is None else known)
        self.write_state(name, state, sync=sync)
        return replace(state, rebuilt=False) if state.rebuilt else state  # as the next read finds it

    def repair(self, name: str, state: State, context: Context) -> bool:
        """Make ``current``, state.json and the parts of the chain agree after a kill or a power cut.

        This is for the start of a run; the caller does not hold the lock. If another run holds it, the store cannot be
        written, or the run is cancelled, the next run repairs it.

        :returns: whether the store was repaired; the warnings are then in the state's ``notices``.
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
        """Store a new certificate and make it current. Until then, the old one stays complete and current.

        :param ca: name of the CA that issued it.
        :param facts: the data parsed from the certificate.
        :param state: the stored state, read under the lock.
        :param remember: further changes of the state, written in the same step.
        :raises StoreError: the certificate cannot be written; the old one stays.
        """
        chain = "".join(split_chain(fullchain_pem))
        meta = issued_meta(spec, ca, facts, {KEY: len(key_pem), CHAIN: len(chain)}, state)
        return self.keep_version(spec.name, (chain, key_pem), meta, state, remember)

    def keep_version(self, name: str, pair: tuple[str, bytes], meta: Meta, state: State, remember: Change) -> State:
        """Add a version, and make it current."""
        number = self.add_version(name, *pair, meta, state)
        return self.activate(name, number, meta, state, remember=remember)
