"""From tables to a configuration: the order in which tables are read and checked against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import Notice, Resolver, StoreAddress
from dnsrenew.base.validation import FieldError, KeyPath, Mistake, config_error, kind
from dnsrenew.base.values import Frozen
from dnsrenew.config import locate, texts
from dnsrenew.config.cas import CaTables
from dnsrenew.config.certificates import CertificateTables
from dnsrenew.config.dns_accounts import DnsAccountTables, provider_folders
from dnsrenew.config.fields import address, contact, flag, https_url, integer, list_of, plain_name, web_url
from dnsrenew.config.file_checks import FileChecks, close_command
from dnsrenew.config.fleet import FleetSettings, fleet_settings, store_place
from dnsrenew.config.notify import metrics_settings, notify
from dnsrenew.config.schema import FieldScope, Key, MistakeReport, Table
from dnsrenew.config.sources import Source, included, read_source
from dnsrenew.errors import series

_SHOWN: Final = 3
"""Keys or files that a warning names; the rest is counted."""
_KEYS: Final = "; "
"""What separates keys in a warning: a key can have commas."""

_RESOLVER: Final = Table(
    "resolver",
    {
        "nameservers": Key(list_of(address, texts.ADDRESSES)),
        "authoritative_port": Key(integer(1, 65535)),
        "doh": Key(list_of(https_url, texts.URLS)),
    },
)


def _resolver(value: Any, scope: FieldScope, path: KeyPath) -> Resolver:
    return Resolver(**_RESOLVER.read(value, scope, path))


_DOCTOR: Final = Table("doctor", {"probe_url": Key(web_url)})


def _doctor(value: Any, scope: FieldScope, path: KeyPath) -> str | None:
    url: str | None = _DOCTOR.read(value, scope, path).get("probe_url")
    return url


def _unread(value: Any, _scope: FieldScope, _path: KeyPath) -> Any:
    return value


_SHARED: Final = {"ca": Key(_unread), "dns": Key(_unread), "certificate": Key(_unread)}
_MAIN: Final = Table(
    "main",
    {
        "include": Key(_unread),
        "store": Key(store_place),
        "contact": Key(list_of(contact, texts.CONTACTS, one=True)),
        "agree_terms": Key(flag),
        "default_ca": Key(plain_name),
        "resolver": Key(_resolver),
        "doctor": Key(_doctor),
        "metrics": Key(metrics_settings),
        "notify": Key(notify),
        "fleet": Key(_unread),
        **_SHARED,
    },
)
_INCLUDED: Final = Table("included", _SHARED)


class Draft(Frozen):
    """A configuration as read, with its mistakes; :meth:`fields` raises them.

    :ivar main: the scope of the file, or of the mapping.
    :ivar values: the valid values of the whole file.
    :ivar defaults: ``store`` without one in the file, and ``path``.
    :ivar fleet: of a store that is a database, with ``[fleet]``.
    """

    main: FieldScope
    values: dict[str, Any]
    cas: CaTables
    accounts: DnsAccountTables
    certificates: CertificateTables
    defaults: dict[str, Any]
    fleet: FleetSettings | None

    @property
    def report(self) -> MistakeReport:
        """Return what was found."""
        return self.main.report

    def fields(self) -> dict[str, Any]:
        """Return the fields of a :class:`Config`.

        :raises ConfigError: ``config-invalid``, with all mistakes.
        """
        self.report.raise_mistakes()
        checks, specs = self.main.checks, tuple(self.certificates.specs)
        store = self.values.get("store", self.defaults["store"])
        return {
            "path": self.defaults["path"],
            "store": store if isinstance(store, StoreAddress) else Path(store),
            "contact": self.values.get("contact", ()),
            "agree_terms": self.values.get("agree_terms", False),
            "default_ca": self.certificates.default_ca,
            "cas": self.cas.cas,
            "accounts": self.accounts.accounts,
            "providers": self.accounts.providers,
            "resolver": self.values.get("resolver", Resolver()),
            "probe_url": self.values.get("doctor"),
            "metrics": self.values.get("metrics"),
            "notify": self.values.get("notify"),
            "fleet": self.fleet,
            "certificates": specs,
            "warnings": (*checks.warnings, *_warnings(self.report, checks, self.fleet, empty=not specs)),
            "secrets": tuple(self.report.secrets),
            "insist": checks.insist,
        }


def read_file(path: str, *, found: bool, insist: bool, instead: Mapping[str, bytes] | None = None) -> Draft:
    """Read a file and what it includes.

    :param found: whether the file was found, not named.
    :param insist: whether to use files that other users can change.
    :param instead: contents that take the place of those of some files, by path.
    """
    main = read_source(path, MistakeReport(), FileChecks(found=found, insist=insist, instead=instead))
    folder = os.path.dirname(path)
    own = provider_folders(folder, locate.user_folder(os.environ))
    defaults = {"store": locate.default_store(folder, os.environ), "path": Path(path)}
    return _build(main, DnsAccountTables(own), defaults)


def from_mapping(mapping: Any, base: str | None, *, prefix: KeyPath = (), insist: bool = False) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a mapping.

    :param prefix: a prefix of keys that mistakes do not show.
    :param insist: whether to use files that other users can change.
    """
    folder = base or locate.here()
    user = locate.user_folder(os.environ)
    own = provider_folders(folder, user) if base else provider_folders(user, None) if user else ()
    if not isinstance(mapping, Mapping):
        raise config_error([Mistake("", None, texts.CONFIGURATION, kind(mapping), texts.A_MAPPING)])
    checks = FileChecks(found=False, insist=insist)
    main = Source(dict(mapping), FieldScope("", folder, True, MistakeReport(prefix), checks))
    default = os.path.join(folder, "state") if base else locate.user_store(os.environ)
    defaults = {"store": default or os.path.join(folder, "state"), "path": None}
    return _build(main, DnsAccountTables(own), defaults).fields()


