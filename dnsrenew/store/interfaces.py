"""The parts of a store, whether it is a folder or a database."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Protocol

from dnsrenew.base.model.certificate import THUMBPRINTS, AccountData
from dnsrenew.base.values import Frozen
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.state import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue
    from dnsrenew.store.pending_orders import PendingOrder, SigningRequest


class StoredAccount(Protocol):
    """The account at one CA directory: the ``AccountStore`` that the CA client uses."""

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other runs and threads while an account is created; waits up to a minute.

        :raises LockedError: another run holds the lock for longer.
        :raises StoreError: it cannot be locked.
        """

    def load(self) -> AccountData | None:
        """Return the account, or None if there is none; a damaged part is set aside, with a warning.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """

    def lost(self) -> LostAccount | None:
        """Return the account if its key is damaged or gone; None if there is none, or nothing is known of it.

        :raises StoreError: as :meth:`load`.
        """

    def registered_url(self) -> str | None:
        """Return the URL of the account, or None if none is known; read only, so that nothing is repaired.

        :raises StoreError: it cannot be read, or a newer dnsrenew wrote it (``store-newer``).
        """

    def save(self, account: AccountData) -> None:
        """Write the account; its keys are durable on return.

        :raises StoreError: it cannot be written; what was there stays.
        """

    def remove(self) -> None:
        """Remove the account, for one that the CA has closed; the caller holds the lock. The ledger stays.

        :raises StoreError: it cannot be removed.
        """


class Journal(Protocol):
    """The TXT values that are, or may be, in DNS: recorded before they are written, until they are removed.

    An entry belongs to the run that made it for as long as that lives. Only cleanup reopens the entry of a dead run,
    and only one cleanup runs at a time.
    """

    def enter(
        self, context: Context, certificate: str, values: Sequence[WrittenValue], hosts: Mapping[str, int] | None = None
    ) -> JournalEntry:
        """Record values before they are written to DNS; the entry is durable on return.

        The caller ends the entry with :meth:`JournalEntry.remove` or :meth:`JournalEntry.keep`.

        :param values: at least one.
        :param hosts: a fingerprint of the host of each account, to detect later that the account has another host.
        :raises StoreError: the entry cannot be written; then nothing may be written to DNS.
        :raises LockedError: another run is still removing one of the values.
        :raises Cancelled: cancelled.
        """

    def live_values(self) -> set[WrittenValue]:
        """Return the values of runs that live, as far as they can be read; nothing is changed.

        :raises StoreError: the journal cannot be read.
        """

    def left_over(self, context: Context, *, wait: float = 0) -> AbstractContextManager[list[JournalEntry]]:
        """Yield the entries of dead runs, and exclude other cleanups meanwhile.

        Values that the caller does not remove stay for the next cleanup. There is a warning about a damaged entry, and
        about one of a newer dnsrenew.

        :param wait: seconds to wait for another cleanup.
        :raises LockedError: another cleanup runs.
        :raises StoreError: the journal cannot be read, or the lock cannot be created.
        :raises Cancelled: cancelled.
        """

    def unreadable(self) -> list[str]:
        """Return the places whose values are unknown: damaged ones and those of a newer dnsrenew.

        :raises StoreError: the journal cannot be read.
        """


class PendingOrders(Protocol):
    """The orders that are being finalized, at most one for each certificate. The caller holds its lock."""

    def save(self, name: str, order: PendingOrder) -> None:
        """Store an order before its CSR is sent, and replace an earlier one; it is durable on return.

        :raises StoreError: it cannot be written; then the CSR must not be sent.
        """

    def load(self, context: Context, name: str, *, version: int | None) -> PendingOrder | None:
        """Return the order of an earlier run, or None.

        A damaged order is put away, without its private key and with a warning: it costs a new order, never a
        certificate.

        :param version: the version in force now.
        :raises StoreError: ``store-bad-name``, or the store cannot be trusted or asked.
        """

    def clear(self, name: str) -> None:
        """Remove the order of a certificate.

        An order that cannot be removed does no harm: another version is in force, or the CA reports it invalid.

        :raises StoreError: ``store-bad-name``.
        """


