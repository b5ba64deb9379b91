"""The accounts at DNS hosts: ``[dns.*]``, checked against each provider's file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import DnsAccount
from dnsrenew.base.names import is_at_or_below
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import FieldError, KeyPath, Mistake, describe_found, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import MISSING, UNKNOWN_KEY
from dnsrenew.base.values import replace
from dnsrenew.config import texts
from dnsrenew.config.fields import dns_hook, each_key, file_path, integer, judged_file, list_of, plain_name, text, zone
from dnsrenew.config.schema import TOP_LEVEL, FieldScope, ReadField, as_table, brackets
from dnsrenew.config.secret_fields import any_secret, maybe_secret, secret
from dnsrenew.drivers import catalogue, scripts
from dnsrenew.drivers.catalogue import check_options, help_within, plug_in_names
from dnsrenew.drivers.loading import driver_missing, is_built_in
from dnsrenew.drivers.provider import OWN_OBJECT, Provider
from dnsrenew.drivers.scripts import find_other, providers_called
from dnsrenew.errors import ConfigError, as_clause

_COMMON: Final = {"zones": list_of(zone, texts.ZONES, least=1, one=True), "ttl": integer(1, 604800)}


def _script(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the name or path of a script of acme.sh."""
    scope.check_plain()
    if isinstance(value, str) and _SCRIPT.fullmatch(value):
        return value
    file = file_path(value, scope, path)
    if not isinstance(value, str) or not os.path.isabs(os.path.expanduser(value)):
        raise FieldError(texts.DNS_SCRIPT)
    return file


def _variables(value: Any, scope: FieldScope, path: KeyPath) -> dict[str, Any]:
    """Read the environment variables of a script. Plain values are allowed, because many are paths or names."""
    scope.check_plain()
    if not isinstance(value, Mapping):
        raise FieldError(texts.VARIABLE_TABLE)
    variables: dict[str, Any] = {}
    for name, given in value.items():
        key = (*path, str(name))
        if not isinstance(name, str) or not scripts.NAME.fullmatch(name) or name in scripts.OURS:
            scope.mistake(key, quoted(str(name)), texts.VARIABLE)
            continue
        with scope.reading(key, given):
            read = maybe_secret(given, scope, key)
            if isinstance(read, str) and not set("\n\r\0").isdisjoint(read):
                raise FieldError(texts.VARIABLE_VALUE, found=texts.VARIABLE_LINES)
            if not isinstance(read, str | Secret):
                raise FieldError(texts.VARIABLE_VALUE)
            variables[name] = read
    return variables