def _build(main_source: Source, accounts: DnsAccountTables, defaults: dict[str, Any]) -> Draft:
    """Read the CAs and accounts of all files first: certificates of any file can name them."""
    sources = [main_source, *included(main_source)]
    main = main_source.scope
    values = {key: value for key, value in _MAIN.read(main_source.table, main, ()).items() if key not in _SHARED}
    for source in sources[1:]:
        _INCLUDED.read(source.table, source.scope, ())
    cas = CaTables(has_contact=bool(main_source.table.get("contact")))
    _read_each("ca", sources, cas.read)
    cas.check_staging()
    _read_each("dns", sources, accounts.read)
    default_ca = values.get("default_ca", "letsencrypt")
    has_doh = "resolver" in values and bool(values["resolver"].doh)
    certificates = CertificateTables(default_ca, accounts=accounts, cas=cas, doh=has_doh)
    _read_each("certificate", sources, certificates.read)
    if certificates.default_ca_used or "default_ca" in values:
        cas.check_used(default_ca, main, ("default_ca",))
    fleet = fleet_settings(main_source.table, values.get("store"), certificates, main)
    return Draft(main, values, cas, accounts, certificates, defaults, fleet)


def _read_each(key: str, sources: list[Source], read: Any) -> None:
    for source in sources:
        if key not in source.table:
            continue
        try:
            read(source.table[key], source.scope, (key,))
        except FieldError as error:
            source.scope.mistake((key,), error.found or kind(source.table[key]), error.expected, error.nearest)


def _warnings(
    report: MistakeReport, checks: FileChecks, fleet: FleetSettings | None, *, empty: bool
) -> tuple[Notice, ...]:
    notices = []
    if open_files := checks.open_to_others(report.secret_files):
        command = close_command(open_files[:_SHOWN])
        notices.append(Notice(*texts.SECRET_OPEN.fill(files=first_few(open_files), command=command)))
    if report.empty_includes:
        notices.append(Notice(*texts.INCLUDE_EMPTY.fill(patterns=first_few(report.empty_includes))))
    for key, name in report.file_names.items():
        notices.append(Notice(*texts.SECRET_FILE_NAME.fill(key=key, file=name)))
    if report.plain_secrets:
        notices.append(Notice(*texts.SECRET_PLAIN.fill(keys=first_few(report.plain_secrets, _KEYS))))
    if report.odd_secrets:
        notices.append(Notice(*texts.SECRET_ODD.fill(keys=first_few(report.odd_secrets, _KEYS))))
    if fleet is not None and not fleet.seal:
        notices.append(Notice(*texts.FLEET_UNSEALED.fill()))
    if empty and fleet is None:  # the certificates of a fleet are in its database
        notices.append(Notice(*texts.NO_CERTIFICATES.fill()))
    return tuple(notices)


def first_few(items: Sequence[str], separator: str = ", ") -> str:
    """Return the first of them, and the number of the others."""
    shown, more = series(items[:_SHOWN], separator), len(items) - _SHOWN
    return texts.MORE.format(keys=shown, count=more) if more > 0 else shown
