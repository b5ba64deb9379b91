"""Plans what to write from the findings: unique names, one account per key, one certificate per set of domains."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import replace
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import model, reading, texts

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_NAME: Final = re.compile(r"[^a-z0-9._-]+")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_LONGEST: Final = 60
_MOST: Final = 50_000
"""The maximum number of characters of a certificate's names. CAs allow 100 names."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def make_plan(found: Sequence[model.FoundData], notes: reading.Notes) -> model.Plan:
    """Return the plan."""
    accounts = _Accounts(found)
    dns: dict[str, model.FoundDnsAccount] = {}
    taken: set[str] = set()
    certificates = []
    for kind, certificate in _one_each(found, notes):
        routes = certificate.routes
        if not routes:  # a person sets the records until there is a route
            by_hand = reading.dns_account("manual", {}, certificate.source)
            routes = (model.FoundRoute(challenge="dns-01", dns=by_hand),)
        name, ca = _certificate_name(certificate, taken), accounts.ca_of(certificate)
        key = certificate.key or _own_key(certificate) or "ecdsa-p256"
        writers = tuple(_dns_name(route.dns, dns) for route in routes)
        certificates.append(model.PlannedCertificate(name, kind, certificate, ca, key, routes, writers))
    urls = [each for data in found for account in data.accounts for each in account.contact]
    urls += [each for data in found for each in data.contact]
    contact = dict.fromkeys(each.removeprefix("mailto:") for each in urls)
    return model.Plan(tuple(contact), tuple(accounts.cas), dns, tuple(certificates))


# ── accounts ────────────────────────────────────────────────────────────────────────────


class _Accounts:
    """The accounts, each under its own CA name. The one with the most certificates has the plain name."""

    def __init__(self, found: Sequence[model.FoundData]) -> None:
        self.cas: list[model.PlannedCa] = []
        self._by_source: dict[str, str] = {}
        self._trust = {url: file for data in found for url, file in data.trust.items()}
        self._eab = {url: binding for data in found for url, binding in data.eab.items()}
        used = [certificate.account for data in found for certificate in data.certificates]
        accounts = [account for data in found for account in data.accounts]
        accounts.sort(key=lambda account: (-used.count(account.source), -account.modified))
        known: dict[tuple[str, str], str] = {}
        for account in accounts:
            key = account.directory, _public_key(account)
            if key not in known:
                known[key] = self._add(account.directory, account)
            self._by_source[account.source] = known[key]

    def ca_of(self, certificate: model.FoundCertificate) -> str:
        """Return the name of the CA of a certificate; "" for the default CA."""
        if certificate.account in self._by_source:
            return self._by_source[certificate.account]
        if certificate.directory is None:
            return ""
        known = next((ca.name for ca in self.cas if ca.directory == certificate.directory), None)
        return known or self._add(certificate.directory, None)

    def _add(self, directory: str, account: model.FoundAccount | None) -> str:
        plain = reading.built_in(directory) or _plain(urlsplit(directory).netloc)
        name = reading.free_name(plain, {ca.name for ca in self.cas})
        eab = (account.eab if account is not None else None) or self._eab.get(directory)
        self.cas.append(model.PlannedCa(name, directory, account, eab, self._trust.get(directory, "")))
        return name


def _public_key(account: model.FoundAccount) -> str:
    with contextlib.suppress(ValueError):
        return x509.key_hash(x509.key_from_pem(account.key_pem))
    return account.source


def _dns_name(account: model.FoundDnsAccount | None, known: dict[str, model.FoundDnsAccount]) -> str:
    """Return the name of an account at a DNS host, the same for equal ones, or "" without an account.

    :param known: the accounts so far, by name. A new one is added.
    """
    if account is None:
        return ""
    same = (name for name, each in known.items() if replace(each, source="") == replace(account, source=""))
    name = next(same, None) or reading.free_name(_plain(account.provider), known)
    known.setdefault(name, account)
    return name


# ── certificates ────────────────────────────────────────────────────────────────────────


def _one_each(found: Sequence[model.FoundData], notes: reading.Notes) -> Iterable[tuple[str, model.FoundCertificate]]:
    """Return one certificate for each set of names: the newest, with the routes, hooks and files of all."""
    by_names: dict[frozenset[str], list[tuple[str, model.FoundCertificate]]] = {}
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


def _merged(newest: model.FoundCertificate, others: Sequence[model.FoundCertificate]) -> model.FoundCertificate:
    # Each program once.
    deployments = {f"{each.to} {dict(each.options)!r}": each for one in (newest, *others) for each in one.deployments}
    files = {path: role for one in (newest, *others) for path, role in one.files.items()}
    routes = next((one.routes for one in (newest, *others) if one.routes), ())
    return replace(newest, routes=routes, deployments=tuple(deployments.values()), files=files)


def _own_key(certificate: model.FoundCertificate) -> KeyKind | None:
    """Return the type of the certificate's key; None if the configuration has no name for it."""
    with contextlib.suppress(ConfigError):
        return x509.key_kind(user_files.key_from_file(certificate.key_pem or b""))
    return None


def _not_before(certificate: model.FoundCertificate) -> datetime:
    with contextlib.suppress(ValueError):
        return x509.read_certificate((certificate.key_pem and certificate.fullchain_pem) or "").not_before
    return _LONG_AGO


# ── names ───────────────────────────────────────────────────────────────────────────────


def _certificate_name(certificate: model.FoundCertificate, taken: set[str]) -> str:
    """Return a name for the store that follows the tool's name, as far as this is valid on every system."""
    text = (certificate.name or certificate.domains[0]).lower().replace("*", "_")
    name = _NOT_NAME.sub("-", text).lstrip(".-").rstrip(".")[:_LONGEST].rstrip(".") or "certificate"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    name = reading.free_name(name, taken)
    taken.add(name)
    return name


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("-", text).strip("-")[:_LONGEST] or "other"
