"""The ways to a certificate: ``routes``, and whether every domain has one."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dnsrenew.base.names import base_domain, is_at_or_below, is_wildcard
from dnsrenew.config.cas import CaTables
from dnsrenew.config.dns_accounts import DnsAccountTables
from dnsrenew.config.fields import choice, file_path, flag, listen_address, plain_name, zone
from dnsrenew.config.schema import FieldScope, Key, Table
from dnsrenew.model import Route
from dnsrenew.validation.mistakes import FieldError, KeyPath, kind, nearest, one_of, quoted

_LISTEN: Final = ":80"  # where http-01 listens when nothing is said
_RESERVED: Final = ("tls-alpn-01", "dns-persist-01", "dns-account-01")


def _accounts(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Take one name or a list of names."""
    if isinstance(value, str):
        return (plain_name(value, scope, path),)
    if not isinstance(value, (list, tuple)) or not value:
        raise FieldError("the name of an account, or a list of names", found=kind(value) if value else "an empty list")
    names = tuple(plain_name(name, scope, (*path, index)) for index, name in enumerate(value))
    if len(set(names)) < len(names):
        raise FieldError("each account once", found="a list with a name twice")
    return names


_ROUTE: Final = Table(
    "route",
    {
        "challenge": Key(choice("dns-01", "http-01", reserved=_RESERVED), required=True),
        "ca": Key(plain_name),
        "dns": Key(_accounts),
        "alias": Key(zone),
        "follow_cname": Key(flag),
        "listen": Key(listen_address),
        "webroot": Key(file_path),
    },
)
_ONLY: Final = {"dns": "dns-01", "alias": "dns-01", "follow_cname": "dns-01", "listen": "http-01", "webroot": "http-01"}


def route(value: Any, scope: FieldScope, path: KeyPath) -> Route | None:
    """Take one route; None where its challenge is a mistake."""
    values = _ROUTE.read(value, scope, path)
    challenge = values.get("challenge")
    if challenge is None:
        return None
    for key in values:
        if _ONLY.get(key, challenge) != challenge and not (key == "follow_cname" and values[key]):
            scope.mistake(
                (*path, key), "a key that has no meaning here", f"it only with challenge = {quoted(_ONLY[key])}"
            )
    if "listen" in values and "webroot" in values:
        scope.mistake((*path, "webroot"), "a second way to answer", '"listen" or "webroot", not both')
    return Route(**values)


class RouteNeeds(NamedTuple):
    """What routes are checked for: a certificate's routes as read, its domains and its CA."""

    routes: tuple[Route | None, ...]
    identifiers: tuple[str, ...]
    ca: str


def check_routes(
    wanted: RouteNeeds, scope: FieldScope, path: KeyPath, accounts: DnsAccountTables, authorities: CaTables
) -> tuple[Route, ...]:
    """Check a certificate's routes against its domains, the accounts and the CAs; return those that were understood.

    :param path: the certificate's.
    """
    routes = wanted.routes
    routes_path = (*path, "routes")
    first: dict[tuple[Any, ...], int] = {}
    good = []
    for index, one in enumerate(routes):
        if one is None:
            continue
        place = (*routes_path, index)
        good.append(one)
        same = first.setdefault(_way(one, wanted.ca), index)
        if same != index:
            scope.mistake(place, "a route", f"another one: it is the same as number {same + 1} in the list")
        if one.ca is not None:
            authorities.check_used(one.ca, scope, (*place, "ca"))
        _check_accounts(one, wanted, accounts, scope, place)
    if len(good) == len(routes):
        _check_left(good, wanted.identifiers, scope, path)
    if any(one.challenge == "dns-01" for one in good):
        check_accounts_exist(accounts, scope, path)
    return tuple(good)


def _way(route: Route, ca: str) -> tuple[Any, ...]:
    """Return what two routes that are alike have in common, however they are written."""
    listen = None if route.webroot or route.challenge != "http-01" else route.listen or _LISTEN
    return (
        route.challenge,
        route.ca or ca,
        frozenset(route.dns),
        route.alias,
        route.alias is None and route.follow_cname,
        listen,
        route.webroot,
    )


def check_accounts_exist(accounts: DnsAccountTables, scope: FieldScope, path: KeyPath) -> None:
    """Note a mistake where dns-01 has nobody to write for it."""
    if not accounts.names and not accounts.lack_told:
        accounts.lack_told = True  # once: all certificates lack the same
        scope.mistake(path, "a certificate, and no DNS account", "a [dns.NAME] that writes the TXT values for it")


def _check_accounts(
    one: Route, wanted: RouteNeeds, accounts: DnsAccountTables, scope: FieldScope, place: KeyPath
) -> None:
    """Check that the accounts are there, and may write.

    Where a CNAME may lead into another zone only DNS knows what is written, so that is looked at when it is followed.
    """
    words = tuple(accounts.names)
    for name in one.dns:
        if name not in accounts.names:
            found = f"the unknown DNS account {quoted(name)}"
            scope.mistake((*place, "dns"), found, one_of(words), nearest(name, words))
    if one.challenge != "dns-01" or (one.alias is None and one.follow_cname):
        return
    zones = accounts.zones_of(one.dns or words)
    if zones is None:
        return
    for name in (one.alias,) if one.alias else wanted.identifiers:
        if not any(is_at_or_below(base_domain(name), zone) for zone in zones):
            key = "alias" if one.alias else "follow_cname"
            found = f"{quoted(name)} outside the zones of the accounts"
            scope.mistake((*place, key), found, f"a name in {one_of(sorted(zones))}")


def _check_left(routes: list[Route], identifiers: tuple[str, ...], scope: FieldScope, path: KeyPath) -> None:
    """Note each domain that is ruled out of all routes from the start."""
    if any(one.challenge == "dns-01" for one in routes):
        return
    for index, identifier in enumerate(identifiers):
        if is_wildcard(identifier):
            expected = "a dns-01 route too: a wildcard cannot be validated by http-01"
            scope.mistake((*path, "domains", index), quoted(identifier), expected)
