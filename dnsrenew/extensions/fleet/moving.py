"""Copies a folder store into the database of a fleet, or back: accounts, ledgers, versions, orders, the journal.

The source is not locked, because a version never changes and the last three are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from dnsrenew.base.model import Result
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import field_types, replace
from dnsrenew.config import Config
from dnsrenew.config.cas import host_name
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.database import schema
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.server import check_packages
from dnsrenew.store import Store, json_files
from dnsrenew.store.folder_store import has_store, open_store
from dnsrenew.store.ledger import LedgerState
from dnsrenew.store.snapshot import StoreSnapshot
from dnsrenew.store.state import SCHEMA, Meta, State, lacks_key

_WAIT: Final = 60.0
"""Seconds to wait for a run that works on a certificate in the target."""
_TRIES: Final = 3
"""The number of tries to read a version that was replaced in between."""
V = TypeVar("V")


class MovedStore(Result, kw_only=True):
    """The result of a copy.

    :ivar certificates: the number of certificates that were written.
    :ivar accounts: the number of accounts that were written.
    :ivar kept: the certificates of which the target has the same or a newer version.
    :ivar kept_accounts: the CAs at which the target already has another account, which stays.
    :ivar damaged: the certificates whose current version is missing or damaged.
    :ivar journal: whether interrupted runs left TXT values, which the target's journal has too.
    """

    certificates: int = 0
    accounts: int = 0
    kept: tuple[str, ...] = ()
    kept_accounts: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    journal: bool = False


def load(folder: Path, config: Config, target: DatabaseStore, context: Context) -> MovedStore:
    """Write the content of a folder into the database. If both have a certificate, the newer version wins.

    :param folder: the absolute path.
    :raises ConfigError: ``fleet-no-store``: the folder is not a store.
    :raises StoreError: ``store-not-private``; the folder cannot be read, or the database cannot be written.
    :raises LockedError: a run works on one of the certificates.
    """
    if not has_store(folder):
        raise ConfigError.of(texts.FOLDER_MISSING, folder=str(folder))
    source = open_store(folder, insist=config.insist)
    source.check_ground()
    target.check_ground()
    directories = [ca.directory for ca in config.cas.values()]
    accounts = in_folder(StoreSnapshot(folder, insist=config.insist), directories)
    return _Move(source, target, accounts, context).run()


def dump(config: Config, source: DatabaseStore, folder: Path, context: Context) -> MovedStore:
    """Write the content of the database into a folder, which becomes a store.

    :param folder: the absolute path.
    :raises ConfigError: ``fleet-folder-not-empty``.
    :raises StoreError: the database cannot be read, or the folder cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ConfigError.of(texts.FOLDER_NOT_EMPTY, folder=str(folder))
    source.check_ground()
    target = open_store(folder, insist=config.insist)
    target.check_ground()
    names = {ca.directory: name for name, ca in reversed([*config.cas.items()])}
    rows = source.database.fetch("SELECT directory FROM dnsrenew_account ORDER BY directory")
    accounts = [(directory, names.get(directory) or host_name(directory)) for (directory,) in rows]
    return _Move(source, target, accounts, context).run()


class _Move:
    """One copy.

    :param accounts: the accounts of the source.
    """

    def __init__(self, source: Store, target: Store, accounts: Sequence[KnownAccount], context: Context) -> None:
        self._source, self._target, self._accounts, self._context = source, target, accounts, context
        self._found: dict[str, list[str]] = {"moved": [], "kept": [], "damaged": []}

    def run(self) -> MovedStore:
        moved = [(directory, self._move_account(directory, ca)) for directory, ca in self._accounts]
        for name in self._source.names():
            self._context.check()
            with self._target.lock(name, context=self._context, wait=_WAIT):
                self._move_certificate(name)
        return MovedStore(
            certificates=len(self._found["moved"]),
            accounts=sum(each is True for _, each in moved),
            kept=tuple(self._found["kept"]),
            kept_accounts=tuple(directory for directory, each in moved if each is False),
            damaged=tuple(self._found["damaged"]),
            journal=self._move_journal(),
        )

    def _move_journal(self) -> bool:
        """Copy the journal of TXT values that interrupted runs left to the target; return whether there are any.

        They stay in the source as well, because removing a missing value is not an error.
        """
        with self._source.journal.left_over(self._context) as entries:
            for entry in entries:
                page = entry.page
                self._target.journal.enter(self._context, page.certificate, page.values, page.hosts).keep()
            return bool(entries)

    # ── accounts ────────────────────────────────────────────────────────────────────────

    def _move_account(self, directory: str, ca: str) -> bool | None:
        """Move an account and its ledger; return False if another account stays, None if there is none."""
        self._move_ledger(directory, ca)
        account = self._source.accounts(directory, ca, self._context).load()
        if account is None:
            return None
        there = self._target.accounts(directory, ca, self._context)
        with there.lock(self._context):
            other = there.load()
            if other is None:
                there.save(account)
                return True
            return None if other.key_pem == account.key_pem else False

    def _move_ledger(self, directory: str, ca: str) -> None:
        """Merge both records of what the CA has said. The later end of each wait and each limit counts."""
        here = self._source.ledger(directory, ca, self._context).place.read(self._context, read_only=True)
        if here is None or here == LedgerState():
            return
        target = self._target.ledger(directory, ca, self._context).place
        target.change(self._context, lambda there, _now: _merged(here, there))

    # ── certificates ────────────────────────────────────────────────────────────────────

    def _move_certificate(self, name: str) -> None:
        there = self._target.read_state(name)
        for _ in range(_TRIES):
            state = self._source.read_state(name, quarantine=False)
            if state.version is None:
                self._move_history(name, state, there)
                return
            if _is_newer(there, state):
                self._found["kept"].append(name)
                return
            chain, key = self._source.read_chain(name, state), self._source.read_private_key(name, state)
            if chain and (key or lacks_key(state.sizes)) and self._source.is_whole(name, state):
                self._move_version(name, state, there, (chain, key or b""))
                return
        self._found["damaged"].append(name)

    def _move_version(self, name: str, state: State, there: State, pair: tuple[str, bytes]) -> None:
        chain, key = pair
        sizes = {"privkey.pem": len(key), "fullchain.pem": len(chain)}
        meta = replace(Meta(**{each: getattr(state, each) for each in field_types(Meta)}), sizes=sizes)
        number = self._target.add_version(name, chain, key, meta, there)
        kept = replace(state, version=number, switching=None, sizes=sizes, rebuilt=False, notices=())
        self._target.activate(name, number, meta, there, remember=lambda _: kept)
        self._found["moved"].append(name)
        self._move_rest(name, state, number)

    def _move_history(self, name: str, state: State, there: State) -> None:
        """Copy the failures of a certificate that was never obtained."""
        if there.version is None and state != State():
            self._target.write_state(name, replace(state, rebuilt=False, notices=()))
            self._move_rest(name, state, None)

    def _move_rest(self, name: str, state: State, number: int | None) -> None:
        """Copy the order that is being finalized, the request to another issuer, and the record of messages."""
        order = self._source.orders.load(self._context, name, version=state.version)
        if order is not None:
            self._target.orders.save(name, replace(order, version=number))
        request = self._source.signing_requests.load(self._context, name)
        if request is not None:
            self._target.signing_requests.save(name, request.csr_pem, request.key_pem)
        self._target.notified.write(name, self._source.notified.read(name))


