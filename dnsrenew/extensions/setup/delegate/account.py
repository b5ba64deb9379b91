"""Chooses the domains to delegate, the DNS account that writes for them, and the name that it writes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import OpenFolder
from dnsrenew.base.validation import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.records import OWN_LABEL, RecordWriter, writers_of
from dnsrenew.config import Config
from dnsrenew.drivers import acme_dns
from dnsrenew.drivers.error_mapping import translate
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.invoke import CALL_SECONDS, GUARDED_LOGGERS
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ConfigError, DnsRenewError, ProviderError, StoreError, bare
from dnsrenew.operations import texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles

_MAX_NAME: Final = 253
_HASH: Final = 32
"""The hexadecimal digits that replace a domain that is too long to be a part of a name."""


class DelegatedDomains(Frozen):
    """The domains to delegate.

    :ivar specs: the certificates that have one of the domains.
    :ivar domains: as A-labels, without ``*.``.
    """

    specs: tuple[CertificateSpec, ...]
    domains: tuple[str, ...]


class DelegateAccount(Frozen):
    """The account that writes.

    :ivar zone: the zone that it writes to; None if its server chooses the name.
    """

    writer: RecordWriter
    zone: str | None

    @property
    def name(self) -> str:
        """The name of the account."""
        return self.writer.account.name


# ── which domains ───────────────────────────────────────────────────────────────────────


def choose_domains(config: Config, name: str) -> DelegatedDomains:
    """Return the domains of a certificate, or the named domain.

    For a certificate, only domains that no account with ``zones`` can write are delegated, if there are any.

    :param name: a certificate, or a domain of one.
    :raises ConfigError: ``certificate-unknown``; ``delegate-not-needed``: it has only IP addresses.
    """
    spec = next((each for each in config.certificates if each.name == name), None)
    if spec is not None:
        holders = [writer for writer in writers_of(config.accounts, config.providers).values() if _is_limited(writer)]
        bases = dict.fromkeys(names.base_domain(each) for each in spec.identifiers if not names.is_ip(each))
        if not bases:
            raise ConfigError.of(texts.DELEGATE_NO_DOMAINS, name=name)
        needed = tuple(each for each in bases if not any(_can_write(writer, each) for writer in holders))
        return DelegatedDomains((spec,), needed or tuple(bases))
    try:
        domain = names.base_domain(names.to_a_labels(name))
    except names.InvalidName:
        domain = ""
    specs = tuple(each for each in config.certificates if domain in map(names.base_domain, each.identifiers))
    if not specs or names.is_ip(domain):
        raise _unknown_name(config, name)
    return DelegatedDomains(specs, (domain,))


def _unknown_name(config: Config, name: str) -> ConfigError:
    known = list(dict.fromkeys(each for spec in config.certificates for each in (spec.name, *spec.domains)))
    similar = nearest(name, known)
    text = texts.DELEGATE_NAME_NEAREST if similar else texts.DELEGATE_NAME
    return ConfigError.of(text, name=name, nearest=similar, known=known)


# ── which account ───────────────────────────────────────────────────────────────────────


def choose_account(config: Config, to: str | None, domains: Sequence[str]) -> DelegateAccount:
    """Return the account that will write for some domains.

    Without ``to``, it is the only account whose server chooses the names (acme-dns), or else the only account with
    ``zones`` that contain none of the domains.

    :param to: an account, or a zone to which an account writes.
    :raises ConfigError: ``delegate-account``: there is no such account, or several; ``delegate-not-needed``: it writes
        the records of a domain itself.
    """
    writers = writers_of(config.accounts, config.providers)
    if to is None:
        return _only_one(writers, domains)
    return _checked([writers[to]], domains) if to in writers else _of_zone(writers, to, domains)


def _only_one(writers: Mapping[str, RecordWriter], domains: Sequence[str]) -> DelegateAccount:
    usable = [each for each in writers.values() if all(map(each.can_stand_in, domains))]
    found = [each for each in usable if each.provider.behaviour.delegated] or usable
    if not found:
        raise ConfigError.of(texts.DELEGATE_NO_ACCOUNT, domains=list(domains))
    return _checked(found, domains)


def _checked(found: Sequence[RecordWriter], domains: Sequence[str], zone: str = "") -> DelegateAccount:
    """Return the only account with a zone, or the first of its zones, if it can be used for the domains."""
    if len(found) > 1:
        accounts = [each.account.name for each in found]
        raise ConfigError.of(texts.DELEGATE_CHOOSE, domains=list(domains), accounts=accounts, example=accounts[0])
    writer, account = found[0], found[0].account
    if writer.provider.behaviour.by_hand:
        raise ConfigError.of(texts.DELEGATE_BY_HAND, account=account.name)
    if writer.provider.behaviour.delegated:
        return DelegateAccount(writer, None)
    own = [each for each in domains if _is_limited(writer) and _can_write(writer, each)]
    if own:  # it writes their records itself
        raise ConfigError.of(texts.DELEGATE_OWN_DOMAIN, account=account.name, domains=own)
    if not (zone or account.zones):
        raise ConfigError.of(texts.DELEGATE_ZONE_NEEDED, account=account.name)
    return DelegateAccount(writer, zone or names.relative(account.zones[0]))


def _of_zone(writers: Mapping[str, RecordWriter], to: str, domains: Sequence[str]) -> DelegateAccount:
    """Return the account that writes to a zone: the one with the longest zone, or the only one without a limit."""
    if not to.strip():
        raise ConfigError.of(texts.DELEGATE_TO_EMPTY, to=to, known=list(writers))
    try:
        zone = names.to_a_labels(to)
    except names.InvalidName:
        zone = ""
    probe = f"{OWN_LABEL}.{zone}"
    usable = [each for each in writers.values() if zone and not each.provider.behaviour.delegated]
    fitting = [each for each in usable if _is_limited(each) and each.may_write(probe)]
    fitting.sort(key=lambda each: len(names.labels(each.zone_of(probe) or "")), reverse=True)
    found = fitting[:1] or [each for each in usable if not _is_limited(each)]
    if "." not in zone or not found:
        known = [*writers, *(names.relative(each) for writer in writers.values() for each in writer.account.zones)]
        similar = nearest(to, known)
        text = texts.DELEGATE_TO_NEAREST if similar else texts.DELEGATE_TO_UNKNOWN
        raise ConfigError.of(text, to=to, nearest=similar, known=list(writers))
    return _checked(found, domains, zone)


def _is_limited(writer: RecordWriter) -> bool:
    return bool(writer.account.zones or writer.provider.zone_suffixes)


def _can_write(writer: RecordWriter, domain: str) -> bool:
    return writer.may_write(f"{OWN_LABEL}.{domain}")


# ── which name ──────────────────────────────────────────────────────────────────────────


def target_name(domain: str, zone: str) -> str:
    """Return the name in a zone that holds the values for a domain: ``_acme-challenge.DOMAIN.ZONE``.

    It is always the same for a domain, and begins like the name it represents, because some DNS hosts can limit a key
    to such names. A domain that is too long is replaced by a hash.
    """
    name = f"{OWN_LABEL}.{domain}.{zone}"
    if len(name) <= _MAX_NAME:
        return name
    return f"{OWN_LABEL}.{hashlib.sha256(domain.encode('ascii')).hexdigest()[:_HASH]}.{zone}"


# ── registration ───────────────────────────────────────────────────────────────────────

# The registration of an account at its acme-dns server: created once, and kept in a file that only its user can read.

DRIVER: Final = "acme-dns"
_CLOSED: Final = frozenset({401, 403, 404, 405})
"""With registration disabled (`disable_registration`), the endpoint is missing or a proxy refuses it."""


def registered_name(context: Context, writer: RecordWriter) -> str:
    """Return the name that an account writes at its acme-dns server, and register it if necessary.

    The registration is saved in its file before any other use.

    :raises ConfigError: ``delegate-account``: the account has neither the name nor a file.
    :raises SecretError: ``secret-missing``: the file cannot be read, or contains no registration.
    :raises ProviderError: ``acme-dns-closed``, or the server cannot be used.
    :raises StoreError: ``acme-dns-unwritable``.
    """
    account = writer.account
    if writer.provider.driver != DRIVER:
        raise ConfigError.of(texts.DELEGATE_NO_TARGET, account=account.name)
    if all(account.options.get(key) for key in ("username", "password", "subdomain")):
        raise ConfigError.of(texts.ACME_DNS_NO_FULLDOMAIN, account=account.name)
    file = account.options.get("registration")
    if not isinstance(file, str):
        raise ConfigError.of(texts.ACME_DNS_NO_FILE, account=account.name)
    try:
        return _checked_name(acme_dns.read_registration(file) or _register_once(context, writer, file), account.name)
    except DnsRenewError as error:
        raise bare(error) from None


def _register_once(context: Context, writer: RecordWriter, file: str) -> Mapping[str, str]:
    """Register, and return the content of the file, because another process may have been faster."""
    disk, folder, account = AtomicFiles(), os.path.dirname(file), writer.account.name
    try:
        disk.discard(disk.probe(folder, b"{}")[0])  # before the server is asked for what could not be kept
        registration = _register(context, writer, file)
        temp = disk.write_temp(file, f"{json.dumps(registration, indent=2)}\n".encode(), PRIVATE)
        disk.do("rename", file, partial(_keep, OpenFolder(folder, None), *map(os.path.basename, (temp, file))))
        disk.sync_folder(folder)
    except StoreError as error:
        raise StoreError.of(texts.ACME_DNS_UNWRITABLE, account=account, folder=folder, reason=error.message) from None
    return acme_dns.read_registration(file) or registration


def _keep(folder: OpenFolder, temp: str, name: str) -> None:
    """Put a temporary file in place, unless the file already exists."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.claim(temp, name)
    finally:
        folder.discard(temp)


