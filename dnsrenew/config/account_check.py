"""Whether each account works: its driver is made with its options, as in a renewal. Nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.runtime.context import Context
from dnsrenew.config import texts
from dnsrenew.config.schema import Unlocated
from dnsrenew.errors import Cancelled, DnsRenewError, as_clause

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Notice
    from dnsrenew.config.loader import Draft


def check_accounts(draft: Draft, clock: Clock) -> list[Notice]:
    """Make the driver of every account without a mistake, and add a mistake for each that fails.

    :returns: the warnings of the drivers.
    """
    accounts = draft.accounts
    if not accounts.accounts:
        return []
    from dnsrenew.drivers.invoke import prepare

    context = Context(clock=clock)
    for account in accounts.accounts.values():
        if draft.report.has_mistake(("dns", account.name)):
            continue
        try:
            prepare(context, accounts.providers[account.provider], account)
        except Cancelled:
            raise
        except DnsRenewError as error:
            path = ("dns", account.name, str(error.evidence.get("key", "provider")))
            found = as_clause(error.message)
            file = accounts.files[account.name]
            draft.report.add(Unlocated(file, path, found, texts.WORKING_ACCOUNT, fix=error.fix))
    return context.notices
