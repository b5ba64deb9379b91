"""Setting up: the first configuration, imports from other ACME clients, delegated names, and backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.cli.providers import AccountTools


def _commands() -> CommandTable:
    from dnsrenew.extensions.setup.commands_table import COMMANDS

    return COMMANDS


def _account_tools() -> AccountTools:
    from dnsrenew.extensions.setup.commands import providers_check

    return providers_check


EXTENSION = Extension(commands=_commands, account_tools=_account_tools)
