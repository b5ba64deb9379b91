"""Writes what was imported. Nothing that exists is written over; the configuration comes last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import catching_up, config_file, into_store, new_files, texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.setup.importing import reading
    from dnsrenew.extensions.setup.importing.catching_up import TablesToAdd
    from dnsrenew.extensions.setup.importing.found import FoundDeployment
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
        new_files.encoded(
            self._config, config_file.document(self._plan, tools, deployments, {}).text
        )  # before the store
        new_files.make_folder(folder)
        self._fill_store()
        targets = [name for name, entries in deployments.items() if any(each.to == "files" for each in entries)]
        for name in targets:
            new_files.make_folder(folder / LIVE / name)
        if not any(ca.account is not None for ca in self._plan.cas):
            self._notes.add(texts.TERMS, self._config)
        plan = self._plan.with_notes(self._notes.found)
        document = config_file.document(plan, tools, deployments, new_files.secret_files(folder))
        written = [path for name, value in document.secrets.items() if (path := new_files.write(folder / name, value))]
        written += filter(None, [new_files.write(self._config, document.text)])
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
        there = catching_up.configured(self._config)
        if there is None:
            return self.note_stored()
        folder = self._config.parent
        missing = catching_up.missing_tables(self._plan, there, deployments, new_files.secret_files(folder))
        self.to_add = missing.to_add
        for each in missing.to_add:
            self._notes.add(texts.NOT_CONFIGURED, self._config, loses=True, name=each.certificate)
        own = {each.name: name for each in self._plan.certificates if (name := there.name_of(each)) is not None}
        configured = [replace(each, name=own[each.name]) for each in self._plan.certificates if each.name in own]
        self._store_missing(configured, missing.cas)
        written = [new_files.write(folder / name, value) for name, value in missing.secrets.items()]
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
