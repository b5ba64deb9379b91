"""The entries of ``routes``, and the check that every domain has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import filterfalse
from typing import Any, Final

from dnsrenew.base.model import Route
from dnsrenew.base.names import base_domain, is_ip, is_wildcard
from dnsrenew.base.validation import FieldError, KeyPath, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import EMPTY_LIST
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.cas import CaTables
from dnsrenew.config.dns_accounts import DnsAccountTables
from dnsrenew.config.fields import choice, file_path, flag, listen_address, plain_name, zone
from dnsrenew.config.schema import FieldScope, Key, table_of

NAMES: Final = ("dns-01", "http-01", "tls-alpn-01", "dns-persist-01", "dns-account-01")
"""The challenges, in the order in which a mistake lists them."""


def _accounts(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read one name or a list of names."""
    if isinstance(value, str):
        return (plain_name(value, scope, path),)
    if not isinstance(value, (list, tuple)) or not value:
        raise FieldError(texts.ACCOUNT_NAMES, found=kind(value) if value else EMPTY_LIST)
    names = tuple(plain_name(name, scope, (*path, index)) for index, name in enumerate(value))
    if len(set(names)) < len(names):
        raise FieldError(texts.EACH_ACCOUNT_ONCE, found=texts.NAME_TWICE)
    return names


_ROUTE: Final = table_of(
    challenge=Key(choice(*NAMES), required=True),
    ca=Key(plain_name),
    dns=Key(_accounts),
    alias=Key(zone),
    follow_cname=Key(flag),
    listen=Key(listen_address),
    webroot=Key(file_path),
    app=Key(flag),
)
_CHALLENGES_OF: Final = {
    "dns": ("dns-01", "dns-persist-01", "dns-account-01"),
    "alias": ("dns-01", "dns-account-01"),
    "follow_cname": ("dns-01", "dns-account-01"),
    "listen": ("http-01", "tls-alpn-01"),
    "webroot": ("http-01",),
    "app": ("http-01",),
}


def route(value: Any, scope: FieldScope, path: KeyPath) -> Route | tuple[str, ...]:
    """Read one route; if its challenge is invalid, return only its accounts."""
    values = _ROUTE.read(value, scope, path)
    challenge = values.get("challenge")
    if challenge is None:
        return tuple(values.get("dns", ()))
    for key in values:
        challenges = _CHALLENGES_OF.get(key, (challenge,))
        if challenge not in challenges and values[key] != {"follow_cname": True, "app": False}.get(key):
            expected = texts.ONLY_WITH.format(challenge=one_of(challenges))
            scope.mistake((*path, key), texts.NO_EFFECT, expected)
    answers = [key for key in ("listen", "webroot", "app") if values.get(key)]
    if len(answers) > 1:
        scope.mistake((*path, answers[-1]), texts.SECOND_ANSWER, texts.ONE_ANSWER)
    return Route(**values)


class RouteNeeds(Frozen):
    """The parts of a certificate for the check of routes: its routes (:func:`route`), its domains and its CA.

    :ivar identifiers: the valid domains, by their index in the list.
    """

    routes: tuple[Route | tuple[str, ...], ...]
    identifiers: Mapping[int, str]
    ca: str


