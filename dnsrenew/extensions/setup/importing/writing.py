"""Writes what was imported. Nothing that exists is written over; the configuration comes last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import PRIVATE_FILE, open_folder
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.setup.importing import config_file, into_store, reading, texts
from dnsrenew.extensions.setup.importing.into_store import TablesToAdd
from dnsrenew.extensions.setup.importing.model import FoundDeployment
from dnsrenew.extensions.setup.importing.plan import Plan, PlannedCa, PlannedCertificate
from dnsrenew.store import Store

LIVE: Final = "live"
"""The folder beside the configuration with the new files for servers."""


class ImportWriter:
    """Writes the store, the secret files and the configuration, in this order.

    :param config: the configuration to write.

    :ivar accounts: the CAs whose account the store has.
    :ivar certificates: the certificates that the store has.
    :ivar to_add: the tables that an earlier configuration lacks.
    """

    def __init__(self, config: Path, plan: Plan, store: Store, context: Context, notes: reading.Notes) -> None:
        self._config = config
        self._plan = plan
        self._store = store
        self._context = context
        self._notes = notes
        self.accounts: set[str] = set()
        self.certificates: set[str] = set()
        self.to_add: tuple[TablesToAdd, ...] = ()

    def write(self, tools: list[str], deployments: dict[str, list[FoundDeployment]]) -> list[str]:
        """Write everything; return the new files."""
        folder = self._config.parent
        encoded(self._config, config_file.document(self._plan, tools, deployments, {}).text)  # before the store
        make_folder(folder)
        self._fill_store()
        targets = [name for name, entries in deployments.items() if any(each.to == "files" for each in entries)]
        for name in targets:
            make_folder(folder / LIVE / name)
        if not any(ca.account is not None for ca in self._plan.cas):
            self._notes.add(texts.TERMS, self._config)
        plan = self._plan.with_notes(self._notes.found)
        document = config_file.document(plan, tools, deployments, secret_files(folder))
        written = [path for name, value in document.secrets.items() if (path := write(folder / name, value))]
        written += filter(None, [write(self._config, document.text)])
        self._deploy()
        return written

    def _deploy(self) -> None:
        """Write the new files for servers, which are not reloaded yet, and note that programs have run."""
        try:
            specs = Config.load(self._config).certificates
        except ConfigError:  # the next steps say what is missing
            return
        for spec in specs:
            if spec.name in self.certificates:
                into_store.note_programs(spec, self._store, self._context)
                into_store.write_files(spec, self._store, self._context, self._config.parent / LIVE)

    def note_stored(self) -> list[str]:
        """Write nothing: note what the store has."""
        names = self._store.names()
        self.certificates.update(each.name for each in self._plan.certificates if each.name in names)
        for ca in self._plan.cas:
            if self._has_account(ca):
                self.accounts.add(ca.name)
        return []

    def catch_up(self, deployments: dict[str, list[FoundDeployment]]) -> list[str]:
        """Complete an earlier import, whose configuration stays as it is; return the new files.

        A certificate of the configuration that the store lacks is stored; one that the configuration lacks is noted,
        with the tables to add.
        """
        there = into_store.configured(self._config)
        if there is None:
            return self.note_stored()
        folder = self._config.parent
        missing = into_store.missing_tables(self._plan, there, deployments, secret_files(folder))
        self.to_add = missing.to_add
        for each in missing.to_add:
            self._notes.add(texts.NOT_CONFIGURED, self._config, loses=True, name=each.certificate)
        own = {each.name: name for each in self._plan.certificates if (name := there.name_of(each)) is not None}
        configured = [replace(each, name=own[each.name]) for each in self._plan.certificates if each.name in own]
        self._store_missing(configured, missing.cas)
        written = [write(folder / name, value) for name, value in missing.secrets.items()]
        self.note_stored()
        names = self._store.names()
        self.certificates |= {planned for planned, name in own.items() if name in names}
        return [path for path in written if path]

    def _store_missing(self, certificates: list[PlannedCertificate], cas: frozenset[str]) -> None:
        """Store the certificates, and the accounts at CAs that are new to the configuration, that the store lacks."""
        for ca in self._plan.cas:
            if ca.directory in cas and not self._has_account(ca):
                into_store.save_account(ca, self._store, self._context, self._notes)
        names, path = self._store.names(), str(self._config)
        new = [each for each in certificates if each.name not in names]
        stored = {
            each.name
            for each in new
            if into_store.save_certificate(each, self._store, self._context, self._notes, asked_by=path)
        }
        if stored:
            self.certificates |= stored
            self._deploy()

    def _has_account(self, ca: PlannedCa) -> bool:
        return self._store.accounts(ca.directory, ca.name, self._context).load() is not None

    def _fill_store(self) -> None:
        self._store.check_ground()
        for ca in self._plan.cas:
            if into_store.save_account(ca, self._store, self._context, self._notes):
                self.accounts.add(ca.name)
        for each in self._plan.certificates:
            path = str(self._config)
            if into_store.save_certificate(each, self._store, self._context, self._notes, asked_by=path):
                self.certificates.add(each.name)


# ── new files ──────────────────────────────────────────────────────────────────────────

# Writes new files, and only new ones: nothing that exists is touched.

_FOLDER: Final = 0o755
_LARGEST: Final = 1 << 16
"""Bytes of a secret."""


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, so that others can enter and not write.

    :raises StoreError: ``import-unwritable``.
    """
    try:
        for each in (*reversed(folder.parents), folder):
            if not os.path.isdir(each):
                os.mkdir(each, _FOLDER)
                os.chmod(each, _FOLDER)  # the umask may have taken too much, or too little
    except OSError as error:
        raise _unwritable(folder, error) from None


def secret_files(folder: Path) -> dict[str, str]:
    """Return the contents of the text files in a folder, by name: a secret may be there from an earlier import."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".txt"):
            try:
                with files.open_to_read(folder / name) as stream:
                    data = stream.read(_LARGEST + 1)
            except OSError:
                found[name] = ""  # it is there, and not ours
            else:
                found[name] = data.decode("utf-8", "replace").removesuffix("\n") if len(data) <= _LARGEST else ""
    return found


def write(path: Path, text: str) -> str | None:
    """Write a private file that does not exist yet; return its path, or None if it is there with this content.

    :raises StoreError: ``import-unwritable``: it cannot be written, or another file is there.
    """
    data = encoded(path, text)
    if os.path.lexists(path) and _content(path, len(data)) == data:
        return None
    try:
        with open_folder(os.path.abspath(path.parent)) as folder:
            folder.write(path.name, data, PRIVATE_FILE, sync=True, is_new=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    return str(path)


def encoded(path: Path, text: str) -> bytes:
    """Return the content of a text file.

    :param path: the file, for the error.
    :raises StoreError: ``import-unwritable``: it is not valid Unicode.
    """
    try:
        return (text.removesuffix("\n") + "\n").encode()
    except UnicodeEncodeError:
        raise StoreError.of(texts.UNWRITABLE, path=str(path), reason=texts.NOT_UNICODE) from None


def _content(path: Path, most: int) -> bytes | None:
    """Return the content of a file, up to one octet more than some."""
    try:
        with files.open_to_read(path) as stream:
            return stream.read(most + 1)
    except OSError:
        return None


def _unwritable(path: Path, error: OSError) -> StoreError:
    reason = (error.strerror or str(error)).lower()
    return StoreError.of(texts.UNWRITABLE, path=str(path), reason=reason)
