"""A store that is a folder into the database of a fleet, and back: accounts, ledgers, versions, orders, the journal.

Nothing is locked where it is read: a version never changes, and the last three are kept.
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
"""How often to look again for a version that was replaced in between."""
V = TypeVar("V")


class MovedStore(Result, kw_only=True):
    """What was moved.

    :ivar certificates: the number of certificates that were written.
    :ivar accounts: the number of accounts that were written.
    :ivar kept: the certificates that the target has as new or newer.
    :ivar kept_accounts: the CAs at which the target has another account already, which stays.
    :ivar damaged: the certificates whose version in force is missing or damaged.
    :ivar journal: whether killed runs left TXT values; the target knows of them too.
    """

    certificates: int = 0
    accounts: int = 0
    kept: tuple[str, ...] = ()
    kept_accounts: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    journal: bool = False


def load(folder: Path, config: Config, target: DatabaseStore, context: Context) -> MovedStore:
    """Write the content of a folder into the database. Of a certificate that both have, the newer version wins.

    :param folder: absolute.
    :raises ConfigError: ``fleet-no-store``: it is no store.
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
    """Write the content of the database into a folder, which is a store then.

    :param folder: absolute.
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
    """One move.

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
        """Write down in the target too which TXT values killed runs left; return whether there are any.

        They stay in the source as well: a value that is gone is removed without an error.
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
        """Add what the CA has said here to what it has said there: of each wait and each limit the later end holds."""
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
        """Move what is known of a certificate that was never obtained: its failures."""
        if there.version is None and state != State():
            self._target.write_state(name, replace(state, rebuilt=False, notices=()))
            self._move_rest(name, state, None)

    def _move_rest(self, name: str, state: State, number: int | None) -> None:
        """Move the order that is being finalized, the request to another issuer, and the record of messages."""
        order = self._source.orders.load(self._context, name, version=state.version)
        if order is not None:
            self._target.orders.save(name, replace(order, version=number))
        request = self._source.signing_requests.load(self._context, name)
        if request is not None:
            self._target.signing_requests.save(name, request.csr_pem, request.key_pem)
        self._target.notified.write(name, self._source.notified.read(name))


def _is_newer(there: State, here: State) -> bool:
    """Return whether the target has this version already, or a newer one."""
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
    """Return both mappings; of a key in both, the value that ends later."""
    found = dict(one)
    for key, value in two.items():
        if key not in found or end(value) >= end(found[key]):
            found[key] = value
    return found


# ── known accounts ─────────────────────────────────────────────────────────────────────

# Which accounts a store has: the directory URL of each CA, and what the store calls it.


KnownAccount = tuple[str, str]
"""The directory URL of a CA (RFC 8555 section 7.1.1), and its name in the name of the folder of the account."""


def in_folder(snapshot: StoreSnapshot, known: Iterable[str]) -> list[KnownAccount]:
    """Return the accounts of a folder; one whose CA cannot be told is left out.

    :param known: directory URLs. The name of a folder has the hash of its own.
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

# The tables of a fleet: made, or brought to this version, and their private keys sealed with the first seal.


def initialize(store: DatabaseStore, *, seal_existing: bool = False) -> dict[str, int]:
    """Make the tables of dnsrenew and of its queue, or bring them to this version. Repeated, it changes nothing.

    :param seal_existing: seal the private keys that are not sealed; otherwise they are refused where there is a seal.
    :returns: the version of the tables (``schema``), and how many private keys were sealed anew (``sealed``).
    :raises StoreError: ``store-newer``, ``store-refused``, ``store-unreachable``, ``seal-wrong``,
        ``store-extra-missing``.
    """
    check_packages()
    schema.initialize(store.database, store.seals, seal_existing=seal_existing)
    sealed = schema.reseal(store.database, store.seals, seal_existing=seal_existing)
    return {"schema": schema.VERSION, "sealed": sealed}
