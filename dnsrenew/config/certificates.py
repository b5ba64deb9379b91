"""What is wanted: ``[[certificate]]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.config.cas import CaTables
from dnsrenew.config.deployments import deployment
from dnsrenew.config.dns_accounts import DnsAccountTables
from dnsrenew.config.fields import (
    certificate_name,
    choice,
    domain,
    flag,
    list_of,
    plain_name,
    renew_before,
    seconds,
    text,
)
from dnsrenew.config.routes import RouteNeeds, check_accounts_exist, check_routes, route
from dnsrenew.config.schema import FieldScope, Key, Table
from dnsrenew.model import CertificateSpec, Profile, Propagation, Route
from dnsrenew.validation.mistakes import FieldError, KeyPath, describe_found, kind, quoted

_DEFAULT_ROUTES: Final = (Route("dns-01"),)

_PREFERRED: Final = Table("profile", {"prefer": Key(text, required=True)})


def _profile(value: Any, scope: FieldScope, path: KeyPath) -> Profile | None:
    """Take a profile that must be, as a text, or one that is wished for, as ``{ prefer = "…" }``."""
    if isinstance(value, Profile):
        value = value.name if value.required else {"prefer": value.name}
    if isinstance(value, Mapping):
        values = _PREFERRED.read(value, scope, path)
        return Profile(values["prefer"], required=False) if "prefer" in values else None
    try:
        return Profile(text(value, scope, path))
    except FieldError:
        raise FieldError('the name of a profile, or { prefer = "…" }') from None


_PROPAGATION: Final = Table(
    "propagation",
    {"timeout": Key(seconds(1)), "settle": Key(seconds(0)), "check": Key(choice("authoritative", "doh", "none"))},
)


def _propagation(value: Any, scope: FieldScope, path: KeyPath) -> Propagation:
    return Propagation(**_PROPAGATION.read(value, scope, path))


def _domains(value: Any, scope: FieldScope, path: KeyPath) -> dict[str, str] | None:
    """Take the domains: A-labels → as written; None where one is a mistake."""
    if not isinstance(value, (list, tuple)) or not value:
        raise FieldError(
            "a list of domain names, at least one", found=describe_found(value) if value else "an empty list"
        )
    found: dict[str, str] = {}
    whole = True
    for index, item in enumerate(value):
        place = (*path, index)
        try:
            written, identifier = domain(item, scope, place)
        except FieldError as wrong:
            scope.mistake(place, describe_found(item), wrong.expected)
            whole = False
            continue
        if identifier in found:
            scope.mistake(place, describe_found(item), f"each domain once: it is {quoted(found[identifier])} again")
        found[identifier] = written
    return found if whole else None


_CERTIFICATE: Final = Table(
    "certificate",
    {
        "name": Key(certificate_name),
        "domains": Key(_domains, required=True),
        "ca": Key(plain_name),
        "key": Key(choice("ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096")),
        "reuse_key": Key(flag),
        "profile": Key(_profile),
        "preferred_chain": Key(text),
        "renew_before": Key(renew_before),
        "routes": Key(list_of(route, "a list of routes, at least one", least=1)),
        "propagation": Key(_propagation),
        "deploy": Key(list_of(deployment, "a list of tables")),
    },
)


class CertificateTables:
    """All certificates, in the order of the files.

    :param default_ca: the name of the CA of those that name none.
    :param doh: whether there is a DNS-over-HTTPS server to ask.
    """

    def __init__(self, default_ca: str, *, accounts: DnsAccountTables, authorities: CaTables, doh: bool) -> None:
        self.specs: list[CertificateSpec] = []
        self.default_ca_used = False
        self._default_ca = default_ca
        self._accounts = accounts
        self._authorities = authorities
        self._doh = doh
        self._names: dict[str, tuple[FieldScope, int]] = {}
        self._cas: set[str] = set()

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Take the tables ``[[certificate]]`` of one file."""
        if not isinstance(value, (list, tuple)):
            raise FieldError("tables [[certificate]], with two brackets", found=kind(value))
        for index, table in enumerate(value):
            place = (*path, index)
            try:
                values = _CERTIFICATE.read(table, scope, place)
            except FieldError as wrong:
                scope.mistake(place, wrong.found or kind(table), wrong.expected)
                continue
            self._one(values, table, scope, place)

    def _one(self, values: dict[str, Any], table: Any, scope: FieldScope, path: KeyPath) -> None:
        domains = values.pop("domains", None)
        name = values.pop("name", None)
        if name is None and "name" not in table and domains:
            name = _default_name(next(iter(domains)), scope, path)
        if name is not None:
            self._check_name(name, scope, path)
        ca = values.pop("ca", None)
        if ca is not None and ca not in self._cas:
            self._authorities.check_used(ca, scope, (*path, "ca"))
            if ca in self._authorities.cas:
                self._cas.add(ca)
        elif ca is None and "ca" not in table:
            self.default_ca_used = True
        if "propagation" in values:
            self._check_doh(values["propagation"], scope, path)
        if "routes" in values:
            values["routes"] = check_routes(
                RouteNeeds(values["routes"], tuple(domains or ()), ca or self._default_ca),
                scope,
                path,
                self._accounts,
                self._authorities,
            )
        else:
            values["routes"] = _DEFAULT_ROUTES
            if "routes" not in table:
                check_accounts_exist(self._accounts, scope, path)
        if domains and name is not None:
            self.specs.append(
                CertificateSpec(
                    name=name,
                    domains=tuple(domains.values()),
                    identifiers=tuple(domains),
                    ca=ca or self._default_ca,
                    **values,
                )
            )

    def _check_name(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        first, index = self._names.setdefault(name, (scope, int(path[1])))
        if first is not scope or index != path[1]:
            where = f"number {index + 1}" + ("" if first is scope else f" in {first.file}")
            found = f"the name {quoted(name)} a second time"
            scope.mistake((*path, "name"), found, f"another name: certificate {where} has it already")

    def _check_doh(self, propagation: Propagation, scope: FieldScope, path: KeyPath) -> None:
        if propagation.check == "doh" and not self._doh:
            expected = 'an address in resolver.doh to ask, or "authoritative"'
            scope.mistake((*path, "propagation", "check"), '"doh"', expected)


def _default_name(identifier: str, scope: FieldScope, path: KeyPath) -> str | None:
    name = identifier.replace("*", "_")
    try:
        return certificate_name(name, scope, path)
    except FieldError:
        scope.mistake(
            (*path, "name"), "missing", f'a line such as name = "home": {quoted(name)} cannot be a folder everywhere'
        )
        return None
