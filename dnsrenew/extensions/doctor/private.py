"""What is known to be private: names of the configuration and of this host, and evidence under telling keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Deployment
from dnsrenew.base.users import this_user
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.doctor.masks import SHORTEST, Kind

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Diagnosis, DnsAccount
    from dnsrenew.config import Config

Private = tuple[Kind, str]

_KEYS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("user", "users", "login", "username"), "user"),
    **dict.fromkeys(("path", "paths", "file", "files", "folder", "folders", "store", "webroot", "socket"), "path"),
    **dict.fromkeys(("host", "hosts", "hostname"), "host"),
    **dict.fromkeys(("value", "values", "txt", "stale"), "value"),
    **dict.fromkeys(("serial", "serials", "fingerprint", "fingerprints"), "serial"),
    **dict.fromkeys(("key_name", "tsig_name", "kid", "ssid"), "key"),
    **dict.fromkeys(("domain", "domains", "zone", "zones", "names", "certificate", "certificates"), "name"),
}
"""The kind of the strings under a key of evidence or of options, for those that no pattern finds."""


def of_host() -> Iterator[Private]:
    """Give the names of this host and of its user."""
    import socket

    host = socket.gethostname()
    yield from (("host", name) for name in (host, host.partition(".")[0]))
    yield "path", os.path.expanduser("~")
    yield from (("user", name) for name in (os.environ.get("SUDO_USER"), os.environ.get("USERNAME")) if name)
    if not (user := this_user()).isdecimal():  # a user without a name
        yield "user", user


def of_config(config: Config) -> Iterator[Private]:
    """Give the names in a configuration."""
    yield "path" if config.fleet is None else "url", str(config.store)
    if config.path is not None:
        yield "path", str(config.path)
    yield from (("email", address.removeprefix("mailto:")) for address in config.contact)
    for ca in config.cas.values():
        if ca.name not in BUILT_IN:
            yield from (("ca", ca.name), ("url", ca.directory))
    yield from (("host", server) for server in config.resolver.nameservers)
    yield from (("url", url) for url in (*config.resolver.doh, config.probe_url) if url)
    for account in config.accounts.values():
        yield from _of_account(account)
    for spec in config.certificates:
        yield from _of_certificate(spec)


def _of_account(account: DnsAccount) -> Iterator[Private]:
    if account.name != account.provider:
        yield "account", account.name
    yield from (("name", zone) for zone in account.zones)
    for key, value in account.options.items():
        if isinstance(value, str) and len(value) >= SHORTEST:
            yield _KEYS.get(key, "key"), value


def _of_certificate(spec: CertificateSpec) -> Iterator[Private]:
    yield from (("name", name) for name in dict.fromkeys((spec.name, *spec.domains, *spec.identifiers)))
    for route in spec.routes:
        yield from (("path", str(path)) for path in (route.webroot,) if path)
        yield from (("name", alias) for alias in (route.alias,) if alias)
    for deployment in spec.deploy:
        if isinstance(deployment, Deployment):
            yield from of_values(deployment.options)


def of_diagnosis(diagnosis: Diagnosis) -> Iterator[Private]:
    """Give what a diagnosis itself tells to be private."""
    if diagnosis.name:
        yield "name", diagnosis.name
    if diagnosis.route is not None:
        yield "ca", diagnosis.route.ca
    for check in diagnosis.checks:
        yield from of_values(check.evidence)


def of_values(value: Any, kind: Kind | None = None) -> Iterator[Private]:  # JSON values
    """Give the strings under keys that tell their kind."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            # Values stand by the name and the server that has them; other kinds end at the next mapping.
            yield from of_values(each, _KEYS.get(str(key), "value" if kind == "value" else None))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from of_values(each, kind)
    elif isinstance(value, str) and kind is not None and len(value) >= SHORTEST and not _is_state(kind, value):
        yield kind, value


def _is_state(kind: Kind, value: str) -> bool:
    """Tell whether a word under the key of a path is none: ``"store": "read-only"``."""
    return kind == "path" and "/" not in value and "\\" not in value
