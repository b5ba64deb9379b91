"""A later import into the same configuration: which certificates of the tools it lacks, and the tables to add to it.

The configuration belongs to a person by now, so it is compared and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.config import loader
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import config_file, reading
from dnsrenew.extensions.setup.importing.into_store import identifier
from dnsrenew.extensions.setup.importing.plan import free_name

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.extensions.setup.importing.found import FoundDeployment, FoundDnsAccount
    from dnsrenew.extensions.setup.importing.plan import Plan, PlannedCertificate

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
    plan: Plan,
    there: ConfiguredTables,
    deployments: Mapping[str, list[FoundDeployment]],
    taken: Mapping[str, str],
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
        entries = {own.name: deployments.get(planned.name, [])}
        lines, files = config_file.tables(part, entries, {**taken, **secrets}, there.default_ca)
        secrets |= files
        found.append(TablesToAdd(own.name, "\n".join(lines)))
    new = frozenset(ca.directory for ca in names.cas)
    return MissingTables(tuple(found), secrets, new)


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
    """Tell whether the table of a configuration is that of an account: options and secrets are equal."""
    plain = {**account.options, "provider": account.provider}
    ignored = {"zones", *account.secrets, *reading.missing_options(account)}
    if {key: value for key, value in table.items() if key not in ignored} != plain:
        return False
    return all(_value(table.get(key), taken) == value for key, value in account.secrets.items())


def _value(given: Any, taken: Mapping[str, str]) -> Any:
    """Return the value of a secret that is in a file beside the configuration; others as they are written."""
    is_file = isinstance(given, str) and given.startswith(_REFERENCE)
    return taken.get(given.removeprefix(_REFERENCE)) if is_file else given
