"""The ACME accounts: their status at the CAs, and new keys for them (RFC 8555 section 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from dnsrenew.acme import CAClient
from dnsrenew.base.model import Result
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.operations import texts
from dnsrenew.operations.revoke import Revocation, revoke
from dnsrenew.renewal.services import Services
from dnsrenew.store import Store


class AccountStatus(Result, kw_only=True, public=True):
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
    """Why the request or the new key failed; None if it succeeded."""


class CaWork(Frozen):
    """One operation at the CAs, apart from orders."""

    config: Config
    services: Services
    context: Context

    def accounts(self, cas: Iterable[str] | None) -> list[AccountStatus]:
        """See :meth:`dnsrenew.Renewer.accounts`."""
        calls = [partial(self._account, name) for name in self._chosen(cas)]
        return [task.result() for task in self.context.call_all(calls, 8)]

    def roll(self, cas: Iterable[str] | None, *, compromised: bool) -> list[AccountStatus]:
        """See :meth:`dnsrenew.Renewer.roll_accounts`."""
        change = CAClient.replace_key if compromised else CAClient.roll_key
        return [self._account(name, change) for name in self._chosen(cas)]

    def update_contacts(self, cas: Iterable[str] | None) -> list[AccountStatus]:
        """See :meth:`dnsrenew.Renewer.update_contacts`."""
        return [self._account(name, CAClient.update_contact) for name in self._chosen(cas)]

    def deactivate(self, cas: Iterable[str] | None) -> list[AccountStatus]:
        """See :meth:`dnsrenew.Renewer.deactivate_accounts`."""
        return [self._account(name, CAClient.deactivate) for name in self._chosen(cas)]

    def revoke(self, name: str, *, reason: str, wait: float) -> Revocation:
        """See :meth:`dnsrenew.Renewer.revoke`."""
        return revoke(name, self.config, self.services, self.context, reason=reason, wait=wait)

    def _chosen(self, cas: Iterable[str] | None) -> list[str]:
        return _chosen(cas, self.config, self.services.store, self.context)

    def _account(self, name: str, change: Callable[[CAClient, Context], object] | None = None) -> AccountStatus:
        """Return one account after a change to it. An error becomes part of the result."""
        url: str | None = None
        contact: tuple[str, ...] = ()
        context, services = self.context, self.services
        try:
            stored = services.store.accounts(self.config.cas[name].directory, name, context).load()
            if stored is None:
                error = StoreError.of(texts.ACCOUNT_MISSING, ca=name)
                return AccountStatus(ca=name, url=None, contact=(), status="missing", error=error)
            url, contact = stored.url, stored.contact
            client = services.ca(name)
            if change is not None:
                context.call(partial(change, client, context))
            info = context.call(partial(client.account_info, context))
        except Cancelled:
            raise
        except DnsRenewError as failed:
            return AccountStatus(ca=name, url=url, contact=contact, status="unknown", error=failed)
        if info is None:  # deactivated: the store has forgotten it
            return AccountStatus(ca=name, url=url, contact=contact, status="deactivated")
        return AccountStatus(ca=name, url=info.url, contact=info.contact, status=info.status)


def stored(cas: Iterable[str] | None, config: Config, store: Store, context: Context) -> list[str]:
    """Return the CAs, of the named or of all, that have an account in the store. Send no request.

    :raises ConfigError: ``ca-unknown``.
    :raises StoreError: ``store-not-private``.
    """
    store.check_ground()
    return [name for name in _chosen(cas, config, store, context) if _is_stored(name, config, store, context)]


def _chosen(cas: Iterable[str] | None, config: Config, store: Store, context: Context) -> list[str]:
    """Return the named CAs without duplicates. None means all CAs with a stored account.

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
        return True  # CaWork reports the error
