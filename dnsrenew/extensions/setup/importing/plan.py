"""What will be written, from what was found: no name twice, one account a key, one certificate a set of domains."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen, replace
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.model import (
    FoundAccount,
    FoundCertificate,
    FoundData,
    FoundDeployment,
    FoundDnsAccount,
    FoundEab,
    FoundRoute,
    HostView,
    NotUnderstood,
)

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_NAME: Final = re.compile(r"[^a-z0-9._-]+")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_LONGEST: Final = 60
_MOST: Final = 50_000
"""Characters of the names of a certificate; CAs allow 100 names."""
_DEFAULT_KEY: Final = "ecdsa-p256"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class PlannedCa(Frozen):
    """A CA, with the account at it.

    :ivar name: its name in the configuration.
    :ivar account: the account that is imported; None: a new one is created when it is needed.
    :ivar trust: the file with the root certificates of its endpoint; "" for those of the system.
    """

    name: str
    directory: str
    account: FoundAccount | None = None
    eab: FoundEab | None = None
    trust: str = ""

    @property
    def is_built_in(self) -> bool:
        """Whether the configuration needs no table for it."""
        return reading.built_in(self.directory) == self.name


class PlannedCertificate(Frozen):
    """A certificate, with its names in the configuration.

    :ivar ca: the name of its CA; "" for the default one.
    :ivar routes: as found; ``dns`` has the accounts' names, in the same order.
    :ivar dns: the name of the account of each route, "" for those without.
    :ivar kind: the tool that it comes from.
    :ivar key: the type of its next key: as the tool was told, or that of the certificate.
    """

    name: str
    kind: str
    found: FoundCertificate
    ca: str
    key: KeyKind
    routes: tuple[FoundRoute, ...]
    dns: tuple[str, ...]


class Plan(Frozen):
    """What will be written.

    :ivar contact: the contacts of all accounts, without ``mailto:``.
    :ivar dns: the accounts at DNS hosts by name.
    """

    contact: tuple[str, ...]
    cas: tuple[PlannedCa, ...]
    dns: dict[str, FoundDnsAccount]
    certificates: tuple[PlannedCertificate, ...]
    not_understood: tuple[NotUnderstood, ...]

    def with_notes(self, notes: Sequence[NotUnderstood]) -> Plan:
        """Return the plan with more that was not understood."""
        return replace(self, not_understood=(*self.not_understood, *notes))


def make_plan(found: Sequence[FoundData]) -> Plan:
    """Return what will be written."""
    notes = reading.Notes()
    accounts = _Accounts(found)
    dns = _DnsAccounts()
    taken: set[str] = set()
    certificates = []
    for kind, certificate in _one_each(found, notes):
        routes = certificate.routes or _fallback(certificate)
        certificates.append(
            PlannedCertificate(
                name=_certificate_name(certificate, taken),
                kind=kind,
                found=certificate,
                ca=accounts.ca_of(certificate),
                key=certificate.key or _own_key(certificate) or _DEFAULT_KEY,
                routes=routes,
                dns=tuple(dns.name(route.dns) if route.dns is not None else "" for route in routes),
            )
        )
    urls = [each for data in found for account in data.accounts for each in account.contact]
    urls += [each for data in found for each in data.contact]
    contacts = [each.removeprefix("mailto:") for each in urls]
    return Plan(
        contact=tuple(dict.fromkeys(contacts)),
        cas=tuple(accounts.cas),
        dns=dns.accounts,
        certificates=tuple(certificates),
        not_understood=(*(note for data in found for note in data.not_understood), *notes.found),
    )


def _fallback(certificate: FoundCertificate) -> tuple[FoundRoute, ...]:
    """Return a route for a certificate without any: a person sets the records until the route is replaced."""
    return (FoundRoute(challenge="dns-01", dns=reading.dns_account("manual", {}, certificate.source)),)


# ── accounts ────────────────────────────────────────────────────────────────────────────


class _Accounts:
    """The accounts, each under the name of a CA of its own; the one with the most certificates has the plain name."""

    def __init__(self, found: Sequence[FoundData]) -> None:
        self.cas: list[PlannedCa] = []
        self._by_source: dict[str, str] = {}
        used = [certificate.account for data in found for certificate in data.certificates]
        accounts = [account for data in found for account in data.accounts]
        accounts.sort(key=lambda account: (-used.count(account.source), -account.modified))
        known: dict[tuple[str, str], str] = {}
        eab = {url: binding for data in found for url, binding in data.eab.items()}
        self._trust = {url: file for data in found for url, file in data.trust.items()}
        self._eab = eab
        for account in accounts:
            key = account.directory, _public_key(account)
            if key not in known:
                known[key] = self._add(account.directory, account)
            self._by_source[account.source] = known[key]

    def ca_of(self, certificate: FoundCertificate) -> str:
        """Return the name of the CA of a certificate; "" for the default one."""
        if certificate.account in self._by_source:
            return self._by_source[certificate.account]
        if certificate.directory is None:
            return ""
        known = next((ca.name for ca in self.cas if ca.directory == certificate.directory), None)
        return known or self._add(certificate.directory, None)

    def _add(self, directory: str, account: FoundAccount | None) -> str:
        plain = reading.built_in(directory) or _plain(urlsplit(directory).netloc)
        name = free_name(plain, {ca.name for ca in self.cas})
        eab = (account.eab if account is not None else None) or self._eab.get(directory)
        self.cas.append(PlannedCa(name, directory, account, eab, self._trust.get(directory, "")))
        return name


def _public_key(account: FoundAccount) -> str:
    try:
        return x509.key_hash(x509.key_from_pem(account.key_pem))
    except ValueError:
        return account.source


class _DnsAccounts:
    """The accounts at DNS hosts, equal ones once.

    :ivar accounts: by name.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, FoundDnsAccount] = {}

    def name(self, account: FoundDnsAccount) -> str:
        """Return the name of an account."""
        for name, known in self.accounts.items():
            if replace(known, source="") == replace(account, source=""):
                return name
        name = free_name(_plain(account.provider), self.accounts)
        self.accounts[name] = account
        return name


