"""A number for what a certificate's renewal depends on, so that an edit that may have mended something is known."""

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

_AFTERWARDS: Final = {"name", "deploy", "renew_before"}
"""What of a certificate decides nothing about its order."""


def fingerprint(
    spec: CertificateSpec,
    *,
    cas: Mapping[str, CA],
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    shared: tuple[object, ...],
) -> int:
    """Return a number that changes when the certificate, its CAs, its DNS accounts or the resolver do.

    :param shared: what every certificate depends on: contact, terms, resolver.

    Of secrets too; it is too short to tell anything of them. Comments, and what other certificates use, do not matter.
    """
    from zlib import crc32

    names = {spec.ca, *(route.ca for route in spec.routes if route.ca)}
    used = _accounts(accounts, spec)
    parts = (
        {name: value for name, value in vars(spec).items() if name not in _AFTERWARDS},
        {name: cas.get(name) for name in names},
        {account.name: (account, providers.get(account.provider)) for account in used},
        shared,
    )
    return crc32(_told(parts).encode("utf-8", "surrogatepass")) or 1


def _accounts(accounts: Mapping[str, DnsAccount], spec: CertificateSpec) -> list[DnsAccount]:
    by_dns = [route.dns for route in spec.routes if route.challenge == "dns-01"]
    if not all(by_dns):  # a route without accounts takes those that fit
        return list(accounts.values())
    return [accounts[name] for name in dict.fromkeys(name for names in by_dns for name in names)]


def _told(value: Any) -> str:  # whatever stands in a configuration
    """Return a text that is another one for another value, and the same in every process."""
    if isinstance(value, Secret):
        return f"secret {value.reveal() if value.reference == 'literal' else value.reference!r}"
    if isinstance(value, DnsAccount):
        return _told({slot: getattr(value, slot) for slot in value.__slots__})
    if isinstance(value, Frozen):
        return _told(vars(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{_told(value[key])}" for key in sorted(value, key=repr)) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_told, value)) + "]"
    if value is None or isinstance(value, (str, int, float, bool, PurePath)):
        return repr(value)
    return type(value).__name__  # a driver of the program's own: its address would be another each time
