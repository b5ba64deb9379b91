"""From tables, or the arguments of ``obtain``, to a configuration: the order of reading, and the checks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import count
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.host_port import is_public as is_public_address
from dnsrenew.base.model import CA, Deployment, DnsAccount, Notice, Resolver, Route, StoreAddress
from dnsrenew.base.names import base_domain, is_ip, is_public_suffix
from dnsrenew.base.validation import KeyPath, Mistake, config_error, kind, quoted
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import sources, texts
from dnsrenew.config.cas import CaTables, host_name, is_built_in
from dnsrenew.config.certificates import CERTIFICATE, CertificateDraft, CertificateTables
from dnsrenew.config.dns_accounts import DnsAccountTables, provider_folders
from dnsrenew.config.extension_tables import FleetSettings, fleet_settings, metrics_settings, notify, store_place
from dnsrenew.config.fields import address, contact, flag, https_url, integer, list_of, plain_name, unread, web_url
from dnsrenew.config.file_checks import FileChecks, close_command
from dnsrenew.config.schema import FieldScope, Key, MistakeReport, Table, table_of
from dnsrenew.config.sources import Source, included, read_source
from dnsrenew.errors import series

_SHOWN: Final = 3
"""The number of keys or files that a warning names; the rest is counted."""
_KEYS: Final = "; "
"""The separator of keys in a warning, because a key may contain commas."""

_RESOLVER: Final = table_of(
    nameservers=Key(list_of(address, texts.ADDRESSES)),
    authoritative_port=Key(integer(1, 65535)),
    doh=Key(list_of(https_url, texts.URLS)),
)
_DOCTOR: Final = table_of(probe_url=Key(web_url))
_SHARED: Final = {"ca": Key(unread), "dns": Key(unread), "certificate": Key(unread)}
_MAIN: Final = table_of(
    dict.fromkeys(CERTIFICATE.keys, texts.MOVE_BELOW),
    include=Key(unread),
    store=Key(store_place),
    contact=Key(list_of(contact, texts.CONTACTS, one=True)),
    agree_terms=Key(flag),
    default_ca=Key(plain_name),
    resolver=Key(_RESOLVER.into(Resolver)),
    doctor=Key(_DOCTOR.into(dict)),
    metrics=Key(metrics_settings),
    notify=Key(notify),
    fleet=Key(unread),
    **_SHARED,
)


class Draft(Frozen):
    """A configuration after reading, with its mistakes; :meth:`fields` raises them.

    :ivar main: the scope of the file, or of the mapping.
    :ivar values: the valid values of the whole file.
    :ivar defaults: ``store`` without one in the file, and ``path``.
    :ivar fleet: the fleet settings, if the store is a database.
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
        """Return the mistakes and other findings."""
        return self.main.report

    def fields(self) -> dict[str, Any]:
        """Return the fields of a :class:`Config`.

        :raises ConfigError: ``config-invalid``, with all mistakes.
        """
        self.report.raise_mistakes()
        checks, specs = self.main.checks, tuple(self.certificates.specs)
        values = {"contact": (), "agree_terms": False, "resolver": Resolver(), **self.values}
        store = values.get("store", self.defaults["store"])
        return {
            "path": self.defaults["path"],
            "store": store if isinstance(store, StoreAddress) else Path(store),
            **{key: values.get(key) for key in ("contact", "agree_terms", "resolver", "metrics", "notify")},
            "default_ca": self.certificates.default_ca,
            "cas": self.cas.cas,
            "accounts": self.accounts.accounts,
            "providers": self.accounts.providers,
            "probe_url": values.get("doctor", {}).get("probe_url"),
            "fleet": self.fleet and replace(self.fleet, local=f"{self.defaults['store']}-fleet"),
            "certificates": specs,
            "warnings": (*checks.warnings, *_warnings(self.report, checks, self.fleet, empty=not specs)),
            "secrets": tuple(self.report.secrets),
            "insist": checks.insist,
        }


