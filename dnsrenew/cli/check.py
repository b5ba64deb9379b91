"""``dnsrenew check``: validates the configuration, its secrets and its drivers, offline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.terminal import green

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation


def check(invocation: Invocation) -> int:
    """Check the configuration; return the exit status.

    :raises ConfigError: with all mistakes.
    """
    from dnsrenew.config import resolve_all_secrets
    from dnsrenew.config.account_check import unusable_accounts
    from dnsrenew.validation.mistakes import config_error

    config = invocation.config()
    mistakes = invocation.signals.run(partial(resolve_all_secrets, config))
    mistakes += invocation.signals.run(partial(unusable_accounts, config, invocation.clock))
    if mistakes:
        raise config_error(mistakes)
    invocation.terminal.write_document({"ok": True})
    if not invocation.terminal.quiet:
        fields = {
            "path": config.path,
            "certificates": formatting.count(len(config.certificates), texts.CERTIFICATE),
            "accounts": formatting.count(len(config.accounts), texts.DNS_ACCOUNT),
        }
        columns, _ = invocation.terminal.out.size()
        lines = formatting.wrap(texts.CONFIG_VALID.format_map(fields), columns, f"{green('✓')} ", "  ")
        invocation.terminal.write_result("\n".join(lines))
    return 0
