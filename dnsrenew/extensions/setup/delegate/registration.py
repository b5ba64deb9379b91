"""The registration of an account at its acme-dns server: made once, and kept in a file that only its user can read."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names
from dnsrenew.base.http import HttpFailure
from dnsrenew.drivers.host_error import HostError
from dnsrenew.drivers.hosts import acme_dns
from dnsrenew.drivers.invoke import CALL_SECONDS, GUARDED_LOGGERS, CallDeadline
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ConfigError, ProviderError, StoreError
from dnsrenew.operations import texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import RecordWriter

DRIVER: Final = "acme-dns"
_CLOSED: Final = frozenset({401, 403, 404, 405})
"""A server that registers nobody has no such page (`disable_registration`), or a proxy in front of it says no."""


def registered_name(context: Context, writer: RecordWriter) -> str:
    """Return the name that an account writes at its acme-dns server; register if that has not been done yet.

    The registration is in its file before anything else happens with it.

    :raises ConfigError: ``delegate-account``: the account does not say the name, or no file.
    :raises SecretError: ``secret-missing``: the file cannot be read, or holds something else.
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
    found = acme_dns.read_registration(file) or _register_once(context, writer, file)
    return _checked_name(found, account.name)


def _register_once(context: Context, writer: RecordWriter, file: str) -> Mapping[str, str]:
    """Register, and return what the file holds then: another process may have been faster."""
    disk, folder, account = AtomicFiles(), os.path.dirname(file), writer.account.name
    try:
        disk.discard(disk.probe(folder, b"{}")[0])  # before the server is asked for what could not be kept
        registration = _register(context, writer, file)
        content = json.dumps(registration, indent=2) + "\n"
        _keep(disk, disk.write_temp(file, content.encode(), PRIVATE), file)
        disk.sync_folder(folder)
    except StoreError as error:
        evidence = {"account": account, "folder": folder, "reason": error.message}
        raise StoreError.of(texts.ACME_DNS_UNWRITABLE, **evidence) from None
    return acme_dns.read_registration(file) or registration


def _keep(disk: AtomicFiles, temp: str, file: str) -> None:
    """Put a temporary file in its place, unless there is a file already."""
    try:
        os.link(temp, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        disk.put(temp, file)
        return
    disk.discard(temp)


def _register(context: Context, writer: RecordWriter, file: str) -> Mapping[str, str]:
    account, provider = writer.account, writer.provider
    cancel, deadline = threading.Event(), CallDeadline(context.clock, CALL_SECONDS)
    driver_context = DriverContext(
        account=account.name,
        options=account.options,
        driver_options=provider.driver_options,
        seconds_left=deadline.left,
        cancel=cancel,
        logger=logging.getLogger(f"dnsrenew.drivers.{provider.driver}"),
    )
    failure: Exception | None = None
    try:
        with context.redactor.guard_logs(*GUARDED_LOGGERS):
            registration = context.call(lambda: acme_dns.register(driver_context))
            context.redactor.add(registration["password"])
            _checked_name(registration, account.name)
            return registration
    except (HostError, HttpFailure) as error:
        failure = error
    finally:
        cancel.set()
    # Outside the `except`: the original error must not become the context of this one.
    if isinstance(failure, HostError) and failure.status_code in _CLOSED:
        evidence = {"account": account.name, "status": failure.status_code, "file": file}
        raise ProviderError.of(texts.ACME_DNS_CLOSED, **evidence)
    from dnsrenew.drivers.error_mapping import translate  # needed only after a failure

    raise translate(failure, provider, account, (), redactor=context.redactor, now=context.clock.now())


def _checked_name(registration: Mapping[str, str], account: str) -> str:
    """Return the name of a registration.

    :raises ProviderError: ``provider-malformed-answer``: it is not the domain name that it should be.
    """
    name = registration["fulldomain"]
    try:
        checked = names.to_a_labels(name)
    except names.InvalidName:
        checked = ""
    if not checked or "*" in checked or names.labels(checked)[0] != registration["subdomain"].lower():
        raise ProviderError.of(texts.ACME_DNS_ODD_NAME, account=account, name=name[:300])
    return checked
