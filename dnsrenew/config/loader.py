"""From tables to a configuration: the order in which tables are read and checked against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dnsrenew.config import locate, texts
from dnsrenew.config.cas import CaTables
from dnsrenew.config.certificates import CertificateTables
from dnsrenew.config.dns_accounts import DnsAccountTables, provider_folders
from dnsrenew.config.fields import address, contact, flag, folder_path, https_url, integer, list_of, plain_name
from dnsrenew.config.schema import FieldScope, Key, MistakeReport, Table
from dnsrenew.config.sources import Source, included, read_source
from dnsrenew.config.unsupported import UNSUPPORTED
from dnsrenew.model import Notice, Resolver
from dnsrenew.validation.mistakes import FieldError, KeyPath, Mistake, config_error, kind

_SHOWN: Final = 3
"""Keys that a warning names; the rest is counted."""

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


def _unread(value: Any, _scope: FieldScope, _path: KeyPath) -> Any:
    return value


_SHARED: Final = {"ca": Key(_unread), "dns": Key(_unread), "certificate": Key(_unread)}
_MAIN: Final = Table(
    "main",
    {
        "include": Key(_unread),
        "store": Key(folder_path),
        "contact": Key(list_of(contact, texts.CONTACTS)),
        "agree_terms": Key(flag),
        "default_ca": Key(plain_name),
        "resolver": Key(_resolver),
        **_SHARED,
    },
)
_INCLUDED: Final = Table("included", _SHARED)


def from_file(path: str, *, distrust: bool) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a file."""
    report = MistakeReport()
    main = read_source(path, report, distrust=distrust)
    folder = os.path.dirname(path)
    own = provider_folders(folder, locate.user_folder(os.environ))
    fields = _build(_all(main, distrust=distrust), report, DnsAccountTables(own, distrust=distrust))
    fields.setdefault("store", locate.default_store(folder, os.environ))
    return {**fields, "store": Path(fields["store"]), "path": Path(path)}


def from_mapping(mapping: Any, base: str | None, *, prefix: KeyPath = ()) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a mapping.

    :param prefix: a prefix of keys that mistakes do not show.
    """
    report = MistakeReport(prefix)
    folder = base or locate.here()
    user = locate.user_folder(os.environ)
    own = provider_folders(folder, user) if base else provider_folders(user, None) if user else ()
    if not isinstance(mapping, Mapping):
        raise config_error([Mistake("", None, texts.CONFIGURATION, kind(mapping), texts.A_MAPPING)])
    main = Source(dict(mapping), FieldScope("", folder, True, report))
    fields = _build(_all(main, distrust=False), report, DnsAccountTables(own))
    default = os.path.join(folder, "state") if base else locate.user_store(os.environ)
    fields.setdefault("store", default or os.path.join(folder, "state"))
    return {**fields, "store": Path(fields["store"]), "path": None}


def _all(main: Source, *, distrust: bool) -> list[Source]:
    return [main, *included(main, distrust=distrust)]


def _build(sources: list[Source], report: MistakeReport, accounts: DnsAccountTables) -> dict[str, Any]:
    """Read the CAs and accounts of all files first: certificates of any file can name them."""
    main = sources[0].scope
    values = _MAIN.read(sources[0].table, main, ())
    for source in sources[1:]:
        _INCLUDED.read(source.table, source.scope, ())
    cas = CaTables()
    _read_each("ca", sources, cas.read)
    cas.check_staging()
    _read_each("dns", sources, accounts.read)
    default_ca = values.get("default_ca", "letsencrypt")
    resolver = values.get("resolver", Resolver())
    certificates = CertificateTables(default_ca, accounts=accounts, cas=cas, doh=bool(resolver.doh))
    _read_each("certificate", sources, certificates.read)
    if certificates.default_ca_used or "default_ca" in values:
        cas.check_used(default_ca, main, ("default_ca",))
    report.raise_mistakes()
    store = {"store": values["store"]} if "store" in values else {}
    return {
        **store,
        "contact": values.get("contact", ()),
        "agree_terms": values.get("agree_terms", False),
        "default_ca": default_ca,
        "cas": cas.cas,
        "accounts": accounts.accounts,
        "providers": accounts.providers,
        "resolver": resolver,
        "certificates": tuple(certificates.specs),
        "warnings": _warnings(report, empty=not certificates.specs),
        "secrets": tuple(report.secrets),
        "account_files": accounts.files,
    }


def _read_each(key: str, sources: list[Source], read: Any) -> None:
    for source in sources:
        if key not in source.table:
            continue
        try:
            read(source.table[key], source.scope, (key,))
        except FieldError as error:
            source.scope.mistake((key,), error.found or kind(source.table[key]), error.expected, error.nearest)


def _warnings(report: MistakeReport, *, empty: bool) -> tuple[Notice, ...]:
    notices = []
    if report.plain_secrets:
        notices.append(Notice(*texts.SECRET_PLAIN.fill(keys=_first_few(report.plain_secrets))))
    if report.odd_secrets:
        notices.append(Notice(*texts.SECRET_ODD.fill(keys=_first_few(report.odd_secrets))))
    for name, keys in report.unsupported.items():
        notices.append(Notice(*UNSUPPORTED[name].fill(keys=_first_few(keys))))
    if empty:
        notices.append(Notice(*texts.NO_CERTIFICATES.fill()))
    return tuple(notices)


def _first_few(keys: list[str]) -> str:
    shown, more = ", ".join(keys[:_SHOWN]), len(keys) - _SHOWN
    return texts.MORE.format(keys=shown, count=more) if more > 0 else shown
