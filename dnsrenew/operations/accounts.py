"""Our accounts at the CAs: what the CAs say of them, and new keys for them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.validation.mistakes import nearest

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.renewal.job import Services
    from dnsrenew.runtime.context import Context

_AT_ONCE: Final = 8


class AccountStatus(Frozen, kw_only=True):
    """An account at a CA.

    :ivar ca: the CA's name in the configuration.
    :ivar url: what ``accounturi`` in CAA records means (RFC 8657); None where there is no account.
    :ivar contact: the addresses that the CA has, as URLs.
    :ivar status: ``valid``, ``deactivated``, ``revoked`` as the CA says; ``unknown``: it knows no such account, or
        could not be asked; ``missing``: none was made yet.
    :ivar error: why it could not be asked, or has no new key.
    """

    ca: str
    url: str | None
    contact: tuple[str, ...]
    status: str
    error: DnsRenewError | None = None

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
    names = _chosen(cas, config, services, context)
    tasks = context.call_all([partial(_one, name, config, services, context) for name in names], _AT_ONCE)
    return [task.result() for task in tasks]


def roll(cas: Iterable[str] | None, config: Config, services: Services, context: Context) -> list[AccountStatus]:
    """See :meth:`dnsrenew.Renewer.roll_accounts`."""
    names = _chosen(cas, config, services, context)
    return [_one(name, config, services, context, new_key=True) for name in names]


def _one(name: str, config: Config, services: Services, context: Context, *, new_key: bool = False) -> AccountStatus:
    """Return one account, with a new key if wanted; what stops that is part of the answer."""
    url: str | None = None
    contact: tuple[str, ...] = ()
    try:
        stored = services.store.accounts(config.cas[name].directory, name, context).load()
        if stored is None:
            return AccountStatus(ca=name, url=None, contact=(), status="missing", error=_missing(name))
        url, contact = stored.url, stored.contact
        client = services.ca(name)
        if new_key:
            context.call(partial(client.roll_key, context))
        info = context.call(partial(client.account_info, context))
    except Cancelled:
        raise
    except DnsRenewError as error:
        return AccountStatus(ca=name, url=url, contact=contact, status="unknown", error=error)
    assert info is not None  # noqa: S101  # it is kept: we have looked
    return AccountStatus(ca=name, url=info.url, contact=info.contact, status=info.status)


def _chosen(cas: Iterable[str] | None, config: Config, services: Services, context: Context) -> list[str]:
    """Return the named CAs, each once; or all where an account is kept.

    :raises ConfigError: ``ca-unknown``.
    """
    if cas is None:
        return [name for name in config.cas if _is_kept(name, config, services, context)]
    chosen = [cas] if isinstance(cas, str) else list(dict.fromkeys(cas))
    for name in chosen:
        if name not in config.cas:
            meant = nearest(name, config.cas)
            raise ConfigError(
                "ca-unknown",
                f"There is no CA named {name} in the configuration.",
                fix=f"Did you mean {meant}?" if meant else f"Known are: {', '.join(config.cas)}.",
                evidence={"ca": name, "nearest": meant},
            )
    return chosen


def _is_kept(name: str, config: Config, services: Services, context: Context) -> bool:
    try:
        return services.store.accounts(config.cas[name].directory, name, context).load() is not None
    except StoreError:
        return True  # it is told when its turn comes


def _missing(name: str) -> StoreError:
    return StoreError(
        "account-missing",
        f"There is no account at the CA {name} yet.",
        fix="Run dnsrenew renew: the account is made with the first certificate from there.",
        evidence={"ca": name},
    )
