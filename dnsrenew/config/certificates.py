"""The certificates: ``[[certificate]]``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import CertificateSpec, Deployment, GivenRequest, Profile, Propagation, Route
from dnsrenew.base.names import is_a_labels, is_ip
from dnsrenew.base.validation import FieldError, KeyPath, describe_found, quoted
from dnsrenew.base.validation.texts import EMPTY_LIST, MISSING
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import fields, texts
from dnsrenew.config.cas import CaTables
from dnsrenew.config.dns_accounts import DnsAccountTables
from dnsrenew.config.routes import RouteNeeds, check_accounts_exist, check_fitting, check_routes, route
from dnsrenew.config.schema import FieldScope, Key, MistakeReport, Table, brackets, table_of
from dnsrenew.errors import system_reason

if TYPE_CHECKING:
    from dnsrenew.base.x509 import RequestContent

DEFAULT_ROUTES: Final = (Route("dns-01"),)
"""The default: dns-01 needs no port and no web server, and can validate wildcards."""

_PROFILE: Final = table_of(prefer=Key(fields.text, required=True))


def _profile(value: Any, scope: FieldScope, path: KeyPath) -> Profile | None:
    """Read a required profile, as a text, or a preferred one, as ``{ prefer = "…" }``."""
    if isinstance(value, Profile):
        value = value.name if value.required else {"prefer": value.name}
    if isinstance(value, Mapping):
        values = _PROFILE.read(value, scope, path)
        return Profile(values["prefer"], required=False) if "prefer" in values else None
    try:
        return Profile(fields.text(value, scope, path))
    except FieldError:
        raise FieldError(texts.PROFILE) from None


_PROPAGATION: Final = table_of(
    timeout=Key(fields.seconds(1)),
    settle=Key(fields.seconds(0)),
    check=Key(fields.choice("authoritative", "doh", "none")),
)
_MOST_DOMAINS: Final = 1000
"""The limit of domains in a certificate. CAs allow 100 to 250, and may raise their limits."""


def _domains(value: Any, scope: FieldScope, path: KeyPath) -> list[tuple[str, str] | None]:
    """Read the domains, each as written and as A-labels. None stands for an invalid or repeated one."""
    if isinstance(value, str):
        return [fields.domain(value, scope, path)]
    if not isinstance(value, (list, tuple)) or not value:
        raise FieldError(texts.DOMAINS, found=describe_found(value) if value or value is None else EMPTY_LIST)
    if len(value) > _MOST_DOMAINS:
        found = texts.DOMAINS_FOUND.format(count=len(value))
        raise FieldError(texts.MANY_DOMAINS.format(most=_MOST_DOMAINS), found=found)
    domains: list[tuple[str, str] | None] = []
    first: dict[str, str] = {}
    for index, item in enumerate(value):
        item_path = (*path, index)
        domains.append(None)
        with scope.reading(item_path, item, describe_found):
            is_usual = type(item) is str and is_a_labels(item)
            written, identifier = (item, item) if is_usual else fields.domain(item, scope, item_path)
            if identifier in first:
                same = texts.SAME_DOMAIN.format(domain=quoted(first[identifier]))
                raise FieldError(same, found=texts.DOMAIN_TWICE)
            first[identifier] = written
            domains[index] = written, identifier
    return domains


def _ca(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the name of a CA. A URL was probably meant for the CA itself."""
    try:
        return fields.plain_name(value, scope, path)
    except FieldError:
        if not scope.python:
            raise
        raise FieldError(texts.CA_ARGUMENT) from None


def _deploy(value: Any, scope: FieldScope, path: KeyPath) -> Any:
    from dnsrenew.config.deployments import deployment  # few configurations deploy

    return fields.list_of(deployment, texts.DEPLOYMENTS if scope.python else texts.TABLES)(value, scope, path)