def read_file(path: str, *, found: bool, insist: bool, instead: Mapping[str, bytes] | None = None) -> Draft:
    """Read a file and its included files.

    :param found: whether the file was found and not named.
    :param insist: whether to use files that other users can change.
    :param instead: contents that replace the contents of some files, by path.
    """
    main = read_source(path, MistakeReport(), FileChecks(found=found, insist=insist, instead=instead))
    folder = os.path.dirname(path)
    own = provider_folders(folder, sources.user_folder(os.environ))
    defaults = {"store": sources.default_store(folder, os.environ), "path": Path(path)}
    return _build(main, DnsAccountTables(own), defaults)


def from_mapping(mapping: Any, base: str | None, *, prefix: KeyPath = (), insist: bool = False) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a mapping.

    :param prefix: a prefix of keys that mistakes do not show.
    :param insist: whether to use files that other users can change.
    """
    folder = base or sources.here()
    user = sources.user_folder(os.environ)
    own = provider_folders(folder, user) if base else provider_folders(user, None) if user else ()
    if not isinstance(mapping, Mapping):
        raise config_error([Mistake("", None, texts.CONFIGURATION, kind(mapping), texts.A_MAPPING)])
    checks = FileChecks(found=False, insist=insist)
    main = Source(dict(mapping), FieldScope("", folder, True, MistakeReport(prefix), checks))
    default = os.path.join(folder, "state") if base else sources.user_store(os.environ)
    defaults = {"store": default or os.path.join(folder, "state"), "path": None}
    return _build(main, DnsAccountTables(own), defaults).fields()


def _build(main_source: Source, accounts: DnsAccountTables, defaults: dict[str, Any]) -> Draft:
    """Read the CAs and accounts of all files first, because certificates of any file can name them."""
    every = [main_source, *included(main_source)]
    main = main_source.scope
    values = {key: value for key, value in _MAIN.read(main_source.table, main, ()).items() if key not in _SHARED}
    for source in every[1:]:
        Table(_SHARED).read(source.table, source.scope, ())
    cas = CaTables(has_contact=bool(main_source.table.get("contact")))
    _read_each("ca", every, cas.read)
    cas.check_staging()
    _read_each("dns", every, accounts.read)
    default_ca = values.get("default_ca", "letsencrypt")
    has_doh = "resolver" in values and bool(values["resolver"].doh)
    certificates = CertificateTables(default_ca, accounts=accounts, cas=cas, doh=has_doh)
    _read_each("certificate", every, certificates.read)
    certificates.check_files(main.report)
    if certificates.default_ca_used or "default_ca" in values:
        cas.check_used(default_ca, main, ("default_ca",))
    fleet = fleet_settings(main_source.table, values.get("store"), certificates, main)
    return Draft(main, values, cas, accounts, certificates, defaults, fleet)


def _read_each(key: str, sources: list[Source], read: Any) -> None:
    for source in sources:
        if key in source.table:
            with source.scope.reading((key,), source.table[key]):
                read(source.table[key], source.scope, (key,))


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
    """Return the first items, and the number of the rest."""
    shown, more = series(items[:_SHOWN], separator), len(items) - _SHOWN
    return texts.MORE.format(keys=shown, count=more) if more > 0 else shown


# ── public cas ─────────────────────────────────────────────────────────────────────────

# What every public CA refuses: an account without agreement to the terms, and names that are not public.

_LOCAL: Final = frozenset(
    {"corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "private"}
)
"""Top-level domains that are reserved, or used in local networks (RFC 6761, RFC 6762 appendix G)."""
_IP_PROFILES: Final = {"letsencrypt": "shortlived", "letsencrypt-staging": "shortlived"}
"""The profiles with which CAs issue for IP addresses. A CA that is not listed decides by itself."""
_SHORT: Final = "shortlived"
_SMALL: Final = frozenset({_SHORT, "tlsserver"})
"""The profiles of Let's Encrypt with few names in a certificate."""
_FEW: Final = 25
_MANY: Final = 100
"""The maximum number of names in an order at Let's Encrypt with these profiles, and at public CAs in all other cases.
"""


