"""The accounts at DNS hosts: ``[dns.*]``, checked against what each provider's file asks for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.config import locate
from dnsrenew.config.fields import each_key, integer, list_of, plain_name, zone
from dnsrenew.config.schema import FieldScope, ReadField, as_table
from dnsrenew.config.secret_fields import maybe_secret, secret
from dnsrenew.errors import ConfigError
from dnsrenew.model import DnsAccount
from dnsrenew.validation.mistakes import FieldError, KeyPath, Mistake, describe_found, kind, nearest, one_of, quoted

if TYPE_CHECKING:
    from dnsrenew.drivers.provider import Provider

_OWN: Final[Mapping[str, ReadField]] = {
    "zones": list_of(zone, "a list of zones, at least one", least=1),
    "ttl": integer(1, 604800),
}
_NO_NAME: Final = "no such key: the word after `dns.` is the account's name"
_DRIVEN: Final = "a DNS host whose driver is built in or installed, see `dnsrenew providers`"
_DRIVER_OBJECT: Final = "driver"  # the option that holds the caller's own object, where there is no provider


class DnsAccountTables:
    """All accounts by name, and the providers they need.

    :param folders: the user's own ``providers/``, first come first.
    :param distrust: refuse a file in the first of them that others could have written.
    """

    def __init__(self, folders: Sequence[Path], *, distrust: bool = False) -> None:
        self.accounts: dict[str, DnsAccount] = {}
        self.providers: dict[str, Provider] = {}
        self.places: dict[str, str] = {}
        self.lack_told = False
        self._folders = folders
        self._distrust = distrust
        self._broken: set[str] = set()

    @property
    def names(self) -> Iterable[str]:
        """The names of all accounts, those with mistakes too."""
        return self.places

    def zones_of(self, names: Iterable[str]) -> set[str] | None:
        """Return the zones to which accounts are limited, by themselves or by their host; None if one has no limit."""
        zones: set[str] = set()
        for name in names:
            account = self.accounts.get(name)
            limits = () if account is None else account.zones or self.providers[account.provider].zone_suffixes
            if not limits:
                return None
            zones.update(limits)
        return zones

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Take the tables under ``[dns]``."""
        if not isinstance(value, Mapping):
            self.lack_told = True
            raise FieldError("tables [dns.NAME]", found=kind(value))
        each_key(value, scope, path, lambda name, table: self._one(name, table, scope, (*path, name)))

    def _one(self, name: str, value: Any, scope: FieldScope, path: KeyPath) -> None:
        table = as_table(value)
        if table is None:
            raise FieldError("a table [dns.NAME]", found=kind(value))
        if name in self.places:
            where = self.places[name] or "the first"
            scope.mistake(path, "a second account of this name", f"another name: {where} has it already")
            return
        self.places[name] = scope.file
        own: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for key, given in table.items():
            if key in _OWN:
                self._take(own, _OWN[key], given, scope, (*path, key))
            elif key == "name":
                unnamed = isinstance(value, DnsAccount) and given == value.provider  # it was given no name of its own
                if not (scope.python and (unnamed or given == name)):
                    scope.mistake((*path, key), describe_found(given), _NO_NAME)
            elif key != "provider":
                options[str(key)] = given
        provider = self._provider(table, scope, path)
        if provider is not None:
            options = self._options(provider, options, scope, path)
            self.accounts[name] = DnsAccount(provider.name, name=name, **own, **options)

    def _provider(self, table: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> Provider | None:
        place = (*path, "provider")
        if scope.python and _DRIVER_OBJECT in table and not table.get("provider"):
            return self._find("", scope, place)
        if "provider" not in table:
            scope.mistake(place, "missing", "the name of a DNS host, see `dnsrenew providers`")
            return None
        try:
            name = plain_name(table["provider"], scope, place)
        except FieldError as wrong:
            scope.mistake(place, describe_found(table["provider"]), "the name of a DNS host: " + wrong.expected)
            return None
        return self._find(name, scope, place)

    def _find(self, name: str, scope: FieldScope, place: KeyPath) -> Provider | None:
        if name in self.providers:
            return self.providers[name]
        from dnsrenew.drivers import catalogue  # late: a configuration without accounts does not need it

        if self._distrust:
            _check_trusted(self._folders[0] / f"{name}.toml")
        try:
            provider = catalogue.find_provider(name, self._folders)
        except ConfigError as error:  # a mistake in the provider's own file, told once
            if "mistakes" not in error.evidence:
                raise
            if name not in self._broken:
                for mistake in error.evidence["mistakes"]:
                    scope.report.adopt(Mistake(**mistake))
            self._broken.add(name)
            return None
        if provider is None:
            if _comes_later(name):
                scope.mistake(place, f"{quoted(name)}, which comes with a later version", _DRIVEN)
                return None
            words = catalogue.provider_names(self._folders)
            scope.mistake(place, f"the unknown DNS host {quoted(name)}", one_of(words), nearest(name, words))
            return None
        if lack := _lack_of(provider):
            scope.mistake(place, f"{quoted(name)}, {lack}", _DRIVEN)
            return None
        self.providers[name] = provider
        return provider

    def _options(self, provider: Provider, options: dict[str, Any], scope: FieldScope, path: KeyPath) -> dict[str, Any]:
        """Return the options with their secrets made, and note what the provider finds wrong with them."""
        from dnsrenew.drivers.catalogue import check_options

        values: dict[str, Any] = {}
        told = set()
        for key, given in options.items():
            if provider.any_options:
                read: ReadField = maybe_secret
            elif provider.is_secret(key):
                read = secret
            else:
                values[key] = given
                continue
            if not self._take(values, read, given, scope, (*path, key)):
                told.add(key)
        for mistake in check_options(provider, values):
            if mistake.key not in told:
                if mistake.key in values:
                    scope.mistake((*path, mistake.key), mistake.found, mistake.expected, mistake.nearest)
                else:
                    scope.mistake((*path, mistake.key), "missing", _asked_for(provider, mistake.key))
        return values

    @staticmethod
    def _take(values: dict[str, Any], read: ReadField, given: Any, scope: FieldScope, place: KeyPath) -> bool:
        """Take one value under the last part of its place; False where it is a mistake."""
        try:
            values[str(place[-1])] = read(given, scope, place)
        except FieldError as wrong:
            shown = describe_found(given) if place[-1] in _OWN else kind(given)  # an option may be a secret
            scope.mistake(place, wrong.found or shown, wrong.expected, wrong.nearest)
            return False
        return True


def _check_trusted(path: Path) -> None:
    """Refuse a provider file that others could have written: it says where tokens go.

    :raises ConfigError: ``config-untrusted``.
    """
    with contextlib.suppress(OSError):  # none is there, or a link that leads nowhere: the catalogue says what it finds
        locate.check_trusted(str(path), path.stat())


def _comes_later(driver: str) -> bool:
    from dnsrenew.drivers.protocol import COMING

    return driver in COMING


def _lack_of(provider: Provider) -> str | None:
    """Return what is wrong with the provider's driver, in mid-sentence; None where it is built in or installed."""
    from dnsrenew.drivers.protocol import BUILT_IN

    if _comes_later(provider.driver):
        return f"whose driver {quoted(provider.driver)} comes with a later version"
    if provider.driver in BUILT_IN or provider.any_options:  # one without a file was found by its driver
        return None
    from dnsrenew.drivers.catalogue import plug_in_names  # slow, and only for a provider file of the user's own

    return None if provider.driver in plug_in_names() else f"whose driver {quoted(provider.driver)} is not installed"


def _asked_for(provider: Provider, key: str) -> str:
    """Return what an option that is missing is, in mid-sentence: an abbreviation in front keeps its capitals."""
    words = " ".join(provider.options[key].help.split()).rstrip(".") or "a value"
    first = words.partition(" ")[0]
    if len(first) == 1 or first[1:].islower():
        words = words[0].lower() + words[1:]
    return f"what {provider.name} asks for: {words}"


def provider_folders(folder: str, user_folder: str | None) -> tuple[Path, ...]:
    """Return the user's own folders of provider files: beside the configuration, then in his config folder."""
    folders = [folder] if user_folder in {None, folder} else [folder, str(user_folder)]
    return tuple(Path(os.path.join(one, "providers")) for one in folders)
