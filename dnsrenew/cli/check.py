"""``dnsrenew check``: the configuration, its secrets and its drivers; nothing is sent anywhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import text
from dnsrenew.cli.screen import green

if TYPE_CHECKING:
    from dnsrenew.cli.settings import Session


def check(session: Session) -> int:
    """Check the configuration; return the exit status.

    :raises ConfigError: with all mistakes.
    """
    from dnsrenew.config import resolve_all_secrets
    from dnsrenew.config.trial import unworkable
    from dnsrenew.mistakes import config_error

    config = session.config()
    mistakes = session.interrupt.run(partial(resolve_all_secrets, config))
    mistakes += session.interrupt.run(partial(unworkable, config, session.clock))
    if mistakes:
        raise config_error(mistakes)
    session.screen.document({"ok": True})
    if not session.screen.quiet:
        certificates = text.count(len(config.certificates), "certificate")
        accounts = text.count(len(config.accounts), "DNS account")
        session.screen.result(f"{green('✓')} {config.path} is right: {certificates}, {accounts}, all secrets readable")
    return 0
