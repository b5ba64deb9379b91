"""Getting there: the first configuration, taking over from other ACME clients, delegated names, and backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.cli.invocation import Invocation


def _commands() -> CommandTable:
    from dnsrenew.extensions.setup.commands_table import TABLE

    return TABLE


class _Tools:
    """See :class:`dnsrenew.cli.providers.AccountTools`."""

    def check(self, invocation: Invocation) -> int:
        """Test an account, a line for each MUST."""
        from dnsrenew.extensions.setup.commands import providers_check

        return providers_check.check(invocation)

    def new(self, invocation: Invocation, folders: Sequence[Path]) -> int:
        """Write a driver and its test to start from."""
        from dnsrenew.extensions.setup.commands import providers_check

        return providers_check.new(invocation, folders)


EXTENSION = Extension(commands=_commands, account_tools=_Tools)
