"""Can each account work? Its driver is made, with its options, as a renewal would; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.errors import Cancelled, DnsRenewError, SecretError
from dnsrenew.runtime.context import Context
from dnsrenew.validation.mistakes import Mistake, shown_key

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.config import Config


def unusable_accounts(config: Config, clock: Clock) -> list[Mistake]:
    """Make every account's driver, for ``dnsrenew check``; return a mistake for each that cannot be made.

    A secret that leads to nothing is none of them: :func:`dnsrenew.config.resolve_all_secrets` names it.
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
            mistakes.append(_mistake(account.name, error, config.places.get(account.name, "")))
    return mistakes


def _mistake(account: str, error: DnsRenewError, file: str) -> Mistake:
    from dnsrenew.validation.toml_positions import line_in  # wanted only after a mistake

    path = ("dns", account, str(error.evidence.get("key", "provider")))
    expected = f"an account that can work: {error.fix[0].lower()}{error.fix[1:].removesuffix('.')}"
    return Mistake(file, line_in(file, path), shown_key(path), error.message.removesuffix("."), expected)
