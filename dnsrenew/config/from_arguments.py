"""One certificate from the arguments of ``dnsrenew.obtain``, with the checks and the error of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import count
from typing import Any, Final

from dnsrenew.base.model import CA, Deployment, DnsAccount, Route
from dnsrenew.base.validation import Mistake, config_error
from dnsrenew.config import texts
from dnsrenew.config.cas import host_name
from dnsrenew.config.loader import from_mapping

_CERTIFICATE: Final = ("certificate", 0)
_OF_THE_WHOLE: Final = ("store", "agree_terms", "resolver")


def from_arguments(
    domains: object,
    *,
    dns: Sequence[DnsAccount],
    ca: str | CA = "letsencrypt",
    contact: object = (),
    deploy: object = (),
    **settings: Any,
) -> dict[str, Any]:
    """Return the fields of a :class:`Config` for one certificate.

    :param domains: one or several, checked here; the same for ``contact`` and ``deploy``.
    :param dns: the accounts; the caller's own driver is the option ``driver`` of one without a provider.
    :param settings: other keys of the certificate, or of the whole configuration; None is the default.
    :raises ConfigError: ``config-invalid``.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    document: dict[str, Any] = {key: given.pop(key) for key in _OF_THE_WHOLE if key in given}
    document |= {"contact": _listed(contact), "dns": _by_name(dns, settings.get("routes"))}
    is_one = isinstance(deploy, (Deployment, Mapping)) or callable(deploy)
    deployments = [deploy] if is_one else _listed(deploy or None)
    certificate = {**given, "domains": _listed(domains), **({} if deployments is None else {"deploy": deployments})}
    if isinstance(ca, CA):
        ca_name = ca.name or host_name(ca.directory)
        document["ca"] = {ca_name: ca}
        certificate["ca"] = ca_name
    else:
        certificate["ca"] = ca
    document["certificate"] = [certificate]
    return from_mapping(document, None, prefix=_CERTIFICATE)


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