def check_public_cas(draft: Draft) -> list[Notice]:
    """Add a mistake for each setting that a built-in CA always refuses.

    :returns: the warnings: refusals with a profile that is only preferred, and a short lifetime with only one CA.
    """
    notices: list[Notice] = []
    for one in draft.certificates.drafts:
        names = _cas_of(one)
        public = [name for name in names if is_public(draft, name)]
        notices += _check_profile(draft, one)
        notices += _check_count(one, public)
        if one.profile and one.profile.name == _SHORT and len(names) == 1 and one.domains:
            notices.append(Notice(*texts.SHORT_LIFE_ONE_CA.fill(domain=_first(one), ca=names[0])))
        if len(public) == len(names):  # the user's own CA issues for any name
            _check_names(one)
    check_terms(draft)
    return notices


def is_public(draft: Draft, ca: str) -> bool:
    """Return whether this is a built-in CA, and not another CA with its name."""
    known = draft.cas.cas.get(ca)
    return known is not None and is_built_in(known)


def _cas_of(one: CertificateDraft) -> list[str]:
    return list(dict.fromkeys(route.ca or one.ca for route in one.routes))


def check_terms(draft: Draft) -> None:
    """Add a mistake if the user has not agreed to the terms of a built-in CA, which then creates no account."""
    cas = dict.fromkeys(ca for one in draft.certificates.drafts for ca in _cas_of(one) if is_public(draft, ca))
    if not cas or draft.values.get("agree_terms") or draft.report.mentions("agree_terms"):
        return
    terms = series([texts.TERMS_OF.format(ca=name, url=texts.TERMS[name]) for name in cas], ", ")
    found = texts.NOT_AGREED if "agree_terms" in draft.values else MISSING
    draft.main.mistake(("agree_terms",), found, texts.AGREEMENT, fix=texts.AGREE.format(terms=terms))


def _check_names(one: CertificateDraft) -> None:
    for index, identifier in one.identifiers.items():
        expected = refusal(base_domain(identifier))
        if expected is not None:
            one.scope.mistake((*one.path, "domains", index), quoted(one.domains[index]), expected)


def _check_profile(draft: Draft, one: CertificateDraft) -> list[Notice]:
    """Add a mistake if a CA would issue for IP addresses of an order only with another profile."""
    addresses = list(filter(is_ip, one.identifiers.values()))
    fitting = [route for route in one.routes if not all(map(CHALLENGES[route.challenge].is_unfit, addresses))]
    for ca in dict.fromkeys(route.ca or one.ca for route in fitting):
        wanted = _IP_PROFILES.get(ca)
        found = one.profile and one.profile.name
        if wanted is None or found == wanted or not is_public(draft, ca):
            continue
        if one.profile is not None and not one.profile.required:
            return [Notice(*texts.REFUSES_ADDRESSES.fill(ca=ca, domain=_first(one), profile=found, wanted=wanted))]
        expected = texts.PROFILE_OF_IP.format(profile=wanted, ca=ca)
        one.scope.mistake((*one.path, "profile"), quoted(found) if found else MISSING, expected)
        break
    return []


def _check_count(one: CertificateDraft, cas: list[str]) -> list[Notice]:
    """Add a mistake if there are more names than a CA accepts in one order.

    :param cas: the built-in CAs of its routes.
    """
    count, profile = len(one.identifiers), one.profile
    for ca in cas:
        few = profile if ca in _IP_PROFILES and profile is not None and profile.name in _SMALL else None
        if count > _MANY and (few is None or not few.required):
            expected = texts.MOST_NAMES.format(most=_MANY, ca=ca)
        elif few is None or count <= _FEW:
            continue
        elif few.required:
            expected = texts.MOST_NAMES_OF_PROFILE.format(most=_FEW, ca=ca, profile=few.name)
        else:
            fields = {"ca": ca, "domain": _first(one), "profile": few.name, "most": _FEW, "count": count}
            return [Notice(*texts.REFUSES_COUNT.fill(**fields))]
        one.scope.mistake((*one.path, "domains"), texts.DOMAINS_FOUND.format(count=count), expected)
        break
    return []


