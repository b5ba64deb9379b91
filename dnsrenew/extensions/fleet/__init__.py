"""A fleet: certificates in a database, workers on any number of machines, servers that answer for all names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.config.loader import Draft
    from dnsrenew.extensions.fleet.certificates import DatabaseKind


def _commands() -> CommandTable:
    from dnsrenew.extensions.fleet.commands_table import COMMANDS

    return COMMANDS


def _store() -> DatabaseKind:
    from dnsrenew.extensions.fleet.certificates import DATABASE

    return DATABASE


def _check() -> Callable[[Draft], None]:
    from dnsrenew.extensions.fleet.database.server import check_fleet

    return check_fleet


EXTENSION = Extension(commands=_commands, store=_store, check=_check)
