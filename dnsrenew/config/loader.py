"""From tables to a configuration: the order in which things are read and checked against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dnsrenew.config import locate
from dnsrenew.config.cas import CaTables
from dnsrenew.config.certificates import CertificateTables
from dnsrenew.config.dns_accounts import DnsAccountTables, provider_folders
from dnsrenew.config.fields import address, contact, flag, folder_path, https_url, integer, list_of, plain_name
from dnsrenew.config.schema import FieldScope, Key, MistakeReport, Table
from dnsrenew.config.sources import Source, included, read_source
from dnsrenew.model import Notice, Resolver
from dnsrenew.validation.mistakes import FieldError, KeyPath, Mistake, config_error, kind

_SHOWN: Final = 3

_RESOLVER: Final = Table(
    "resolver",
    {
        "nameservers": Key(list_of(address, "a list of addresses HOST[:PORT]")),
        "authoritative_port": Key(integer(1, 65535)),
        "doh": Key(list_of(https_url, "a list of https addresses")),
    },
)


def _resolver(value: Any, scope: FieldScope, path: KeyPath) -> Resolver:
    return Resolver(**_RESOLVER.read(value, scope, path))


def _read_elsewhere(value: Any, _scope: FieldScope, _path: KeyPath) -> Any:
    return value


_SHARED: Final = {"ca": Key(_read_elsewhere), "dns": Key(_read_elsewhere), "certificate": Key(_read_elsewhere)}
_MAIN: Final = Table(
    "main",
    {
        "include": Key(_read_elsewhere),
        "store": Key(folder_path),
        "contact": Key(list_of(contact, "a list of mail addresses")),
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


def from_mapping(mapping: Any, base: str | None, *, inside: KeyPath = ()) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a mapping.

    :param inside: a prefix of keys that is not shown in mistakes.
    """
    report = MistakeReport(inside)
    folder = base or locate.here()
    user = locate.user_folder(os.environ)
    own = provider_folders(folder, user) if base else provider_folders(user, None) if user else ()
    if not isinstance(mapping, Mapping):
        raise config_error([Mistake("", None, "the configuration", kind(mapping), "a mapping of tables")])
    main = Source(dict(mapping), FieldScope("", folder, True, report))
    fields = _build(_all(main, distrust=False), report, DnsAccountTables(own))
    default = os.path.join(folder, "state") if base else locate.user_store(os.environ)
    fields.setdefault("store", default or os.path.join(folder, "state"))
    return {**fields, "store": Path(fields["store"]), "path": None}


def _all(main: Source, *, distrust: bool) -> list[Source]:
    return [main, *included(main, distrust=distrust)]


def _build(sources: list[Source], report: MistakeReport, accounts: DnsAccountTables) -> dict[str, Any]:
    """Read CAs and accounts of all files first, for certificates of any file may name them."""
    main = sources[0].scope
    values = _MAIN.read(sources[0].table, main, ())
    for source in sources[1:]:
        _INCLUDED.read(source.table, source.scope, ())
    authorities = CaTables()
    _read_each("ca", sources, authorities.read)
    authorities.check_staging()
    _read_each("dns", sources, accounts.read)
    default_ca = values.get("default_ca", "letsencrypt")
    resolver = values.get("resolver", Resolver())
    certificates = CertificateTables(default_ca, accounts=accounts, authorities=authorities, doh=bool(resolver.doh))
    _read_each("certificate", sources, certificates.read)
    if certificates.default_ca_used or "default_ca" in values:
        authorities.check_used(default_ca, main, ("default_ca",))
    report.raise_mistakes()
    store = {"store": values["store"]} if "store" in values else {}
    return {
        **store,
        "contact": values.get("contact", ()),
        "agree_terms": values.get("agree_terms", False),
        "default_ca": default_ca,
        "cas": authorities.cas,
        "accounts": accounts.accounts,
        "providers": accounts.providers,
        "resolver": resolver,
        "certificates": tuple(certificates.specs),
        "warnings": _warnings(report, empty=not certificates.specs),
        "secrets": tuple(report.secrets),
        "places": accounts.places,
    }


def _read_each(key: str, sources: list[Source], read: Any) -> None:
    for source in sources:
        if key not in source.table:
            continue
        try:
            read(source.table[key], source.scope, (key,))
        except FieldError as wrong:
            source.scope.mistake((key,), wrong.found or kind(source.table[key]), wrong.expected, wrong.nearest)


def _warnings(report: MistakeReport, *, empty: bool) -> tuple[Notice, ...]:
    notices = []
    if report.plain:
        notices.append(
            Notice(
                "secret-plain",
                f"Secrets stand in the configuration as plain text: {_few(report.plain)}.",
                'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or { command = […] } instead, or "literal:…".',
            )
        )
    if report.odd:
        notices.append(
            Notice(
                "secret-odd",
                f"Secrets look like references, but begin with no word known here: {_few(report.odd)}. "
                "Each is taken as the secret itself.",
                'Write "env:NAME", "file:PATH", "keyring:SERVICE/USER" or { command = […] }; '
                'or "literal:…" if it is the secret itself.',
            )
        )
    for sentence, keys in report.later.items():
        notices.append(
            Notice(
                "not-yet",
                f"{_few(keys)}: {sentence}.",
                "Leave the key out to be rid of this warning, or leave it in for that version.",
            )
        )
    if empty:
        notices.append(
            Notice(
                "no-certificates", "The configuration has no certificate.", "Add a [[certificate]] with its domains."
            )
        )
    return tuple(notices)


def _few(keys: list[str]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