# ── certificates ────────────────────────────────────────────────────────────────────────


def _one_each(found: Sequence[FoundData], notes: reading.Notes) -> Iterable[tuple[str, FoundCertificate]]:
    """Return one certificate for each set of names: the newest, with the routes, hooks and files of all."""
    by_names: dict[frozenset[str], list[tuple[str, FoundCertificate]]] = {}
    for data in found:
        for certificate in data.certificates:
            if sum(map(len, certificate.domains)) > _MOST:
                notes.add(texts.DAMAGED, certificate.source, loses=True, reason=texts.TOO_MANY_NAMES)
                continue
            by_names.setdefault(frozenset(certificate.domains), []).append((data.kind, certificate))
    for same in by_names.values():
        (kind, newest), *others = sorted(same, key=lambda each: _not_before(each[1]), reverse=True)
        for other_kind, other in others:
            notes.add(texts.TWO_TOOLS, other.source, tool=other_kind, name=other.name, other=kind, newer=newest.name)
        yield kind, _merged(newest, [other for _, other in others])


def _merged(newest: FoundCertificate, others: Sequence[FoundCertificate]) -> FoundCertificate:
    deployments = {_what(each): each for one in (newest, *others) for each in one.deployments}
    files = dict.fromkeys(file for one in (newest, *others) for file in one.files)
    routes = next((one.routes for one in (newest, *others) if one.routes), ())
    return replace(newest, routes=routes, deployments=tuple(deployments.values()), files=tuple(files))


def _what(deployment: FoundDeployment) -> str:
    return f"{deployment.to} {dict(deployment.options)!r}"


def _own_key(certificate: FoundCertificate) -> KeyKind | None:
    """Return the type of the certificate's key; None if the configuration has no name for it."""
    try:
        return x509.key_kind(user_files.key_from_file(certificate.key_pem or b""))
    except ConfigError:
        return None


def _not_before(certificate: FoundCertificate) -> datetime:
    try:
        return x509.read_certificate(certificate.fullchain_pem or "").not_before
    except ValueError:
        return _LONG_AGO


# ── names ───────────────────────────────────────────────────────────────────────────────


def _certificate_name(certificate: FoundCertificate, taken: set[str]) -> str:
    """Return a name for the store that is the tool's, as far as it is valid on every system."""
    text = (certificate.name or certificate.domains[0]).lower().replace("*", "_")
    name = _NOT_NAME.sub("-", text).lstrip(".-").rstrip(".")[:_LONGEST].rstrip(".") or "certificate"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    name = free_name(name, taken)
    taken.add(name)
    return name


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("-", text).strip("-")[:_LONGEST] or "other"


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: itself, or with a number."""
    used = set(taken)
    return next(
        each for each in (name, *(f"{name}-{number}" for number in range(2, len(used) + 3))) if each not in used
    )


# ── kinds ──────────────────────────────────────────────────────────────────────────────

# The tools that ``dnsrenew import`` reads, one line each.


class ToolReader(Protocol):
    """The functions of a reader's module; see :mod:`dnsrenew.extensions.setup.importing.model`."""

    def usual(self, host: HostView) -> list[Path]:
        """Return the folders where the tool keeps its data by default, whether they exist or not."""

    def is_here(self, folder: Path) -> bool:
        """Return whether a folder is one of this tool's."""

    def read(self, folder: Path, host: HostView) -> FoundData:
        """Return everything in the folder."""


class Kind(Frozen):
    """A tool.

    :ivar name: the word of ``--from``.
    :ivar title: the tool's name, for people.
    :ivar module: the module of its reader, imported when it is needed.
    """

    name: str
    title: str
    module: str

    def reader(self) -> ToolReader:
        """Return its reader."""
        return cast("ToolReader", importlib.import_module(f"dnsrenew.extensions.setup.importing.{self.module}"))


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("certbot", "certbot", "certbot"),
        Kind("lego", "lego", "lego"),
        Kind("acme.sh", "acme.sh", "acme_sh"),
        Kind("caddy", "Caddy", "caddy"),
        Kind("hfs", "HFS", "hfs"),
        Kind("pem", texts.PEM_FILES, "pem"),
    )
}
"""The tools, in the order in which a folder is asked: any pair of PEM files comes last."""
