"""What the contract has and this version does not: the errors that say so, and what to do meanwhile."""

from __future__ import annotations

from dnsrenew.cli.help import MEANWHILE
from dnsrenew.errors import ConfigError


def comes_later(command: str) -> ConfigError:
    """Return the error for a command that comes later."""
    what, meanwhile = MEANWHILE[command]
    return ConfigError(
        "not-yet",
        f"dnsrenew {command} ({what}) comes in a later version.",
        fix=meanwhile,
        evidence={"command": command},
    )
