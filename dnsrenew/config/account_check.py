"""Whether each account works: its driver is made with its options, as in a renewal. Nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.config import texts
from dnsrenew.errors import Cancelled, DnsRenewError, SecretError
from dnsrenew.runtime.context import Context
from dnsrenew.validation.mistakes import Mistake, shown_key

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.config import Config


def unusable_accounts(config: Config, clock: Clock) -> list[Mistake]:
    """Make the driver of every account, for ``dnsrenew check``; return a mistake for each that fails.

    A missing secret is not reported here, but by :func:`dnsrenew.config.resolve_all_secrets`.
    """
    if not config.accounts:
        return []
    from dnsrenew.drivers.invoke import prepare

    context = Context(clock=clock)
    mistakes = []
    for account in config.accounts.values():
        try:
            prepare(context, config.providers[account.provider], account)
        except Cancelled:
            raise
        except SecretError:
            continue
        except DnsRenewError as error:
            mistakes.append(_mistake(account.name, error, config.account_files.get(account.name, "")))
    return mistakes


def _mistake(account: str, error: DnsRenewError, file: str) -> Mistake:
    from dnsrenew.validation.toml_positions import line_in  # needed only after a mistake

    path = ("dns", account, str(error.evidence.get("key", "provider")))
    found = error.message.removesuffix(".")
    return Mistake(file, line_in(file, path), shown_key(path), found, texts.WORKING_ACCOUNT, fix=error.fix)
