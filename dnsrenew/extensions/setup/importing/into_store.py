"""What was found, in the store: accounts with their keys and URLs, certificates as they are. Nothing is ordered.

The new files for servers are written from the store too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dnsrenew.acme.account_keys import signer_of, with_thumbprint
from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Deployment, DeploymentResult, rfc3339
from dnsrenew.base.model.spec import AccountData, split_chain
from dnsrenew.base.names import InvalidName, to_a_labels
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.base.x509 import CertificateFacts, PrivateKey, user_files
from dnsrenew.config import loader
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entries, entry
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.extensions.setup.importing import config_file, reading, texts
from dnsrenew.extensions.setup.importing.model import FoundCertificate, FoundDeployment, FoundDnsAccount
from dnsrenew.extensions.setup.importing.plan import Plan, PlannedCa, PlannedCertificate, free_name
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.servers import NAMES, new_paths
from dnsrenew.store import State, Store
from dnsrenew.store.state import Meta


class _CheckedPair(Frozen, hidden=("key_pem",)):
    """A certificate that was checked.

    :ivar identifiers: the names of the certificate.
    """

    fullchain_pem: str
    key_pem: bytes
    key: PrivateKey
    facts: CertificateFacts
    identifiers: tuple[str, ...]


def save_account(ca: PlannedCa, store: Store, context: Context, notes: Notes) -> bool:
    """Store the account at a CA; return whether the store has it now. Another account that is there stays.

    :raises StoreError: the store cannot be written.
    """
    account = ca.account
    if account is None:
        return False
    try:
        # The form of our own keys, whatever the tool's was.
        data = AccountData(x509.key_to_pem(user_files.key_from_file(account.key_pem)), account.url, account.contact)
        signer_of(data)
    except (ConfigError, StoreError):
        notes.add(texts.ACCOUNT_UNUSABLE, account.source, loses=True, ca=ca.name)
        return False
    files = store.accounts(ca.directory, ca.name, context)
    with files.lock(context):
        stored = files.load()
        if stored is None:
            files.save(with_thumbprint(data, data.key_pem))
            return True
    if stored.key_pem == data.key_pem:
        return True
    notes.add(texts.ACCOUNT_KEPT, account.source, loses=True, ca=ca.name)
    return False


def save_certificate(
    planned: PlannedCertificate, store: Store, context: Context, notes: Notes, *, asked_by: str
) -> bool:
    """Store a certificate and put it into force; return whether the store has it now.

    :param asked_by: the path of the configuration.
    :raises StoreError: the store cannot be written.
    :raises LockedError: another run works on it.
    """
    checked = _check(planned.found, planned.name, context, notes)
    if checked is None:
        return False
    with store.lock(planned.name, context=context):
        state = store.read_state(planned.name)
        if state.version is not None and store.is_whole(planned.name, state):
            if state.serial == checked.facts.serial:
                return True
            if state.not_after is not None and state.not_after >= checked.facts.not_after:
                notes.add(texts.CERTIFICATE_KEPT, planned.found.source, name=planned.name)
                return True
        _keep(planned, checked, state, store, asked_by)
    return True


def _check(found: FoundCertificate, name: str, context: Context, notes: Notes) -> _CheckedPair | None:
    """Return the certificate, checked as one that is installed by hand; None, with a note, if it cannot serve."""
    if found.fullchain_pem is None or found.key_pem is None:
        return None
    try:
        key = user_files.key_from_file(found.key_pem)
        names = x509.read_certificate(found.fullchain_pem).names
        pem, facts = user_files.chain_from_file(found.fullchain_pem.encode(), key, names, context.clock.now())
    except (CAError, ConfigError) as error:
        is_old = error.evidence.get("wrong") == "dates"  # nothing is lost
        notes.add(texts.CERTIFICATE_UNUSABLE, found.source, loses=not is_old, name=name, reason=error.message)
        return None
    except ValueError:
        notes.add(texts.DAMAGED, found.source, loses=True, reason=texts.NO_CERTIFICATE)
        return None
    return _CheckedPair(pem, x509.key_to_pem(key), key, facts, names)


def _keep(planned: PlannedCertificate, checked: _CheckedPair, state: State, store: Store, asked_by: str) -> None:
    """Store it with what it has in common with the configuration, so that it is renewed when it is due, not at once."""
    facts, pem = checked.facts, "".join(split_chain(checked.fullchain_pem))
    configured = tuple(identifier(domain) for domain in planned.found.domains)
    same = set(configured) == set(checked.identifiers)
    kind = x509.key_kind(checked.key)
    meta = Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=tuple(domain.lower() for domain in planned.found.domains) if same else checked.identifiers,
        identifiers=configured if same else checked.identifiers,
        ca=planned.ca,
        key=kind if kind and kind == planned.key else "",
        profile=planned.found.profile or "",
        sizes={"privkey.pem": len(checked.key_pem), "fullchain.pem": len(pem)},
        compromised_keys=state.compromised_keys,
    )
    store.prove_writable(planned.name)
    number = store.add_version(planned.name, pem, checked.key_pem, meta, state)
    store.activate(planned.name, number, meta, state, remember=lambda new: replace(new, asked_by=asked_by, worked=()))


def identifier(domain: str) -> str:
    """Return a domain as A-labels, or as it is if it is none; the configuration then says so."""
    try:
        return to_a_labels(domain.lower())
    except InvalidName:
        return domain.lower()


def note_programs(spec: CertificateSpec, store: Store, context: Context) -> None:
    """Record that the programs for a new certificate have run: the other tool ran them when it obtained this one.

    :raises StoreError: the store cannot be written.
    :raises LockedError: another run works on it.
    """
    programs = [each for each in entries(spec.deploy) if each.to == "run"]
    if not programs:
        return
    with store.lock(spec.name, context=context):
        state = store.read_state(spec.name)
        more = {"serial": state.serial, "time": rfc3339(context.clock.now())}
        done = {each.id: DeploymentResult(to=each.to, target=each.target, ok=True) for each in programs}
        records = {one: {**result.to_dict(), **more} for one, result in done.items() if one not in state.deployments}
        store.write_state(spec.name, replace(state, deployments={**state.deployments, **records}))


def write_files(spec: CertificateSpec, store: Store, context: Context, live: Path) -> None:
    """Write the new files of a certificate, so that a line that names them works at once. No server is reloaded.

    What fails is left to ``dnsrenew deploy``, which says why.

    :param live: the folder of all new files.
    :raises StoreError: the store cannot be read.
    :raises LockedError: another run works on it.
    """
    files = [each for each in spec.deploy if isinstance(each, Deployment) and new_paths(each, live)]
    if not files:
        return
    with store.lock(spec.name, context=context):
        certificate = store.certificate(spec.name, store.read_state(spec.name))
        if certificate is None:
            return
        for each in files:
            whole = entry(each)
            options = {key: value for key, value in whole.options.items() if key in {*NAMES, "group", "key_mode"}}
            bare = replace(whole, options=options)
            engine.deploy(context, [bare], certificate, lambda one: store.deployment(spec.name, one))


# ── catching up ────────────────────────────────────────────────────────────────────────

# A later import into the same configuration: which certificates of the tools it lacks, and the tables to add to it.
#
# The configuration belongs to a person by now, so it is compared and never changed.

_DEFAULT_CA: Final = "letsencrypt"
_REFERENCE: Final = "file:"


class TablesToAdd(Frozen):
    """What a person has to add to the configuration for a certificate.

    :ivar certificate: its name.
    :ivar lines: its table, after those of its CA and of its DNS accounts where the configuration lacks them.
    """

    certificate: str
    lines: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"certificate": self.certificate, "lines": self.lines}


class ConfiguredTables(Frozen):
    """The tables of a configuration and of the files that it includes, as they are written.

    :ivar certificates: the domains of each certificate as A-labels, by its name.
    :ivar cas: the directory URLs of the CAs that it has or uses, by name.
    :ivar dns: the tables of the DNS accounts, by name.
    """

    certificates: Mapping[str, frozenset[str]]
    cas: Mapping[str, str]
    dns: Mapping[str, Mapping[str, Any]]
    default_ca: str

    def name_of(self, planned: PlannedCertificate) -> str | None:
        """Return the name of the certificate that covers all domains of a planned one; None if there is none."""
        wanted = {identifier(domain) for domain in planned.found.domains}
        found = [name for name, domains in self.certificates.items() if all(_covers(domains, each) for each in wanted)]
        return planned.name if planned.name in found else next(iter(found), None)


def _covers(domains: frozenset[str], domain: str) -> bool:
    return domain in domains or f"*.{domain.partition('.')[2]}" in domains


def configured(config: Path) -> ConfiguredTables | None:
    """Return the tables of a configuration; None if it cannot be read, which the next steps say."""
    try:
        tables = loader.read_file(str(config), found=False, insist=True).report.tables.values()
    except ConfigError:
        return None
    main: Mapping[str, Any] = next(iter(tables), {})
    certificates = [each for table in tables for each in _list(table.get("certificate"))]
    default = main.get("default_ca", _DEFAULT_CA)
    default = default if isinstance(default, str) else _DEFAULT_CA
    own = {name: table for each in tables for name, table in _table(each.get("ca")).items()}
    directories = {name: str(_table(table).get("directory", "")) for name, table in own.items()}
    used = {name for each in certificates for name in _cas(each, default)}
    directories = {**{name: ca.directory for name, ca in BUILT_IN.items() if name in used}, **directories}
    return ConfiguredTables(
        certificates=dict(_named(each) for each in certificates),
        cas=directories,
        dns={name: _table(table) for each in tables for name, table in _table(each.get("dns")).items()},
        default_ca=default,
    )


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cas(certificate: Mapping[str, Any], default: str) -> Iterator[str]:
    for table in (certificate, *_list(certificate.get("routes"))):
        name = table.get("ca", default)
        if isinstance(name, str):
            yield name


def _named(certificate: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    domains = certificate.get("domains")
    given = [each for each in domains if isinstance(each, str)] if isinstance(domains, list) else []
    plain = [identifier(each) for each in given]
    name = certificate.get("name")
    default = plain[0].replace("*", "_") if plain else ""
    return name if isinstance(name, str) else default, frozenset(plain)


# ── the tables to add ───────────────────────────────────────────────────────────────────


class MissingTables(Frozen, hidden=("secrets",)):
    """What the configuration lacks.

    :ivar secrets: the contents of the secret files that the tables name, by file.
    :ivar cas: the directory URLs of the CAs that it lacks.
    """

    to_add: tuple[TablesToAdd, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    cas: frozenset[str] = frozenset()


def missing_tables(
    plan: Plan, there: ConfiguredTables, deployments: Mapping[str, list[FoundDeployment]], taken: Mapping[str, str]
) -> MissingTables:
    """Return the tables of the planned certificates that the configuration lacks.

    :param taken: the secret files that exist, by name, with their contents.
    """
    names = _Names(plan, there, taken)
    secrets: dict[str, str] = {}
    found = []
    known: set[str] = set()
    for planned in plan.certificates:
        if there.name_of(planned) is not None:
            continue
        own = names.certificate(planned)
        cas = tuple(ca for ca in names.cas if ca.name == own.ca and ca.name not in known)
        dns = {name: names.dns[name] for name in own.dns if name in names.dns and name not in known}
        known |= {ca.name for ca in cas} | set(dns)
        part = replace(plan, cas=cas, dns=dns, certificates=(own,), not_understood=())
        its = {own.name: deployments.get(planned.name, [])}
        lines, new = config_file.tables(part, its, {**taken, **secrets}, there.default_ca)
        secrets |= new
        found.append(TablesToAdd(own.name, "\n".join(lines)))
    return MissingTables(tuple(found), secrets, frozenset(ca.directory for ca in names.cas))


class _Names:
    """Gives what the configuration lacks the names that are free in it.

    :ivar cas: the CAs that it lacks.
    :ivar dns: the DNS accounts that it lacks, by their new names.
    """

    def __init__(self, plan: Plan, there: ConfiguredTables, taken: Mapping[str, str]) -> None:
        self._there = there
        self._accounts = plan.dns
        self._planned = {ca.name: ca for ca in plan.cas}
        self._taken = taken
        self._names: dict[str, str] = {}
        self._certificates = set(there.certificates)
        self.cas: list[Any] = []
        self.dns: dict[str, FoundDnsAccount] = {}

    def certificate(self, planned: PlannedCertificate) -> PlannedCertificate:
        """Return a certificate with the names that it has in the configuration."""
        name = free_name(planned.name, self._certificates)
        self._certificates.add(name)
        dns = tuple(self._dns(each) if each else "" for each in planned.dns)
        return replace(planned, name=name, ca=self._ca(planned.ca), dns=dns)

    def _dns(self, name: str) -> str:
        account = self._accounts[name]
        known = next((new for new, each in self.dns.items() if each == account), None)
        same = (key for key, table in self._there.dns.items() if _is_same(table, account, self._taken))
        found = known or next(same, None)
        if found is None:
            found = free_name(name, [*self._there.dns, *self.dns])
            self.dns[found] = account
        return found

    def _ca(self, name: str) -> str:
        if not name:
            return ""
        ca = self._planned[name]
        known = chain(self._there.cas.items(), ((each.name, each.directory) for each in self.cas))
        found = next((key for key, directory in known if directory == ca.directory), None)
        if found is None:
            found = free_name(name, self._there.cas)
            self.cas.append(replace(ca, name=found))
        return found


def _is_same(table: Mapping[str, Any], account: FoundDnsAccount, taken: Mapping[str, str]) -> bool:
    """Return whether the table of a configuration is that of an account: options and secrets are equal."""
    plain = _flat({**account.options, "provider": account.provider})
    ignored = {"zones", *account.secrets, *reading.missing_options(account)}
    written = _flat(table)
    if {key: value for key, value in written.items() if key not in ignored} != plain:
        return False
    return all(_value(written.get(key), taken) == value for key, value in account.secrets.items())


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a table; those of a table in it as ``TABLE.KEY``."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    inner = {f"{key}.{name}": value for key, its in tables.items() for name, value in its.items()}
    return {**{key: value for key, value in table.items() if key not in tables}, **inner}


def _value(given: Any, taken: Mapping[str, str]) -> Any:
    """Return the value of a secret that is in a file beside the configuration; others as they are written."""
    is_file = isinstance(given, str) and given.startswith(_REFERENCE)
    return taken.get(given.removeprefix(_REFERENCE)) if is_file else given
