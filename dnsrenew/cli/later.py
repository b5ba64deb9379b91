"""What the contract has and this version does not: the errors that say so, and what to do meanwhile."""

from __future__ import annotations

from dnsrenew.cli.overview import MEANWHILE
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


def dry_run_comes_later() -> ConfigError:
    """Return the error for ``renew --dry-run``: a rehearsal must never issue a real certificate."""
    return ConfigError(
        "not-yet",
        "--dry-run comes in a later version; nothing was done.",
        fix='Rehearse with ca = "letsencrypt-staging" in a configuration and a store of their own.',
        evidence={"flag": "--dry-run"},
    )
