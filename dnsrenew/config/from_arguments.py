"""One certificate from the arguments of ``dnsrenew.obtain``, with the checks and the error of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.config import texts
from dnsrenew.config.cas import host_name
from dnsrenew.config.loader import from_mapping
from dnsrenew.model import CA, DnsAccount, Propagation, Resolver, Route
from dnsrenew.validation.mistakes import Mistake, config_error

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from dnsrenew.model import Certificate, Deployment

_CERTIFICATE: Final = ("certificate", 0)


def from_arguments(
    domains: Sequence[str],
    *,
    dns: Sequence[DnsAccount],
    contact: Sequence[str] = (),
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
    deploy: Sequence[Deployment | Mapping[str, Any] | Callable[[Certificate], object]] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields of a :class:`Config` for one certificate.

    :param dns: the accounts; the caller's own driver is the option ``driver`` of one without a provider.
    :raises ConfigError: ``config-invalid``.
    """
    certificate = _given(
        name=name,
        domains=domains,
        key=key,
        profile=profile,
        preferred_chain=preferred_chain,
        renew_before=renew_before,
        routes=routes,
        propagation=propagation,
        deploy=deploy or None,
    )
    document = _given(store=store, contact=contact, agree_terms=agree_terms, resolver=resolver, dns=_by_name(dns))
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


def _by_name(accounts: Sequence[DnsAccount]) -> dict[str, DnsAccount]:
    named: dict[str, DnsAccount] = {}
    for account in accounts:
        if account.name in named:
            key = f"dns.{account.name}"
            raise config_error([Mistake("", None, key, texts.TWO_ACCOUNTS, texts.OWN_ACCOUNT_NAME)])
        named[account.name] = account
    return named
