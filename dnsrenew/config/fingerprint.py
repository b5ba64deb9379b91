"""A checksum of the settings a renewal depends on: after an edit, a failed renewal is tried again at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.model import DnsAccount
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from dnsrenew.drivers import Provider
    from dnsrenew.model import CA, CertificateSpec

_IRRELEVANT: Final = {"name", "deploy", "renew_before"}
"""Fields of a certificate that have no influence on its order."""


def fingerprint(
    spec: CertificateSpec,
    *,
    cas: Mapping[str, CA],
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    shared: tuple[object, ...],
) -> int:
    """Return a number that changes when the certificate, its CAs, its DNS accounts or the resolver do.

    It covers secrets too, but with 32 bits it reveals nothing about them. Comments and the settings of other
    certificates have no influence.

    :param shared: the settings of all certificates: contact, terms, resolver.
    """
    from zlib import crc32

    names = {spec.ca, *(route.ca for route in spec.routes if route.ca)}
    used = _accounts(accounts, spec)
    parts = (
        {name: value for name, value in vars(spec).items() if name not in _IRRELEVANT},
        {name: cas.get(name) for name in names},
        {account.name: (account, providers.get(account.provider)) for account in used},
        shared,
    )
    return crc32(_canonical(parts).encode("utf-8", "surrogatepass")) or 1


def _accounts(accounts: Mapping[str, DnsAccount], spec: CertificateSpec) -> list[DnsAccount]:
    by_dns = [route.dns for route in spec.routes if route.challenge == "dns-01"]
    if not all(by_dns):  # a route without accounts uses the fitting ones
        return list(accounts.values())
    return [accounts[name] for name in dict.fromkeys(name for names in by_dns for name in names)]


def _canonical(value: Any) -> str:  # any value of a configuration
    """Return a text that differs for different values and is the same in every process."""
    if isinstance(value, Secret):
        return f"secret {value.reveal() if value.reference == 'literal' else value.reference!r}"
    if isinstance(value, DnsAccount):
        return _canonical({slot: getattr(value, slot) for slot in value.__slots__})
    if isinstance(value, Frozen):
        return _canonical(vars(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{_canonical(value[key])}" for key in sorted(value, key=repr)) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if value is None or isinstance(value, (str, int, float, bool, PurePath)):
        return repr(value)
    return type(value).__name__  # the caller's own driver: its repr differs in each process