def _csr(value: Any, scope: FieldScope, path: KeyPath) -> tuple[GivenRequest, RequestContent]:
    """Read the file of a certificate request, or a request in PEM form, as in a document of a fleet."""
    from dnsrenew.base import x509  # slow to load, and few configurations have a request

    is_text = isinstance(value, str) and value.lstrip().startswith("-----BEGIN")
    file = None if is_text else fields.file_path(value, scope, path)
    shown = texts.REQUEST_INLINE if file is None else quoted(os.fspath(value))
    try:
        content = x509.read_given_request(value.encode() if file is None else scope.checks.read(file))
    except (OSError, ValueError) as error:
        reason = system_reason(error).lower() if isinstance(error, OSError) else error.args[0]
        raise FieldError(texts.REQUEST, found=texts.REQUEST_BECAUSE.format(file=shown, reason=reason)) from None
    return GivenRequest(content.der, file), content


_SETTINGS: Final = {
    "ca": Key(_ca),
    "key": Key(fields.choice("ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096")),
    "reuse_key": Key(fields.flag),
    "profile": Key(_profile),
    "lifetime": Key(fields.lifetime),
    "preferred_chain": Key(fields.text),
    "renew_before": Key(fields.renew_before),
    "routes": Key(fields.list_of(route, texts.ROUTES, least=1)),
    "propagation": Key(_PROPAGATION.into(Propagation)),
    "before": Key(fields.command),
    "after": Key(fields.command),
    "deploy": Key(_deploy),
    "notify": Key(fields.flag),
}
_OWN: Final = {"name": Key(fields.certificate_name), "domains": Key(_domains, required=True), "csr": Key(_csr)}
CERTIFICATE: Final = Table({**_OWN, **_SETTINGS}, elsewhere=texts.IN_A_ROUTE)


def _no_default(_value: Any, _scope: FieldScope, path: KeyPath) -> None:
    raise FieldError(texts.DEFAULTS_KEY.format(key=path[-1]), found=texts.NOT_HERE)


_DEFAULTS: Final = Table({**dict.fromkeys(_OWN, Key(_no_default)), **_SETTINGS}, offered=tuple(_SETTINGS))
_DOCUMENT: Final = Table(CERTIFICATE.keys, offered=(*CERTIFICATE.keys, "tags"))
"""A document of a fleet. Its reader removes the tags first."""


def _fitting(table: Any, usual: Table) -> Table:
    """Return the keys of a certificate. A certificate with a request needs no domains."""
    if (type(table) is not dict and not isinstance(table, Mapping)) or "csr" not in table:
        return usual
    return replace(usual, keys={**usual.keys, "domains": Key(_domains)}, offered=())


class CertificateDraft(Frozen):
    """The readable part of one table, so that a certificate with a mistake is checked for more mistakes.

    :ivar path: the key of the table.
    :ivar domains: as written, by their index in the list.
    :ivar identifiers: as A-labels, by the same index.
    """

    scope: FieldScope
    path: KeyPath
    domains: Mapping[int, str]
    identifiers: Mapping[int, str]
    ca: str
    routes: tuple[Route, ...]
    profile: Profile | None


