"""A keyed hash of the settings that a renewal depends on. After an edit, a failed renewal is tried at once."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from dnsrenew.base.model import CertificateSpec, DnsAccount, Route
from dnsrenew.base.names import base_domain, is_at_or_below
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.drivers.provider import Provider


def keyed_hash(key: bytes, parts: tuple[object, ...]) -> int:
    """Return a number that changes with the settings, and reveals nothing about them without the key.

    It covers the values of secrets (:meth:`Secret.identity`).

    :param key: the random key of the store.
    """
    mac = hmac.digest(key, _canonical(parts).encode("utf-8", "surrogatepass"), "sha256")
    # A number that every JSON parser reads exactly.
    return int.from_bytes(mac[:6]) or 1


def accounts_of(
    spec: CertificateSpec, accounts: Mapping[str, DnsAccount], providers: Mapping[str, Provider]
) -> Iterator[str]:
    """Yield the names of the accounts that the routes use.

    A route without an account uses the accounts whose zones fit.
    """
    for route in spec.routes:
        if route.dns:
            yield from route.dns
        elif CHALLENGES[route.challenge].port is None:
            owners = _owners(spec, route)
            yield from (name for name, each in accounts.items() if _fits(each, providers.get(each.provider), owners))


def _owners(spec: CertificateSpec, route: Route) -> list[str]:
    """Return the names of the TXT records of a route that are known without DNS."""
    if route.alias:
        return [route.alias]
    return [f"_acme-challenge.{base_domain(identifier)}" for identifier in spec.identifiers]


def _fits(account: DnsAccount, provider: Provider | None, owners: Collection[str]) -> bool:
    zones = (*account.zones, *(provider.zone_suffixes if provider else ()))
    return not zones or any(is_at_or_below(owner, zone) for owner in owners for zone in zones)


def _canonical(value: Any) -> str:  # any value of a configuration
    """Return a text that differs for different values and is the same in every process."""
    if isinstance(value, Secret):
        return f"secret {value.identity()!r}"
    if isinstance(value, DnsAccount):
        return _canonical({slot: getattr(value, slot) for slot in value.__slots__})
    if isinstance(value, Frozen):
        return _canonical(vars(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{_canonical(value[key])}" for key in sorted(value, key=repr)) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if value is None or isinstance(value, (str, bytes, int, float, bool, PurePath)):
        return repr(value)
    return type(value).__name__  # the caller's own driver, whose repr differs in each process
