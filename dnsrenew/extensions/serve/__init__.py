"""The command ``dnsrenew serve``: runs a web app in Python with an always current certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import CommandTable


def _commands() -> CommandTable:
    from dnsrenew.extensions.serve.commands_table import COMMANDS

    return COMMANDS


EXTENSION = Extension(commands=_commands)