def _register(context: Context, writer: RecordWriter, file: str) -> Mapping[str, str]:
    account, provider = writer.account, writer.provider
    cancel = threading.Event()
    driver_context = DriverContext(
        account=account.name,
        options=account.options,
        driver_options=provider.driver_options,
        seconds_left=context.within(CALL_SECONDS).left,
        cancel=cancel,
        logger=logging.getLogger(f"dnsrenew.drivers.{provider.driver}"),
    )
    try:
        with context.redactor.guard_logs(*GUARDED_LOGGERS):
            registration = context.call(lambda: acme_dns.register(driver_context))
            context.redactor.add(registration["password"])
            _checked_name(registration, account.name)
            return registration
    except (HostError, HttpFailure) as error:
        if isinstance(error, HostError) and error.status_code in _CLOSED:
            evidence = {"account": account.name, "status": error.status_code, "file": file}
            raise ProviderError.of(texts.ACME_DNS_CLOSED, **evidence) from None
        raise translate(error, provider, account, (), redactor=context.redactor, now=context.clock.now()) from None
    finally:
        cancel.set()


def _checked_name(registration: Mapping[str, str], account: str) -> str:
    """Return the name of a registration.

    :raises ProviderError: ``provider-malformed-answer``: it is not a domain name.
    """
    name = registration["fulldomain"]
    try:
        checked = names.to_a_labels(name)
    except names.InvalidName:
        checked = ""
    if not checked or "*" in checked or names.labels(checked)[0] != registration["subdomain"].lower():
        raise ProviderError.of(texts.ACME_DNS_ODD_NAME, account=account, name=name[:300])
    return checked
