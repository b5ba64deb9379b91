"""``dnsrenew check``: the configuration, its secrets and its drivers; nothing is sent anywhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import text
from dnsrenew.cli.terminal import green

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation


def check(session: Invocation) -> int:
    """Check the configuration; return the exit status.

    :raises ConfigError: with all mistakes.
    """
    from dnsrenew.config import resolve_all_secrets
    from dnsrenew.config.account_check import unusable_accounts
    from dnsrenew.validation.mistakes import config_error

    config = session.config()
    mistakes = session.interrupt.run(partial(resolve_all_secrets, config))
    mistakes += session.interrupt.run(partial(unusable_accounts, config, session.clock))
    if mistakes:
        raise config_error(mistakes)
    session.screen.document({"ok": True})
    if not session.screen.quiet:
        certificates = text.count(len(config.certificates), "certificate")
        accounts = text.count(len(config.accounts), "DNS account")
        session.screen.result(f"{green('✓')} {config.path} is right: {certificates}, {accounts}, all secrets readable")
    return 0