def _first(one: CertificateDraft) -> str:
    return next(iter(one.domains.values()))


def refusal(name: str) -> str | None:
    """Return what is expected instead of a name for which no public CA issues; None for a public name."""
    if is_ip(name):
        return None if is_public_address(name) else texts.NOT_PUBLIC_IP
    if name.startswith("_acme-challenge."):
        return texts.NO_ACME_LABEL
    if "_" in name:
        return texts.NO_UNDERSCORE
    if "." not in name:
        return texts.NOT_ONE_LABEL
    top = name.rpartition(".")[2]
    # RFC 8375.
    if top in _LOCAL or f".{name}".endswith(".home.arpa"):
        return texts.NOT_LOCAL
    return texts.NOT_A_SUFFIX if is_public_suffix(name) else None


# ── from arguments ─────────────────────────────────────────────────────────────────────

# One certificate from the arguments of ``dnsrenew.obtain``, with the checks and the error of a file.

_CERTIFICATE: Final = ("certificate", 0)


def from_arguments(
    domains: object, *, dns: Sequence[DnsAccount], ca: str | CA = "letsencrypt", **settings: Any
) -> dict[str, Any]:
    """Return the fields of a :class:`Config` for one certificate.

    :param domains: one or several domains, checked here; the same for ``contact`` and ``deploy`` of the settings.
    :param dns: the accounts; the caller's own driver is the option ``driver`` of an account without a provider.
    :param settings: other keys of the certificate, or of the whole configuration; None is the default.
    :raises ConfigError: ``config-invalid``.
    """
    contact, deploy = settings.pop("contact", ()), settings.pop("deploy", ())
    given = {key: value for key, value in settings.items() if value is not None}
    document: dict[str, Any] = {key: given.pop(key) for key in ("store", "agree_terms", "resolver") if key in given}
    document |= {"contact": _listed(contact), "dns": _by_name(dns, settings.get("routes"))}
    is_one = isinstance(deploy, (Deployment, Mapping)) or callable(deploy)
    deployments = [deploy] if is_one else _listed(deploy or None)
    certificate = {**given, "domains": _listed(domains), **({} if deployments is None else {"deploy": deployments})}
    name = ca
    if isinstance(ca, CA):
        name = ca.name or host_name(ca.directory)
        document["ca"] = {name: ca}
    document["certificate"] = [{**certificate, "ca": name}]
    return from_mapping(document, None, prefix=_CERTIFICATE)


def _listed(value: object) -> object:
    """Return one text, or several values of any kind, as a list. A reader reports anything else as a mistake."""
    if isinstance(value, str):
        return [value]
    is_several = isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping))
    return list(value) if is_several and isinstance(value, Iterable) else value


def _by_name(accounts: Sequence[DnsAccount], routes: object) -> dict[str, DnsAccount]:
    """Return the accounts by name. Accounts at one provider without their own names are numbered, from 2 on.

    :raises ConfigError: ``config-invalid``: two have the same name, and a route uses this name.
    """
    named: dict[str, DnsAccount] = {}
    taken = {account.name for account in accounts}
    meant = _named_in(routes)
    for given in accounts:
        account, name = given, given.name
        if name in named:
            if name != account.provider or name in meant:
                raise config_error([Mistake("", None, f"dns.{name}", texts.TWO_ACCOUNTS, texts.OWN_ACCOUNT_NAME)])
            name = next(free for number in count(2) if (free := f"{account.provider}-{number}") not in taken)
            taken.add(name)
            account = copy(given)
            account.name = name
        named[name] = account
    return named


def _named_in(routes: object) -> set[str]:
    """Return the names of accounts in routes. Anything that is not a route is reported as a mistake later."""
    names: set[str] = set()
    for each in routes if isinstance(routes, (list, tuple)) else ():
        dns = each.dns if isinstance(each, Route) else each.get("dns") if isinstance(each, Mapping) else ()
        listed = _listed(dns)
        names |= {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    return names