def _is_newer(there: State, here: State) -> bool:
    """Return whether the target already has this version or a newer one."""
    if there.version is None or there.not_before is None or here.not_before is None:
        return False
    return there.serial == here.serial or there.not_before >= here.not_before


def _merged(one: LedgerState, two: LedgerState) -> LedgerState:
    counted = ("failed", "sets", "failed_orders")
    return LedgerState(
        **{name: _later(getattr(one, name), getattr(two, name)) for name in counted},
        waits=_later(one.waits, two.waits, lambda wait: wait.until),
        extra={**one.extra, **two.extra},
    )


def _later(one: Mapping[str, V], two: Mapping[str, V], end: Callable[[V], Any] = lambda value: value) -> dict[str, V]:
    """Return both mappings merged. For a common key, the value that ends later wins."""
    found = dict(one)
    for key, value in two.items():
        if key not in found or end(value) >= end(found[key]):
            found[key] = value
    return found


# ── known accounts ─────────────────────────────────────────────────────────────────────

# The accounts of a store: the directory URL of each CA, and its name in the store.


KnownAccount = tuple[str, str]
"""The directory URL of a CA (RFC 8555 section 7.1.1), and its name in the account's folder name."""


def in_folder(snapshot: StoreSnapshot, known: Iterable[str]) -> list[KnownAccount]:
    """Return the accounts of a folder, without accounts of an unknown CA.

    :param known: directory URLs. The name of a folder has the hash of its URL.
    :raises StoreError: an account cannot be read.
    """
    by_hash = {hashlib.sha256(directory.encode()).hexdigest()[:16]: directory for directory in known}
    found = []
    for files in snapshot.accounts():
        folder = os.path.dirname(files[0].name)
        ca, _, digest = os.path.basename(folder).rpartition("-")
        documents = [file.data for file in files if file.name == f"{folder}/account.json"]
        directory = by_hash.get(digest) or next(map(_directory, documents), None)
        if directory:
            found.append((directory, ca))
    return found


def _directory(document: bytes) -> str | None:
    """Return the directory URL in the data of an account, or None."""
    try:
        return json_files.string(json_files.load(document, SCHEMA).get("directory")) or None
    except (json_files.DamagedFile, json_files.NewerSchema):
        return None


# ── tables ─────────────────────────────────────────────────────────────────────────────

# The tables of a fleet: created or upgraded, with their private keys sealed by the first seal.


def initialize(store: DatabaseStore, *, seal_existing: bool = False) -> dict[str, int]:
    """Create or upgrade the tables of dnsrenew and of its queue. Repeated, it changes nothing.

    :param seal_existing: seal unsealed private keys. If not, they are refused if there is a seal.
    :returns: the version of the tables (``schema``), and the number of newly sealed private keys (``sealed``).
    :raises StoreError: ``store-newer``, ``store-refused``, ``store-unreachable``, ``seal-wrong``,
        ``store-extra-missing``.
    """
    check_packages()
    schema.initialize(store.database, store.seals, seal_existing=seal_existing)
    sealed = schema.reseal(store.database, store.seals, seal_existing=seal_existing)
    return {"schema": schema.VERSION, "sealed": sealed}