_BY_KIND: Final[Mapping[str, ReadField]] = {
    "script": _script,
    "variables": _variables,
    "list": list_of(text, texts.TEXTS, least=1),
    "program": dns_hook,
    "file": judged_file,
}
"""The reader of each kind of option that is not a text."""
_SCRIPT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class DnsAccountTables:
    """All accounts by name, and the providers they need.

    :param folders: the user's own ``providers/`` folders; the first has precedence.
    :ivar files: the configuration file of each account, valid or not, by name.
    :ivar absence_reported: whether the mistake of a missing account was reported.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.accounts: dict[str, DnsAccount] = {}
        self.providers: dict[str, Provider] = {}
        self.files: dict[str, str] = {}
        self.absence_reported: bool = False
        self._folders = folders
        self._broken: set[str] = set()

    @property
    def names(self) -> Iterable[str]:
        """The names of all accounts, including those with mistakes."""
        return self.files

    def zones_of(self, names: Iterable[str]) -> list[str] | None:
        """Return the zones to which accounts are limited, by ``zones`` or by their host; None if one has no limit.

        If the account cannot write the name of the zone itself, it is shown as ``*.duckdns.org``.
        """
        zones: set[str] = set()
        for name in names:
            own, suffixes = self._limits(name)
            if not own and not suffixes:
                return None
            zones.update(own or (f"*.{suffix}" for suffix in suffixes))
        return sorted(zones)

    def covers(self, names: Iterable[str], domain: str) -> bool:
        """Return whether one of these accounts can write the records of a domain. Without a limit, it can write all."""
        for name in names:
            own, suffixes = self._limits(name)
            if own and any(is_at_or_below(domain, zone) for zone in own):
                return True
            if not own and (not suffixes or any(domain.endswith(f".{suffix}") for suffix in suffixes)):
                return True
        return False

    def _limits(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the account's own zones and the suffixes of its host, or nothing if it has a mistake."""
        account = self.accounts.get(name)
        return (account.zones, self.providers[account.provider].zone_suffixes) if account else ((), ())

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Read the tables under ``[dns]``."""
        if not isinstance(value, Mapping):
            self.absence_reported = True
            raise FieldError(texts.DNS_TABLES, found=kind(value))
        host = value.get("provider")
        if host is not None and as_table(host) is None:  # [dns] instead of [dns.NAME]: one mistake for all keys
            self.absence_reported = True
            example = host.lower() if isinstance(host, str) and host.isidentifier() else texts.EXAMPLE_ACCOUNT
            scope.mistake(path, texts.UNNAMED_ACCOUNT, texts.NAMED_ACCOUNT.format(example=example))
            value = {name: table for name, table in value.items() if as_table(table) is not None}
        each_key(value, scope, path, lambda name, table: self._read_one(name, table, scope, (*path, name)))
        if value and not self.files:
            self.absence_reported = True  # each name already has a mistake

    def _read_one(self, name: str, value: Any, scope: FieldScope, path: KeyPath) -> None:
        table = as_table(value)
        if table is None:
            raise brackets(value, scope, path, texts.DNS_TABLE)
        if name in self.files:
            where = self.files[name] or texts.FIRST
            scope.mistake(path, texts.SECOND_ACCOUNT, texts.ANOTHER_NAME.format(where=where))
            return
        self.files[name] = scope.file
        scope = replace(scope, literal=isinstance(value, DnsAccount))
        common: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for key, given in table.items():
            if key in _COMMON:
                with scope.reading((*path, key), given, describe_found):
                    common[key] = _COMMON[key](given, scope, (*path, key))
            elif key == "name":
                unnamed = isinstance(value, DnsAccount) and given == value.provider  # its default name
                if not (scope.python and (unnamed or given == name)):
                    scope.mistake((*path, key), texts.NOT_HERE, texts.NO_NAME_KEY)
            elif key != "provider":
                options[str(key)] = given
        provider = self._provider(table, scope, path)
        if provider is not None:
            options = self._options(provider, options, scope, path)
            self.accounts[name] = DnsAccount(provider.name, name=name, **common, **options)

    def _provider(self, table: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> Provider | None:
        key_path = (*path, "provider")
        if scope.python and "driver" in table and not table.get("provider"):
            return self._find("", scope, key_path)
        if "provider" not in table:
            if misspelt := nearest("provider", [str(key) for key in table if key not in _COMMON]):
                scope.mistake((*path, misspelt), UNKNOWN_KEY, one_of(("provider", *_COMMON)), "provider")
            else:
                scope.mistake(key_path, MISSING, texts.DNS_HOST)
            return None
        try:
            name = plain_name(table["provider"], scope, key_path)
        except FieldError:
            given = table["provider"]
            called = providers_called(given) if isinstance(given, str) else []
            meant = called[0].name if called else None
            scope.mistake(key_path, describe_found(given), texts.DNS_HOST_NAME, meant)
            return None
        return self._find(name, scope, key_path)

    def _find(self, name: str, scope: FieldScope, path: KeyPath) -> Provider | None:
        """Return a provider; None after a mistake.

        :raises ConfigError: ``extension-missing``: dnsrenew is here without the drivers of DNS hosts.
        """
        for known in (name, name.lower()):
            if known in self.providers:
                return self.providers[known]

        def read_own(file: Path) -> bytes:  # it decides where tokens are sent
            return scope.checks.read(str(file), any_entry=True)

        try:
            provider = catalogue.find_provider(name.lower(), self._folders, read_own)
            if provider is None and name != name.lower():  # an installed driver may have capitals
                provider = catalogue.find_provider(name, self._folders, read_own)
        except ConfigError as error:  # a mistake in the provider file, reported once
            if "mistakes" not in error.evidence:
                raise
            if name not in self._broken:
                for mistake in error.evidence["mistakes"]:
                    scope.report.add_located(Mistake(**mistake))
            self._broken.add(name)
            return None
        if provider is None:
            self._report_unknown(name, scope, path)
            return None
        # A provider without a file was found by its driver.
        if not (is_built_in(provider.driver) or provider.any_options or provider.driver in plug_in_names()):
            if (missing := driver_missing(provider.driver)).code == "extension-missing":
                raise missing
            found = texts.NO_DRIVER.format(provider=quoted(name), driver=quoted(provider.driver))
            scope.mistake(path, found, texts.SUPPORTED_HOST)
            return None
        self.providers[provider.name] = provider
        return provider

    def _report_unknown(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        left_out = catalogue.left_out_hosts().get(name.lower())
        if left_out is not None:
            found = texts.HOST_LEFT_OUT.format(provider=quoted(name), why=as_clause(left_out["why"]))
            scope.mistake(path, found, texts.OTHER_HOST, fix=left_out["instead"])
            return
        if (other := find_other(name)) is not None:
            found = texts.HOST_WITHOUT_DRIVER.format(title=other.title)
            fix = texts.USE_SCRIPT.format(script=other.script) if other.script else texts.DELEGATE
            scope.mistake(path, found, texts.OTHER_HOST, fix=fix)
            return
        found = texts.UNKNOWN_HOST.format(provider=quoted(name))
        called = providers_called(name)  # the user's own files are checked before they are read
        meant = called[0].name if called else nearest(name, catalogue.provider_names(self._folders))
        scope.mistake(path, found, texts.OTHER_HOST, meant)

    def _options(self, provider: Provider, options: dict[str, Any], scope: FieldScope, path: KeyPath) -> dict[str, Any]:
        """Return the options with secrets as :class:`Secret`, and add mistakes according to the provider file."""
        values: dict[str, Any] = {}
        for key, given in options.items():
            read = _reader(provider, key)
            if key in provider.options and given in (f"<{key}>", f"https://<{key}>", [f"<{key}>"]):  # as in block()
                found = texts.PLACEHOLDER.format(value=describe_found(given[0] if isinstance(given, list) else given))
                scope.mistake((*path, key), found, texts.WRITE_VALUE.format(help=help_within(provider.options[key])))
            else:
                with scope.reading((*path, key), given):  # it may be a secret
                    values[key] = given if read is None else read(given, scope, (*path, key))
        reported: set[str | None] = {key for key in options if key not in values}
        for key, spec in provider.options.items():
            if spec.default and key not in options and not scope.python:
                values[key] = judged_file(spec.default.format(account=path[-1]), scope, (*path, key))
        if provider.runs_script and isinstance(values.get("script"), str):
            values |= _judged_script(values, scope)
        mistakes = check_options(provider, values)
        reported.update(mistake.nearest for mistake in mistakes if mistake.nearest not in values)  # once, as misspelt
        for mistake in mistakes:
            key_path = (*path, mistake.key)
            if mistake.key in reported:
                continue
            if mistake.key not in values:
                expected = texts.OPTION.format(help=help_within(provider.options[mistake.key]), provider=provider.name)
                scope.mistake(key_path, MISSING, expected)
            elif mistake.key in TOP_LEVEL and mistake.key not in provider.options and not scope.python:
                scope.misplaced(key_path)
            else:
                scope.mistake(key_path, mistake.found, mistake.expected, mistake.nearest)
        return values


def _judged_script(values: Mapping[str, Any], scope: FieldScope) -> dict[str, str]:
    """Check a script, its acme.sh and the shell, and return the paths of the first two, or nothing if it is missing.

    :raises ConfigError: ``config-untrusted``.
    """
    script = scripts.find_script(values["script"], values.get("home", ""))
    if script is None:
        return {}
    for path in filter(None, (script.path, script.acme_sh, scripts.shell_path(script))):
        scope.checks.judge(path)
    return {"script": script.path, **({"home": os.path.dirname(script.acme_sh)} if script.acme_sh else {})}


def _reader(provider: Provider, option: str) -> ReadField | None:
    """Return the reader of an option; None for a text, which is checked later."""
    if provider.any_options:
        return maybe_secret if provider.driver == OWN_OBJECT else any_secret
    if provider.is_secret(option):
        return secret
    spec = provider.options.get(option)
    return None if spec is None else _BY_KIND.get(spec.kind)


def provider_folders(folder: str, user_folder: str | None) -> tuple[Path, ...]:
    """Return the user's own folders of provider files: beside the configuration, then in the user's config folder."""
    folders = [folder] if user_folder in {None, folder} else [folder, str(user_folder)]
    return tuple(Path(os.path.join(one, "providers")) for one in folders)
