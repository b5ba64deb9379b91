"""Writes the imported data. No existing file is overwritten, and the configuration comes last.

The store gets accounts with their keys and URLs, and unchanged certificates. Nothing is ordered. The new files for
servers are written from the store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final

from dnsrenew.acme.account_keys import signer_of, with_thumbprint
from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Deployment, DeploymentResult, rfc3339
from dnsrenew.base.model.spec import AccountData, Profile, split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import PRIVATE_FILE, open_folder
from dnsrenew.base.values import replace
from dnsrenew.base.x509 import CertificateFacts, PrivateKey, user_files
from dnsrenew.config import Config
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entries, entry
from dnsrenew.errors import CAError, ConfigError, StoreError, system_reason
from dnsrenew.extensions.setup.importing import config_file, texts
from dnsrenew.extensions.setup.importing.model import ImportRequest, Plan, PlannedCa, PlannedCertificate
from dnsrenew.extensions.setup.importing.reading import Notes, content
from dnsrenew.extensions.setup.importing.servers import NAMES, new_paths
from dnsrenew.store import State, Store
from dnsrenew.store.state import issued_meta


class ImportWriter:
    """Writes the store, the secret files and the configuration, in this order.

    :ivar config: the configuration to write.
    :ivar live: the folder beside it with the new files for servers.
    :ivar accounts: the CAs whose account the store has.
    :ivar certificates: the certificates that the store has.
    :ivar to_add: the tables that an earlier configuration lacks.
    """

    def __init__(self, request: ImportRequest, plan: Plan, store: Store, context: Context, notes: Notes) -> None:
        self.request = request
        self.config, self.live = request.config, request.live
        self.plan, self.store, self.context, self.notes = plan, store, context, notes
        self.accounts: set[str] = set()
        self.certificates: set[str] = set()
        self.to_add: tuple[config_file.TablesToAdd, ...] = ()

    def write(self, tools: list[str]) -> list[str]:
        """Write everything; return the new files."""
        folder, say = self.config.parent, self.request.say
        encoded(self.config, config_file.document(self.plan, tools, [], {}, say)[0])  # before the store
        make_folder(folder)
        self.store.check_ground()
        self._fill_store(self.plan.cas, self.plan.certificates)
        for each in self.plan.certificates:
            if any(deployment.to == "files" for deployment in each.deploy):
                make_folder(self.live / each.name)
        if not any(ca.account for ca in self.plan.cas):
            self.notes.add(texts.TERMS, self.config)
        text, secrets = config_file.document(self.plan, tools, self.notes.found, secret_files(folder), say)
        written = [*(write(folder / name, value) for name, value in secrets.items()), write(self.config, text)]
        self._deploy()
        return [path for path in written if path]

    def note_stored(self) -> list[str]:
        """Record what the store has, without writing."""
        names = self.store.names()
        self.certificates.update(each.name for each in self.plan.certificates if each.name in names)
        self.accounts.update(ca.name for ca in self.plan.cas if self._has_account(ca))
        return []

    def catch_up(self) -> list[str]:
        """Complete an earlier import without changing its configuration; return the new files.

        A configured certificate that the store lacks is stored. One that the configuration lacks is recorded with the
        tables to add.
        """
        folder = self.config.parent
        try:
            missing = config_file.LaterImport(self.plan, self.config, secret_files(folder), self.request.say)
        except ConfigError:  # the next steps report the fault
            return self.note_stored()
        self.to_add = missing.to_add
        for each in missing.to_add:
            self.notes.add(texts.NOT_CONFIGURED, self.config, loses=True, name=each.certificate)
        own = {each.name: name for each in self.plan.certificates if (name := missing.name_of(each)) is not None}
        names = self.store.names()
        new = [each for each in self.plan.certificates if each.name in own and own[each.name] not in names]
        lacking = {ca.directory for ca in missing.cas}
        self._fill_store(
            [ca for ca in self.plan.cas if ca.directory in lacking and not self._has_account(ca)],
            [replace(each, name=own[each.name]) for each in new],
        )
        if self.certificates:
            self._deploy()
        written = [write(folder / name, value) for name, value in missing.secrets.items()]
        self.note_stored()
        names = self.store.names()
        self.certificates |= {planned for planned, name in own.items() if name in names}
        return [path for path in written if path]

    # ── the store ───────────────────────────────────────────────────────────────────────

    def _has_account(self, ca: PlannedCa) -> bool:
        return self.store.accounts(ca.directory, ca.name, self.context).load() is not None

    def _fill_store(self, cas: Collection[PlannedCa], certificates: Collection[PlannedCertificate]) -> None:
        """Store accounts and certificates.

        :raises StoreError: the store cannot be written.
        :raises LockedError: another run works on a certificate.
        """
        self.accounts.update(ca.name for ca in cas if self._save_account(ca))
        self.certificates.update(each.name for each in certificates if self._save_certificate(each))

    def _save_account(self, ca: PlannedCa) -> bool:
        """Store the account at a CA; return whether the store has it now. An existing other account stays."""
        account = ca.account
        if account is None:
            return False
        try:
            # The form of our own keys, regardless of the tool's.
            data = AccountData(x509.key_to_pem(user_files.key_from_file(account.key_pem)), account.url, account.contact)
            signer_of(data)
        except (ConfigError, StoreError):
            self.notes.add(texts.ACCOUNT_UNUSABLE, account.source, loses=True, ca=ca.name)
            return False
        kept = self.store.accounts(ca.directory, ca.name, self.context)
        with kept.lock(self.context):
            stored = kept.load()
            if stored is None:
                kept.save(with_thumbprint(data, data.key_pem))
                return True
        if stored.key_pem != data.key_pem:
            self.notes.add(texts.ACCOUNT_KEPT, account.source, loses=True, ca=ca.name)
        return stored.key_pem == data.key_pem

    def _save_certificate(self, planned: PlannedCertificate) -> bool:
        """Store a certificate and make it current; return whether the store has it now."""
        checked = self._checked(planned)
        if checked is None:
            return False
        _, _, facts = checked
        with self.store.lock(planned.name, context=self.context):
            state = self.store.read_state(planned.name)
            if state.version is not None and self.store.is_whole(planned.name, state):
                if state.serial == facts.serial:
                    return True
                if state.not_after is not None and state.not_after >= facts.not_after:
                    self.notes.add(texts.CERTIFICATE_KEPT, planned.found.source, name=planned.name)
                    return True
            self._keep(planned, *checked, state)
        return True

    def _checked(self, planned: PlannedCertificate) -> tuple[str, PrivateKey, CertificateFacts] | None:
        """Return the chain and its key, checked like one installed by hand; None, with a note, if unusable."""
        found = planned.found
        if found.fullchain_pem is None or found.key_pem is None:
            return None
        try:
            key = user_files.key_from_file(found.key_pem)
            names = x509.read_certificate(found.fullchain_pem).names
            now = self.context.clock.now()
            pem, facts = user_files.chain_from_file(found.fullchain_pem.encode(), key, names, now)
        except (CAError, ConfigError) as error:
            loses = error.evidence.get("wrong") != "dates"  # nothing is lost if it is old
            text, name = texts.CERTIFICATE_UNUSABLE, planned.name
            self.notes.add(text, found.source, loses=loses, name=name, reason=error.message)
            return None
        except ValueError:
            self.notes.add(texts.DAMAGED, found.source, loses=True, reason=texts.NO_CERTIFICATE)
            return None
        return pem, key, facts

    def _keep(
        self, planned: PlannedCertificate, chain: str, key: PrivateKey, facts: CertificateFacts, state: State
    ) -> None:
        """Store the certificate with the facts that the configuration shares, so that it is renewed when it is due."""
        pem, key_pem = "".join(split_chain(chain)), x509.key_to_pem(key)
        found, name = planned.found, planned.name
        domains, identifiers = tuple(map(str.lower, found.domains)), tuple(map(config_file.identifier, found.domains))
        if set(identifiers) != set(facts.names):
            domains = identifiers = facts.names
        profile = Profile(found.profile) if found.profile else None
        spec = CertificateSpec(name=name, domains=domains, identifiers=identifiers, ca=planned.ca, profile=profile)
        meta = issued_meta(spec, planned.ca, facts, {"privkey.pem": len(key_pem), "fullchain.pem": len(pem)}, state)
        meta = replace(meta, key=planned.key if x509.key_kind(key) == planned.key else "")
        self.store.prove_writable(name)
        asked = partial(replace, asked_by=str(self.config), worked=())
        self.store.keep_version(name, (pem, key_pem), meta, state, asked)

    # ── from the store ──────────────────────────────────────────────────────────────────

    def loaded(self) -> Config | None:
        """Return the current configuration; None with mistakes, which the next steps report."""
        with contextlib.suppress(ConfigError):
            return Config.load(self.config)
        return None

    def _deploy(self) -> None:
        """Write the new files for servers without reloading them, and record that programs have run."""
        now = self.loaded()
        for spec in () if now is None else now.certificates:
            if spec.name in self.certificates:
                self._note_programs(spec)
                self._write_files(spec)

    def _note_programs(self, spec: CertificateSpec) -> None:
        """Record that the programs for a new certificate have run, because the other tool has run them."""
        programs = [each for each in entries(spec.deploy) if each.to == "run"]
        if not programs:
            return
        with self.store.lock(spec.name, context=self.context):
            state = self.store.read_state(spec.name)
            more = {"serial": state.serial, "time": rfc3339(self.context.clock.now())}
            done = {each.id: DeploymentResult(to=each.to, target=each.target, ok=True) for each in programs}
            new = {one: {**each.to_dict(), **more} for one, each in done.items() if one not in state.deployments}
            self.store.write_state(spec.name, replace(state, deployments={**state.deployments, **new}))

    def _write_files(self, spec: CertificateSpec) -> None:
        """Write the new files of a certificate, so that a line that names them works at once. No server is reloaded.

        Failures are left to ``dnsrenew deploy``, which reports them.
        """
        found = [entry(each) for each in spec.deploy if isinstance(each, Deployment) and new_paths(each, self.live)]
        if not found:
            return
        with self.store.lock(spec.name, context=self.context):
            certificate = self.store.certificate(spec.name, self.store.read_state(spec.name))
            if certificate is None:
                return
            for each in found:
                options = {key: value for key, value in each.options.items() if key in {*NAMES, "group", "key_mode"}}
                bare = [replace(each, options=options)]
                engine.deploy(self.context, bare, certificate, lambda one: self.store.deployment(spec.name, one))


# ── new files ──────────────────────────────────────────────────────────────────────────

# Writes new files only. No existing file is touched.

_FOLDER: Final = 0o755
_LARGEST: Final = 1 << 16
"""Maximum bytes of a secret."""


def make_folder(folder: Path) -> None:
    """Make a folder and missing ones above it, which others can enter but not write to.

    :raises StoreError: ``import-unwritable``.
    """
    try:
        for each in (*reversed(folder.parents), folder):
            if not os.path.isdir(each):
                os.mkdir(each, _FOLDER)
                os.chmod(each, _FOLDER)  # the umask may have removed too much or too little
    except OSError as error:
        raise _unwritable(folder, error) from None


def secret_files(folder: Path) -> dict[str, str]:
    """Return the contents of the text files in a folder by name; "" for an existing file that is not ours.

    A secret may come from an earlier import.
    """
    contents = {name: content(folder / name, _LARGEST) for name in sorted(os.listdir(folder)) if name.endswith(".txt")}
    return {name: (data or b"").decode("utf-8", "replace").removesuffix("\n") for name, data in contents.items()}


def write(path: Path, text: str) -> str | None:
    """Write a new private file; return its path, or None if it already exists with this content.

    :raises StoreError: ``import-unwritable``: the file cannot be written, or exists with other content.
    """
    data = encoded(path, text)
    if content(path, len(data)) == data:
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
    :raises StoreError: ``import-unwritable``: the content is not valid Unicode.
    """
    try:
        return (text.removesuffix("\n") + "\n").encode()
    except UnicodeEncodeError:
        raise StoreError.of(texts.UNWRITABLE, path=str(path), reason=texts.NOT_UNICODE) from None


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError.of(texts.UNWRITABLE, path=str(path), reason=system_reason(error).lower())