class CertificateTables:
    """All certificates, in the order of the files.

    :param default_ca: the CA of certificates that do not name a CA.
    :param doh: whether the resolver has a DNS-over-HTTPS server (RFC 8484).
    :ivar drafts: all certificates, valid or not.
    :ivar places: the scope and the key of each certificate, by name.
    """

    def __init__(self, default_ca: str, *, accounts: DnsAccountTables, cas: CaTables, doh: bool) -> None:
        self.specs: list[CertificateSpec] = []
        self.drafts: list[CertificateDraft] = []
        self.default_ca_used: bool = False
        self.default_ca = default_ca
        self.places: dict[str, tuple[FieldScope, KeyPath]] = {}
        self._named: set[str] = set()
        self._accounts = accounts
        self._cas = cas
        self._doh = doh
        self._checked_cas: set[str] = set()

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Read the tables ``[[certificate]]`` of one file."""
        if not isinstance(value, (list, tuple)):
            raise brackets(value, scope, path, texts.TABLES)
        for index, table in enumerate(value):
            item_path = (*path, index)
            with scope.reading(item_path, table):
                self._read_one(_fitting(table, CERTIFICATE).read(table, scope, item_path), table, scope, item_path)

    def check_files(self, report: MistakeReport) -> None:
        """Add a mistake if two certificates are deployed to the same file."""
        if not report.written:
            return
        names = {(scope.file, path): name for name, (scope, path) in self.places.items()}
        for written, ((first, there), *others) in report.written.items():
            for scope, path in others:
                one, other = (first.file, there[:2]), (scope.file, path[:2])
                if one == other or report.has_mistake(path[:-1]) or not names.keys() >= {one, other}:
                    continue
                line = report.line(first.file, there)
                where = texts.LINE.format(name=names[one], file=os.path.basename(first.file), line=line)
                fields = {"first": where if line else names[one], "name": names[other], "path": written}
                scope.mistake(path, texts.FILE_OF_TWO.format(**fields), texts.FILE_OF_ITS_OWN)

    def read_document(
        self, table: Mapping[str, Any], scope: FieldScope, defaults: Mapping[str, Any]
    ) -> CertificateSpec | None:
        """Read the only certificate of these tables, which is in no configuration; None after a mistake.

        :param defaults: values for its missing keys, from :meth:`read_defaults`.
        """
        self._accounts.absence_reported = False
        values = _fitting(table, _DOCUMENT).read(table, scope, ())
        self._read_one({**defaults, **values}, {**defaults, **table}, scope, ())
        return self.specs[0] if self.specs else None

    def read_defaults(self, value: Any, scope: FieldScope, path: KeyPath) -> dict[str, Any]:
        """Read ``[fleet.defaults]``; return its valid values."""
        with scope.reading(path, value):
            values = _DEFAULTS.read(value, scope, path)
            checked = dict(values)
            self._check_settings(checked, value, {}, scope, path)
            return {key: checked.get(key, given) for key, given in values.items()}
        return {}

    def empty(self) -> CertificateTables:
        """Return tables with the same accounts and CAs, without a certificate, and without the texts of files."""
        return CertificateTables(self.default_ca, accounts=self._accounts, cas=self._cas.detached(), doh=self._doh)

    def keys(self) -> list[str]:
        """Return the keys that :meth:`has` accepts, sorted."""
        accounts = [f"dns.{name}" for name in self._accounts.names]
        return sorted([*(f"ca.{name}" for name in self._cas.cas), *accounts, *(["dns"] if accounts else [])])

    def has(self, key: str) -> bool:
        """Return whether the configuration has the table ``dns.NAME`` or ``ca.NAME``; ``dns`` means any account."""
        kind_of_table, _, name = key.partition(".")
        if kind_of_table == "ca":
            return name in self._cas.cas
        return name in self._accounts.names if name else bool(self._accounts.names)

    def _read_one(self, values: dict[str, Any], table: Any, scope: FieldScope, path: KeyPath) -> None:
        read: list[tuple[str, str] | None] = values.pop("domains", None) or []
        if "csr" in values:
            read = _with_request(values, read, table, scope, path)
        domains = {index: one[0] for index, one in enumerate(read) if one}
        identifiers = {index: one[1] for index, one in enumerate(read) if one}
        name = values.pop("name", None)
        if name is None and "name" not in table and 0 in identifiers:
            name = _default_name(identifiers[0], scope, path)
        if name is not None:
            self._check_name(name, scope, path, is_given="name" in table)
        ca = self._check_settings(values, table, identifiers, scope, path) or self.default_ca
        if "routes" not in values:
            values["routes"] = DEFAULT_ROUTES
            if "routes" not in table:
                check_fitting(DEFAULT_ROUTES, identifiers, scope, path)
                if not identifiers or not all(map(is_ip, identifiers.values())):  # an account would not help
                    check_accounts_exist(self._accounts, scope, path)
        routes, profile = values["routes"], values.get("profile")
        self.drafts.append(CertificateDraft(scope, path, domains, identifiers, ca, routes, profile))
        if read and len(domains) == len(read) and name is not None:
            known: dict[str, Any] = {"domains": tuple(domains.values()), "identifiers": tuple(identifiers.values())}
            self.specs.append(CertificateSpec(name=name, ca=ca, **known, **values))

    def _check_settings(
        self, values: dict[str, Any], table: Any, identifiers: Mapping[int, str], scope: FieldScope, path: KeyPath
    ) -> str | None:
        """Check values against the CAs, the accounts and the resolver. Remove the CA from them, and return it."""
        ca: str | None = values.pop("ca", None)
        if ca is not None and ca not in self._checked_cas:
            self._cas.check_used(ca, scope, (*path, "ca"))
            if ca in self._cas.cas:
                self._checked_cas.add(ca)
        elif ca is None and "ca" not in table:
            self.default_ca_used = True
        if "propagation" in values and values["propagation"].check == "doh" and not self._doh:
            scope.mistake((*path, "propagation", "check"), quoted("doh"), texts.DOH_NEEDED)
        if "routes" in values:
            needs = RouteNeeds(values["routes"], identifiers, ca or self.default_ca)
            values["routes"] = check_routes(needs, scope, path, self._accounts, self._cas)
        return ca

    def _check_name(self, name: str, scope: FieldScope, path: KeyPath, *, is_given: bool) -> None:
        first, there = self.places.setdefault(name, (scope, path))
        if is_given:
            self._named.add(name)
        if first is scope and there == path:
            return
        if first is scope and name not in self._named:
            scope.mistake((*path, "name"), texts.SAME_FIRST.format(name=name), texts.DELETE_OR_NAME)
        else:
            where = texts.CERTIFICATE_HERE if first is scope else texts.CERTIFICATE_THERE
            expected = texts.ANOTHER_NAME.format(where=where.format(number=int(there[1]) + 1, file=first.file))
            scope.mistake((*path, "name"), texts.NAME_AGAIN.format(name=quoted(name)), expected)


def _with_request(
    values: dict[str, Any], read: list[tuple[str, str] | None], table: Any, scope: FieldScope, path: KeyPath
) -> list[tuple[str, str] | None]:
    """Copy names and key from the request into the values; return the domains. Differences are mistakes."""
    values["csr"], content = values["csr"]
    asked: list[tuple[str, str] | None] = []
    for name in content.names:
        try:
            asked.append(fields.domain(name, scope, path))
        except FieldError as error:
            scope.mistake((*path, "csr"), quoted(name), error.expected)
            asked.append(None)
    identifiers = {each[1] for each in asked if each}
    if all(read) and "domains" in table and {each[1] for each in read if each} != identifiers:
        found = describe_found([each[0] for each in read if each])
        expected = texts.REQUEST_NAMES.format(names=", ".join(content.names))
        scope.mistake((*path, "domains"), found, expected)
    if values.get("key", content.kind) != content.kind:
        scope.mistake((*path, "key"), quoted(values["key"]), texts.REQUEST_KIND.format(key=quoted(content.kind)))
    for index, one in enumerate(values.get("deploy", ())):
        from dnsrenew.config.deployments import needs_key

        if isinstance(one, Deployment) and needs_key(one):
            scope.mistake((*path, "deploy", index), texts.NEEDS_KEY.format(to=quoted(one.to)), texts.WITHOUT_KEY)
    values["key"] = content.kind
    return read if "domains" in table else asked


def _default_name(identifier: str, scope: FieldScope, path: KeyPath) -> str | None:
    name = identifier.replace("*", "_").replace(":", "-")
    if name.startswith("-"):  # ::1, which is also 0::1
        name = f"0{name}"
    try:
        return fields.certificate_name(name, scope, path)
    except FieldError:
        scope.mistake((*path, "name"), MISSING, texts.NAME_NEEDED.format(name=quoted(name)))
        return None