def check_routes(
    needs: RouteNeeds, scope: FieldScope, path: KeyPath, accounts: DnsAccountTables, cas: CaTables
) -> tuple[Route, ...]:
    """Check a certificate's routes against its domains, the accounts and the CAs; return the valid ones.

    :param path: the path of the certificate.
    """
    routes = needs.routes
    routes_path = (*path, "routes")
    first: dict[tuple[Any, ...], int] = {}
    valid = []
    for index, one in enumerate(routes):
        item_path = (*routes_path, index)
        _check_names(one if isinstance(one, tuple) else one.dns, accounts, scope, item_path)
        if isinstance(one, tuple):
            continue
        valid.append(one)
        identity = _identity(one, needs.ca)
        same = first.setdefault(identity, index)
        if same != index and scope.report.has_mistake((*routes_path, same)):
            first[identity] = index  # an invalid value of the other was left out, so they may differ
        elif same != index and not scope.report.has_mistake(item_path):
            scope.mistake(item_path, texts.ROUTE, texts.SAME_ROUTE.format(number=same + 1))
        if one.ca is not None:
            cas.check_used(one.ca, scope, (*item_path, "ca"))
        _check_accounts(one, needs, accounts, scope, item_path)
    if len(valid) == len(routes):
        check_fitting(valid, needs.identifiers, scope, path)
    if any(CHALLENGES[one.challenge].writes_dns for one in valid):
        check_accounts_exist(accounts, scope, path)
    return tuple(valid)


def _identity(route: Route, ca: str) -> tuple[Any, ...]:
    """Return a value that is equal for two routes that do the same, including defaults."""
    listen = None if route.webroot or route.app else route.listen or CHALLENGES[route.challenge].listen
    follows, names = route.alias is None and route.follow_cname, frozenset(route.dns)
    return (route.challenge, route.ca or ca, names, route.alias, follows, listen, route.webroot, route.app)


def check_accounts_exist(accounts: DnsAccountTables, scope: FieldScope, path: KeyPath) -> None:
    """Add a mistake if no account could write the values of a route."""
    if not accounts.names and not accounts.absence_reported:
        accounts.absence_reported = True  # once for all certificates
        scope.mistake(path, texts.NO_ACCOUNT, texts.ACCOUNT_ARGUMENT if scope.python else texts.ACCOUNT_NEEDED)


def _check_names(names: Sequence[str], accounts: DnsAccountTables, scope: FieldScope, path: KeyPath) -> None:
    """Check that the accounts exist."""
    known = tuple(accounts.names)
    for name in names:
        if name not in known:
            found = texts.UNKNOWN_ACCOUNT.format(account=quoted(name))
            scope.mistake((*path, "dns"), found, one_of(known), nearest(name, known))


def _check_accounts(
    one: Route, needs: RouteNeeds, accounts: DnsAccountTables, scope: FieldScope, path: KeyPath
) -> None:
    """Check that the accounts can write the names.

    With ``follow_cname``, a CNAME can point into another zone, so the zones are checked when it is followed.
    """
    if not CHALLENGES[one.challenge].writes_dns or (one.alias is None and one.follow_cname):
        return
    names = one.dns or tuple(accounts.names)
    for name in (one.alias,) if one.alias else filterfalse(is_ip, needs.identifiers.values()):
        if names and not accounts.covers(names, base_domain(name)):
            key = "alias" if one.alias else "follow_cname"
            found = texts.OUTSIDE_ZONES.format(domain=quoted(name))
            expected = texts.IN_ZONES.format(zones=one_of(accounts.zones_of(names) or ()))
            scope.mistake((*path, key), found, expected)


def check_fitting(routes: Sequence[Route], identifiers: Mapping[int, str], scope: FieldScope, path: KeyPath) -> None:
    """Add a mistake for each wildcard, and each IP address, that no route can validate.

    :param identifiers: the valid domains, by their index in the list.
    :param path: the path of the certificate.
    """
    limited = {index: each for index, each in identifiers.items() if is_wildcard(each) or is_ip(each)}
    types = [CHALLENGES[challenge] for challenge in {one.challenge for one in routes}] if limited else []
    for index, identifier in limited.items():
        if is_wildcard(identifier) and all(its.is_unfit(identifier) for its in types):
            scope.mistake((*path, "domains", index), quoted(identifier), texts.WILDCARD)
        elif is_ip(identifier) and types and all(its.is_unfit(identifier) for its in types):
            expected = texts.IP_ROUTE if all(map(is_ip, identifiers.values())) else texts.IP_ROUTE_TOO
            scope.mistake((*path, "domains", index), quoted(identifier), expected)
