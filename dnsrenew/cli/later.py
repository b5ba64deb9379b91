"""Commands that the contract has and this version does not: what comes, and what to do meanwhile."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import ConfigError

_MEANWHILE: Final = {
    "doctor": (
        "say whether a certificate can be renewed, and if not, why",
        "Run dnsrenew check, then dnsrenew renew: its errors say what stands in the way.",
    ),
    "cleanup": (
        "remove TXT values that a killed run left",
        "Remove them at your DNS host: TXT records named _acme-challenge that no run is using.",
    ),
    "init": (
        "ask, test the answers and write dnsrenew.toml",
        "Run dnsrenew providers NAME for your DNS host and put the block it prints into dnsrenew.toml.",
    ),
    "schedule": (
        "let renew run by itself",
        "Run dnsrenew renew -q once a day, from cron or a systemd timer.",
    ),
    "run": (
        "renew in the foreground, for containers",
        "Run dnsrenew renew -q once a day, from the container's scheduler.",
    ),
    "revoke": (
        "revoke a certificate",
        "Replace it with dnsrenew renew NAME --force, and revoke the old one as its CA describes.",
    ),
    "deploy": (
        "put the stored certificates to work again",
        "Let the program read certificates/NAME/current in the store, and reload it after dnsrenew renew.",
    ),
    "account": (
        "show the accounts at the CAs, and change their keys",
        "Read the account's address in accounts/*/account.json in the store.",
    ),
    "remove": (
        "take a certificate out of the store",
        "Take it out of dnsrenew.toml, and delete its folder under certificates in the store.",
    ),
}

LATER: Final = {name: f"{what}: comes in a later version of dnsrenew." for name, (what, _) in _MEANWHILE.items()}
"""Each such command with one line that says what it will do."""


def comes_later(command: str) -> ConfigError:
    """Return the error for a command that comes later."""
    what, meanwhile = _MEANWHILE[command]
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