class SigningRequests(Protocol):
    """The requests whose certificates are awaited, at most one for each certificate. The caller holds its lock."""

    def save(self, name: str, csr_pem: str, key_pem: bytes) -> None:
        """Store a request, and replace an earlier one; it is durable on return.

        :raises StoreError: it cannot be written; then the request must not be shown.
        """

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None. A damaged one is put away, with a warning.

        :raises StoreError: it cannot be read.
        """

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if there is none."""

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """


class SavedDeployment(Protocol):
    """What is kept for one entry of ``deploy``: the ``SavedFiles`` of a deployer. The caller holds the lock."""

    def begin(self) -> None:
        """Record that the target is being changed, and forget what an earlier change that ended has saved.

        After a change that did not end (the run was killed), what that one saved stays until :meth:`keep`.

        :raises StoreError: it cannot be written; change nothing.
        """

    def end(self) -> None:
        """Record that the change has ended: the target has the new certificate, or the old one again."""

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""

    def have_others_begun(self, known: Collection[str]) -> bool:
        """Return whether an entry that is not configured any more has begun a change that has not ended.

        :param known: the ids of the entries that are configured.
        """

    def forget_others(self, known: Collection[str]) -> None:
        """Remove what is kept for entries that are not configured any more: it has private keys.

        :param known: the ids of the entries that are configured.
        """

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target; it replaces what was saved before.

        :raises StoreError: it cannot be written.
        """

    def kept(self) -> dict[str, bytes]:
        """Return what this change has saved; empty if there was nothing, or it is damaged.

        :raises StoreError: it cannot be read.
        """

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Write down renames before the first one, durably.

        :raises StoreError: it cannot be written; rename nothing.
        """

    def clear_renames(self) -> None:
        """Forget the renames: they are done."""


class Documents(Protocol):
    """One small file for each certificate."""

    def read(self, name: str) -> bytes | None:
        """Return the file of a certificate, or None if there is none.

        :raises StoreError: it cannot be read.
        """

    def write(self, name: str, data: bytes) -> None:
        """Replace the file of a certificate, atomically and durably.

        :raises StoreError: it cannot be written.
        """

    def remove(self, name: str) -> None:
        """Remove the file of a certificate, if there is one.

        :raises StoreError: it cannot be removed.
        """


# ── account parts ──────────────────────────────────────────────────────────────────────

# What an account is stored as: its keys, and a JSON document with its data.

WAIT: Final = 60.0
"""Seconds to wait for another run that creates the same account."""


class LostAccount(Frozen):
    """An account whose key is damaged or gone.

    :ivar url: its URL at the CA.
    :ivar key_path: where its key was.
    :ivar thumbprints: of the keys that it had (RFC 7638), as far as they are known.
    """

    url: str
    key_path: str
    thumbprints: tuple[str, ...] = ()


def check_key(pem: bytes) -> None:
    """Return if this is a private key.

    :raises DamagedFile: it is not.
    """
    from dnsrenew.base import x509  # slow to load; the caller needs it to sign anyway

    try:
        x509.key_from_pem(pem)
    except ValueError:
        raise DamagedFile("it contains no private key") from None


def to_json(account: AccountData, directory: str) -> bytes:
    """Return the data of an account, without its keys."""
    document = {**account.data, "schema": SCHEMA, "directory": directory}
    return json_files.dump(document | {"url": account.url, "contact": list(account.contact)})


def from_json(data: bytes, key: bytes, directory: str) -> AccountData:
    """Return the account with this key.

    :raises DamagedFile: it is not the data of an account at this directory.
    :raises NewerSchema: a newer dnsrenew wrote it.
    """
    document = json_files.load(data, SCHEMA)
    url, contact = json_files.string(document.pop("url", None)), json_files.strings(document.pop("contact", None))
    if document.pop("directory", directory) != directory:
        raise DamagedFile("it belongs to another CA")
    if url and directory.startswith("https:") and not url.startswith("https:"):  # its requests would go there
        raise DamagedFile("its URL is not encrypted (https)")
    return AccountData(key_pem=key, url=url or None, contact=contact, data=document)


def lost_account(known: AccountData, key_path: str) -> LostAccount | None:
    """Return the account whose key is gone; None if its URL is not known.

    :param known: its data.
    """
    if known.url is None:
        return None
    found = known.data.get(THUMBPRINTS)
    thumbprints = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    return LostAccount(known.url, key_path, tuple(thumbprints))


# ── debts ──────────────────────────────────────────────────────────────────────────────

# Programs ``after`` that are owed: see debts.py.


class Debt(Frozen):
    """A program that a run has to run before it ends.

    :ivar certificate: the certificate that the port was used for.
    :ivar since: when it was written down (RFC 3339).
    :ivar program: the program and its arguments, as they were then.
    """

    certificate: str
    since: str
    program: tuple[str, ...]

    @property
    def fields(self) -> dict[str, str]:
        """What texts tell of it."""
        return {"name": self.certificate, "since": self.since, "command": shlex.join(self.program)}


class Debts(Protocol):
    """The programs that runs of a store owe."""

    def using_port(self, context: Context, wait: float) -> AbstractContextManager[None]:
        """Exclude other runs of this store from the use of ports.

        :param wait: seconds to wait for them.
        :raises LockedError: one uses a port.
        :raises StoreError: the file of the lock cannot be created.
        """

    def note(self, context: Context, program: Sequence[str]) -> None:
        """Write down that a program is owed, durably; the caller uses the port.

        :raises StoreError: it cannot be written; stop nothing.
        """

    def forget(self, program: Sequence[str]) -> None:
        """Forget a program: it has been run."""

    def owed(self) -> list[Debt]:
        """Return what ended runs owe, as far as it can be read; nothing while a run uses a port."""

    def written_down(self) -> list[Debt]:
        """Return all that is written down; the caller uses the port.

        :raises StoreError: it cannot be read.
        """
