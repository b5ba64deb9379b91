"""The ACME accounts: their status at the CAs, and new keys for them (RFC 8555 section 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from dnsrenew.acme import CAClient
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.operations import texts
from dnsrenew.renewal.services import Services
from dnsrenew.store import Store

_WORKERS: Final = 8
"""CAs asked at once."""


class AccountStatus(Frozen, kw_only=True, public=True):
    """An account at a CA."""

    ca: str
    """The CA's name in the configuration."""
    url: str | None
    """The account URL, for ``accounturi`` in CAA records (RFC 8657); None if there is no account."""
    contact: tuple[str, ...]
    """The contact URLs that the CA has."""
    status: str
    """``valid``, ``deactivated`` or ``revoked`` at the CA; ``unknown``: the CA does not know the account, or the
    request failed; ``missing``: the account is not created yet.
    """
    error: DnsRenewError | None = None
    """Why the request or the new key failed; None: it did not."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "ca": self.ca,
            "url": self.url,
            "contact": list(self.contact),
            "status": self.status,
            "error": None if self.error is None else self.error.to_dict(),
        }


def show(cas: Iterable[str] | None, config: Config, services: Services, context: Context) -> list[AccountStatus]:
    """See :meth:`dnsrenew.Renewer.accounts`."""
    names = _chosen(cas, config, services.store, context)
    tasks = context.call_all([partial(_one, name, config, services, context) for name in names], _WORKERS)
    return [task.result() for task in tasks]


def roll(
    cas: Iterable[str] | None, config: Config, services: Services, context: Context, *, compromised: bool
) -> list[AccountStatus]:
    """See :meth:`dnsrenew.Renewer.roll_accounts`."""

    def change(client: CAClient) -> object:
        return client.replace_key(context) if compromised else client.roll_key(context)

    names = _chosen(cas, config, services.store, context)
    return [_one(name, config, services, context, change) for name in names]


def update_contacts(
    cas: Iterable[str] | None, config: Config, services: Services, context: Context
) -> list[AccountStatus]:
    """See :meth:`dnsrenew.Renewer.update_contacts`."""
    names = _chosen(cas, config, services.store, context)
    return [_one(name, config, services, context, lambda client: client.update_contact(context)) for name in names]


def deactivate(cas: Iterable[str] | None, config: Config, services: Services, context: Context) -> list[AccountStatus]:
    """See :meth:`dnsrenew.Renewer.deactivate_accounts`."""
    names = _chosen(cas, config, services.store, context)
    return [_one(name, config, services, context, lambda client: client.deactivate(context)) for name in names]


def stored(cas: Iterable[str] | None, config: Config, store: Store, context: Context) -> list[str]:
    """Return the CAs, of the named or of all, with an account in the store; nothing is sent.

    :raises ConfigError: ``ca-unknown``.
    :raises StoreError: ``store-not-private``.
    """
    store.check_ground()
    return [name for name in _chosen(cas, config, store, context) if _is_stored(name, config, store, context)]


def _one(
    name: str,
    config: Config,
    services: Services,
    context: Context,
    change: Callable[[CAClient], object] | None = None,
) -> AccountStatus:
    """Return one account, after a change of it; an error becomes part of the result."""
    url: str | None = None
    contact: tuple[str, ...] = ()
    try:
        stored = services.store.accounts(config.cas[name].directory, name, context).load()
        if stored is None:
            return AccountStatus(
                ca=name, url=None, contact=(), status="missing", error=StoreError.of(texts.ACCOUNT_MISSING, ca=name)
            )
        url, contact = stored.url, stored.contact
        client = services.ca(name)
        if change is not None:
            context.call(partial(change, client))
        info = context.call(partial(client.account_info, context))
    except Cancelled:
        raise
    except DnsRenewError as error:
        return AccountStatus(ca=name, url=url, contact=contact, status="unknown", error=error)
    if info is None:  # deactivated: the store has forgotten it
        return AccountStatus(ca=name, url=url, contact=contact, status="deactivated")
    return AccountStatus(ca=name, url=info.url, contact=info.contact, status=info.status)


def _chosen(cas: Iterable[str] | None, config: Config, store: Store, context: Context) -> list[str]:
    """Return the named CAs, without duplicates; for None all CAs with a stored account.

    :raises ConfigError: ``ca-unknown``.
    """
    if cas is None:
        return [name for name in config.cas if _is_stored(name, config, store, context)]
    chosen = [cas] if isinstance(cas, str) else list(dict.fromkeys(cas))
    for name in chosen:
        if name not in config.cas:
            likely = nearest(name, config.cas)
            text = texts.CA_UNKNOWN_NEAREST if likely else texts.CA_UNKNOWN
            raise ConfigError.of(text, ca=name, nearest=likely, known=list(config.cas))
    return chosen


def _is_stored(name: str, config: Config, store: Store, context: Context) -> bool:
    try:
        return store.accounts(config.cas[name].directory, name, context).load() is not None
    except StoreError:
        return True  # _one() reports the error
