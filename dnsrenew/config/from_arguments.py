"""One certificate from the arguments of ``dnsrenew.obtain``, with the checks and the error of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import CA, Deployment, DnsAccount, Propagation, Resolver, Route
from dnsrenew.base.validation.mistakes import Mistake, config_error
from dnsrenew.config import texts
from dnsrenew.config.cas import host_name
from dnsrenew.config.loader import from_mapping

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from dnsrenew.base.model import Certificate

    _Deploy = Deployment | Mapping[str, Any] | Callable[[Certificate], object]

_CERTIFICATE: Final = ("certificate", 0)


def from_arguments(
    domains: object,
    *,
    dns: Sequence[DnsAccount],
    contact: object = (),
    agree_terms: bool = False,
    ca: str | CA = "letsencrypt",
    store: str | os.PathLike[str] | None = None,
    name: str | None = None,
    key: str = "ecdsa-p256",
    profile: str | Mapping[str, str] | None = None,
    preferred_chain: str | None = None,
    renew_before: str | None = None,
    routes: Sequence[Route | Mapping[str, Any]] | None = None,
    propagation: Propagation | Mapping[str, Any] | None = None,
    deploy: _Deploy | Sequence[_Deploy] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields of a :class:`Config` for one certificate.

    :param domains: one or several, checked here; the same for ``contact`` and ``deploy``.
    :param dns: the accounts; the caller's own driver is the option ``driver`` of one without a provider.
    :raises ConfigError: ``config-invalid``.
    """
    certificate = _given(
        name=name,
        key=key,
        profile=profile,
        preferred_chain=preferred_chain,
        renew_before=renew_before,
        routes=routes,
        propagation=propagation,
        deploy=[deploy] if isinstance(deploy, (Deployment, Mapping)) or callable(deploy) else _listed(deploy or None),
    )
    certificate["domains"] = _listed(domains)
    accounts = _by_name(dns, routes)
    document = _given(store=store, contact=_listed(contact), agree_terms=agree_terms, resolver=resolver, dns=accounts)
    if isinstance(ca, CA):
        ca_name = ca.name or host_name(ca.directory)
        document["ca"] = {ca_name: ca}
        certificate["ca"] = ca_name
    else:
        certificate["ca"] = ca
    document["certificate"] = [certificate]
    return from_mapping(document, None, prefix=_CERTIFICATE)


def _given(**arguments: Any) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None}


def _listed(value: object) -> object:
    """Return one text, or several of any kind, as a list; what is neither is a mistake that a reader finds."""
    if isinstance(value, str):
        return [value]
    is_several = isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping))
    return list(value) if is_several and isinstance(value, Iterable) else value


def _by_name(accounts: Sequence[DnsAccount], routes: object) -> dict[str, DnsAccount]:
    """Return the accounts by name. Several at one provider without names of their own are numbered, from 2 on.

    :raises ConfigError: ``config-invalid``: two have the same name, and a route means one of them by it.
    """
    named: dict[str, DnsAccount] = {}
    taken = {account.name for account in accounts}
    meant = _named_in(routes)
    for given in accounts:
        account, name = given, given.name
        if name in named:
            if name != account.provider or name in meant:
                raise config_error([Mistake("", None, f"dns.{name}", texts.TWO_ACCOUNTS, texts.OWN_ACCOUNT_NAME)])
            name = next(free for number in count(2) if (free := f"{account.provider}-{number}") not in taken)
            taken.add(name)
            account = copy(given)
            account.name = name
        named[name] = account
    return named


def _named_in(routes: object) -> set[str]:
    """Return the names of accounts in routes; what is no route is a mistake that is found later."""
    names: set[str] = set()
    for each in routes if isinstance(routes, (list, tuple)) else ():
        dns = each.dns if isinstance(each, Route) else each.get("dns") if isinstance(each, Mapping) else ()
        listed = _listed(dns)
        names |= {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    return names
